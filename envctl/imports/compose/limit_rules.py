"""Rules for resources, rights and numbers of units."""

from __future__ import annotations

import re
from typing import Any, Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.definition.service_readers import CAPABILITIES
from envctl.definition.tree import ListNode, MapNode, Node, Position, ScalarNode, describe
from envctl.definition.value_readers import memory, number
from envctl.imports.compose.filled_text import spec_text
from envctl.imports.compose.process_rules import set_restart
from envctl.imports.compose.service_import import (
    Rule,
    ServiceImport,
    flag,
    slug,
    variable_note,
    whole,
)

_DEFAULT_CAPABILITIES: Final = """
AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID
SETPCAP SETUID SYS_CHROOT
"""
DEFAULT_CAPABILITIES: Final = tuple(_DEFAULT_CAPABILITIES.split())
"""What Docker gives to every container."""
_ALL: Final = "ALL"


def _cpus(service: ServiceImport, key: str) -> None:
    _set_cpus(service, key, service.source[key], service.position(key))


def _set_cpus(service: ServiceImport, key: str, node: Node, at: Position) -> None:
    if isinstance(node, ScalarNode) and re.fullmatch(r"0*(\.0*)?", node):
        service.keep(key, note="no limit", at=at)
        return
    text = service.text(key, node, number, at=at)
    if text is not None:
        service.write(text, "resources", "cpus")
        service.keep(key, "resources", "cpus", note=variable_note(node), at=at)


def _memory(service: ServiceImport, key: str) -> None:
    _set_memory(service, key, service.source[key], service.position(key))


def _set_memory(service: ServiceImport, key: str, node: Node, at: Position) -> None:
    if node == "0":
        service.keep(key, note="no limit", at=at)
        return
    text = service.text(key, node, memory, at=at)
    if text is not None:
        service.write(text, "resources", "memory")
        service.keep(key, "resources", "memory", note=variable_note(node), at=at)


def _pids_limit(service: ServiceImport, key: str) -> None:
    _set_pids(service, key, service.source[key], service.position(key))


def _set_pids(service: ServiceImport, key: str, node: Node, at: Position) -> None:
    limit = whole(node)
    if limit is not None and limit <= 0:
        service.keep(key, note="no limit", at=at)
    else:
        service.option(key, "pids_limit", limit, at=at)


def _scale(service: ServiceImport, key: str) -> None:
    _set_replicas(service, key, service.source[key], service.position(key))


def _set_replicas(service: ServiceImport, key: str, node: Node, at: Position) -> None:
    replicas = whole(node)
    if replicas is None or not 1 <= replicas <= 1000:
        reason = (
            f"{describe(node)} is not between 1 and 1000; remedy: a profile leaves a service out"
        )
        service.drop(key, reason, at=at)
    elif service.name in service.project.tasks and replicas != 1:
        service.drop(key, "others wait until this service is completed: a task runs once", at=at)
    else:
        service.write(replicas, "replicas")
        service.keep(key, "replicas", at=at)


def _deploy(service: ServiceImport, key: str) -> None:
    for word, node, at in service.entries(key, service.source[key]):
        path = f"{key}.{word}"
        if word == "replicas":
            _set_replicas(service, path, node, at)
        elif word == "resources":
            _resources(service, path, node)
        elif word == "restart_policy":
            _restart_policy(service, path, node)
        elif word == "mode" and node == "replicated":
            service.keep(path, at=at)
        else:
            service.drop(path, "it is for Swarm: envctl has one engine", at=at)


def _resources(service: ServiceImport, key: str, node: Node) -> None:
    setters = {"cpus": _set_cpus, "memory": _set_memory, "pids": _set_pids}
    for word, section, at in service.entries(key, node):
        if word != "limits":
            reason = "nothing is reserved on a machine of one's own; remedy: a limit"
            service.drop(f"{key}.{word}", reason, at=at)
            continue
        for name, value, position in service.entries(f"{key}.limits", section):
            path = f"{key}.limits.{name}"
            if name in setters:
                setters[name](service, path, value, position)
            else:
                service.drop(path, "limits are cpus, memory and pids", at=position)


def _restart_policy(service: ServiceImport, key: str, node: Node) -> None:
    for word, value, at in service.entries(key, node):
        if word == "condition" and "restart" not in service.source:
            set_restart(service, f"{key}.condition", value, at)
        elif word == "condition":
            service.translate(
                f"{key}.condition", "what `restart` of the service says", "restart", at=at
            )
        else:
            service.drop(
                f"{key}.{word}", "the engine chooses delays and numbers of restarts", at=at
            )


def _cpu_shares(service: ServiceImport, key: str) -> None:
    shares = whole(service.source[key])
    if shares is None:
        service.drop(key, f"a whole number was expected, got {describe(service.source[key])}")
    else:
        service.option(key, "cpu_shares", shares)


def _ulimits(service: ServiceImport, key: str) -> None:
    for name, node, at in service.entries(key, service.source[key]):
        value: Any = whole(node)
        if isinstance(node, MapNode):
            value = {word: whole(item) for word, item in node.items()}
        service.option(f"{key}.{name}", "ulimits", {name: value}, at=at)


