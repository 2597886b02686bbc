"""Quotes text of the spec for comments and Markdown."""

from __future__ import annotations

import re
from typing import Final

from envctl.plan.artifact import Quoted

_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]<>()#+.!|~-])")


def comment(text: str) -> Quoted:
    """The rest of a comment line."""
    return Quoted("".join(char if char.isprintable() else " " for char in text))


def markdown(text: str) -> Quoted:
    """Text within a line of Markdown."""
    return Quoted(_MARKDOWN.sub(r"\\\1", comment(text)))


def code(text: str) -> Quoted:
    """A code span of Markdown."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return Quoted(fence + space + comment(text) + space + fence)
