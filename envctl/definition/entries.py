"""Entries of catalogues: services with parameters, in files of their own. envctl brings some, a project may have others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from envctl.definition import yaml_reader
from envctl.definition.input_files import InputFiles
from envctl.definition.key import Cursor, Reading
from envctl.definition.keys.entry import ENTRY, EntryData
from envctl.definition.names import BUILT_IN, ROOT_FILE, is_name
from envctl.definition.path_readers import project_path
from envctl.definition.problems import Problems
from envctl.definition.tree import ListNode, MapNode, Node, ScalarNode, describe, without
from envctl.definition.value_readers import InvalidValue
from envctl.host.safe_read import InsideError, real_path
from envctl.lazy_dataclass import dataclass

PREFIX: Final = "catalogue/"
"""What a service extends: this, and the name of an entry."""
_OURS: Final = Path(__file__).parents[1] / "catalogue"
"""The folder of the entries that envctl brings."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A catalogue entry. Its service still contains the names of parameters, not their values."""

    name: str
    file: str
    data: EntryData
    parameters: MapNode
    """The parameters as they are written."""
    service: MapNode


class Catalogues:
    """The catalogues of a project. An entry of its own is used instead of one of envctl's with the same name."""

    def __init__(
        self, root: Path | None, node: Node | None, *, files: InputFiles | None, problems: Problems
    ) -> None:
        """`node` is the value of `catalogues`; without a root there are the entries of envctl only."""
        self._root = root
        self._files = files
        self.problems = problems
        self._entries: dict[str, Entry | None] = {}
        self.folders = tuple(self._valid_folders(node))

    def _valid_folders(self, node: Node | None) -> Iterator[str]:
        # What is not a path in the project is reported when the key is read.
        for item in node if isinstance(node, ListNode) else ():
            if not isinstance(item, ScalarNode):
                continue
            try:
                folder = project_path(item)
            except InvalidValue:
                continue
            if self._root is not None and _is_folder(self._root, folder):
                yield folder
            else:
                self.problems.add(
                    item.position,
                    f"catalogues: there is no folder {folder!r} in the project",
                    hint="`envctl catalogue eject NAME` makes one, with a copy of an entry",
                )

    def names(self) -> Sequence[str]:
        """Return the names of all entries, sorted."""
        folders = [_OURS]
        if self._root is not None:
            folders += [self._root / folder for folder in self.folders]
        stems = {file.stem for folder in folders for file in folder.glob("*.yaml")}
        return sorted(filter(is_name, stems))

    def entry(self, name: str) -> Entry | None:
        """Return the entry of this name. None if it has mistakes, which are reported. KeyError if it does not exist."""
        if name not in self._entries:
            text = self.text(name)
            self._entries[name] = self._parsed(name, *text) if text is not None else None
        return self._entries[name]

    def text(self, name: str) -> tuple[str, bytes] | None:
        """Return an entry's file and its text. None if the file cannot be read. KeyError if the entry does not exist."""
        for folder in self.folders:
            file = f"{folder}/{name}.yaml"
            try:
                data = self._files.read(file) if self._files else None
            except InsideError as error:
                self.problems.add((file, 1, 1), error.brief, hint=error.hint)
                return None
            if data is not None:
                return file, data
        built_in = _OURS / f"{name}.yaml"
        if not is_name(name) or not built_in.is_file():
            raise KeyError(name)
        return f"{BUILT_IN}/{built_in.name}", built_in.read_bytes()

    def _parsed(self, name: str, file: str, data: bytes) -> Entry | None:
        count = self.problems.count
        tree = yaml_reader.parse(data, file, self.problems)
        if tree is None:
            return None
        cursor = Cursor(Reading(self.problems), "", tree.position)
        head, _ = ENTRY.read_parts(without(tree, "service"), cursor)
        service, parameters = tree.get("service"), tree.get("parameters", MapNode(tree.position))
        if not isinstance(service, MapNode):
            position = tree.positions.get("service", tree.position)
            self.problems.add(position, f"service: expected a mapping, got {describe(service)}")
        if self.problems.count > count or not isinstance(parameters, MapNode):
            return None
        assert isinstance(service, MapNode)  # anything else has been reported
        return Entry(name, file, head, parameters, service)  # type: ignore[arg-type]


def catalogues_of(root: Path | None) -> Catalogues:
    """Return the catalogues of a project as far as its spec can be read; those of envctl alone without one."""
    problems = Problems()
    node: Node | None = None
    if root is not None:
        data = yaml_reader.read(root, ROOT_FILE, problems)
        tree = yaml_reader.parse_leniently(data, ROOT_FILE) if data is not None else None
        node = tree.get("catalogues") if tree is not None else None
    files = InputFiles(root) if root is not None else None
    return Catalogues(root, node, files=files, problems=problems)


def _is_folder(root: Path, folder: str) -> bool:
    try:
        return real_path(root, folder).is_dir()
    except (OSError, InsideError):
        return False


def entry_name(extends: Node | None) -> str | None:
    """Return the name of the entry that a service extends; None if it extends none."""
    if isinstance(extends, ScalarNode) and extends.startswith(PREFIX):
        return str(extends.removeprefix(PREFIX))
    return None


def default_of(parameter: Mapping[str, object]) -> str:
    """Return the default of a parameter in words."""
    if parameter["required"]:
        return "required"
    return "" if parameter["default"] is None else str(parameter["default"])
