"""Starts the Docker engine, with systemd if that is running, otherwise directly, and repairs known failures."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from envctl.backends.docker.doctor.engine_status import EngineStatus, look
from envctl.doctor.findings import DaemonState, Repair, RepairStage
from envctl.doctor.host import Host
from envctl.doctor.start_daemon import SHOWN, Daemon
from envctl.errors import EnvctlError
from envctl.host.ca_bundle import for_programs
from envctl.lazy_dataclass import dataclass
from envctl.progress import Progress, Report, Stage

WORK = "docker engine"
LOG = "var/log/envctl-dockerd.log"
PID_FILE = "run/docker.pid"


@dataclass(frozen=True, slots=True)
class Remedy:
    """How to repair an engine whose log ended with `sign`: an action, or other arguments."""

    sign: str
    note: str
    apply: Callable[[Host], object] | None = None
    arguments: tuple[str, ...] = ()


def _legacy_iptables(host: Host) -> None:
    for program in ("iptables", "ip6tables"):
        host.run(("update-alternatives", "--set", program, f"/usr/sbin/{program}-legacy"))


def _forget_pid(host: Host) -> None:
    """Remove the pid file of a killed engine if another program has its pid now."""
    pid = host.read(PID_FILE).strip()
    if host.read(f"proc/{pid}/comm").strip() != "dockerd":
        (host.root / PID_FILE).unlink(missing_ok=True)


def _mount_cgroups(host: Host) -> None:
    """Mount the cgroup v2 hierarchy if no init has done so, because containers do not start without it."""
    folder = host.root / "sys/fs/cgroup"
    if folder.is_dir() and not any(folder.iterdir()):
        host.run(("mount", "-t", "cgroup2", "cgroup2", str(folder)))


REMEDIES = (
    Remedy("pid file found", "a killed engine left its pid file", _forget_pid),
    Remedy("iptables", "no nftables in this kernel: using iptables-legacy", _legacy_iptables),
    Remedy(
        "graphdriver",
        "no overlay file system here: images use more space",
        arguments=("--storage-driver=vfs",),
    ),
)


def start(host: Host, ask: Callable[[], EngineStatus], report: Report) -> None:
    """Start the engine and wait until it answers. EnvctlError, with the end of its log, if it does not."""
    daemon = Daemon("the Docker engine", WORK, "docker", ask)
    daemon.start(host, report, lambda: _directly(host, daemon, report))


def _start(host: Host, report: Report) -> None:
    start(host, lambda: look(host.environ), report)


START: Final = Repair("docker engine", RepairStage.DAEMONS, _start)


def _directly(host: Host, daemon: Daemon[EngineStatus], report: Report) -> None:
    program = host.which("dockerd")
    if program is None:
        raise EnvctlError(
            "dockerd is not installed", hint="`envctl doctor` shows how to install it"
        )
    log = host.root / LOG
    _mount_cgroups(host)
    untried = list(REMEDIES)
    arguments: tuple[str, ...] = ()
    while True:
        output = _attempt((program, *arguments), log, host, daemon)
        if output is None:
            return
        end = _reason(output)
        remedy = next((remedy for remedy in untried if remedy.sign in end.lower()), None)
        if remedy is None:
            raise daemon.failure("\n".join(output), hint=f"the full log is {log}")
        untried.remove(remedy)
        report(Progress(WORK, Stage.NOTE, remedy.note))
        if remedy.apply is not None:
            remedy.apply(host)
        arguments += remedy.arguments


def _attempt(
    argv: tuple[str, ...], log: Path, host: Host, daemon: Daemon[EngineStatus]
) -> list[str] | None:
    """Start the engine, detached from this process. None if it answers, otherwise the end of its log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    before = os.fstat(descriptor).st_size
    try:
        process = subprocess.Popen(
            argv,
            env=for_programs(host.environ),
            cwd=host.root,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    if daemon.wait(lambda: process.poll() is None).state is DaemonState.ANSWERS:
        # The engine is meant to outlive this process, so do not wait for it.
        process.returncode = 0
        return None
    _stop(process)
    return log.read_bytes()[before:].decode("utf-8", "replace").splitlines()[-SHOWN:]


def _reason(output: list[str]) -> str:
    """The line that says why the engine ended. Earlier warnings mention the same words."""
    fatal = [line for line in output if "failed to start daemon" in line or "level=fatal" in line]
    return (fatal or output or [""])[-1]


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    process.kill()
    process.wait()
