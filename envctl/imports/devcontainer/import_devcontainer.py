"""A devcontainer.json, with the files that it names, to the files of a spec. Nothing is written here."""

from __future__ import annotations

import copy
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from envctl.conversion.conversion_report import ConversionReport, KeyOutcome, is_empty
from envctl.definition.problems import Problems, suggestion
from envctl.definition.tree import (
    ListNode,
    MapNode,
    Node,
    NullNode,
    Position,
    ScalarNode,
    children,
    quoted,
)
from envctl.host.safe_read import InsideError, read_inside
from envctl.imports.compose.compose_files import resets_removed
from envctl.imports.compose.declared_variables import report_variables, with_variables
from envctl.imports.compose.import_project import ComposeImport
from envctl.imports.compose.limit_rules import finish_capabilities
from envctl.imports.compose.long_form import inside
from envctl.imports.compose.service_import import ProjectImport, slug
from envctl.imports.compose.source_rules import finish_source
from envctl.imports.compose.substitute import Variables
from envctl.imports.compose.translate import in_order, service_names
from envctl.imports.devcontainer.command_rules import ORDER, write_hooks
from envctl.imports.devcontainer.container_import import ContainerImport, ContainerPlace
from envctl.imports.devcontainer.container_variables import ContainerVariables, UnknownVariable
from envctl.imports.devcontainer.json_with_comments import read_json
from envctl.imports.devcontainer.process_rules import keep_up
from envctl.imports.devcontainer.rule_table import RULES
from envctl.imports.devcontainer.storage_rules import default_workspace
from envctl.imports.imported_project import ImportChoices, ImportedProject
from envctl.imports.spec_writer import spec_files

MAX_BYTES: Final = 1024 * 1024
MAX_ITEMS: Final = 1000
"""Of a list or mapping: a real dev container has some dozens."""
_SERVICE: Final = "app"
_DEV: Final = "dev"
_SOURCES: Final = ("dockerComposeFile", "build", "dockerFile", "image")


def import_devcontainer(root: Path, file: str, choices: ImportChoices) -> ImportedProject:
    """Import a dev container. SpecError with every mistake that makes this impossible."""
    return _Import(root, file, choices).run()


