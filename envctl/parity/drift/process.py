"""The process: who it runs as, what it was given, what it may do, what it listens on, whom it knows. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from envctl.parity.drift.claim import Claim, place, presence
from envctl.parity.drift.made import runs_after, steps
from envctl.parity.facts import Category, UnitFacts
from envctl.parity.inquiry import Asked
from envctl.plan.model import CreateUser, Unit

LOOK_UP: Final = "getent"
"""The program that names are looked up with; without it nothing can be said of them."""
_CAPABILITIES: Final = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""
"""By their numbers, from 0 (https://man7.org/linux/man-pages/man7/capabilities.7.html)."""
_PAGE: Final = 64 * 1024
"""Bytes: kernels keep limits of memory in whole pages, of which this is the largest usual one."""
_USER: Final = re.compile(r"uid (\d+), gid (\d+), (.*), [^,]*")


def claims(
    unit: Unit, told: UnitFacts, *, mask: Callable[[str], str], neighbours: Sequence[Unit]
) -> Iterator[Claim]:
    """Of a unit that runs; `neighbours` are the others that run."""
    yield from _user(unit, told)
    yield from _environment(unit, told, mask)
    yield from _limits(unit, told)
    yield from _powers(unit, told)
    yield from ports(unit, told)
    yield from names(unit, told, neighbours)


# --- who it is ------------------------------------------------------------------------------


def uid_of(unit: Unit, told: UnitFacts) -> str:
    """The number of the user that the unit's process is to run as; "" if nobody can tell."""
    name = (unit.run.process.user or "").partition(":")[0]
    if name.isdigit() or not name:
        return name
    if name == "root":
        return "0"
    found = _USER.match(told.get(Category.USERS, {}).get(name, ""))
    planned = _planned(unit, name)
    runs_as = told.get(Category.PROCESS, {}).get("uid", "")
    if planned and runs_as == str(planned[1].uid):
        return runs_as
    return found[1] if found else ""


def _planned(unit: Unit, name: str) -> tuple[int, CreateUser] | None:
    """The step that makes the user, unless it is there already, and the step's index."""
    for index, step in enumerate(steps(unit)):
        if isinstance(step, CreateUser) and step.name == name:
            return index, step
    return None


def _user(unit: Unit, told: UnitFacts) -> Iterator[Claim]:
    name = (unit.run.process.user or "").partition(":")[0]
    known, process = told.get(Category.USERS, {}), told.get(Category.PROCESS, {})
    where = place(unit, "process.user")
    if name and not name.isdigit() and known:
        yield presence(
            unit.name, Category.USERS, name, word="there", there=name in known, where=where
        )
        yield from _entry(unit, told, name)
    uid = uid_of(unit, told)
    # A process that root starts may well have become somebody else's.
    if uid and uid != "0" and "uid" in process:
        yield Claim(unit.name, Category.PROCESS, "uid", uid, process["uid"], where)


def _entry(unit: Unit, told: UnitFacts, name: str) -> Iterator[Claim]:
    """What is known of a user that the build makes, unless the base or a package has made it before."""
    planned, found = _planned(unit, name), _USER.match(told[Category.USERS].get(name, ""))
    if planned is None or found is None:
        return
    index, step = planned
    where = place(unit, "process.user", "uid")
    said = "process.user.uid" in unit.origins
    made = told.get(Category.PROCESS, {}).get("uid") == str(step.uid)
    if said or made or found[1] == str(step.uid):
        yield Claim(unit.name, Category.USERS, name, f"uid {step.uid}", f"uid {found[1]}", where)
    if found[1] == str(step.uid) and not runs_after(unit, index):
        yield Claim(unit.name, Category.USERS, name, f"home {step.home}", f"home {found[3]}", where)


# --- what it was given ----------------------------------------------------------------------


def _environment(unit: Unit, told: UnitFacts, mask: Callable[[str], str]) -> Iterator[Claim]:
    """The declared variables.

    A command may be a script that changes its environment before it becomes the program: then what any new
    process is given counts as well.
    """
    has, given = told.get(Category.ENVIRONMENT, {}), told.get(Asked.GIVEN, {})
    same = has and _is_started_directly(unit, told, mask)
    for name, plain in sorted(unit.run.process.env.items()):
        value, found = mask(plain), has.get(name)
        if has and (same or found == value):
            seen = found
        elif given:
            seen = given.get(name)
        else:
            continue
        where = place(unit, "process.env", name)
        if seen is None:
            yield Claim(unit.name, Category.ENVIRONMENT, name, "set", "not set", where)
        else:
            expected = json.dumps(value, ensure_ascii=False)
            now = json.dumps(seen, ensure_ascii=False)
            yield Claim(unit.name, Category.ENVIRONMENT, name, expected, now, where)


def _is_started_directly(unit: Unit, told: UnitFacts, mask: Callable[[str], str]) -> bool:
    """Whether the main process is the declared command, run by an interpreter at most, and no other's successor."""
    declared = unit.run.process.argv
    try:
        argv = json.loads(told.get(Category.PROCESS, {}).get("argv", "[]"))
    except ValueError:
        return False
    return bool(declared) and argv[-len(declared or ()) :] == [
        mask(word) for word in declared or ()
    ]


# --- what it may do -------------------------------------------------------------------------


def _limits(unit: Unit, told: UnitFacts) -> Iterator[Claim]:
    found, wanted = told.get(Category.LIMITS, {}), unit.run.resources
    if wanted.memory is not None and (memory := found.get("memory")):
        near = memory.isdigit() and abs(int(memory) - wanted.memory) < _PAGE
        expected = str(wanted.memory)
        yield Claim(
            unit.name,
            Category.LIMITS,
            "memory",
            expected,
            expected if near else memory,
            place(unit, "resources", "memory"),
        )
    if wanted.cpus is not None and (cpus := found.get("processors")):
        near = cpus != "none" and abs(float(cpus) - wanted.cpus) < 0.01
        expected = f"{wanted.cpus:g}"
        yield Claim(
            unit.name,
            Category.LIMITS,
            "processors",
            expected,
            expected if near else cpus,
            place(unit, "resources", "cpus"),
        )


def _powers(unit: Unit, told: UnitFacts) -> Iterator[Claim]:
    process = told.get(Category.PROCESS, {})
    where = place(unit, "process.capabilities")
    if (flag := process.get("no new privileges")) is not None:
        word = "yes" if flag == "1" else "no"
        yield Claim(unit.name, Category.PROCESS, "no new privileges", "yes", word, where)
    declared = set(unit.run.process.capabilities)
    mask = process.get("capabilities at most")
    if mask is None or "ALL" in declared:
        return
    bits = int(mask, 16)
    found = {name for bit, name in enumerate(_CAPABILITIES.split()) if bits >> bit & 1}
    if bits >> len(_CAPABILITIES.split()):
        found.add("others")
    if "SETPCAP" in declared and found <= declared:
        found = declared  # it may have given some up itself
    yield Claim(
        unit.name, Category.PROCESS, "capabilities", _listed(declared), _listed(found), where
    )


def _listed(names: set[str]) -> str:
    return " ".join(sorted(names)) or "none"


# --- where it is found, and whom it finds ---------------------------------------------------


def ports(unit: Unit, told: UnitFacts) -> Iterator[Claim]:
    """Of each declared port, whether something listens there, at whatever address."""
    listening = {
        (key.partition(" ")[0], key.rpartition(":")[2]) for key in told.get(Category.SOCKETS, {})
    }
    for index, port in enumerate(unit.run.ports):
        yield presence(
            unit.name,
            Category.SOCKETS,
            f"{port.protocol} {port.container}",
            word="listened on",
            there=(port.protocol, str(port.container)) in listening,
            where=place(unit, "ports", index),
        )


def names(unit: Unit, told: UnitFacts, neighbours: Sequence[Unit]) -> Iterator[Claim]:
    """Of each other service that runs, whether its name means something in here."""
    if LOOK_UP not in told.get(Asked.TOOLS, {}) or _is_alone(unit):
        return
    known = told.get(Category.NAMES, {})
    for name in dict.fromkeys(one.service for one in neighbours if not _is_alone(one)):
        if name != unit.service:
            yield presence(
                unit.name,
                Category.NAMES,
                name,
                word="known",
                there=name in known,
                where=unit.where,
            )


def _is_alone(unit: Unit) -> bool:
    return "network_mode" in unit.run.options
