"""The streams of a command, passed on by threads."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

from envctl.backends.vagrant.ssh.streamed_command import run_streaming


def pipes() -> set[str]:
    """The pipes that this process has open."""
    names = set[str]()
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            names.add(str(link.readlink()))
    return {name for name in names if name.startswith("pipe:")}


def test_a_stream_is_not_closed_under_the_thread_that_reads_it() -> None:
    """Otherwise its number becomes that of another stream, and the thread takes the first data of that one."""
    before, seen, output = pipes(), threading.Event(), list[bytes]()

    def write(data: bytes) -> None:
        output.append(data)
        if b"".join(output).endswith(b"\n"):
            seen.set()

    script = "sleep 98775 & echo $!; exec sleep 98775"
    run_streaming(
        ["sh", "-c", script], stdin=None, stdout=write, stderr=None, timeout=None, over=seen
    )
    read = pipes() - before
    assert len(read) == 2

    os.kill(int(b"".join(output)), signal.SIGKILL)

    deadline = time.monotonic() + 20
    while read & pipes() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not read & pipes()
