"""The process: its user, environment, limits, capabilities, ports, and the names that it can look up. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from envctl.errors import Place
from envctl.parity.drift.built_files import runs_after, steps
from envctl.parity.drift.expectation import Expectation, cannot_check, place, presence, why_unknown
from envctl.parity.fact_format import Category, UnitFacts, Unknown
from envctl.parity.verify_categories import VerifyCategory
from envctl.plan.model import CreateUser, Unit

LOOK_UP: Final = "getent"
"""The program that looks up names. Without it, names cannot be checked."""
_CAPABILITIES: Final = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""
"""Capabilities in the order of their numbers, from 0 (https://man7.org/linux/man-pages/man7/capabilities.7.html)."""
_PAGE: Final = 64 * 1024
"""The largest common page size in bytes. Kernels round memory limits to whole pages."""
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_USER: Final = re.compile(r"uid (\d+), gid (\d+), (.*), [^,]*")


def expectations(
    unit: Unit,
    facts: UnitFacts,
    *,
    mask: Callable[[str], str],
    services: Sequence[Unit],
    running: Collection[str],
) -> Iterator[Expectation]:
    """The expectations for a service; their number depends only on the plan.

    `services` are all units of services, `running` the names of running units.
    """
    yield from _user(unit, facts)
    yield from _environment(unit, facts, mask)
    yield from _secret_environment(unit, facts)
    yield from _limits(unit, facts)
    yield from _powers(unit, facts)
    yield from ports(unit, facts)
    yield from names(unit, facts, services, running)


# --- user ------------------------------------------------------------------------------


def uid_of(unit: Unit, facts: UnitFacts) -> str:
    """The number of the user that the unit's process should run as; "" if unknown."""
    name = (unit.run.process.user or "").partition(":")[0]
    if name.isdigit() or not name:
        return name
    if name == "root":
        return "0"
    match = _USER.match(facts.get(Category.USERS, {}).get(name, ""))
    planned = _planned(unit, name)
    runs_as = facts.get(Category.PROCESS, {}).get("uid", "")
    if planned and runs_as == str(planned[1].uid):
        return runs_as
    return match[1] if match else ""


def _planned(unit: Unit, name: str) -> tuple[int, CreateUser] | None:
    """The step that creates the user, and its index."""
    for index, step in enumerate(steps(unit)):
        if isinstance(step, CreateUser) and step.name == name:
            return index, step
    return None


def _user(unit: Unit, facts: UnitFacts) -> Iterator[Expectation]:
    name = (unit.run.process.user or "").partition(":")[0]
    where = place(unit, "process.user")
    if name and not name.isdigit():
        yield _entry(unit, facts, name, where)
    # A process that starts as root may switch to another user.
    if name and name not in ("root", "0"):
        uid, seen = uid_of(unit, facts), facts.get(Category.PROCESS, {}).get("uid")
        if not uid or seen is None:
            why = why_unknown(facts, Category.PROCESS, "uid" if uid else "")
            why = why or (f"the number of {name} is unknown" if not uid else "it was not reported")
            yield cannot_check(unit.name, Category.PROCESS, "uid", why, where)
        else:
            yield Expectation(unit.name, Category.PROCESS, "uid", uid, seen, where)


def _entry(unit: Unit, facts: UnitFacts, name: str, where: Place | None) -> Expectation:
    """The user exists. If the build created it, its id and home are as planned; a base or package may have been first."""
    text = facts.get(Category.USERS, {}).get(name)
    if text is None and (why := why_unknown(facts, Category.USERS, name)):
        return cannot_check(unit.name, Category.USERS, name, why, where)
    planned, match = _planned(unit, name), _USER.match(text or "")
    expected_parts: list[str] = []
    found_parts: list[str] = []
    if planned is not None and match is not None:
        index, step = planned
        uid_is_declared = "process.user.uid" in unit.origins
        uid_is_planned = facts.get(Category.PROCESS, {}).get("uid") == str(step.uid)
        if (uid_is_declared or uid_is_planned) and match[1] != str(step.uid):
            expected_parts.append(f"uid {step.uid}")
            found_parts.append(f"uid {match[1]}")
        if match[1] == str(step.uid) and not runs_after(unit, index) and match[3] != step.home:
            expected_parts.append(f"home {step.home}")
            found_parts.append(f"home {match[3]}")
    if not expected_parts:
        return presence(
            unit.name,
            Category.USERS,
            name,
            word="present",
            is_present=text is not None,
            where=where,
        )
    where = place(unit, "process.user", "uid")
    return Expectation(
        unit.name, Category.USERS, name, ", ".join(expected_parts), ", ".join(found_parts), where
    )


# --- environment ----------------------------------------------------------------------


def _environment(unit: Unit, facts: UnitFacts, mask: Callable[[str], str]) -> Iterator[Expectation]:
    """The declared variables.

    The command may be a script that changes its environment before it starts the program. In that case the environment
    of a new process counts as well.
    """
    has, new_process_env = (
        facts.get(Category.ENVIRONMENT, {}),
        facts.get(VerifyCategory.EXEC_ENVIRONMENT, {}),
    )
    same = has and _is_started_directly(unit, facts, mask)
    for name, plain in sorted(unit.run.process.env.items()):
        value, process_value = mask(plain), has.get(name)
        where = place(unit, "process.env", name)
        if has and (same or process_value == value):
            seen = process_value
        elif new_process_env:
            seen = new_process_env.get(name)
        else:
            why = why_unknown(facts, Category.ENVIRONMENT) or why_unknown(
                facts, VerifyCategory.EXEC_ENVIRONMENT
            )
            why = why or "its environment was not reported"
            yield cannot_check(unit.name, Category.ENVIRONMENT, name, why, where)
            continue
        if seen is None:
            yield Expectation(unit.name, Category.ENVIRONMENT, name, "set", "not set", where)
        else:
            expected = json.dumps(value, ensure_ascii=False)
            now = json.dumps(seen, ensure_ascii=False)
            yield Expectation(unit.name, Category.ENVIRONMENT, name, expected, now, where)


def _is_started_directly(unit: Unit, facts: UnitFacts, mask: Callable[[str], str]) -> bool:
    """Whether the main process is the declared command, perhaps run by an interpreter, and was not replaced by exec."""
    declared = unit.run.process.argv
    try:
        argv = json.loads(facts.get(Category.PROCESS, {}).get("argv", "[]"))
    except ValueError:
        return False
    return (
        isinstance(argv, list)
        and bool(declared)
        and argv[-len(declared or ()) :] == [mask(word) for word in declared or ()]
    )


def _secret_environment(unit: Unit, facts: UnitFacts) -> Iterator[Expectation]:
    """The variables that contain secrets are set. The secrets themselves are compared as files."""
    has = {
        **facts.get(VerifyCategory.EXEC_ENVIRONMENT, {}),
        **facts.get(Category.ENVIRONMENT, {}),
    }
    category = Category.ENVIRONMENT
    for name in sorted(unit.run.process.secret_env):
        where = place(unit, "process.env", name)
        if not has:
            why = why_unknown(facts, category) or "its environment was not reported"
            yield cannot_check(unit.name, category, name, why, where)
            continue
        yield presence(unit.name, category, name, word="set", is_present=name in has, where=where)


# --- limits and capabilities -------------------------------------------------------------------------


def _limits(unit: Unit, facts: UnitFacts) -> Iterator[Expectation]:
    resources = unit.run.resources
    for key, field, limit, tolerance, text in (
        ("memory", "memory", resources.memory, _PAGE, str(resources.memory)),
        ("processors", "cpus", resources.cpus, 0.01, f"{resources.cpus or 0:g}"),
    ):
        if limit is None:
            continue
        where, observed = place(unit, "resources", field), facts.get(Category.LIMITS, {}).get(key)
        if observed is None:
            why = why_unknown(facts, Category.LIMITS, key) or "it was not reported"
            yield cannot_check(unit.name, Category.LIMITS, key, why, where)
            continue
        # The kernel rounds limits.
        same = _NUMBER.fullmatch(observed) and abs(float(observed) - limit) < tolerance
        yield Expectation(unit.name, Category.LIMITS, key, text, text if same else observed, where)


def _powers(unit: Unit, facts: UnitFacts) -> Iterator[Expectation]:
    where = place(unit, "process.capabilities")
    flag = _of_process(facts, "no new privileges")
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
    mask = _of_process(facts, "capabilities at most")
    if isinstance(mask, Unknown):
        yield cannot_check(unit.name, Category.PROCESS, "capabilities", mask.reason, where)
        return
    bits = int(mask, 16)
    observed = {name for bit, name in enumerate(_CAPABILITIES.split()) if bits >> bit & 1}
    if bits >> len(_CAPABILITIES.split()):
        observed.add("others")
    if "SETPCAP" in declared and observed <= declared:
        observed = declared  # the process may have dropped capabilities itself
    yield Expectation(
        unit.name, Category.PROCESS, "capabilities", _listed(declared), _listed(observed), where
    )


def _of_process(facts: UnitFacts, key: str) -> str | Unknown:
    value = facts.get(Category.PROCESS, {}).get(key)
    if value is None:
        return Unknown(why_unknown(facts, Category.PROCESS, key) or "it was not reported")
    return value


def _listed(names: set[str]) -> str:
    return " ".join(sorted(names)) or "none"


# --- ports and names ---------------------------------------------------


def ports(unit: Unit, facts: UnitFacts) -> Iterator[Expectation]:
    """One expectation per declared port: a process listens on it, at any address."""
    listening = {
        (key.partition(" ")[0], key.rpartition(":")[2]) for key in facts.get(Category.SOCKETS, {})
    }
    why = why_unknown(facts, Category.SOCKETS)
    for index, port in enumerate(unit.run.ports):
        key, where = f"{port.protocol} {port.container}", place(unit, "ports", index)
        is_present = (port.protocol, str(port.container)) in listening
        if why and not is_present:
            yield cannot_check(unit.name, Category.SOCKETS, key, why, where)
        else:
            yield presence(
                unit.name,
                Category.SOCKETS,
                key,
                word="listened on",
                is_present=is_present,
                where=where,
            )


def names(
    unit: Unit, facts: UnitFacts, services: Sequence[Unit], running: Collection[str]
) -> Iterator[Expectation]:
    """One expectation per other service: its name can be looked up. Unchecked if that service is not running."""
    if _is_alone(unit):
        return
    known = facts.get(Category.NAMES, {})
    others: dict[str, bool] = {}
    for other in services:
        if not _is_alone(other) and other.service != unit.service:
            others[other.service] = others.get(other.service, False) or other.name in running
    for name, runs in others.items():
        why = why_unknown(facts, Category.NAMES, name) or why_unknown(facts, VerifyCategory.TOOLS)
        if name not in known and (why or not runs):
            why = why or f"{name} does not run"
            yield cannot_check(unit.name, Category.NAMES, name, why, unit.where)
            continue
        # Without the program, the engine's own record has to do.
        is_present = name in known or LOOK_UP not in facts.get(VerifyCategory.TOOLS, {})
        yield presence(
            unit.name, Category.NAMES, name, word="known", is_present=is_present, where=unit.where
        )


def _is_alone(unit: Unit) -> bool:
    return "network_mode" in unit.run.options
