"""The process that fills in a project's own templates: it reads requests, and applies the limits of each to itself."""

from __future__ import annotations

import json
import pickle
import resource
import signal
import struct
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

from envctl.errors import EnvctlError, Place
from envctl.render.safe_template import TakesTooLongError, fill
from envctl.render.template_process import MEMORY, Request
from envctl.render.templates import Templates

_LENGTH: Final = struct.Struct("!Q")
_GRACE: Final = 0.5
"""Seconds of CPU time until the process ends if a template could not be interrupted."""


def main() -> None:
    """Answer requests until the input ends."""
    # Ctrl-C is for the program that started this one, which then ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, _interrupt)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while head := requests.read(_LENGTH.size):
        data = requests.read(_LENGTH.unpack(head)[0])
        answer = json.dumps(_answer(data)).encode()
        answers.write(_LENGTH.pack(len(answer)) + answer)
        answers.flush()


def _answer(data: bytes) -> dict[str, Any]:
    file: Place | None = None
    try:
        request: Request = pickle.loads(data)  # noqa: S301 - see above
        file = request.file
        _limit(resource.RLIMIT_AS, _address_space() + MEMORY)
        signal.setitimer(signal.ITIMER_PROF, request.seconds, _GRACE / 4)
        signal.setitimer(signal.ITIMER_VIRTUAL, request.seconds + _GRACE)
        try:
            text = _filled(request)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return {"text": text}
    except EnvctlError as error:
        return _failed(error)
    except Exception as error:  # noqa: BLE001 - it is told where the request came from
        brief = f"the template cannot be rendered: {error or type(error).__name__}"
        return _failed(EnvctlError(brief, where=file))


def _failed(error: EnvctlError) -> dict[str, Any]:
    where = (error.where.file, error.where.line, error.where.column) if error.where else None
    return {"error": error.brief, "details": error.details, "hint": error.hint, "where": where}


def _filled(request: Request) -> str:
    if request.text is not None:
        return fill(request.text, request.values, request.name)
    return Templates(Path(request.root)).render_here(request.name, request.values)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise TakesTooLongError


def _limit(what: int, most: int) -> None:
    """Some systems do not have this limit, or do not enforce it."""
    with suppress(ValueError, OSError):
        _, hardest = resource.getrlimit(what)
        resource.setrlimit(what, (most, hardest))


def _address_space() -> int:
    """Return the memory that this process has mapped, in bytes; a gigabyte if that is unknown."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 1 << 30
    return pages * resource.getpagesize()
