"""Compares the engine's record of a container with what envctl would create. Pure.

A label only records what a container was created for. Later changes, by `docker update`, `docker network` or by
recreating it under the same name, only show in the record. The comparison covers what the spec decides, in forms that
all engine versions share.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from envctl.backends.docker.containers import container
from envctl.backends.docker.names import Names
from envctl.backends.docker.owned_containers import is_renamed
from envctl.plan.model import Unit
from envctl.plan.state import Drift
from envctl.plan.text import argv_text, size_text
from envctl.plan.values import changed, value_text, word_text

_ISOLATED: Final = "none"
_LIMITS: Final = (
    "BlkioWeight", "CpuPeriod", "CpuQuota", "CpuRealtimePeriod", "CpuRealtimeRuntime", "CpuShares",
    "CpusetCpus", "CpusetMems", "MemoryReservation",
)  # fmt: skip
"""Limits that `docker update` can set and that the spec does not have."""
_SHARED: Final = {
    "PidMode": "processes",
    "IpcMode": "memory",
    "UTSMode": "name",
    "UsernsMode": "users",
}


def drift(unit: Unit, names: Names, record: Mapping[str, Any]) -> tuple[Drift, ...]:
    """Differences between the engine's record and the unit that the container was created for."""
    body = container(unit, names)
    host, expected = record.get("HostConfig") or {}, body["HostConfig"]
    return (
        *_name(names, record),
        *_process(body, record.get("Config") or {}),
        *_limits(expected, host),
        *_powers(expected, host),
        *_network(names, body, record),
        *_ports(unit, record),
        *_mounts(unit, body, record),
    )


def _name(names: Names, record: Mapping[str, Any]) -> Iterator[Drift]:
    labels, called = (record.get("Config") or {}).get("Labels") or {}, record.get("Name", "")
    if called and is_renamed([called], labels, names.scope):
        yield Drift(f"its container was renamed: {word_text(called.lstrip('/'))}")


