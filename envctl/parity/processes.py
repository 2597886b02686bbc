"""Parses the process lists of collect.sh: which programs run, and how. Pure.

Processes come and go and may change their names; programs that stay are facts. A program is identified by its command
line, and counts if it is in most of the lists. A forked worker counts as part of the program that forked it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from envctl.lazy_dataclass import dataclass

_STAT: Final = re.compile(rb"(\d+) \((.{1,64}?)\) (\S) (-?\d+(?: -?\d+){18,60})\n", re.DOTALL)
_STATUS: Final = re.compile(rb"^(Uid|Gid|CapEff|NoNewPrivs|Seccomp):\s*(.*)$", re.MULTILINE)
_EXE: Final = re.compile(r"/proc/(\d+)/exe -> (.*)")
_KERNEL_THREAD: Final = 0x00200000
"""PF_KTHREAD (https://github.com/torvalds/linux/blob/master/include/linux/sched.h)."""
_INITS: Final = frozenset({"docker-init", "tini", "catatonit", "dumb-init", "init"})
_OURS: Final = "# Collects facts inside a unit"
"""Identifies the collector's processes by their command line."""
_BEGINNING: Final = ("runc", "init")
"""The command line of a process that an engine is about to start in a container."""
_UNITS: Final = "/envctl-"
"""Identifies control groups of a machine's units."""
_MACHINES: Final = {
    ":/init.scope": "/usr/lib/systemd/",
    ":/system.slice/systemd-": "/usr/lib/systemd/",
    ":/system.slice/ssh.service": "/usr/sbin/sshd",
}
"""The control groups of a machine's own programs, and the folders of these programs."""
_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """A process at one moment."""

    pid: int
    parent: int
    command: str
    started: int
    stack: int
    """The start of the stack: random for each program, inherited by forks. 0 if it is not readable."""
    flags: int
    nice: int
    uid: str
    gid: str
    capabilities: str
    no_new_privileges: str
    oom_score: str
    groups: str
    """The process's control groups."""
    argv: tuple[str, ...]

    @property
    def attributes(self) -> str:
        """User, capabilities and other attributes, as text."""
        return (
            f"user {self.uid}:{self.gid}, nice {self.nice}, oom_score_adj {self.oom_score},"
            f" capabilities {self.capabilities}, no new privileges {self.no_new_privileges}"
        )


@dataclass(frozen=True, slots=True)
class Programs:
    """The unit's own running programs, by command line, with attributes; files of programs that came with a machine."""

    of_unit: Mapping[str, str]
    substrate: Collection[str] = ()


Look = Mapping[int, RunningProcess]


def look(text: str) -> Look:
    """Parse one list of processes. ValueError if it is empty."""
    data = text.encode("utf-8", "surrogateescape")
    heads = [
        head
        for head in _STAT.finditer(data)
        if head.start() == 0 or data[head.start() - 1] in b"\0\n"
    ]
    processes: dict[int, RunningProcess] = {}
    for head, after in zip(heads, [*heads[1:], None], strict=True):
        body = data[head.end() : after.start() if after else len(data)]
        process = _process(head, body)
        if process is not None:
            processes[process.pid] = process
    if not processes:
        raise ValueError("it lists no process")
    return processes


def _process(head: re.Match[bytes], body: bytes) -> RunningProcess | None:
    """Parse one process: stat, oom_score_adj, status, control groups, a separator and its command line."""
    numbers = [int(word) for word in head[4].split()]
    about, blank, line = body.partition(b"\nLinux\n")
    if not blank:
        return None  # the process ended while it was read
    status = {name.decode(): value.split() for name, value in _STATUS.findall(about)}
    oom, _, after_score = about.partition(b"\n")
    groups = after_score.rpartition(b"_switches:")[2].partition(b"\n")[2]
    words = _words(line)
    try:
        return RunningProcess(
            int(head[1]),
            numbers[0],
            head[2].decode("utf-8", "backslashreplace"),
            numbers[18],
            numbers[24] if len(numbers) > 24 else 0,
            numbers[5],
            numbers[15],
            status["Uid"][0].decode(),
            status["Gid"][0].decode(),
            status["CapEff"][0].decode(),
            status.get("NoNewPrivs", [b"0"])[0].decode(),
            oom.decode("ascii", "replace"),
            groups.decode("utf-8", "replace"),
            tuple(words) if words != [""] else (),
        )
    except (LookupError, ValueError):
        return None


def programs(
    looks: Sequence[Look],
    *,
    stacks: Look,
    exes: str,
    unit: str,
    substrate: Collection[str] | None,
    probe: Sequence[str] = (),
) -> Programs:
    """The programs in most of the lists, without the unit's health check, whose command is `probe`.

    `stacks` is a list made as the unit's own user, who may read more about its processes; `exes` has the executables of
    processes. `substrate` are the files that came with a machine, or None in a container, where all processes are the
    unit's.
    """
    files = {int(match[1]): match[2] for match in _EXE.finditer(exes)}
    counted: Counter[str] = Counter()
    brought: Counter[str] = Counter()
    values: dict[str, str] = {}
    for seen in looks:
        attributes, came_along = _of(
            seen, stacks, files, unit=unit, substrate=substrate, probe=probe
        )
        values |= attributes
        counted.update(attributes.keys())
        brought.update(came_along)
    most = len(looks) // 2 + 1
    of_unit = {key: values[key] for key, count in counted.items() if count >= most}
    return Programs(of_unit, [path for path, count in brought.items() if count >= most])


def _of(
    seen: Look,
    stacks: Look,
    files: Mapping[int, str],
    *,
    unit: str,
    substrate: Collection[str] | None,
    probe: Sequence[str],
) -> tuple[dict[str, str], set[str]]:
    """From one list: the attributes of each program, and the files of programs that came with the machine."""
    ours = _ours(seen, probe)
    families: dict[int, list[RunningProcess]] = {}
    came_along: set[str] = set()
    for process in sorted(seen.values(), key=lambda process: (process.started, process.pid)):
        if process.pid in ours or process.flags & _KERNEL_THREAD or not process.argv:
            continue
        if substrate is None:
            if process.pid == 1 and process.command in _INITS and len(seen) > 1:
                continue
        elif not _is_in(process, unit):
            file = files.get(process.pid, "")
            if any(_UNITS in line for line in process.groups.split("\n")):
                continue  # the process belongs to another unit
            if file in substrate or _is_a_machines(process, file):
                came_along.add(file)
                continue
        root = _root(process, seen, stacks, families)
        families.setdefault(root, []).append(process)
    attributes: dict[str, list[str]] = {}
    for root, members in families.items():
        key = json.dumps(seen[root].argv, ensure_ascii=False)
        attributes.setdefault(key, []).extend(process.attributes for process in members)
    return {key: "; ".join(sorted(set(how))) for key, how in attributes.items()}, came_along


def _is_a_machines(process: RunningProcess, file: str) -> bool:
    """Whether the process belongs to the machine's init or SSH server. An image may contain but not run them."""
    if file.startswith("/run/envctl/"):
        return True
    groups = process.groups.split("\n")
    return any(
        group in line and file.startswith(program)
        for group, program in _MACHINES.items()
        for line in groups
    )


def _is_in(process: RunningProcess, unit: str) -> bool:
    """Whether the process is in the unit's control group."""
    return f"{_UNITS}{unit}.service" in process.groups


def _ours(seen: Look, probe: Sequence[str]) -> set[int]:
    """The processes of the collector and of the health check, which come and go."""
    ours = {
        pid
        for pid, process in seen.items()
        if any(_OURS in word for word in process.argv)
        or _runs(process, probe)
        or _asks(process, probe)
        or (process.parent == 0 and process.argv == _BEGINNING)
    }
    while more := {pid for pid, process in seen.items() if process.parent in ours} - ours:
        ours |= more
    return ours


def _asks(process: RunningProcess, probe: Sequence[str]) -> bool:
    """Whether the process is the tool of a health check. After a timeout, an engine may only end the check's shell."""
    is_ours = len(probe) > 4 and (*probe[:2], probe[3]) == ("/bin/sh", "-c", "probe")
    return is_ours and {*probe[4:]} <= {*process.argv}


def _runs(process: RunningProcess, command: Sequence[str]) -> bool:
    """Whether the process runs this command. A script's interpreter comes first, then its full path."""
    if not command:
        return False
    program, *arguments = _words("\0".join(command).encode())
    words = process.argv[-1 - len(arguments) :]
    if not len(words) == 1 + len(arguments) >= len(process.argv) - 2:
        return False
    return (
        list(words[1:]) == arguments and words[0].rpartition("/")[2] == program.rpartition("/")[2]
    )


def _words(line: bytes) -> list[str]:
    """The words of a command line; long ones are cut."""
    return line[:_LONGEST].decode("utf-8", "backslashreplace").rstrip("\0").split("\0")


def _root(
    process: RunningProcess,
    seen: Look,
    stacks: Look,
    families: Mapping[int, Sequence[RunningProcess]],
) -> int:
    """The process that started this program: the process itself, unless it is a fork."""
    stack = _stack(process, stacks)
    if stack:
        for root in families:
            if _stack(seen[root], stacks) == stack:
                return root
        return process.pid
    parent = seen.get(process.parent)
    if parent is not None and parent.command == process.command:
        return next((root for root, all_ in families.items() if parent in all_), process.pid)
    return process.pid


def _stack(process: RunningProcess, stacks: Look) -> int:
    other = stacks.get(process.pid)
    if process.stack or other is None or other.started != process.started:
        return process.stack
    return other.stack


def read(
    by_root: Mapping[str, str],
    by_unit: Mapping[str, str],
    *,
    unit: str,
    substrate: Collection[str] | None,
    probe: Sequence[str] = (),
) -> Programs:
    """The programs, from the lists made as root and as the unit's own user. ValueError if they are malformed."""
    looks = [look(by_root[name]) for name in _looks(by_root)]
    if not looks:
        raise ValueError("it lists no process")
    unit_looks = [look(by_unit[name]) for name in _looks(by_unit)]
    stacks: dict[int, RunningProcess] = {}
    for seen in unit_looks:
        stacks |= seen
    exes = by_root.get("exes", "")
    return programs(looks, stacks=stacks, exes=exes, unit=unit, substrate=substrate, probe=probe)


def _looks(parts: Mapping[str, str]) -> Iterator[str]:
    return (name for name in parts if name.startswith("look"))
