"""Makes a base image with mmdebstrap and streams it into the image store, without a file in between."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from envctl.bases.image_store import LABEL, Loader
from envctl.bases.manifest import digest
from envctl.bases.mirrors import sources_for
from envctl.bases.rootfs import END_MARK, PACKAGE_MARK, SOURCE_MARK, RootfsSpec
from envctl.errors import EnvctlError
from envctl.host.ca_bundle import for_programs
from envctl.host.emulation import remedy, runs_here
from envctl.plan.model import Base
from envctl.plan.platforms import architecture, plain_name, processor
from envctl.progress import Progress, Report, Stage

PROGRAM = "mmdebstrap"
CONFIGURATION = ('CMD ["bash"]',)
"""Dockerfile instructions for the image, as in the official ones."""

_GRACE = 15.0
"""Seconds mmdebstrap gets to remove its own temporary folder before it is killed."""
_SHOWN = 15
"""How many of mmdebstrap's last lines an error shows."""


class BootstrapLog:
    """Reads mmdebstrap's output: reports progress, stores facts, and keeps the last lines for an error."""

    def __init__(self, work: str, report: Report) -> None:
        self.packages: dict[str, str] = {}
        self.sources: list[str] = []
        self.last: deque[str] = deque(maxlen=_SHOWN)
        self.complete = threading.Event()
        self._work = work
        self._report = report

    def read(self, stream: IO[bytes]) -> None:
        """Read to the end of the stream and close it; runs in a separate thread."""
        with stream:
            for raw in stream:
                self._take(raw.decode("utf-8", "replace").rstrip())
        self.complete.set()

    def _take(self, line: str) -> None:
        mark, _, text = line.partition(" ")
        if mark == PACKAGE_MARK:
            name, _, version = text.partition(" ")
            self.packages[name] = version
        elif mark == SOURCE_MARK:
            self.sources.append(text)
        elif mark == END_MARK:
            self.complete.set()
        else:
            self.last.append(line)
            if mark == "I:" and "hook" not in text:
                self._report(Progress(self._work, Stage.WORKING, text.rstrip(".")))