def _process(body: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[Drift]:
    for key, name, path, tell in (
        ("Cmd", "command", "argv", argv_text),
        ("User", "user", "user", word_text),
        ("WorkingDir", "workdir", "workdir", word_text),
    ):
        actual, expected = config.get(key), body.get(key)
        if (
            expected
            and actual != expected
            and not (key == "WorkingDir" and _same_folder(actual, expected))
        ):
            now = tell(actual) if actual else "unset"
            yield Drift(_otherwise(name, tell(expected), now), ("process", path))
    env = dict(item.partition("=")[::2] for item in config.get("Env") or ())
    for name, _, value in (item.partition("=") for item in body["Env"]):
        if env.get(name) != value:
            texts = value_text(value), value_text(env.get(name))
            yield Drift(_otherwise(f"env {word_text(name)}", *texts), ("process", "env", name))
    test = (config.get("Healthcheck") or {}).get("Test")
    if test != body["Healthcheck"]["Test"] and (test or body["Healthcheck"]["Test"] != ["NONE"]):
        yield Drift("its healthcheck was changed", ("probe",))


def _same_folder(path: str | None, other: str) -> bool:
    return posixpath.normpath(path or "/") == posixpath.normpath(other)


def _limits(expected: Mapping[str, Any], host: Mapping[str, Any]) -> Iterator[Drift]:
    for key, name, tell in (
        ("Memory", "memory", size_text),
        ("NanoCpus", "cpus", lambda count: f"{count / 10**9:g}"),
    ):
        limits = expected.get(key) or 0, host.get(key) or 0
        if limits[0] != limits[1]:
            texts = ("unlimited" if not limit else tell(limit) for limit in limits)
            yield Drift(_otherwise(name, *texts), ("resources", name))
    memory, swap = host.get("Memory") or 0, host.get("MemorySwap") or 0
    # An engine whose kernel does not account for swap reports 0 or -1.
    usual = {0, -1, expected.get("MemorySwap", 0)}
    if memory == (expected.get("Memory") or 0) and swap not in usual:
        yield Drift(f"memory with swap was set to {size_text(swap)}", ("resources", "memory"))
    for key in _LIMITS:
        if host.get(key) and host[key] != expected.get(key):
            yield Drift(f"{key} was set to {value_text(host[key])}", ("resources",))
    pids = (expected.get("PidsLimit") or 0, max(host.get("PidsLimit") or 0, 0))
    if pids[0] != pids[1]:
        texts = (str(limit or "unlimited") for limit in pids)
        yield Drift(_otherwise("pids_limit", *texts), ("options", "pids_limit"))
    policies = [
        (limit.get("RestartPolicy") or {}).get("Name") or "no" for limit in (expected, host)
    ]
    if policies[0] != policies[1]:
        yield Drift(_otherwise("restart policy", *map(word_text, policies)), ("restart",))


def _powers(expected: Mapping[str, Any], host: Mapping[str, Any]) -> Iterator[Drift]:
    path = ("process", "capabilities")
    if host.get("Privileged"):
        yield Drift("it is privileged, unlike in the spec", path)
    before, after = (_capabilities(config.get("CapAdd")) for config in (expected, host))
    for name in sorted(after - before):
        yield Drift(f"it has the capability {word_text(name)}, which is not in the spec", path)
    for name in sorted(before - after):
        yield Drift(f"it lacks the capability {word_text(name)}", path)
    if "ALL" not in _capabilities(host.get("CapDrop")):
        yield Drift("it has the engine's default capabilities, which are not in the spec", path)
    rules = [str(rule).replace("=", ":") for rule in host.get("SecurityOpt") or ()]
    if not any(rule in ("no-new-privileges", "no-new-privileges:true") for rule in rules):
        yield Drift("its processes may gain privileges", path)
    for key, what in _SHARED.items():
        if host.get(key) == "host":
            yield Drift(f"it shares the {what} of this host, unlike in the spec", ("options",))
    if bool(host.get("ReadonlyRootfs")) != bool(expected.get("ReadonlyRootfs")):
        word = "cannot" if host.get("ReadonlyRootfs") else "can"
        yield Drift(f"its root file system {word} be written to", ("options", "read_only"))
    devices, allowed = (
        {str(item.get("PathOnHost")) for item in config.get("Devices") or ()}
        for config in (host, expected)
    )
    for device in sorted(devices - allowed):
        yield Drift(
            f"it has the device {word_text(device)}, which is not in the spec",
            ("options", "devices"),
        )


def _capabilities(names: Sequence[str] | None) -> set[str]:
    return {name.upper().removeprefix("CAP_") for name in names or ()}


# --- the network ----------------------------------------------------------------------------


def _network(names: Names, body: Mapping[str, Any], record: Mapping[str, Any]) -> Iterator[Drift]:
    actual = (record.get("NetworkSettings") or {}).get("Networks") or {}
    if body["HostConfig"]["NetworkMode"] == _ISOLATED:
        yield from (
            Drift(f"it is connected to the network {word_text(name)}", ("options", "network_mode"))
            for name in sorted(actual)
            if name != _ISOLATED
        )
        return
    endpoint = actual.get(names.network)
    if endpoint is None:
        yield Drift(f"it is not connected to the environment's network {word_text(names.network)}")
    else:
        expected = body["NetworkingConfig"]["EndpointsConfig"][names.network]["Aliases"]
        for alias in sorted(
            set(expected) - {*(endpoint.get("Aliases") or ()), *(endpoint.get("DNSNames") or ())}
        ):
            yield Drift(f"the name {word_text(alias)} does not resolve to it", ("aliases",))
    for name in sorted(actual.keys() - {names.network}):
        yield Drift(f"it is also connected to the network {word_text(name)}")


def _ports(unit: Unit, record: Mapping[str, Any]) -> Iterator[Drift]:
    """Ports that are not published as in the spec. For a stopped container only its configuration counts."""
    live = (record.get("State") or {}).get("Running") and "network_mode" not in unit.run.options
    networks = (record.get("NetworkSettings") or {}).get("Networks") or {}
    host = record.get("HostConfig") or {}
    recorded = _published(host.get("PortBindings"))
    # Without a network no port is published, and the missing network is already reported.
    actual = _published(record["NetworkSettings"].get("Ports")) if live and networks else recorded
    for index, port in enumerate(unit.run.ports):
        for bindings in (recorded, actual):
            if not _leads(
                bindings.get(f"{port.container}/{port.protocol}", ()), port.address, port.host
            ):
                shown = port.host or f"{port.container} inside"
                yield Drift(f"port {shown} is not published as in the spec", ("ports", str(index)))
                break
    expected = {f"{port.container}/{port.protocol}" for port in unit.run.ports}
    for name in sorted(recorded.keys() - expected):
        yield Drift(
            f"port {word_text(name)} inside is published, which is not in the spec", ("ports",)
        )


def _published(bindings: Any) -> Mapping[str, Sequence[tuple[str, str]]]:
    return {
        name: [
            (str(binding.get("HostIp", "")), str(binding.get("HostPort", ""))) for binding in listed
        ]
        for name, listed in (bindings or {}).items()
        if listed
    }


def _leads(bindings: Sequence[tuple[str, str]], address: str, port: int) -> bool:
    everywhere = ("", "0.0.0.0", "::")  # noqa: S104 - recognised, not bound
    hosts = everywhere if address in everywhere else (address,)
    return any(host in hosts and (not port or number == str(port)) for host, number in bindings)


# --- mounts ---------------------------------------------------------------------------------


def _mounts(unit: Unit, body: Mapping[str, Any], record: Mapping[str, Any]) -> Iterator[Drift]:
    actual = {str(mount.get("Destination")): mount for mount in record.get("Mounts") or ()}
    paths = {mount.target: ("mounts", str(index)) for index, mount in enumerate(unit.run.mounts)}
    paths |= {volume.target: ("volumes", volume.name) for volume in unit.run.volumes}
    for expected in (*map(_bind, body["HostConfig"]["Binds"]), *body["HostConfig"]["Mounts"]):
        now, path = actual.pop(expected["Target"], None), paths.get(expected["Target"], ())
        target = word_text(expected["Target"])
        if now is None:
            yield Drift(f"nothing is mounted at {target}", path)
            continue
        source, is_bind = str(expected.get("Source")), expected["Type"] == "bind"
        has = str(now.get("Source") if is_bind else now.get("Name"))
        # Docker Desktop runs the engine in a VM, where the host's folders are below another folder.
        if expected["Type"] != "tmpfs" and has != source and not (is_bind and has.endswith(source)):
            yield Drift(_otherwise(f"mount at {target}", word_text(source), word_text(has)), path)
        elif bool(now.get("RW", True)) == bool(expected.get("ReadOnly")):
            word = "writable" if expected.get("ReadOnly") else "read-only"
            yield Drift(f"the mount at {target} is {word}, unlike in the spec", path)
    for name, mount in actual.items():
        if mount.get("Type") == "bind":
            source = word_text(str(mount.get("Source")))
            yield Drift(
                f"{source} of this host is mounted at {word_text(name)}, which is not in the spec",
                ("mounts",),
            )


def _bind(text: str) -> Mapping[str, Any]:
    """A mount of the host with an SELinux label, in the form in which the engine lists other mounts."""
    source, target, words = text.split(":")
    return {
        "Type": "bind",
        "Source": source,
        "Target": target,
        "ReadOnly": "ro" in words.split(","),
    }


def _otherwise(name: str, expected: str, actual: str) -> str:
    return f"changed by other means: {changed(name, expected, actual)}"