class _Import:
    def __init__(self, root: Path, file: str, choices: ImportChoices) -> None:
        self.root = root
        self.file = file
        self.choices = choices
        self.problems = Problems()
        self.report = ConversionReport()
        self.folder = posixpath.dirname(file)

    def run(self) -> ImportedProject:
        tree = self._tree()
        if tree.get("dockerComposeFile") is not None:
            base, dev, trees = self._from_compose(tree)
        else:
            base, dev = self._from_image(tree)
            trees = ()
        self._report_remaining(tree)
        self.problems.stop()
        return ImportedProject(spec_files(base, {_DEV: dev}), self.report, (self.file, *trees))

    # --- reading

    def _tree(self) -> MapNode:
        tree = self._read()
        self.problems.stop()
        assert tree is not None
        for key in [key for key, node in tree.items() if isinstance(node, NullNode)]:
            self.report.add(tree.positions[key], key, KeyOutcome.SAME, "nothing")
            del tree[key]
        self._check_size(tree)
        source = next((key for key in _SOURCES if key in tree), None)
        if source is None:
            self.problems.add(
                (self.file, 1, 1),
                "nothing says what the dev container is made from",
                expected="image, build.dockerfile or dockerComposeFile",
            )
        self.problems.stop()
        assert source is not None
        # What is so by default is reported there.
        tree.position = tree.positions[source]
        return tree

    def _read(self) -> MapNode | None:
        start = (self.file, 1, 1)
        try:
            data = read_inside(self.root, self.file, largest=MAX_BYTES)
        except InsideError as error:
            self.problems.add(start, error.brief, hint=error.hint)
        except OSError as error:
            self.problems.add(start, f"{self.file} cannot be read: {error.strerror or error}")
        else:
            tree = read_json(data, self.file, self.problems)
            return None if tree is None else _mutable(tree)
        return None

    def _check_size(self, tree: MapNode) -> None:
        pending: list[Node] = [tree]
        while pending:
            node = pending.pop()
            items = list(children(node))
            if len(items) > MAX_ITEMS:
                self.problems.add(node.position, f"there are more than {MAX_ITEMS} items here")
                self.problems.stop()
            pending += items

    # --- an image or a Dockerfile

    def _from_image(self, tree: MapNode) -> tuple[dict[str, Any], dict[str, Any]]:
        name = self._name(tree)
        empty = MapNode((self.file, 1, 1))
        variables = Variables(empty, self.problems)
        project = self._project(name, {_SERVICE: _SERVICE}, {})
        services: dict[str, Any] = {}
        container = self._container(tree, project, _SERVICE, services, variables)
        self._apply(container)
        self._finish_source(container)
        finish_capabilities(container)
        base = self._spec(project, name, services)
        dev = copy.deepcopy(base)
        if container.workspace_mount is not None:
            mounts = dev["services"][_SERVICE].setdefault("mounts", [])
            mounts.append(container.workspace_mount)
        report_variables(self.report, variables, empty)
        return (
            with_variables(base, variables, empty),
            with_variables(_in_order(dev), variables, empty),
        )

    def _finish_source(self, container: ContainerImport) -> None:
        if "image" in container.spec:
            finish_source(container)
        elif "dockerfile" not in container.spec:
            self.problems.add(
                container.source.position,
                "the image or build is not one that a spec can have",
                expected="image: NAME, or build.dockerfile with a file of the project",
            )
        self.problems.stop()

    # --- Compose files

    def _from_compose(
        self, tree: MapNode
    ) -> tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]:
        files = [*self._compose_files(tree)]
        self.problems.stop()
        if not files:
            at = tree.positions["dockerComposeFile"]
            self.problems.add(at, "no file is named", expected="the path of a Compose file")
            self.problems.stop()
        compose = ComposeImport(self.root, files[0][0], self.choices)
        compose.report, compose.problems = self.report, self.problems
        model = self._compose_model(compose, files)
        name = self._name(tree, compose.project_name(model))
        base = compose.spec("", name)
        self.problems.stop()
        dev = self._added_to_compose(tree, compose, name, copy.deepcopy(base))
        compose.report_rest()
        return compose.with_variables(base), compose.with_variables(dev), tuple(compose.files.trees)

    def _added_to_compose(
        self, tree: MapNode, compose: ComposeImport, name: str, spec: dict[str, Any]
    ) -> dict[str, Any]:
        """The spec of dev: what the Compose files say, and what the dev container adds."""
        names = service_names(_services(compose.models[""]), self.problems)
        project = self._project(name, names, spec.get("secrets", {}))
        service = self._service(tree, names)
        variables = compose.files.variables
        container = self._container(tree, project, service, spec["services"], variables)
        self.report.environment = _DEV
        self._apply(container)
        if "image" in container.spec:
            finish_source(container)
        if container.added:
            known = container.spec.get("capabilities", ())
            container.write(sorted({*known, *container.added}), "capabilities")
        self.report.environment = ""
        return self._spec(project, name, spec["services"])

    def _compose_files(self, tree: MapNode) -> Iterator[tuple[str, Position]]:
        node = tree["dockerComposeFile"]
        for item in node if isinstance(node, ListNode) else [node]:
            path = inside(self.folder, item) if isinstance(item, ScalarNode) else None
            if path is None or not item or "://" in str(item):
                self.problems.add(
                    item.position,
                    f"dockerComposeFile: {quoted(item) if isinstance(item, str) else 'this'} is not a file of the project",
                    expected="the path of a Compose file, relative to devcontainer.json",
                    hint="copy it into the project, or import in the folder that holds both",
                )
            else:
                yield path, item.position

    def _compose_model(self, compose: ComposeImport, files: list[tuple[str, Position]]) -> MapNode:
        """The model of all files. Their paths are relative to the folder of the first, as in Compose."""
        compose.files.problems = compose.files.variables.problems = self.problems
        folder = posixpath.dirname(files[0][0])
        model = compose.files.model(files[0][0], folder=folder, asked_at=files[0][1])
        for file, at in files[1:]:
            model = compose.files.merge(
                model, compose.files.model(file, folder=folder, asked_at=at)
            )
        self.problems.stop()
        compose.models[""] = resets_removed(model, compose.files)
        compose.require_sources()
        return compose.models[""]

    def _service(self, tree: MapNode, names: Mapping[str, str]) -> str:
        node = tree.get("service")
        if not isinstance(node, ScalarNode) or node not in names:
            position = node.position if node is not None else tree.positions["dockerComposeFile"]
            what = (
                f"there is no service {quoted(node)}" if node is not None else "service is missing"
            )
            hint = suggestion(str(node), names) if isinstance(node, ScalarNode) else ""
            expected = f"one of {', '.join([*names][:20])}"
            self.problems.add(position, what, expected=expected, hint=hint)
            self.problems.stop()
        return str(node)

    # --- both

    def _name(self, tree: MapNode, default: str = "") -> str:
        node = tree.get("name")
        name = slug(str(node)) if isinstance(node, ScalarNode) else ""
        return name or default or slug(self.root.resolve().name) or "project"

    def _project(
        self, name: str, names: Mapping[str, str], secrets: dict[str, Any]
    ) -> ProjectImport:
        model = MapNode((self.file, 1, 1))
        model.put("name", ScalarNode(name, model.position), model.position)
        return ProjectImport(
            self.choices, self.report, self.problems, names, model, secrets, {}, frozenset(), {}
        )

    def _container(
        self,
        tree: MapNode,
        project: ProjectImport,
        service: str,
        services: dict[str, Any],
        variables: Variables,
    ) -> ContainerImport:
        workspace = self._workspace(tree, is_compose="dockerComposeFile" in tree)
        known = {
            "localWorkspaceFolderBasename": self.root.resolve().name,
            "containerWorkspaceFolder": workspace,
            "containerWorkspaceFolderBasename": posixpath.basename(workspace),
            "devcontainerId": str(project.model["name"]),
        }
        filled = ContainerVariables(variables, known, _container_env(tree, variables, known))
        place = ContainerPlace(self.folder, workspace)
        return ContainerImport(
            project, service, tree, place=place, variables=filled, services=services
        )

    def _workspace(self, tree: MapNode, *, is_compose: bool) -> str:
        """The workspace folder in the container."""
        name = self.root.resolve().name
        node = tree.get("workspaceFolder")
        if not isinstance(node, ScalarNode) or not node:
            return "/" if is_compose else f"/workspaces/{name}"
        known = {"localWorkspaceFolderBasename": name}
        empty = Variables(MapNode(node.position), self.problems)
        try:
            return str(ContainerVariables(empty, known, {}).fill(node))
        except UnknownVariable as unknown:
            self.problems.add(node.position, f"workspaceFolder: {unknown}")
            return "/"

    def _apply(self, container: ContainerImport) -> None:
        keep_up(container)
        for key in _in_rule_order(container.source):
            rule = RULES[key]
            if rule.apply is None:
                container.drop(key, rule.note)
                self.report.claim(container.source[key])
            else:
                rule.apply(container, key)
        default_workspace(container)
        write_hooks(container)
        self.problems.stop()

    def _spec(self, project: ProjectImport, name: str, services: dict[str, Any]) -> dict[str, Any]:
        spec: dict[str, Any] = {"project": name, "default": _DEV}
        if project.secrets:
            spec["secrets"] = project.secrets
        return _in_order({**spec, "services": services})

    def _report_remaining(self, tree: MapNode) -> None:
        """Report what no rule has reported: nothing of the source is without a line."""
        self.report.environment = ""
        for position, path, node in [*self.report.unreported(tree)]:
            if is_empty(node):
                self.report.add(position, path, KeyOutcome.SAME, "nothing")
            else:
                reason = "no rule of `envctl import` reads it; remedy: look for a misspelt name"
                self.report.add(position, path, KeyOutcome.DROPPED, reason)


