"""The processes of a container, as the engine lists them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from envctl.backends.base import UnitProcess
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.observe import number

_COLUMNS: Final = "pid,uid,rss,time,args"


def processes(api: EngineApi, container: str) -> Sequence[UnitProcess]:
    """The processes, as listed on the engine's host, so that the image needs no `ps`."""
    rows = api.top(container, _COLUMNS)["Processes"]
    return [_process([str(cell) for cell in row]) for row in rows if isinstance(row, list)]


def _process(row: Sequence[str]) -> UnitProcess:
    pid, uid, rss, time, *command = (*row, *("",) * 4)
    kilobytes = number(rss)
    return UnitProcess(
        number(pid) or 0,
        number(uid),
        None if kilobytes is None else kilobytes * 1024,
        time,
        " ".join(command).strip(),
    )