class CheckedStream(io.RawIOBase):
    """The output of a process; reading its end raises unless the process succeeded.

    Truncated output must not become an image.
    """

    def __init__(self, process: subprocess.Popen[bytes], failure: Any) -> None:
        super().__init__()
        self._process = process
        self._failure = failure
        assert process.stdout is not None
        self._stream = process.stdout

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; 0 at the end of a run that succeeded, EnvctlError of one that failed."""
        data = self._stream.read(len(buffer))
        if not data and self._process.wait() != 0:
            raise self._failure()
        buffer[: len(data)] = data
        return len(data)


def bootstrap(base: Base, rootfs: RootfsSpec, store: Loader, report: Report) -> str:
    """Make the base's image; its id. EnvctlError, with mmdebstrap's last lines, if that fails.

    In any case, mmdebstrap ends and removes its temporary files.
    """
    program = _program(rootfs)
    _require_runnable(rootfs, base)
    work = f"base {base.image}"
    log = BootstrapLog(work, report)

    def failure() -> EnvctlError:
        reader.join(_GRACE)
        return EnvctlError(
            f"{PROGRAM} failed to bootstrap the base {base.image}",
            details="\n".join(log.last),
            hint=_hint(log.last),
        )

    environ = {**for_programs(os.environ), **rootfs.environment()}
    with _running(rootfs.argv(program), environ) as process:
        assert process.stderr is not None
        reader = threading.Thread(target=log.read, args=(process.stderr,), daemon=True)
        reader.start()
        stream = io.BufferedReader(CheckedStream(process, failure), 1 << 20)
        # The first byte arrives when the root filesystem is finished and all facts are known.
        stream.peek(1)
        log.complete.wait(_GRACE)
        report(Progress(work, Stage.WORKING, "loading the image"))
        return store.load(
            stream,
            name=base.image,
            labels=labels(rootfs, log),
            changes=CONFIGURATION,
            platform=rootfs.platform,
        )


def labels(rootfs: RootfsSpec, log: BootstrapLog) -> dict[str, str]:
    """Return the labels of an image: base, suite, how and when it was made, mirror, manifest."""
    return {
        LABEL: rootfs.entry.name,
        f"{LABEL}.how": PROGRAM,
        f"{LABEL}.suite": rootfs.entry.suite,
        f"{LABEL}.mirror": log.sources[0] if log.sources else "",
        f"{LABEL}.snapshot": rootfs.snapshot,
        f"{LABEL}.created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        f"{LABEL}.manifest": digest(log.packages),
        **({f"{LABEL}.platform": rootfs.platform} if rootfs.platform else {}),
    }


def rootfs_spec(base: Base) -> RootfsSpec | None:
    """How to make the base; None if the catalogue does not have it."""
    from envctl.bases.catalogue import CATALOGUE

    image, _ = plain_name(base.image)
    entry = CATALOGUE.get(base.name or image)
    if entry is None:
        return None
    sources = sources_for(entry, snapshot=base.snapshot, platform=base.platform)
    return RootfsSpec(entry, sources, base.snapshot, platform=base.platform)


def _program(rootfs: RootfsSpec) -> str:
    program = shutil.which(PROGRAM)
    if program is None:
        raise EnvctlError(
            f"the base {rootfs.entry.name} has to be bootstrapped, and {PROGRAM} is not installed",
            hint="`envctl doctor --fix` installs it on Debian and Ubuntu, `envctl doctor` says what helps elsewhere; or make a registry "
            f"reachable, or load an image named {rootfs.entry.name} into the engine",
        )
    if not Path(rootfs.entry.keyring).is_file():
        raise EnvctlError(
            f"the keys that verify the base {rootfs.entry.name} are not on this machine",
            details=f"{rootfs.entry.keyring} does not exist",
            hint=f"install the package {rootfs.entry.keyring_package}, as Debian and Ubuntu call it",
        )
    return program


def _require_runnable(rootfs: RootfsSpec, base: Base) -> None:
    """EnvctlError unless mmdebstrap can make the base for its platform here, which needs to run the platform's programs."""
    platform = rootfs.platform
    if not platform:
        return
    if processor(platform).debian not in rootfs.entry.architectures:
        raise EnvctlError(
            f"the base {rootfs.entry.name} has no packages for {platform}",
            hint="use another base, or an image: base: {image: …}",
            where=base.platform_at,
        )
    if not runs_here(architecture(platform)):
        raise EnvctlError(
            f"the base {rootfs.entry.name} for {platform} has to be bootstrapped, and this host cannot run programs of {platform}",
            hint=f"{remedy(processor(platform).qemu)}; or make a registry reachable that has it",
            where=base.platform_at,
        )


def _hint(lines: deque[str]) -> str:
    text = "\n".join(lines)
    if "unshare" in text or "subuid" in text or "newuidmap" in text:
        return "for users other than root this needs the package uidmap and entries in /etc/subuid"
    if "No space left" in text:
        return "free some space in the temporary folder, or set TMPDIR to another folder"
    if "Could not resolve" in text or "Could not connect" in text or "Unable to connect" in text:
        return "the distribution's mirror cannot be reached from here: check the network and proxy"
    return ""


@contextmanager
def _running(argv: tuple[str, ...], environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The process; it is stopped at the end of the `with` block, or if this process dies."""
    setpriv = shutil.which("setpriv")
    guard = (setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()
    process = subprocess.Popen(
        (*guard, *argv),
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        # The whole group, as Ctrl-C on a terminal: its main process just waits for its workers.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        # Its tar blocks until its output is read.
        if process.stdout is not None:
            process.stdout.close()
        deadline = time.monotonic() + _GRACE
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
