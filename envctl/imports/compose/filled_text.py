"""Texts of a Compose file after interpolation: their value, and how a spec writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from envctl.definition.interpolate import escape
from envctl.definition.tree import Position, ScalarNode
from envctl.imports.written_text import SpecText, literal


class FilledText(ScalarNode):
    """A text with its variables replaced. In `spec` they are variables of the spec; `variables` are their names."""

    __slots__ = ("spec", "variables")

    spec: str
    variables: tuple[str, ...]

    @classmethod
    def of(
        cls, value: str, spec: str, position: Position, *, plain: bool, names: Sequence[str]
    ) -> Self:
        """A text, and how a spec writes it."""
        self = cls(value, position, plain=plain)
        self.spec = spec
        self.variables = tuple(dict.fromkeys(names))
        return self


def spec_text(node: ScalarNode) -> SpecText:
    """A text as a spec writes it."""
    return SpecText(node.spec if isinstance(node, FilledText) else escape(node))


def variables_of(node: object) -> tuple[str, ...]:
    """The variables in a text."""
    return node.variables if isinstance(node, FilledText) else ()


def changed(node: ScalarNode, value: str, spec: str, *, plain: bool = False) -> FilledText:
    """A part of a text, at the same place."""
    return FilledText.of(value, spec, node.position, plain=plain, names=variables_of(node))


def parted(node: ScalarNode, separators: str) -> tuple[ScalarNode, ScalarNode | None]:
    """A text up to the first separator, and after it; None if there is none."""
    spec = spec_text(node)
    for separator in separators:
        name, found_separator, value = node.partition(separator)
        if found_separator:
            spec_name, _, spec_value = spec.partition(separator)
            return changed(node, name, spec_name), changed(node, value, spec_value)
    return node, None


def prefixed(node: ScalarNode, prefix: str) -> ScalarNode:
    """A relative path, relative to another folder."""
    return changed(node, f"{prefix}{node}", f"{literal(prefix)}{spec_text(node)}")
