"""Fills in a project's own templates in a separate process, which can be ended.

Jinja's sandbox restricts access, not computation: `{{ 9**(9**9) }}` never ends, and one call of a string's method can
request all memory. Neither can be stopped from within the same process.
"""

from __future__ import annotations

import atexit
import json
import os
import pickle
import selectors
import signal
import struct
import subprocess
import sys
import threading
import time
from typing import Any, Final

from envctl.errors import EnvctlError, Place
from envctl.lazy_dataclass import dataclass

MEMORY: Final = 192 * 1024 * 1024
"""The memory that filling in a template may use, in bytes, on systems that limit it."""
PATIENCE: Final = 30.0
"""Seconds until the process is ended, whatever its CPU time: the machine may be busy."""

_LENGTH: Final = struct.Struct("!Q")
_LONGEST: Final = 64 * 1024 * 1024
"""The maximum size of an answer, a filled template with escapes, in bytes."""
_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1])\n"
    "from envctl.render.template_worker import main; main()"
)


@dataclass(frozen=True, slots=True)
class Request:
    """A text or a template to fill in, within `seconds` of CPU time."""

    name: str
    values: Any
    seconds: float
    text: str | None = None
    """The text of a `template` build step; None for a backend's template, which is looked up by its name."""
    root: str = ""

    @property
    def file(self) -> Place:
        """The template, if its line is unknown."""
        return Place(self.name if self.text is not None else f"templates/{self.name}", 1, 1)


class TemplateProcess:
    """The process. It starts with the first request, and again after it had to be ended. It handles one request at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()

    def fill(self, request: Request) -> str:
        """Return the filled text. EnvctlError with the template's line, if that is known."""
        try:
            message = pickle.dumps(request)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise EnvctlError(
                f"{request.name} cannot be rendered: its values cannot be passed on: {error}",
                hint="a backend passes data and module-level functions to its templates",
            ) from error
        with self._turn:
            answer = self._answer(message, request)
        if "error" in answer:
            where = Place(*answer["where"]) if answer["where"] else None
            raise EnvctlError(
                answer["error"], details=answer["details"], hint=answer["hint"], where=where
            )
        return str(answer["text"])

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _answer(self, message: bytes, request: Request) -> dict[str, Any]:
        process = self._process = self._process or _start()
        try:
            assert process.stdin is not None
            process.stdin.write(_LENGTH.pack(len(message)) + message)
            process.stdin.flush()
            return dict(json.loads(_read(process, time.monotonic() + PATIENCE)))
        except TimeoutError as error:
            self.close()
            raise EnvctlError(
                f"{request.name}: the template was not rendered within {PATIENCE:g} s",
                where=request.file,
            ) from error
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise EnvctlError(_ended(process.returncode, request), where=request.file) from error
        except BaseException:
            # Interrupted: a later answer would not belong to the next request.
            self.close()
            raise


def _start() -> subprocess.Popen[bytes]:
    folders = json.dumps([folder for folder in sys.path if folder])
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _START, folders],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={"LC_ALL": "C.UTF-8", "PATH": os.defpath},
    )


def _read(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Return an answer. TimeoutError, EOFError if the process ended, ValueError if it is too long."""
    assert process.stdout is not None
    descriptor, data, size = process.stdout.fileno(), bytearray(), _LENGTH.size
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while len(data) < size:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            part = os.read(descriptor, 1 << 16)
            if not part:
                raise EOFError
            data += part
            if size == _LENGTH.size <= len(data):
                size += _LENGTH.unpack(data[:size])[0]
                if size > _LONGEST:
                    raise ValueError(size)
    return bytes(data[_LENGTH.size :])


def _ended(code: int | None, request: Request) -> str:
    if code in (-signal.SIGVTALRM, -signal.SIGXCPU):
        return f"the template takes more than {request.seconds:g} s to render"
    if code == -signal.SIGKILL:
        return "the process that renders the template was killed: there may be too little memory"
    return f"the process that renders the template has ended (exit code {code})"


TEMPLATES: Final = TemplateProcess()
"""The process of this program."""
atexit.register(TEMPLATES.close)
