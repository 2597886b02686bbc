"""Finds a project's Compose files and reads them with all that they include and extend. Nothing outside it is read."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from envctl.definition import dotenv
from envctl.definition.problems import Problems, suggestion
from envctl.definition.tree import (
    ListNode,
    MapNode,
    Node,
    NullNode,
    Position,
    ScalarNode,
    children,
    describe,
    quoted,
    without,
)
from envctl.definition.yaml_reader import parse_tagged, read
from envctl.host.safe_read import InsideError, read_inside
from envctl.imports.compose.declared_variables import ENV_FILE
from envctl.imports.compose.long_form import (
    inside,
    long_service,
    moved_service,
    moved_source,
)
from envctl.imports.compose.merge_files import OVERRIDE, RESET, merged, without_resets
from envctl.imports.compose.substitute import Variables

NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
MAX_FILES: Final = 100
_MAX_VALUES: Final = 100_000
_TAGS: Final = (
    RESET,
    OVERRIDE,
    *(
        f"tag:yaml.org,2002:{name}"
        for name in ("str", "int", "float", "bool", "null", "map", "seq")
    ),
)
_OVERLAY = re.compile(r"(?:docker-)?compose[.-]([A-Za-z0-9_-]+)\.ya?ml\Z")


def overlay_names(root: Path, file: str) -> Mapping[str, str]:
    """The files beside a Compose file that differ for an environment, by its name: `compose.prod.yaml` is prod's."""
    names: dict[str, str] = {}
    if file not in NAMES:
        return names
    for path in sorted(root.iterdir()):
        match = _OVERLAY.match(path.name)
        if match and path.name != file:
            name = re.sub(r"[^a-z0-9-]+", "-", match[1].lower()).strip("-")
            names.setdefault("dev" if name == "override" else name, path.name)
    return names


