"""Recognises commands that could not be started. The engine writes the reason in place of their output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from envctl.backends.base import Execution

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
"""The exit codes that shells use."""

_SIGNS: Final = (b"OCI runtime exec failed", b"unable to find user", b"unable to find group")
_LONGEST: Final = 16 * 1024


class HeldOutput:
    """Passes on a command's output, except text that may be an engine's error, which it keeps in `text`."""

    def __init__(self, write: Callable[[bytes], object] | None) -> None:
        self.text = b""
        self._write = write
        self._begun = False

    def __call__(self, data: bytes) -> None:
        """Receive more output."""
        if self.text or (not self._begun and data.startswith(_SIGNS)):
            self.text += data
            if len(self.text) > _LONGEST:
                # The engine's errors are shorter than this.
                self.release()
        elif self._write is not None:
            self._write(data)
        self._begun = True

    def release(self) -> None:
        """Pass on the kept text, which is the command's own output after all."""
        text, self.text = self.text, b""
        if text and self._write is not None:
            self._write(text)


def start_failure(output: bytes, unit: str, execution: Execution) -> tuple[int, str]:
    """The exit code, and why the command was not started, in the user's terms."""
    text = output.decode("utf-8", "replace").strip()
    program = execution.argv[0] if execution.argv else ""
    if "unable to find user" in text or "unable to find group" in text:
        return NOT_EXECUTABLE, f"{execution.user or 'its user'}: no such user or group in {unit}"
    if "chdir to cwd" in text or "Cwd must be" in text:
        folder = execution.workdir or "its working directory"
        return NOT_EXECUTABLE, f"{folder}: no such folder in {unit}"
    if "executable file not found" in text or "no such file or directory" in text:
        return NOT_FOUND, f"{program}: command not found in {unit}"
    if "permission denied" in text:
        return NOT_EXECUTABLE, f"{program}: not executable in {unit}"
    return NOT_EXECUTABLE, f"{program}: cannot be run in {unit}: {text}"
