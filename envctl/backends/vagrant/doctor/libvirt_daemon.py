"""Checks whether libvirt answers, and starts it: with systemd if that is running, otherwise directly."""

from __future__ import annotations

import re
from typing import Final

from envctl.doctor.findings import DaemonState, Repair, RepairStage
from envctl.doctor.host import Host
from envctl.doctor.start_daemon import SHOWN, Daemon
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.progress import Report

URI = "qemu:///system"
WORK = "libvirt"
DAEMONS = ("virtlogd", "libvirtd")
"""The daemons in start order: the second needs the first for machines' consoles."""
LOGS = "var/log/libvirt"
_NO_BUS = "unable to get system bus connection"
"""Its message to users other than root if it cannot ask polkit for their permissions."""
_FORK = 60.0
"""How many seconds a daemon gets until it runs in the background. libvirt examines every installed QEMU first."""
_ANSWER = 20.0
"""How many seconds to wait for one answer."""


@dataclass(frozen=True, slots=True)
class Libvirt:
    """The daemon's answer, or why it did not answer. `number` is libvirt's own version, () if unknown."""

    state: DaemonState
    version: str = ""
    number: tuple[int, ...] = ()
    error: str = ""

    @property
    def serves_root_only(self) -> bool:
        """Whether membership in a group would not help, because libvirt cannot check it."""
        return _NO_BUS in self.error.lower()


def look(host: Host) -> Libvirt:
    """Ask the system's libvirt. Never raises."""
    program = host.which("virsh")
    if program is None:
        return Libvirt(DaemonState.ABSENT, error="virsh is not installed")
    argv = (program, "-c", URI, "version")
    try:
        text = host.run(argv, env={"LC_ALL": "C"}, timeout=_ANSWER).text
    except EnvctlError as error:
        return Libvirt(DaemonState.FAILS, error=error.brief)
    library = re.search(r"^Using library: libvirt ([\d.]+)", text, re.MULTILINE)
    if library is None:
        return Libvirt(_state_of(text), error=_last(text))
    # The library's version is also printed if no QEMU is installed.
    hypervisor = re.search(r"^Running hypervisor: (.+)", text, re.MULTILINE)
    return Libvirt(
        DaemonState.ANSWERS,
        version=library[1] + (f" with {hypervisor[1]}" if hypervisor else ""),
        number=tuple(int(part) for part in library[1].split(".") if part),
    )


def _state_of(text: str) -> DaemonState:
    lowered = text.lower()
    if any(
        sign in lowered
        for sign in ("permission denied", "authentication", "access denied", _NO_BUS)
    ):
        return DaemonState.DENIED
    if "no such file" in lowered or "connection refused" in lowered:
        return DaemonState.ABSENT
    return DaemonState.FAILS


def _last(text: str) -> str:
    lines = [line.removeprefix("error: ") for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "virsh prints nothing"


def start_command(host: Host) -> str:
    """The command that starts libvirt."""
    if not host.has_systemd:
        return "sudo virtlogd -d; sudo libvirtd -d"
    if host.which("libvirtd") or not host.which("virtqemud"):
        return "sudo systemctl enable --now libvirtd"
    sockets = " ".join(f"virt{part}d.socket" for part in ("qemu", "network", "storage", "nodedev"))
    return f"sudo systemctl enable --now {sockets}"


def start(host: Host, report: Report) -> None:
    """Start libvirt unless it answers. EnvctlError, with the end of its logs, if that fails."""
    daemon = Daemon("libvirt", WORK, "libvirtd", lambda: look(host))
    daemon.start(host, report, lambda: _directly(host, daemon))


START: Final = Repair("libvirt", RepairStage.DAEMONS, start)


def _directly(host: Host, daemon: Daemon[Libvirt]) -> None:
    """Start the daemons that are not running. A killed daemon's pid file is no obstacle, because it is not locked."""
    programs = {name: host.which(name) for name in DAEMONS}
    if None in programs.values():
        raise EnvctlError(
            "libvirtd is not installed",
            hint="`envctl doctor --backend vagrant` shows how to install it",
        )
    (host.root / "run/libvirt").mkdir(parents=True, exist_ok=True)
    before = {name: len(_log(host, name)) for name in DAEMONS}
    output = ""
    ending = running(host, "libvirtd")
    while True:
        for name, program in programs.items():
            if not running(host, name):
                output += host.run((str(program), "-d"), timeout=_FORK).text
        last = daemon.wait(lambda: running(host, "libvirtd"))
        if last.state is DaemonState.ANSWERS:
            return
        # The first daemon was about to exit, so start another one.
        if not ending or running(host, "libvirtd"):
            break
        ending = False
    logs = "".join(_log(host, name)[before[name] :] for name in DAEMONS)
    ends = [] if running(host, "libvirtd") else ["libvirtd has exited"]
    lines = [line for line in (output + logs).splitlines() if line.strip()]
    details = "\n".join([*lines[-SHOWN:], *ends, last.error])
    raise daemon.failure(details, hint=f"its complete logs are in {host.root / LOGS}")


def running(host: Host, name: str) -> bool:
    """Whether the daemon in the pid file is running. Another program may have its pid by now."""
    pid = host.read(f"run/{name}.pid").strip()
    return pid.isdecimal() and host.read(f"proc/{pid}/comm").strip() == name


def _log(host: Host, name: str) -> str:
    return host.read(f"{LOGS}/{name}.log")
