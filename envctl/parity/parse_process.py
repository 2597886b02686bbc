"""Parses answers about the main process of a unit: its command line, environment and limits. Pure."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from envctl.parity.answers import Values, lines
from envctl.parity.fact_format import Unknown

_STATUS: Final = {
    "Uid": "uid", "Gid": "gid", "Groups": "groups", "Umask": "umask", "NoNewPrivs": "no new privileges",
    "CapEff": "capabilities", "CapBnd": "capabilities at most",
}  # fmt: skip
_LIMIT: Final = re.compile(r"Max ((?:\S+ )*\S+)\s{2,}(\S+)\s+(\S+)")
_NO_LIMIT: Final = 1 << 60
"""For the kernel, values from this many bytes on mean "no limit"."""
_UNLIMITED: Final = 1 << 62
_VISIBLE: Final = {"MemTotal": "memory visible", "SwapTotal": "swap visible"}


def parse_argv(body: str) -> Values:
    """The command line, as JSON."""
    if body:
        yield "argv", json.dumps(body.split("\0")[:-1], ensure_ascii=False)


def parse_environ(body: str) -> Values:
    """The environment variables."""
    for line in body.split("\0"):
        name, equals, value = line.partition("=")
        if equals:
            yield name, value


def parse_status(body: str) -> Values:
    """User, groups, umask and capabilities."""
    for line in lines(body):
        name, _, value = line.partition(":")
        if name in _STATUS:
            fields = value.split()
            # The kernel shows four ids (real, effective, saved, file system); equal ones become a single one.
            are_equal = len(set(fields)) == 1 and name in ("Uid", "Gid")
            yield _STATUS[name], fields[0] if are_equal else " ".join(fields)


def parse_limits(body: str) -> Values:
    """Resource limits: soft to hard."""
    for line in lines(body)[1:]:
        match = _LIMIT.match(line)
        if match is None:
            raise ValueError("it is not a table of limits")
        yield match[1], f"{match[2]} to {match[3]}"


def parse_cwd(body: str) -> Values:
    """The working directory."""
    if body:
        yield "directory", body.rstrip("\n")


def parse_cgroup(body: str) -> Values:
    """The limits of a unit's control group and of its parents, for both cgroup versions. Memory is in bytes."""
    values: dict[str, list[str]] = defaultdict(list)
    for line in lines(body):
        name, _, value = line.partition(" ")
        values[name].append(value)
    old = {"memory": ("memory.limit_in_bytes", "hierarchical_memory_limit"),
           "both": ("memory.memsw.limit_in_bytes", "hierarchical_memsw_limit")}  # fmt: skip
    default = "none" if values["version"] else Unknown("no control group shows it")
    memory = _least(values, "memory.max", *old["memory"])
    yield "memory", default if memory is None else _limit(memory)
    if "memory.max" in values:
        swap = _least(values, "memory.swap.max")
    else:
        both = _least(values, *old["both"])
        swap = both if None in (both, memory) or both == _UNLIMITED else both - memory  # type: ignore[operator]
    if swap is not None:
        yield "swap", _limit(swap)
    if (high := _least(values, "memory.high")) not in (None, _UNLIMITED):
        yield "memory high", _limit(high or 0)
    tasks = _least(values, "pids.max")
    yield "tasks", default if tasks is None else _limit(tasks)
    quotas = [quota.partition(" ")[::2] for quota in values["cpu.max"]]
    quotas += list(zip(values["cpu.cfs_quota_us"], values["cpu.cfs_period_us"], strict=False))
    shares = [
        int(quota) / int(period or 1) for quota, period in quotas if quota not in ("max", "-1")
    ]
    yield "processors", f"{min(shares):g}" if shares else "none" if quotas else default
    if weights := values["cpu.weight"][:1] or values["cpu.shares"][:1]:
        usual = {"cpu.weight": "100", "cpu.shares": "1024"}[
            "cpu.weight" if values["cpu.weight"] else "cpu.shares"
        ]
        yield "processor weight", "default" if weights[0] == usual else weights[0]
    elif values["version"]:
        yield "processor weight", "default"


def _least(values: Mapping[str, Sequence[str]], *names: str) -> int | None:
    """The lowest of the limits with these names; None if no such file exists."""
    limits = [
        _UNLIMITED if value == "max" or int(value) >= _NO_LIMIT else int(value)
        for name in names
        for value in values.get(name, ())
    ]
    return min(limits, default=None)


def _limit(value: int) -> str:
    return "none" if value >= _UNLIMITED else str(value)


def parse_size(body: str) -> Values:
    """The memory and processors that are visible, of the machine or the host."""
    for line in lines(body):
        name, _, value = line.partition(":")
        if name == "Cpus_allowed_list":
            yield "processors visible", str(sum(map(_count, value.strip().split(","))))
        elif name in _VISIBLE:
            # Rounded, because the kernel reserves a few KiB more or less.
            yield _VISIBLE[name], str(round(int(value.split()[0]) / 1024) << 20)


def _count(numbers: str) -> int:
    first, _, last = numbers.partition("-")
    return int(last or first) - int(first) + 1
