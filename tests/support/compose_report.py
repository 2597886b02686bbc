"""Walks the source of an import, and finds what the report does not speak of. It knows nothing of how the importer reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def unreported(folder: Path, files: Iterable[str], lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """Values of the files that no line of the report is about, nor about something that they are in."""
    lines = list(lines)
    keys = {(line["file"], line["line"], line["column"]) for line in lines}
    items = {
        (line["file"], line["line"], line["column"]) for line in lines if line["key"].endswith("]")
    }
    found: list[str] = []
    for file in files:
        text = (folder / file).read_text(encoding="utf-8-sig")
        try:
            root = yaml.compose(text, Loader=LOADER)
        except yaml.composer.ComposerError:
            continue  # an anchor defined twice, which YAML allows, and PyYAML does not
        found += _walk(root, file, keys, items) if root is not None else ()
    return found


def _place(node: yaml.Node, file: str) -> tuple[str, int, int]:
    return (file, node.start_mark.line + 1, node.start_mark.column + 1)


def _walk(node: yaml.Node, file: str, keys: set[Any], items: set[Any]) -> Iterator[str]:
    begins_like_its_first_key = isinstance(node, yaml.MappingNode) and not node.flow_style
    if _place(node, file) in keys and not begins_like_its_first_key:
        return
    if isinstance(node, yaml.MappingNode) and node.value:
        for key, value in node.value:
            if key.value == "<<" or _place(key, file) in keys:
                continue
            yield from _walk(value, file, keys, items)
    elif isinstance(node, yaml.SequenceNode) and node.value:
        for item in node.value:
            if isinstance(item, yaml.ScalarNode) or _place(item, file) not in items:
                yield from _walk(item, file, keys, items)
    else:
        yield ":".join(map(str, _place(node, file)))