def _mutable(tree: MapNode) -> MapNode:
    """A copy: the reader shares what it has read."""
    table = MapNode(tree.position)
    for key, node in tree.items():
        table.put(key, node, tree.positions[key])
    return table


def _container_env(
    tree: MapNode, variables: Variables, known: Mapping[str, str]
) -> Mapping[str, ScalarNode]:
    """The variables that the file sets in the container, as far as their values are known."""
    env = tree.get("containerEnv")
    values = {}
    for name, node in env.items() if isinstance(env, MapNode) else ():
        if isinstance(node, ScalarNode):
            with suppress(UnknownVariable):
                values[name] = ContainerVariables(variables, known, {}).fill(node)
    return values


def _services(model: MapNode) -> MapNode:
    services = model.get("services")
    return services if isinstance(services, MapNode) else MapNode(model.position)


def _in_rule_order(tree: MapNode) -> list[str]:
    """The keys that rules read. Commands in the order in which they run, whatever the file's is."""
    order = {key: index for index, key in enumerate(ORDER)}
    return sorted((key for key in RULES if key in tree), key=lambda key: order.get(key, -1))


def _in_order(spec: dict[str, Any]) -> dict[str, Any]:
    services = {name: in_order(service) for name, service in spec["services"].items()}
    return {**spec, "services": services}
