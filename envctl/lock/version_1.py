"""Format version 1 of envctl.lock, which was YAML; `envctl lock` rewrites it as version 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from envctl.definition.problems import Problems
from envctl.definition.tree import NullNode
from envctl.definition.yaml_reader import parse
from envctl.lock.model import FILE, VERSION


def decode(data: bytes) -> tuple[Any, Sequence[str]]:
    """The document in the form of version 2, and the problems of its YAML, each with its place."""
    problems = Problems()
    table = parse(data, FILE, problems)
    if problems.entries:
        return None, [str(problem) for problem in problems.entries]
    document = _plain(table)
    if isinstance(document, dict) and str(document.get("version", "")).isdecimal():
        number = int(document["version"])
        document["version"] = VERSION if number == 1 else number
    return document, ()


def _plain(node: Any) -> Any:
    """Plain Python values, because those of the reader keep their places in the file."""
    match node:
        case dict():
            return {str(key): _plain(value) for key, value in node.items()}
        case list():
            return [_plain(value) for value in node]
        case NullNode():
            return None
        case str():
            return str(node)
    return node