class ComposeFiles:
    """Reads Compose files of a project. Mistakes go to `problems`; what was read stays in `trees`."""

    def __init__(self, root: Path, problems: Problems) -> None:
        self.root = root
        self.problems = problems
        self.trees: dict[str, MapNode] = {}
        """The files as they are written."""
        self.tags: dict[Position, str] = {}
        self.dotenv = self._dotenv(ENV_FILE, MapNode((ENV_FILE, 1, 1)))
        self.variables = Variables(self.dotenv, problems)
        self._filled: dict[str, MapNode] = {}
        self._values = 0

    def model(
        self, file: str, *, folder: str | None = None, asked_at: Position = (ENV_FILE, 1, 1)
    ) -> MapNode:
        """A file with all that it includes, extends and inherits, in long form.

        Its paths are relative to `folder`, by default its own. `asked_at` is what names it, if another file does.
        """
        return self._model(file, asked_at, (), folder)

    def merge(self, base: MapNode, over: MapNode) -> MapNode:
        """A model with that of a later file merged into it."""
        result = merged(base, over, self.tags)
        assert isinstance(result, MapNode)
        return result

    def _dotenv(self, file: str, before: MapNode) -> MapNode:
        try:
            text = read_inside(self.root, file).decode("utf-8-sig")
        except (FileNotFoundError, NotADirectoryError):
            return before
        except (InsideError, UnicodeDecodeError) as error:
            brief = error.brief if isinstance(error, InsideError) else "this is not UTF-8 text"
            self.problems.add((file, 1, 1), brief, expected="a text with NAME=value in it")
            return before
        # Looked up as in Compose, but never in the environment of this process.
        table = dotenv.parse(text, file, known=lambda _: None, problems=self.problems)
        for name, node in before.items():
            table.put(name, node, before.positions[name])
        return table

    def _model(
        self, file: str, asked_at: Position, outer: tuple[str, ...], folder: str | None = None
    ) -> MapNode:
        tree = self._file(file, asked_at, outer)
        folder = posixpath.dirname(file) if folder is None else folder
        result = MapNode(tree.position)
        for path, position in self._includes(tree, folder):
            included = self._model(path, position, (*outer, file))
            result = self.merge(result, without(included, "name"))
        table = without(tree, "include")
        services = self._section(table, "services")
        if services is not None:
            table["services"] = self._services(file, services, folder)
        for key in ("secrets", "configs"):
            section = self._section(table, key)
            if section is not None:
                entries = MapNode(section.position)
                for name, entry in section.items():
                    entries.put(name, moved_source(entry, folder), section.positions[name])
                table[key] = entries
        return self.merge(result, table)

    def _section(self, table: MapNode, key: str) -> MapNode | None:
        node = table.get(key)
        if isinstance(node, MapNode):
            return node
        if node is not None and not isinstance(node, NullNode):
            self.problems.add(table.positions[key], f"{key} is a mapping, got {describe(node)}")
        return None

    def _file(self, file: str, asked_at: Position, outer: tuple[str, ...]) -> MapNode:
        """A file with its variables filled in; an empty one if it cannot be read, which is reported."""
        empty = MapNode((file, 1, 1))
        if file in outer:
            self.problems.add(
                asked_at, f"{file} includes or extends itself: {' → '.join([*outer, file])}"
            )
            return empty
        if file not in self._filled:
            self._filled[file] = empty
            if len(self._filled) > MAX_FILES:
                self.problems.add(asked_at, f"there are more than {MAX_FILES} files")
                self.problems.stop()
            data = self._data(file, asked_at)
            table, tags = (
                parse_tagged(data, file, _TAGS, self.problems) if data is not None else (None, {})
            )
            if table is None:
                self.problems.stop()
                return empty
            self.tags |= tags
            self.trees[file] = table
            filled = self.variables.fill(table)
            assert isinstance(filled, MapNode)
            self._filled[file] = filled
        return self._filled[file]

    def _data(self, file: str, asked_at: Position) -> bytes | None:
        if asked_at[0] == ENV_FILE or asked_at[0] == file:
            return read(self.root, file, self.problems)
        try:
            return read_inside(self.root, file)
        except FileNotFoundError:
            self.problems.add(
                asked_at, f"{file} does not exist", expected="a Compose file of the project"
            )
        except InsideError as error:
            self.problems.add(asked_at, error.brief, hint=error.hint)
        except OSError as error:
            self.problems.add(asked_at, f"{file} cannot be read: {error.strerror or error}")
        return None

    # --- include

    def _includes(self, tree: MapNode, folder: str) -> Iterator[tuple[str, Position]]:
        """The files that a file includes, with the places that say so."""
        node = tree.get("include")
        if node is None or isinstance(node, NullNode):
            return
        if not isinstance(node, ListNode):
            self.problems.add(tree.positions["include"], f"include is a list, got {describe(node)}")
            return
        for item in node:
            paths = item.get("path") if isinstance(item, MapNode) else item
            if isinstance(item, MapNode) and isinstance(item.get("env_file"), ScalarNode):
                self._include_variables(folder, item["env_file"])
            for path in paths if isinstance(paths, ListNode) else [paths]:
                if not isinstance(path, ScalarNode):
                    self.problems.add(item.position, "include needs the path of a file")
                    continue
                file = self._path(folder, path)
                if file is not None:
                    yield file, path.position

    def _include_variables(self, folder: str, node: Node) -> None:
        if isinstance(node, ScalarNode) and (path := self._path(folder, node)):
            self.variables.values = self._dotenv(path, self.variables.values)

    def _path(self, folder: str, node: ScalarNode) -> str | None:
        """A path of the project that a file names; None if it leads outside, which is reported."""
        path = inside(folder, node) if "://" not in node else None
        if path is None:
            self.problems.add(
                node.position,
                f"{quoted(node)} is not a path within the project: only files of it are read",
                expected=f"a relative path within {self.root.name}/",
                hint="copy the file into the project, or import in the folder that holds both",
            )
        return path

    # --- extends

    def _services(self, file: str, services: MapNode, folder: str) -> MapNode:
        result = MapNode(services.position)
        for name in services:
            service = self._service(file, services, name, ())
            if service is not None:
                service = moved_service(service, folder)
                result.put(name, service, services.positions[name])
        return result

    def _service(
        self, file: str, services: MapNode, name: str, outer: tuple[tuple[str, str], ...]
    ) -> MapNode | None:
        """A service in long form with all that it extends; its paths are relative to the file."""
        node = services[name]
        if isinstance(node, NullNode):
            node = MapNode(node.position)
        if not isinstance(node, MapNode):
            self.problems.add(
                services.positions[name], f"a service is a mapping, got {describe(node)}"
            )
            return None
        service = long_service(node, self.problems)
        extended = service.get("extends")
        if extended is None or isinstance(extended, NullNode):
            return service
        if (file, name) in outer:
            self.problems.add(service.positions["extends"], f"the service {name!r} extends itself")
            return service
        base = self._extended(file, services, service, (*outer, (file, name)))
        if base is None:
            return service
        self._count(base, service.positions["extends"])
        base = without(base, "extends")
        result = merged(base, service, self.tags)
        assert isinstance(result, MapNode)
        return result

    def _count(self, node: Node, position: Position) -> None:
        """Many services that extend large ones are larger than any project."""
        pending = [node]
        while pending:
            self._values += 1
            pending += children(pending.pop())
            if self._values > _MAX_VALUES:
                self.problems.add(position, f"extends expands to more than {_MAX_VALUES:,} values")
                self.problems.stop()

    def _extended(
        self, file: str, services: MapNode, service: MapNode, outer: tuple[tuple[str, str], ...]
    ) -> MapNode | None:
        node, position = service["extends"], service.positions["extends"]
        name = node.get("service") if isinstance(node, MapNode) else node
        path = node.get("file") if isinstance(node, MapNode) else None
        if not isinstance(name, ScalarNode):
            self.problems.add(position, "extends needs the name of a service")
            return None
        other, folder = file, posixpath.dirname(file)
        if isinstance(path, ScalarNode):
            where = self._path(folder, path)
            if where is None:
                return None
            other = where
            section = self._section(self._file(other, path.position, ()), "services")
            services = section if section is not None else MapNode(position)
        if name not in services:
            self.problems.add(
                name.position,
                f"{other} has no service {quoted(name)}",
                hint=suggestion(name, services),
            )
            return None
        base = self._service(other, services, str(name), outer)
        if base is None or other == file:
            return base
        relative = posixpath.relpath(posixpath.dirname(other) or ".", folder or ".")
        return moved_service(base, relative)


def resets_removed(model: MapNode, files: ComposeFiles) -> MapNode:
    """A model that stands alone."""
    result = without_resets(model, files.tags)
    assert isinstance(result, MapNode)
    return result
