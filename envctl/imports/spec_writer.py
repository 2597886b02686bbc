"""Writes the spec and its overlays, and knows the line of each value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from envctl.conversion.conversion_report import SpecPath
from envctl.definition.names import ROOT_FILE, overlay_file
from envctl.definition.yaml_writer import YamlWriter
from envctl.imports.written_text import SpecText, literal

_HEADER: Final = "# Written by `envctl import`; yours to change."
_EMPTY: Final = "# Nothing differs from envctl.yaml.\n"


class WrittenFile:
    """The text of a file, and the line of each value in it."""

    def __init__(self, data: Mapping[str, Any], comment: str = _HEADER) -> None:
        writer = _LineWriter([comment])
        writer.mapping(_literal(data), 0, ())
        self.text = "\n".join(writer.lines) + "\n" if data else f"{comment}\n{_EMPTY}"
        self.places = writer.places

    def line_of(self, path: SpecPath) -> int:
        """The line of a value, or of what it is in; 0 if neither is in the file."""
        while len(path) > 1:
            if path in self.places:
                return self.places[path]
            path = path[:-1]
        return self.places.get(path, 0)


class ReadyFile(WrittenFile):
    """A text that was written elsewhere, with the line of each value in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        node = yaml.compose(text)
        self.places = dict(_places(node, ())) if node else {}


def _places(node: yaml.Node, path: SpecPath) -> Iterator[tuple[SpecPath, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, key.value), key.start_mark.line + 1
            yield from _places(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*path, index), item.start_mark.line + 1
            yield from _places(item, (*path, index))


class _LineWriter(YamlWriter):
    widest = 200

    def __init__(self, lines: list[str]) -> None:
        super().__init__({})
        self.lines = lines
        self.places: dict[SpecPath, int] = {}

    def mapping(self, data: Mapping[str, Any], depth: int, path: SpecPath, lead: str = "") -> None:
        """Write a mapping; as an item of a list, its line is that of its first key."""
        self.places.setdefault(path, len(self.lines) + 1)
        super().mapping(data, depth, path, lead)

    def comment(self, path: SpecPath) -> str:
        """No comment; the line is remembered."""
        self.places.setdefault(path, len(self.lines) + 1)
        return ""


def _literal(value: Any) -> Any:
    """A value with every `$` escaped in the texts that are not a spec's already."""
    match value:
        case SpecText():
            return str(value)
        case str():
            return str(literal(value))
        case dict():
            return {str(key): _literal(item) for key, item in value.items()}
        case list() | tuple():
            return [_literal(item) for item in value]
        case _:
            return value


def overlay(base: Mapping[str, Any], full: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be merged into the base spec to make the full one."""
    result: dict[str, Any] = {key: None for key in base if key not in full}
    for key, value in full.items():
        if key not in base:
            result[key] = value
        elif isinstance(value, dict) and isinstance(base[key], dict):
            if part := overlay(base[key], value):
                result[key] = part
        elif value != base[key] or type(value) is not type(base[key]):
            result[key] = value
    return result


def spec_files(
    base: Mapping[str, Any], environments: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, WrittenFile]:
    """The files of the spec, by path."""
    files = {ROOT_FILE: WrittenFile(base)}
    for name, full in environments.items():
        files[overlay_file(name)] = WrittenFile(overlay(base, full))
    return files
