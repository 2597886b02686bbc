"""Records in the machine how a unit's process exited. Pure.

systemd forgets a service that exited with 0 at once, and all services at the next boot. So each service writes a record
to the machine's disk when its process exits.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from envctl.backends.vagrant.quoting import words
from envctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from envctl.backends.vagrant.unit.unit_paths import UnitPaths

FOLDER: Final = "/etc/envctl"
_NAME: Final = "last-exit"
"""The file name of the record, in the folder of the unit's scripts."""
_STARTED: Final = "/run/envctl/settled"
"""In memory: a file for each unit that was started since the machine's boot."""
_SIGNAL: Final = 128
_KILLED: Final = 137
_FIELDS: Final = 5
_RECORD_WORDS: Final = (
    '"${SERVICE_RESULT:-success}" "${EXIT_CODE:-exited}" "${EXIT_STATUS:-0}" "$oom" "$(date +%s)"'
)
"""The five words of a record: three variables that systemd sets, the number of OOM kills, and the time."""


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """What a machine knows about a stopped unit.

    `started`: it was started since the machine's boot. `text` is the record itself; "" if the process has not exited
    since then. `oom`: the kernel killed one of its processes for memory.
    """

    started: bool = False
    text: str = ""
    exit_code: int | None = None
    oom: bool = False

    @property
    def killed_for_memory(self) -> bool:
        """Whether its main process was killed for memory."""
        return self.oom and self.exit_code == _KILLED


def recording_script(paths: UnitPaths, *, contained: str = "", lasting: bool = False) -> str:
    """The shell script that a service runs after its process has exited.

    `contained` is the name of its container, if any. With `lasting`, the script waits until the record is on the disk.
    """
    file = _file(paths.unit)
    if contained:
        # A container has its own cgroup; its engine knows about OOM kills there.
        oom = (
            f"case $(docker inspect -f '{{{{.State.OOMKilled}}}}' {contained} 2>/dev/null) in"
            " true) oom=1;; esac"
        )
    else:
        events = f"{paths.processes.rpartition('/')[0]}/memory.events"
        oom = (
            "while read -r name count; do case $name in oom_kill) oom=$count;; esac; done"
            f" 2>/dev/null <{events} || :"
        )
    return "\n".join(
        [
            "oom=0",
            oom,
            f"mkdir -p {file.rpartition('/')[0]}",
            f"printf '%s %s %s %s %s\\n' {_RECORD_WORDS} >{file}.new",
            *([f"sync {file}.new"] if lasting else []),
            f"mv {file}.new {file}",
            "",
        ]
    )


def forget_script(paths: UnitPaths) -> str:
    """Shell commands that remove a unit's record before its start."""
    return f"rm -f {_file(paths.unit)}; mkdir -p {_STARTED}; : >{_STARTED}/{paths.unit}"


def is_started(paths: UnitPaths) -> str:
    """A shell condition: whether a unit was started since its machine was."""
    return f"[ -e {_STARTED}/{paths.unit} ]"


def remove_script(paths: UnitPaths) -> str:
    """Shell commands that remove all records of a unit."""
    return f"rm -f {_file(paths.unit)} {_STARTED}/{paths.unit}"


def query_script(units: Iterable[str]) -> str:
    """The shell script that prints the records of these units, one per line."""
    return (
        f"for unit in {words(tuple(units))}; do started=-; record=;"
        f' [ ! -e "{_STARTED}/$unit" ] || started=started;'
        f' [ ! -e "{FOLDER}/$unit/{_NAME}" ] || read -r record <"{FOLDER}/$unit/{_NAME}";'
        ' echo "$unit $started $record"; done'
    )


def parse_records(text: str) -> Mapping[str, ExitRecord]:
    """Parse the records that such a script printed, by unit."""
    records = {}
    for line in text.splitlines():
        unit, started, *record = line.split()
        records[unit] = _record(started == "started", record)
    return records


def _record(started: bool, record: Sequence[str]) -> ExitRecord:
    if len(record) != _FIELDS:
        return ExitRecord(started)
    _, how, status, oom, _ = record
    return ExitRecord(started, " ".join(record), _code(how, status), oom not in {"0", ""})


def _code(how: str, status: str) -> int | None:
    """The exit code as a shell reports it, from systemd's EXIT_CODE and EXIT_STATUS."""
    with suppress(ValueError, KeyError):
        return int(status) if how == "exited" else _SIGNAL + signal.Signals[f"SIG{status}"].value
    return None


def _file(unit: str) -> str:
    return f"{FOLDER}/{unit}/{_NAME}"
