"""The process: who it runs as, what it was given, what it may do, what it listens on, whom it knows. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from envctl.errors import Place
from envctl.parity.drift.built_files import runs_after, steps
from envctl.parity.drift.expectation import Expectation, cannot_check, place, presence, why_unknown
from envctl.parity.facts import Category, UnitFacts, Unknown
from envctl.parity.verify_categories import VerifyCategory
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
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_USER: Final = re.compile(r"uid (\d+), gid (\d+), (.*), [^,]*")


def expectations(
    unit: Unit,
    told: UnitFacts,
    *,
    mask: Callable[[str], str],
    services: Sequence[Unit],
    running: Collection[str],
) -> Iterator[Expectation]:
    """Of a service, as many whatever is told; `services` are all units of services, `running` the names of units that run."""
    yield from _user(unit, told)
    yield from _environment(unit, told, mask)
    yield from _limits(unit, told)
    yield from _powers(unit, told)
    yield from ports(unit, told)
    yield from names(unit, told, services, running)


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


def _user(unit: Unit, told: UnitFacts) -> Iterator[Expectation]:
    name = (unit.run.process.user or "").partition(":")[0]
    where = place(unit, "process.user")
    if name and not name.isdigit():
        yield _entry(unit, told, name, where)
    # A process that root starts may well have become somebody else's.
    if name and name not in ("root", "0"):
        uid, seen = uid_of(unit, told), told.get(Category.PROCESS, {}).get("uid")
        if not uid or seen is None:
            why = why_unknown(told, Category.PROCESS, "uid" if uid else "")
            why = why or (f"the number of {name} is not known" if not uid else "it is not told")
            yield cannot_check(unit.name, Category.PROCESS, "uid", why, where)
        else:
            yield Expectation(unit.name, Category.PROCESS, "uid", uid, seen, where)


def _entry(unit: Unit, told: UnitFacts, name: str, where: Place | None) -> Expectation:
    """That the user is there; of one that the build makes, unless the base or a package has made it before, as it was made."""
    text = told.get(Category.USERS, {}).get(name)
    if text is None and (why := why_unknown(told, Category.USERS, name)):
        return cannot_check(unit.name, Category.USERS, name, why, where)
    planned, found = _planned(unit, name), _USER.match(text or "")
    wanted: list[str] = []
    seen: list[str] = []
    if planned is not None and found is not None:
        index, step = planned
        said = "process.user.uid" in unit.origins
        made = told.get(Category.PROCESS, {}).get("uid") == str(step.uid)
        if (said or made) and found[1] != str(step.uid):
            wanted.append(f"uid {step.uid}")
            seen.append(f"uid {found[1]}")
        if found[1] == str(step.uid) and not runs_after(unit, index) and found[3] != step.home:
            wanted.append(f"home {step.home}")
            seen.append(f"home {found[3]}")
    if not wanted:
        return presence(
            unit.name, Category.USERS, name, word="there", there=text is not None, where=where
        )
    where = place(unit, "process.user", "uid")
    return Expectation(unit.name, Category.USERS, name, ", ".join(wanted), ", ".join(seen), where)


# --- what it was given ----------------------------------------------------------------------


def _environment(unit: Unit, told: UnitFacts, mask: Callable[[str], str]) -> Iterator[Expectation]:
    """The declared variables.

    A command may be a script that changes its environment before it becomes the program: then what any new
    process is given counts as well.
    """
    has, given = told.get(Category.ENVIRONMENT, {}), told.get(VerifyCategory.GIVEN, {})
    same = has and _is_started_directly(unit, told, mask)
    for name, plain in sorted(unit.run.process.env.items()):
        value, found = mask(plain), has.get(name)
        where = place(unit, "process.env", name)
        if has and (same or found == value):
            seen = found
        elif given:
            seen = given.get(name)
        else:
            why = why_unknown(told, Category.ENVIRONMENT) or why_unknown(told, VerifyCategory.GIVEN)
            why = why or "it does not tell its environment"
            yield cannot_check(unit.name, Category.ENVIRONMENT, name, why, where)
            continue
        if seen is None:
            yield Expectation(unit.name, Category.ENVIRONMENT, name, "set", "not set", where)
        else:
            expected = json.dumps(value, ensure_ascii=False)
            now = json.dumps(seen, ensure_ascii=False)
            yield Expectation(unit.name, Category.ENVIRONMENT, name, expected, now, where)


def _is_started_directly(unit: Unit, told: UnitFacts, mask: Callable[[str], str]) -> bool:
    """Whether the main process is the declared command, run by an interpreter at most, and no other's successor."""
    declared = unit.run.process.argv
    try:
        argv = json.loads(told.get(Category.PROCESS, {}).get("argv", "[]"))
    except ValueError:
        return False
    return (
        isinstance(argv, list)
        and bool(declared)
        and argv[-len(declared or ()) :] == [mask(word) for word in declared or ()]
    )


