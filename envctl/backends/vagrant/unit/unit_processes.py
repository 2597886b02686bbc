"""The processes of a unit, from /proc of its machine; those of a container come from the machine's engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from envctl.backends.base import UnitProcess
from envctl.backends.vagrant.ssh.ssh_machine import SshMachine
from envctl.backends.vagrant.unit.container import NAME
from envctl.backends.vagrant.unit.unit_paths import UnitPaths

_COLUMNS: Final = "pid,uid,rss,time,args"
_TICKS: Final = 100
"""Clock ticks per second, on every Linux that runs in these machines."""


def processes(unit: str, note: Mapping[str, Any], machine: SshMachine) -> Sequence[UnitProcess]:
    """The processes of a unit; empty if it is not running. `note` is the unit's note in the machine's stamp."""
    if note.get("contained"):
        text = machine.run(f"docker top {NAME} -eo {_COLUMNS} 2>/dev/null || :")
        return [_listed(line.split(None, 4)) for line in text.splitlines()[1:]]
    text = machine.run(_script(UnitPaths(unit, bool(note.get("shared")))))
    return list(_read(text))


def _script(paths: UnitPaths) -> str:
    # A process that ends meanwhile has no lines.
    return (
        f"for pid in $(cat {paths.processes} 2>/dev/null); do"
        ' stat=$(cat "/proc/$pid/stat" 2>/dev/null) || continue; echo "Pid: $pid"; echo "Stat: $stat";'
        " printf 'Command: '; tr '\\0\\n' '  ' <\"/proc/$pid/cmdline\" 2>/dev/null; echo;"
        ' grep -E "^(Uid|VmRSS):" "/proc/$pid/status" 2>/dev/null; done; :'
    )


def _listed(words: Sequence[str]) -> UnitProcess:
    """A process, from a line of `ps` with _COLUMNS."""
    pid, uid, rss, time, command = (*words, *("",) * 5)[:5]
    return UnitProcess(
        int(pid) if pid.isdigit() else 0,
        int(uid) if uid.isdigit() else None,
        int(rss) * 1024 if rss.isdigit() else None,
        time,
        command,
    )


def _read(text: str) -> Iterator[UnitProcess]:
    """The processes in the script's output."""
    for block in f"\n{text}".split("\nPid: ")[1:]:
        pid, *lines = block.splitlines()
        values = dict(line.partition(":")[::2] for line in lines)
        # The program's name is in brackets, and may contain brackets itself.
        name, _, fields = values.get("Stat", "").rpartition(") ")
        words = {key: values.get(key, "").split() for key in ("Uid", "VmRSS")}
        yield UnitProcess(
            int(pid),
            int(words["Uid"][0]) if words["Uid"] else None,
            int(words["VmRSS"][0]) * 1024 if words["VmRSS"] else None,
            _time(fields.split()),
            values.get("Command", "").strip() or f"[{name.partition('(')[2]}]",
        )


def _time(fields: Sequence[str]) -> str:
    """The CPU time of a process, from the fields of its stat after its name."""
    if len(fields) < 13:
        return ""
    seconds = (int(fields[11]) + int(fields[12])) // _TICKS
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
