"""Replaces the values of variables that contain secrets with keyed digests, in the output of collect.sh. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from typing import Final

_QUESTIONS: Final = ("environ", "exec_environ")
DIGEST: Final = "digest "
"""The prefix of a digest that replaces a value."""


def digest_variables(output: bytes, mark: str, names: Collection[str], *, key: str) -> bytes:
    """The script's output, with the values of these variables replaced by digests made with `key`."""
    variables = b"|".join(re.escape(name.encode()) for name in sorted(names))
    variable = re.compile(rb"(?:(?<=\0)|\A)(" + variables + rb")=([^\0]*)")

    def digested(match: re.Match[bytes]) -> bytes:
        digest = hashlib.sha256(key.encode() + match[2]).hexdigest()
        return match[1] + b"=" + DIGEST.encode() + digest.encode()

    separator = f"{mark}:".encode()
    first, *sections = output.split(separator)
    return separator.join([first, *(_digested(part, variable, digested) for part in sections)])


def _digested(
    section: bytes, variable: re.Pattern[bytes], digested: Callable[[re.Match[bytes]], bytes]
) -> bytes:
    name, nul, body = section.partition(b"\0")
    if name.decode("ascii", "replace") not in _QUESTIONS:
        return section
    return name + nul + variable.sub(digested, body)
