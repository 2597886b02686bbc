"""`env_file`: the variables of files become part of a service's `env`, which wins over them."""

from __future__ import annotations

from collections.abc import Mapping

from envctl.definition import dotenv
from envctl.definition.input_files import InputFiles
from envctl.definition.keys.service import SERVICE
from envctl.definition.merge import merge_maps
from envctl.definition.named_files import NamedFiles
from envctl.definition.problems import Problems
from envctl.definition.size import Size
from envctl.definition.tree import MapNode, NullNode, ScalarNode, without

_KEY = "env_file"


class EnvFiles:
    """Adds the variables from files to the services that name the files."""

    def __init__(
        self,
        files: InputFiles,
        variables: Mapping[str, ScalarNode],
        *,
        problems: Problems,
        size: Size,
    ) -> None:
        self.files = files
        self.variables = variables
        self.problems = problems
        self.size = size

    def add_to(self, services: MapNode) -> MapNode:
        """Return the services, each with the variables of its files in `env` and without `env_file`."""
        result = without(services)
        for name, node in services.items():
            # An empty key that removes nothing is reported with the others of its kind.
            if isinstance(node, MapNode) and not isinstance(node.get(_KEY), NullNode | None):
                result[name] = self._with_variables(name, node)
        return result

    def _with_variables(self, name: str, service: MapNode) -> MapNode:
        env = service.get("env", NullNode(service.positions[_KEY]))
        result = without(service, _KEY)
        if not isinstance(env, MapNode | NullNode) or (
            isinstance(env, NullNode) and "env" in service and not env.replaced
        ):
            return result  # reported when it is read
        table = self._variables(name, service, env if isinstance(env, MapNode) else None)
        if isinstance(env, MapNode):
            own_env = without(env)
            own_env.sealed = False
            path = ("services", name, "env")
            table = merge_maps(table, own_env, path=path, problems=self.problems)
        table.replaced = env.replaced
        position = service.positions.get("env", service.positions[_KEY])
        self.size.add(table, position, f"services.{name}.{_KEY}")
        result.put("env", table, position)
        return result

    def _variables(self, name: str, service: MapNode, env: MapNode | None) -> MapNode:
        """Return the variables that all files of a service set. The last file wins."""
        table = MapNode(service.positions[_KEY])
        named = NamedFiles(
            _KEY, SERVICE.fields[_KEY].key, self.files, self.problems, ("services", name)
        )
        for path, text in named.texts(service):

            def known(name: str, before: MapNode = table) -> str | None:
                for values in (env, before, self.variables):
                    value = values.get(name) if values else None
                    if isinstance(value, ScalarNode):
                        return str(value)
                return None

            parsed = dotenv.parse(text, path, known=known, problems=self.problems)
            table = merge_maps(table, parsed, problems=self.problems)
        return table
