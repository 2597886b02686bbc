"""Texts as a spec writes them: `$` is escaped where it means nothing."""

from __future__ import annotations

from envctl.definition.interpolate import escape


class SpecText(str):
    """A text as a spec writes it: nothing in it is escaped any more."""

    __slots__ = ()


def literal(text: str) -> SpecText:
    """A text in which no `$` means anything."""
    return SpecText(escape(text))
