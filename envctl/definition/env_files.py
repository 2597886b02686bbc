"""`env_file`: the variables of files become part of a service's `env`, which wins over them."""

from __future__ import annotations

from collections.abc import Mapping

from envctl.definition import dotenv
from envctl.definition.input_files import InputFiles
from envctl.definition.key import INVALID, Cursor, Reading
from envctl.definition.keys.service import SERVICE
from envctl.definition.merge import merge_maps, normalize
from envctl.definition.problems import Problems
from envctl.definition.size import Size
from envctl.definition.tree import MapNode, NullNode, Position, ScalarNode, without
from envctl.host.safe_read import InsideError

_KEY = "env_file"


class EnvFiles:
    """Adds what the files set to the services that name them."""

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
        """The services, each with the variables of its files in `env` and without `env_file`."""
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
        """What all files of a service set; the last one wins."""
        table = MapNode(service.positions[_KEY])
        for path, is_required, position in self._paths(name, service):
            text = self._text(f"services.{name}.{_KEY}", path, position, is_required=is_required)
            if text is None:
                continue

            def known(name: str, before: MapNode = table) -> str | None:
                for values in (env, before, self.variables):
                    value = values.get(name) if values else None
                    if isinstance(value, ScalarNode):
                        return str(value)
                return None

            parsed = dotenv.parse(text, path, known=known, problems=self.problems)
            table = merge_maps(table, parsed, problems=self.problems)
        return table

    def _paths(self, name: str, service: MapNode) -> list[tuple[str, bool, Position]]:
        """The files of a service: path, whether it has to exist, and where it is named."""
        key = SERVICE.fields[_KEY].key
        reading = Reading(self.problems)
        position = service.positions[_KEY]
        cursor = Cursor(reading, f"services.{name}", position).enter(_KEY, position, (), key)
        node = normalize(service[_KEY], path=("services", name, _KEY), problems=self.problems)
        files = key.kind.read(node, cursor)
        if files is INVALID:
            return []
        return [
            (file["path"], file["required"], reading.origins[(index,)][0])
            for index, file in enumerate(files)
        ]

    def _text(self, key: str, path: str, position: Position, *, is_required: bool) -> str | None:
        """The text of a file; None if it cannot be read, which is reported."""
        try:
            data = self.files.read(path)
            if data is not None:
                return data.decode("utf-8-sig")
        except InsideError as error:
            self.problems.add(position, f"{key}: {error.brief}", hint=error.hint)
        except UnicodeDecodeError:
            self.problems.add(position, f"{key}: {path} is not UTF-8 text", hint="save it as UTF-8")
        else:
            if is_required:
                self.problems.add(
                    position,
                    f"{key}: {path!r} does not exist",
                    hint=f"if it need not exist, write {{path: {path}, required: false}}",
                )
        return None