# --- what it may do -------------------------------------------------------------------------


def _limits(unit: Unit, told: UnitFacts) -> Iterator[Expectation]:
    wanted = unit.run.resources
    for key, field, limit, near, text in (
        ("memory", "memory", wanted.memory, _PAGE, str(wanted.memory)),
        ("processors", "cpus", wanted.cpus, 0.01, f"{wanted.cpus or 0:g}"),
    ):
        if limit is None:
            continue
        where, found = place(unit, "resources", field), told.get(Category.LIMITS, {}).get(key)
        if found is None:
            why = why_unknown(told, Category.LIMITS, key) or "it is not told"
            yield cannot_check(unit.name, Category.LIMITS, key, why, where)
            continue
        # The kernel rounds.
        same = _NUMBER.fullmatch(found) and abs(float(found) - limit) < near
        yield Expectation(unit.name, Category.LIMITS, key, text, text if same else found, where)


def _powers(unit: Unit, told: UnitFacts) -> Iterator[Expectation]:
    where = place(unit, "process.capabilities")
    flag = _of_process(told, "no new privileges")
    key = "no new privileges"
    if isinstance(flag, Unknown):
        yield cannot_check(unit.name, Category.PROCESS, key, flag.reason, where)
    else:
        yield Expectation(
            unit.name, Category.PROCESS, key, "yes", "yes" if flag == "1" else "no", where
        )
    declared = set(unit.run.process.capabilities)
    if "ALL" in declared:
        return
    mask = _of_process(told, "capabilities at most")
    if isinstance(mask, Unknown):
        yield cannot_check(unit.name, Category.PROCESS, "capabilities", mask.reason, where)
        return
    bits = int(mask, 16)
    found = {name for bit, name in enumerate(_CAPABILITIES.split()) if bits >> bit & 1}
    if bits >> len(_CAPABILITIES.split()):
        found.add("others")
    if "SETPCAP" in declared and found <= declared:
        found = declared  # it may have given some up itself
    yield Expectation(
        unit.name, Category.PROCESS, "capabilities", _listed(declared), _listed(found), where
    )


def _of_process(told: UnitFacts, key: str) -> str | Unknown:
    value = told.get(Category.PROCESS, {}).get(key)
    if value is None:
        return Unknown(why_unknown(told, Category.PROCESS, key) or "it is not told")
    return value


def _listed(names: set[str]) -> str:
    return " ".join(sorted(names)) or "none"


# --- where it is found, and whom it finds ---------------------------------------------------


def ports(unit: Unit, told: UnitFacts) -> Iterator[Expectation]:
    """Of each declared port, whether something listens there, at whatever address."""
    listening = {
        (key.partition(" ")[0], key.rpartition(":")[2]) for key in told.get(Category.SOCKETS, {})
    }
    why = why_unknown(told, Category.SOCKETS)
    for index, port in enumerate(unit.run.ports):
        key, where = f"{port.protocol} {port.container}", place(unit, "ports", index)
        there = (port.protocol, str(port.container)) in listening
        if why and not there:
            yield cannot_check(unit.name, Category.SOCKETS, key, why, where)
        else:
            yield presence(
                unit.name, Category.SOCKETS, key, word="listened on", there=there, where=where
            )


def names(
    unit: Unit, told: UnitFacts, services: Sequence[Unit], running: Collection[str]
) -> Iterator[Expectation]:
    """Of each other service, whether its name means something in here; of one that does not run nobody can tell."""
    if _is_alone(unit):
        return
    known = told.get(Category.NAMES, {})
    others: dict[str, bool] = {}
    for one in services:
        if not _is_alone(one) and one.service != unit.service:
            others[one.service] = others.get(one.service, False) or one.name in running
    for name, runs in others.items():
        why = why_unknown(told, Category.NAMES, name) or why_unknown(told, VerifyCategory.TOOLS)
        if name not in known and (why or not runs):
            why = why or f"{name} does not run"
            yield cannot_check(unit.name, Category.NAMES, name, why, unit.where)
            continue
        # Without the tool the engine's own record has to do.
        there = name in known or LOOK_UP not in told.get(VerifyCategory.TOOLS, {})
        yield presence(unit.name, Category.NAMES, name, word="known", there=there, where=unit.where)


def _is_alone(unit: Unit) -> bool:
    return "network_mode" in unit.run.options
