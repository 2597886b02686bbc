"""Environment variables that are made of secrets: templates such as `postgres://app:${secret.db_password}@db/app`.

In a template `$$` is a literal `$`, and `${secret.NAME}` stands for the value of a secret. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

_PART: Final = re.compile(r"\$\$|\$\{secret\.([a-z_][a-z0-9_]*)\}")


def parts(template: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of a template in order: each is (text, ""), or ("", name of a secret)."""
    end = 0
    for match in _PART.finditer(template):
        if text := template[end : match.start()]:
            yield text, ""
        yield ("", match[1]) if match[1] else ("$", "")
        end = match.end()
    if text := template[end:]:
        yield text, ""


def secrets_of(template: str) -> tuple[str, ...]:
    """Return the names of the secrets in a template, each once."""
    return tuple(dict.fromkeys(name for _, name in parts(template) if name))


def fill_in(template: str, value: Callable[[str], bytes]) -> bytes:
    """Return the variable's value."""
    return b"".join(
        value(name) if name else text.encode("utf-8", "surrogateescape")
        for text, name in parts(template)
    )


def of_secret(name: str) -> str:
    """Return the template of a variable that is a secret and nothing else."""
    return f"${{secret.{name}}}"
