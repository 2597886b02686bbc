"""Differences in what a unit shares with its host and others: ports, mounts, volumes, secrets. Pure."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from envctl.plan.field_difference import FieldDifference, FieldDifferences, other_differences
from envctl.plan.values import changed, word_text

_REACHABLE: Final = "other machines can reach it"
_SYSTEM: Final = (
    "/",
    "/boot",
    "/dev",
    "/etc",
    "/proc",
    "/root",
    "/run",
    "/sys",
    "/usr",
    "/var",
    "/var/run",
)
_ENGINES: Final = ("docker.sock", "podman.sock", "containerd.sock", "crio.sock", "libvirt-sock")


def ports(old: Any, new: Any) -> FieldDifferences:
    """Yield the differences between the published ports. A port that other machines can reach is a warning."""
    index = {id(port): number for number, port in enumerate(new)}
    pairs, gone, come = _port_pairs(old, new)
    for was, port in pairs:
        path = ("ports", index[id(port)])
        if was["container"] != port["container"]:
            inside = was["container"], port["container"]
            yield FieldDifference(
                path, f"{_port(port)} leads to port {inside[0]} → {inside[1]} inside"
            )
        if was["host"] != port["host"]:
            hosts = (str(side["host"] or "any free port") for side in (was, port))
            # Which of them it is must be told where the engine chooses.
            inside_text = (
                "" if was["host"] and port["host"] else f" for port {port['container']} inside"
            )
            yield FieldDifference(
                (*path, "host"), changed("port", *hosts) + _protocol(port) + inside_text
            )
        yield from _reachability(was, port, (*path, "address"))
    for port in come:
        path = ("ports", index[id(port)])
        yield FieldDifference(
            path, f"{_port(port)} added, leads to port {port['container']} inside"
        )
        if _is_public(port):
            yield FieldDifference((*path, "address"), f"{_port(port)} is now public", _REACHABLE)
    for was in gone:
        yield FieldDifference(("ports",), f"{_port(was)} removed")


def _reachability(was: Any, port: Any, path: tuple[str | int, ...]) -> FieldDifferences:
    if was["address"] == port["address"]:
        return
    if _is_public(port) and not _is_public(was):
        yield FieldDifference(path, f"{_port(port)} is now public", _REACHABLE)
    elif _is_public(was) and not _is_public(port):
        yield FieldDifference(path, f"{_port(port)} is no longer public")
    else:
        addresses = word_text(was["address"]), word_text(port["address"])
        warning = _REACHABLE if _is_public(port) else ""
        yield FieldDifference(path, changed(f"{_port(port)} at", *addresses), warning)


def _port_pairs(old: Any, new: Any) -> tuple[list[tuple[Any, Any]], list[Any], list[Any]]:
    """Return the former port of each port: the one with the same host port, otherwise with the same container port. Then the rest."""
    gone = [port for port in old if port not in new]
    come = [port for port in new if port not in old]
    pairs: list[tuple[Any, Any]] = []
    for key in ("host", "container"):
        for port in list(come):
            alike = (
                other
                for other in gone
                if other[key] == port[key] != 0 and other["protocol"] == port["protocol"]
            )
            if (was := next(alike, None)) is not None:
                pairs.append((was, port))
                gone.remove(was)
                come.remove(port)
    return pairs, gone, come


def _port(port: Any) -> str:
    number = port["host"] or f"{port['container']} (at any free port of the host)"
    return f"port {number}{_protocol(port)}"


def _protocol(port: Any) -> str:
    return "" if port["protocol"] == "tcp" else f"/{word_text(port['protocol'])}"


def _is_public(port: Any) -> bool:
    try:
        return not ipaddress.ip_address(port["address"]).is_loopback
    except ValueError:
        return bool(port["address"] != "localhost")


def mounts(old: Any, new: Any) -> FieldDifferences:
    """Yield the differences between the mounted paths of the host. Access that gives control of the host is a warning."""
    before = {mount_before["target"]: mount_before for mount_before in old}
    for index, mount in enumerate(new):
        target, source = word_text(mount["target"]), word_text(mount["source"])
        was, path = before.pop(mount["target"], None), ("mounts", index)
        if was is None:
            only = " (read-only)" if mount["read_only"] else ""
            text = f"mount {source} → {target} added{only}"
            yield FieldDifference(path, text, _reaches(mount["source"]))
            continue
        if was["source"] != mount["source"]:
            sources = changed(f"mount at {target}", word_text(was["source"]), source)
            yield FieldDifference((*path, "source"), sources, _reaches(mount["source"]))
        yield from _writable("mount", target, was, mount, path)
    for target, was in before.items():
        yield FieldDifference(
            ("mounts",), f"mount {word_text(was['source'])} → {word_text(target)} removed"
        )


def _reaches(source: str) -> str:
    if source.rpartition("/")[2] in _ENGINES:
        return "can control this host"
    return "reaches into this host's system" if source in _SYSTEM else ""


def _writable(
    what: str, name: str, was: Any, now: Any, path: tuple[str | int, ...]
) -> FieldDifferences:
    if was["read_only"] != now["read_only"]:
        words = ("read-only" if side["read_only"] else "writable" for side in (was, now))
        yield FieldDifference(path, changed(f"{what} {name}", *words))


def volumes(old: Any, new: Any) -> FieldDifferences:
    """Yield the differences between the volumes."""
    before = {volume_before["name"]: volume_before for volume_before in old}
    for volume in new:
        name, path = word_text(volume["name"]), ("volumes", volume["name"])
        was = before.pop(volume["name"], None)
        if was is None:
            yield FieldDifference(path, f"volume {name} → {word_text(volume['target'])} added")
            continue
        if was["target"] != volume["target"]:
            targets = word_text(was["target"]), word_text(volume["target"])
            yield FieldDifference((*path, "target"), changed(f"volume {name} at", *targets))
        yield from _writable("volume", name, was, volume, path)
        yield from other_differences(
            f"volume {name}", was, volume, path, known=("target", "read_only")
        )
    for name, was in before.items():
        text = f"volume {word_text(name)} → {word_text(was['target'])} removed"
        yield FieldDifference(("volumes",), text)


def secrets(old: Any, new: Any) -> FieldDifferences:
    """Yield the differences between the secrets, without their digests."""
    before = {secret_before["name"]: secret_before for secret_before in old}
    for index, secret in enumerate(new):
        name, path = f"secret {word_text(secret['name'])}", ("secrets", index)
        was = before.pop(secret["name"], None)
        if was is None:
            yield FieldDifference(path, f"{name} added")
            continue
        if was["target"] != secret["target"]:
            targets = word_text(was["target"]), word_text(secret["target"])
            yield FieldDifference(path, changed(f"{name} at", *targets))
        if was["digest"] != secret["digest"]:
            yield FieldDifference(path, f"{name} changed")
    for name in before:
        yield FieldDifference(("secrets",), f"secret {word_text(name)} removed")
