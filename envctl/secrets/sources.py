"""Reads a secret's value from a variable, a file, or the output of a command."""

from __future__ import annotations

import os
import selectors
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from envctl.errors import EnvctlError
from envctl.host.links import followed
from envctl.host.safe_read import InsideError, read_inside

if TYPE_CHECKING:
    from subprocess import Popen

    from envctl.definition.keys.spec_file import SecretData

COMMAND_TIMEOUT = 60.0
"""The timeout for a secret's command, in seconds."""
LARGEST = 512 * 1024
"""The maximum size of a secret, in bytes."""
_READ = LARGEST + len("\n") + 1
"""How many bytes are read from a source: enough to detect a secret that is too large."""


class SecretError(EnvctlError):
    """A secret has no value, or its source is broken."""


class NotEvaluatedError(SecretError):
    """The value would come from a program or file on the host, which this run must not use."""


def source_value(
    name: str,
    declared: SecretData,
    *,
    root: Path,
    environ: Mapping[str, str],
    reach_host: bool = False,
    allowed_file: Path | None = None,
) -> bytes | None:
    """The value from the first source that has one; None if none has. SecretError if a source is broken.

    An empty variable counts as unset. Variables, commands, and files outside the project are only used with
    `reach_host`; NotEvaluatedError if the value would come from them. `allowed_file` is the target that an outside file
    had when the user allowed it. It is read from there, even if the path leads elsewhere by now.
    """
    value: bytes | None = None
    own_file = own_path(root, declared["file"]) if declared["file"] else None
    if (variable := variable_value(declared, environ)) is not None:
        if not reach_host:
            raise _not_evaluated(name, "a variable of your environment")
        value = variable
    elif own_file:
        value = _own_content(name, root, own_file)
    elif declared["file"]:
        if not reach_host:
            raise _not_evaluated(name, "a file outside the project")
        value = _content(name, allowed_file or real_place(root, declared["file"]))
    if value is None and declared["command"]:
        if not reach_host:
            raise _not_evaluated(name, "a command")
        value = _output(name, declared["command"], root)
    if value is not None and len(value) > LARGEST:
        raise SecretError(f"secret {name} is larger than {LARGEST // 1024} KiB")
    return value


def variable_value(declared: SecretData, environ: Mapping[str, str]) -> bytes | None:
    """The value of the secret's variable; None if it has no variable, or one that is unset or empty."""
    text = environ.get(declared["env"] or "")
    return text.encode("utf-8", "surrogateescape") if text else None


def own_path(root: Path, file: str) -> str | None:
    """The path of a file in the spec, relative to the project, links not followed; None if it is outside."""
    home = followed(root)
    path = Path(os.path.normpath(home / file))
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else None


def real_place(root: Path, file: str) -> Path:
    """The real path of a file in the spec. Opens nothing."""
    return followed(root / file)


def _not_evaluated(name: str, source: str) -> NotEvaluatedError:
    return NotEvaluatedError(
        f"secret {name} comes from {source}, which only `envctl up` may use",
        hint="`envctl up` shows what it would use, and asks",
    )


def missing(name: str, declared: SecretData) -> SecretError:
    """The error for a secret for which no source has a value."""
    ways = []
    if declared["env"]:
        ways.append(f"set {declared['env']}")
    if declared["file"]:
        ways.append(f"write it to {declared['file']}")
    return SecretError(
        f"secret {name} has no value",
        hint=" or ".join(ways or ["declare a source for it"])
        + f"; or let envctl generate it: secrets: {{{name}: {{generate: 24}}}}",
    )


def _own_content(name: str, root: Path, file: str) -> bytes | None:
    """The content of a file in the project. SecretError if a link leads out of the project."""
    try:
        return read_inside(root, file, largest=LARGEST + len("\n")).removesuffix(b"\n")
    except FileNotFoundError:
        return None
    except (InsideError, OSError) as error:
        reason = error.brief if isinstance(error, InsideError) else f"{file}: {error.strerror}"
        hint = error.hint if isinstance(error, InsideError) else ""
        raise SecretError(f"secret {name}: {reason}", hint=hint) from error


def _content(name: str, path: Path) -> bytes | None:
    """The content of a regular file, without one newline at its end; None if it does not exist."""
    try:
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SecretError(f"secret {name}: {path} is not a regular file")
            return file.read(_READ).removesuffix(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SecretError(f"secret {name}: {path} cannot be read: {error.strerror}") from error


def _at_once(path: str, flags: int) -> int:
    """Open a file without following a link, and without waiting for a pipe's writer."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)


def _output(name: str, argv: list[str], root: Path) -> bytes:
    """A command's standard output. Never show its errors or arguments: they may contain the secret."""
    import subprocess

    hint = f"run the command that secrets.{name} names by hand, in {root}"
    try:
        process = subprocess.Popen(
            argv,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        raise SecretError(
            f"secret {name}: {argv[0]} cannot be run: {error.strerror}", hint=hint
        ) from error
    with process:
        try:
            output = _read(process, time.monotonic() + COMMAND_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise SecretError(
                f"secret {name}: {argv[0]} did not end within {COMMAND_TIMEOUT:g} s", hint=hint
            ) from error
        finally:
            process.kill()
    if process.returncode and len(output) < _READ:
        raise SecretError(
            f"secret {name}: {argv[0]} ended with exit code {process.returncode}", hint=hint
        )
    return output.removesuffix(b"\n")


def _read(process: Popen[bytes], deadline: float) -> bytes:
    """The output, up to the limit. If it is shorter, the process has ended. TimeoutExpired after the deadline."""
    import subprocess

    assert process.stdout is not None
    output = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(output) < _READ:
            left = max(0.0, deadline - time.monotonic())
            if not selector.select(left):
                raise subprocess.TimeoutExpired(process.args, left)
            data = os.read(process.stdout.fileno(), _READ - len(output))
            if not data:
                process.wait(max(0.0, deadline - time.monotonic()))
                break
            output += data
    return bytes(output)
