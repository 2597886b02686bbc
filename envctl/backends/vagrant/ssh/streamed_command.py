"""Runs a command and passes on its streams in threads, until the command exits or is no longer needed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Thread
from typing import IO, Any, BinaryIO, Final

_CHUNK: Final = 64 * 1024


def run_streaming(
    argv: Sequence[str],
    *,
    stdin: BinaryIO | None,
    stdout: Callable[[bytes], object] | None,
    stderr: Callable[[bytes], object] | None,
    timeout: float | None,
    over: Event | None = None,
) -> int:
    """Run a command; its exit code. TimeoutError after `timeout` seconds.

    Setting `over` ends it early. An error in a writer ends it, too, and is raised here.
    """
    over, ended, failures = over or Event(), Event(), list[BaseException]()
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Unbuffered, because the SSH master keeps these streams open until the command in the machine exits. Closing a
        # buffered stream would wait for a reader, and so for the command.
        bufsize=0,
    )
    # Each thread closes the stream that it uses. If the stream were closed here, another stream could get its number
    # while the thread is about to read, and the thread would take the first data of the next command.
    if stdin:
        Thread(target=_feed, args=(stdin, process.stdin, ended), daemon=True).start()
    readers = [
        Thread(target=_drain, args=(source, writer, failures, over, ended), daemon=True)
        for source, writer in ((process.stdout, stdout), (process.stderr, stderr))
    ]
    try:
        for thread in (*readers, Thread(target=_wait, args=(process, over), daemon=True)):
            thread.start()
        if not over.wait(timeout):
            raise TimeoutError
        if process.poll() is not None:
            for reader in readers:
                reader.join()
    finally:
        # Later errors come from the end of the command, not from writers.
        failed = failures[:1]
        ended.set()
        # Has no effect on a process that has exited.
        process.kill()
        process.wait()
    if failed:
        raise failed[0]
    return process.returncode


def _feed(source: BinaryIO, target: IO[bytes] | None, ended: Event) -> None:
    assert target is not None
    read: Any = getattr(source, "read1", source.read)
    with suppress(OSError, ValueError):
        while (data := read(_CHUNK)) and not ended.is_set():
            left = memoryview(data)
            while left:
                left = left[target.write(left) :]
    with suppress(OSError):
        target.close()


def _drain(
    source: IO[bytes] | None,
    writer: Callable[[bytes], object] | None,
    failures: list[BaseException],
    over: Event,
    ended: Event,
) -> None:
    assert source is not None
    with source:
        try:
            while (data := source.read(_CHUNK)) and not ended.is_set():
                if writer is not None:
                    writer(data)
        except Exception as error:  # noqa: BLE001 - raised later, in the waiting thread
            failures.append(error)
            over.set()


def _wait(process: subprocess.Popen[bytes], over: Event) -> None:
    process.wait()
    over.set()
