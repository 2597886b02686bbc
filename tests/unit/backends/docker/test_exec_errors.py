"""Commands that the engine cannot start."""

from __future__ import annotations

import pytest

from envctl.backends.base import Execution
from envctl.backends.docker.exec_errors import HeldOutput, start_failure

_OCI = "OCI runtime exec failed: exec failed: unable to start container process: "


@pytest.mark.parametrize(
    ("said", "code", "text"),
    [
        (_OCI + 'exec: "x": executable file not found in $PATH: unknown', 127, "x: command not found in web"),
        (_OCI + 'exec: "x": stat x: no such file or directory: unknown', 127, "x: command not found in web"),
        (_OCI + 'exec: "x": permission denied: unknown', 126, "x: not executable in web"),
        (_OCI + 'chdir to cwd ("/no") set in config.json failed: no such file or directory', 126, "/no: no such folder in web"),
        ("OCI runtime exec failed: exec failed: Cwd must be an absolute path: unknown", 126, "/no: no such folder in web"),
        ("unable to find user me: no matching entries in passwd file", 126, "me: no such user or group in web"),
        (_OCI + "exec format error", 126, f"x: cannot be run in web: {_OCI}exec format error"),
    ],
)  # fmt: skip
def test_the_engines_word_becomes_what_a_shell_would_say(said, code, text):
    execution = Execution(("x", "y"), user="me", workdir="/no")
    assert start_failure(f"{said}\r\n".encode(), "web", execution) == (code, text)


def test_output_is_written_on_as_it_comes():
    written: list[bytes] = []
    held = HeldOutput(written.append)
    held(b"a")
    held(b"OCI runtime exec failed")
    assert (written, held.text) == ([b"a", b"OCI runtime exec failed"], b"")


def test_what_begins_like_the_engines_word_is_held_until_it_is_known_whose_it_is():
    written: list[bytes] = []
    held = HeldOutput(written.append)
    held(b"unable to find user x\n")
    held(b"more")
    assert written == []
    held.release()
    assert written == [b"unable to find user x\nmore"]
    assert held.text == b""


def test_what_is_longer_than_any_word_of_an_engines_is_the_commands_own():
    written: list[bytes] = []
    held = HeldOutput(written.append)
    for _ in range(3):
        held(b"unable to find user " + b"x" * 10_000)
    assert held.text == b""
    assert sum(map(len, written)) == 3 * 10_020
