"""`include`: other spec files of the project. `envctl.yaml` is merged into them, just as an overlay is merged into it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from envctl.definition import yaml_reader
from envctl.definition.input_files import InputFiles
from envctl.definition.key import INVALID, Cursor, Reading
from envctl.definition.keys.spec_file import OVERLAY, SPEC
from envctl.definition.merge import merge_maps, normalize
from envctl.definition.names import ROOT_FILE
from envctl.definition.problems import Problems
from envctl.definition.tree import MapNode, NullNode, Position, without
from envctl.definition.vars_files import with_vars_of_files
from envctl.host.safe_read import InsideError

_KEY: Final = "include"
ONLY_IN_ROOT: Final = tuple(sorted({*SPEC.fields} - {*OVERLAY.fields}))
"""The keys that only `envctl.yaml` may have."""


def with_included(base: MapNode, files: InputFiles, problems: Problems) -> MapNode:
    """Return the tree of `envctl.yaml`, merged into the files that it includes, with the variables of all their files."""
    root_tree = with_vars_of_files(base, files, problems)
    if isinstance(base.get(_KEY), NullNode | None):
        return root_tree
    result: MapNode | None = None
    for path, position in _paths(base, problems):
        tree = _tree(path, position, files, problems)
        if tree is not None:
            result = tree if result is None else merge_maps(result, tree, problems=problems)
    root_tree = without(root_tree, _KEY)
    return root_tree if result is None else merge_maps(result, root_tree, problems=problems)


def _paths(base: MapNode, problems: Problems) -> Iterator[tuple[str, Position]]:
    """Yield the files, and where each is named."""
    reading, position, key = Reading(problems), base.positions[_KEY], SPEC.fields[_KEY].key
    cursor = Cursor(reading, "", position).enter(_KEY, position, (), key)
    paths = key.kind.read(normalize(base[_KEY], path=(_KEY,), problems=problems), cursor)
    for index, path in enumerate([] if paths is INVALID else paths):
        yield path, reading.origins[(index,)][0]


def _tree(path: str, position: Position, files: InputFiles, problems: Problems) -> MapNode | None:
    try:
        data = files.read(path)
    except InsideError as error:
        problems.add(position, f"{_KEY}: {error.brief}", hint=error.hint)
        return None
    if data is None:
        problems.add(position, f"{_KEY}: {path!r} does not exist", expected="a file of the project")
        return None
    tree = yaml_reader.parse(data, path, problems)
    if tree is None:
        return None
    for key in ONLY_IN_ROOT:
        if key in tree:
            problems.add(tree.positions[key], f"{key} is only allowed in {ROOT_FILE}")
    anchors = [name for name in tree if name.startswith("x-")]
    return with_vars_of_files(without(tree, *ONLY_IN_ROOT, *anchors), files, problems)
