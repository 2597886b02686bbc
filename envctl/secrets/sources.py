"""Where a secret's value comes from: a variable, a file, a command's output."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from envctl.errors import EnvctlError
from envctl.spec.canonical import CanonicalSecret

COMMAND_TIMEOUT = 60.0
"""Seconds a command that gives a secret may take."""
LARGEST = 512 * 1024
"""Bytes a secret may have."""


def given(
    name: str, declared: CanonicalSecret, *, root: Path, environ: Mapping[str, str]
) -> bytes | None:
    """The value from the first source that has one; None if none has. EnvctlError if one is broken."""
    variable = declared["env"]
    value: bytes | None = None
    if variable and variable in environ:
        value = environ[variable].encode("utf-8", "surrogateescape")
    elif declared["file"] and (root / declared["file"]).exists():
        value = _read(name, root / declared["file"])
    elif declared["command"]:
        value = _output(name, declared["command"], root)
    if value is not None and len(value) > LARGEST:
        raise EnvctlError(f"secret {name} is larger than {LARGEST // 1024} KiB")
    return value


def missing(name: str, declared: CanonicalSecret) -> EnvctlError:
    """The error for a secret that no source gives."""
    ways = []
    if declared["env"]:
        ways.append(f"set {declared['env']}")
    if declared["file"]:
        ways.append(f"write it to {declared['file']}")
    return EnvctlError(
        f"secret {name} has no value",
        hint=" or ".join(ways or ["give it a source"])
        + f"; or let envctl make one: secrets: {{{name}: {{generate: 24}}}}",
    )


def _read(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes().removesuffix(b"\n")
    except OSError as error:
        raise EnvctlError(f"secret {name}: {path} cannot be read: {error.strerror}") from error


def _output(name: str, argv: list[str], root: Path) -> bytes:
    """A command's standard output. What it printed is never shown: it may be the secret."""
    hint = f"run it by hand in {root}: {' '.join(argv)}"
    try:
        done = subprocess.run(
            argv,
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EnvctlError(
            f"secret {name}: {argv[0]} did not end within {COMMAND_TIMEOUT:g} s", hint=hint
        ) from error
    except OSError as error:
        raise EnvctlError(
            f"secret {name}: {argv[0]} cannot be run: {error.strerror}", hint=hint
        ) from error
    if done.returncode:
        raise EnvctlError(
            f"secret {name}: {argv[0]} ended with exit code {done.returncode}", hint=hint
        )
    return done.stdout.removesuffix(b"\n")
