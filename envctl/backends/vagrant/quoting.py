"""Quotes values for Vagrantfiles, shell scripts and the kernel's command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from envctl.backends.common.comment_text import code, comment, markdown
from envctl.plan.artifact import Quoted


def ruby(text: str) -> Quoted:
    """A Ruby string literal without interpolation."""
    return Quoted("'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'")


def shell(text: str) -> Quoted:
    """One shell word."""
    return Quoted(shlex.quote(text))


def words(texts: Sequence[str]) -> Quoted:
    """Several shell words."""
    return Quoted(shlex.join(texts))


def kernel(text: str) -> str:
    """A value on the kernel's command line, in the form that the shell's `printf %b` decodes: no space, no quote."""
    return re.sub(
        rb"[^A-Za-z0-9/._@+=-]", lambda match: b"\\0%03o" % match[0][0], text.encode()
    ).decode()


def number(value: float) -> Quoted:
    """A number."""
    return Quoted(f"{value:g}" if value != int(value) else str(int(value)))


def raw(text: str) -> Quoted:
    """Text that is written as it is."""
    return Quoted(text)


FUNCTIONS: Final[Mapping[str, Callable[..., Quoted]]] = {
    "ruby": ruby,
    "shell": shell,
    "words": words,
    "number": number,
    "raw": raw,
    "comment": comment,
    "markdown": markdown,
    "code": code,
}
"""The functions of every template of this backend."""