def _sysctls(service: ServiceImport, key: str) -> None:
    for name, node, at in service.entries(key, service.source[key]):
        number_or_text = whole(node)
        value = str(node) if number_or_text is None else number_or_text
        service.option(f"{key}.{name}", "sysctls", {name: value}, at=at)


def _cap_add(service: ServiceImport, key: str) -> None:
    for index, item in enumerate(service.items(key, service.source[key])):
        if (name := _capability(service, f"{key}[{index}]", item)) is not None:
            service.added.append(name)
            service.keep(f"{key}[{index}]", "capabilities", at=item.position)


def _cap_drop(service: ServiceImport, key: str) -> None:
    for index, item in enumerate(service.items(key, service.source[key])):
        if (name := _capability(service, f"{key}[{index}]", item)) is not None:
            service.removed.append(name)
            note = "its absence in `capabilities`: only what is listed there is allowed"
            service.translate(f"{key}[{index}]", note, "capabilities", at=item.position)


def _capability(service: ServiceImport, path: str, item: ScalarNode) -> str | None:
    name = item.upper().removeprefix("CAP_")
    if name in CAPABILITIES:
        return name
    service.drop_item(path, f"{describe(item)} is not a capability", item)
    return None


def _privileged(service: ServiceImport, key: str) -> None:
    if flag(service.source[key]) is False:
        service.keep(key, note="the default")
    else:
        reason = (
            "a privileged container is root on the host; remedy: list what it needs under `capabilities`"
            " and `options.docker.devices`"
        )
        service.drop(key, reason)


def _security_opt(service: ServiceImport, key: str) -> None:
    for index, item in enumerate(service.items(key, service.source[key])):
        path = f"{key}[{index}]"
        if re.fullmatch(r"no-new-privileges([:=]true)?", item):
            service.keep(path, note="always on", at=item.position)
        else:
            reason = "services always run with the engine's own profiles, without new privileges"
            service.drop_item(path, reason, item)


def _profiles(service: ServiceImport, key: str) -> None:
    profiles: list[Any] = []
    for index, item in enumerate(service.items(key, service.source[key])):
        name = slug(item)
        profiles.append(spec_text(item) if name == item else name)
        if name == item:
            service.keep(f"{key}[{index}]", "profiles", at=item.position)
        else:
            service.translate(
                f"{key}[{index}]", f"the profile {name}", "profiles", at=item.position
            )
    if profiles:
        service.write([*dict.fromkeys(profiles)], "profiles")
    elif isinstance(service.source[key], ListNode):
        service.keep(key, note="none")


def finish_capabilities(service: ServiceImport) -> None:
    """What an image that starts as root relies on is said explicitly: envctl gives no capability by itself."""
    user = str(service.spec.get("user", ""))
    starts_as_root = user in ("", "0", "root")
    is_strict = service.project.choices.harden or not starts_as_root or _ALL in service.removed
    names = (
        [] if is_strict else [name for name in DEFAULT_CAPABILITIES if name not in service.removed]
    )
    names = [_ALL] if _ALL in service.added else sorted({*names, *service.added})
    if names and (service.spec.get("image") or service.spec.get("dockerfile") or service.added):
        service.write(names, "capabilities")
    if not is_strict and "capabilities" in service.spec:
        note = (
            "a container with Docker's own capabilities, on which an image that starts as root may rely:"
            " --harden leaves them out"
        )
        service.project.report.add(
            service.source.position,
            f"services.{service.name}",
            KeyOutcome.TRANSLATED,
            note,
            ("services", service.spec_name, "capabilities"),
            is_claim=False,
        )


LIMIT_RULES: Final = (
    Rule("cpus", "`resources.cpus`", KeyOutcome.SAME, _cpus),
    Rule("mem_limit", "`resources.memory`", KeyOutcome.SAME, _memory),
    Rule("pids_limit", "`options.docker.pids_limit`", KeyOutcome.OPTION, _pids_limit),
    Rule("cpu_shares", "`options.docker.cpu_shares`", KeyOutcome.OPTION, _cpu_shares),
    Rule("scale", "`replicas`", KeyOutcome.SAME, _scale),
    Rule(
        "deploy",
        "`replicas`, `resources`, `restart`; reservations and what is for Swarm are dropped",
        KeyOutcome.SAME,
        _deploy,
    ),
    Rule("ulimits", "`options.docker.ulimits`", KeyOutcome.OPTION, _ulimits),
    Rule("sysctls", "`options.docker.sysctls`", KeyOutcome.OPTION, _sysctls),
    Rule(
        "cap_add",
        "`capabilities`, together with those that Docker gives by itself if it may start as root; without these with"
        " `--harden`",
        KeyOutcome.SAME,
        _cap_add,
    ),
    Rule("cap_drop", "what is not in `capabilities`", KeyOutcome.TRANSLATED, _cap_drop),
    Rule(
        "privileged",
        "a privileged container is root on the host: list what it needs under `capabilities` and `options.docker.devices`",
        KeyOutcome.DROPPED,
        _privileged,
    ),
    Rule(
        "security_opt",
        "`no-new-privileges` is always on; others are dropped",
        KeyOutcome.SAME,
        _security_opt,
    ),
    Rule("profiles", "`profiles`", KeyOutcome.SAME, _profiles),
)
