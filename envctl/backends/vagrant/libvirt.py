"""Uses libvirt through virsh. A call takes hundredths of a second, a Vagrant command two seconds."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from envctl.backends.base import NoEngineError
from envctl.backends.vagrant.machine import machine_stamp
from envctl.backends.vagrant.machine.domain import ASLEEP, Domain, describe_commands, parse_domains
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

URI: Final = "qemu:///system"
POOL: Final = "default"
TIMEOUT: Final = 60.0
"""The timeout of a virsh call, in seconds."""
UPLOAD_TIMEOUT: Final = 1800.0
"""The timeout for uploading a disk, in seconds."""
_DNSMASQ: Final = "http://libvirt.org/schemas/network/dnsmasq/1.0"
"""https://libvirt.org/formatnetwork.html#network-namespaces"""
_TRIES, _PAUSE = 20, 0.2
_MARK: Final = "////"
"""Separates two lists in the output, because no name contains it."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The domains with a prefix, and the names of all networks and disks."""

    domains: Mapping[str, Domain]
    networks: Sequence[str]
    disks: Sequence[str]


class NotInstalledError(NoEngineError):
    """virsh is not installed, so no machines can exist."""


class VirshError(EnvctlError):
    """A virsh command failed."""


def virsh(*argv: str, data: str = "", timeout: float = TIMEOUT) -> str:
    """Run virsh with `data` as input; its output. VirshError if it fails, EnvctlError without libvirt."""
    try:
        done = subprocess.run(
            ["virsh", "-q", "-c", URI, *argv],
            input=data,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            # The output contains names of states, which must be in English.
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        raise NotInstalledError(
            "virsh is not installed",
            hint="`envctl doctor --backend vagrant` shows how to install it",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise _absent(f"libvirt did not answer within {timeout:g} s") from error
    if done.returncode:
        stderr = done.stderr.strip()
        if "failed to connect" in stderr:
            raise _absent(stderr.splitlines()[-1])
        raise VirshError(
            f"libvirt: {stderr.splitlines()[-1] if stderr else 'virsh failed'}", details=stderr
        )
    return done.stdout


def _absent(reason: str) -> EnvctlError:
    return EnvctlError(
        "libvirt does not answer",
        details=reason,
        hint="`envctl doctor --backend vagrant` shows how to install and start it",
    )


def inventory(prefix: str, likely: Sequence[str] = ()) -> Inventory:
    """The domains with this prefix, and all networks and disks. One virsh call if `likely` has the domains' names."""
    list_commands = ["list --all --name", "net-list --all --name", f"vol-list {POOL}", "echo"]
    describing = [describe_commands(name) for name in likely]
    try:
        output = virsh(";".join([f";echo {_MARK};".join(list_commands), *describing]))
        names, networks, volumes, texts = output.split(_MARK)
    except VirshError:
        # The pool or a domain does not exist, or a list is changing at this moment.
        names, networks = virsh("list", "--all", "--name"), virsh("net-list", "--all", "--name")
        volumes, texts = "\n".join(disks()), ""
    known = parse_domains(texts)
    others = [name for name in names.split() if name.startswith(prefix) and name not in known]
    return Inventory(
        {**known, **_described(others)},
        networks.split(),
        [line.split()[0] for line in volumes.splitlines() if line.split()],
    )


def domains(prefix: str) -> dict[str, Domain]:
    """The domains with this prefix, by name."""
    names = virsh("list", "--all", "--name").split()
    return _described([name for name in names if name.startswith(prefix)])


def domain(name: str) -> Domain | None:
    """The domain of this name, if it exists."""
    with suppress(VirshError):
        return next(iter(parse_domains(virsh(describe_commands(name))).values()), None)
    return None


def _described(names: Sequence[str]) -> dict[str, Domain]:
    if not names:
        return {}
    # If a domain was removed meanwhile, the whole call fails. Then ask for each domain separately.
    try:
        return parse_domains(virsh(";".join(describe_commands(name) for name in names)))
    except VirshError:
        described = (domain(name) for name in names)
        return {each.name: each for each in described if each is not None}


def stamp(domain: str, data: Mapping[str, Any]) -> None:
    """Write the stamp of a domain."""
    xml = f"<stamp>{machine_stamp.pack(data)}</stamp>"
    call = (
        "metadata",
        domain,
        "--uri",
        machine_stamp.NAMESPACE,
        "--key",
        "envctl",
        "--set",
        xml,
        "--config",
    )
    virsh(*call)
    with suppress(VirshError):
        virsh(*call[:-1], "--live")


def address(domain: str) -> str:
    """The IPv4 address of a running domain; "" if it has none yet."""
    with suppress(VirshError):
        for line in virsh("domifaddr", domain, "--source", "lease").splitlines():
            fields = line.split()
            if "ipv4" in fields:
                return fields[fields.index("ipv4") + 1].partition("/")[0]
    return ""


def undefine(domain: str) -> None:
    """Remove a domain, running or not, and its root disk; volumes stay."""
    with suppress(VirshError):
        virsh("destroy", domain)
    with suppress(VirshError):
        virsh("undefine", domain, "--managed-save", "--snapshots-metadata")
    if domain in virsh("list", "--all", "--name").split():
        raise EnvctlError(
            f"libvirt does not remove the machine {domain}",
            hint=f"`virsh -c {URI} undefine {domain}` shows why; its disk is left alone",
        )
    remove_disks([name for name in disks() if name == f"{domain}.img"])


def wait_until_off(domain: str, *, patience: float = 60.0) -> None:
    """Wait until a domain has shut down; after `patience` seconds, cut its power."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if domain not in virsh("list", "--name").split():
            return
        time.sleep(0.2)
    with suppress(VirshError):
        virsh("destroy", domain)


def resume(domain: Domain) -> None:
    """Resume a paused domain. EnvctlError if it stays paused."""
    virsh("dompmwakeup" if domain.state == ASLEEP else "resume", domain.name)
    for _ in range(_TRIES):
        now = _described([domain.name]).get(domain.name)
        if now is None or not now.paused:
            break
        time.sleep(_PAUSE)
    if now is not None and now.paused:
        why = f" ({now.reason})" if now.reason else ""
        raise EnvctlError(
            f"the machine {domain.name} stays {now.state}{why}",
            hint=f"`virsh -c {URI} domblkerror {domain.name}` shows whether its disk has an error, for example no space",
        )


def disks() -> Sequence[str]:
    """The names of all disks in the storage pool."""
    with suppress(VirshError):
        return _listed(virsh("vol-list", POOL))
    return ()


def disk_size(name: str) -> int | None:
    """The size of a disk's file in bytes; None if there is no such disk."""
    with suppress(VirshError):
        from xml.etree import ElementTree as ET

        described = ET.fromstring(virsh("vol-dumpxml", name, "--pool", POOL))  # noqa: S314 - libvirt's own
        return int(described.findtext("physical", "0"))
    return None


def add_disk(name: str, file: Path, *, capacity: str = "") -> None:
    """Upload a file into the pool, replacing a disk of that name; as qcow2 if `capacity` is given, otherwise raw."""
    remove_disks([name])
    form = "qcow2" if capacity else "raw"
    # Created empty, so that the disk's size shows whether the upload is complete.
    virsh("vol-create-as", POOL, name, capacity or "0", "--format", form)
    virsh("vol-upload", name, str(file), "--pool", POOL, timeout=UPLOAD_TIMEOUT)


def backing_disks() -> frozenset[str]:
    """The names of disks that are backing files of others. EnvctlError unless libvirt lists every disk in every pool."""
    pools = virsh("pool-list", "--name").splitlines()
    if idle := {*virsh("pool-list", "--all", "--name").splitlines()} - {*pools}:
        name = min(idle).strip()
        raise EnvctlError(
            f"libvirt's pool {name} is not running, so its disks are unknown:"
            f" `virsh -c {URI} pool-start {shlex.quote(name)}`"
        )
    return frozenset(
        name for pool in pools if pool.strip() for name in _backing_disks_in(pool.strip())
    )


def _backing_disks_in(pool: str) -> Iterator[str]:
    """The names of the backing files of the disks in a pool."""
    from xml.etree import ElementTree as ET

    for _ in range(5):
        names = _listed(virsh("vol-list", pool))
        commands = [
            f"vol-dumpxml {shlex.quote(description)} {shlex.quote(pool)}" for description in names
        ]
        texts: Sequence[str] = ()
        # The call fails if a disk was removed meanwhile; then try again.
        with suppress(VirshError):
            texts = virsh(";".join(commands)).split("</volume>")[:-1] if commands else ()
        if len(texts) == len(names):
            # Trusted XML: libvirt printed it.
            descriptions = (ET.fromstring(text + "</volume>") for text in texts)  # noqa: S314
            paths = (
                description.findtext("./backingStore/path", "") for description in descriptions
            )
            yield from (Path(path).name for path in paths if path)
            return
    raise EnvctlError(
        f"libvirt does not list all disks in its pool {pool}: `virsh -c {URI} pool-refresh {pool}` may help"
    )


def _listed(table: str) -> Sequence[str]:
    """The names in virsh's list of disks: two or more spaces separate them from the paths."""
    rows = (line.strip() for line in table.splitlines())
    return [re.split(r"\s{2,}", row)[0] for row in rows if row]


def remove_disks(names: Sequence[str]) -> None:
    """Remove disks; those that do not exist are ignored."""
    for name in names:
        with suppress(VirshError):
            virsh("vol-delete", name, "--pool", POOL)


def ensure_pool() -> None:
    """Define and start the storage pool if necessary. EnvctlError if that fails."""
    with suppress(VirshError):
        if "running" in virsh("pool-info", POOL):
            return
    with suppress(VirshError):
        virsh("pool-define-as", POOL, "dir", "--target", "/var/lib/libvirt/images")
        virsh("pool-build", POOL)
    with suppress(VirshError):
        virsh("pool-start", POOL)
    if "running" not in virsh("pool-info", POOL):
        raise EnvctlError(
            "libvirt's storage pool is not running", hint=f"virsh -c {URI} pool-start {POOL}"
        )


def ensure_network(name: str, addresses: str) -> None:
    """Define and start a NAT network if necessary.

    Its bridge has no STP, because a new machine would wait 4 s for it, and loops are impossible. Its dnsmasq does not
    ping an address before it offers it, which takes 3 s, because nothing else assigns addresses here.
    """
    with suppress(VirshError):
        if "yes" in _active(name):
            return
        virsh("net-start", name)
        return
    xml = (
        f"<network xmlns:dnsmasq='{_DNSMASQ}'><name>{name}</name><forward mode='nat'/><bridge stp='off' delay='0'/>"
        f"<ip address='{addresses}.1' netmask='255.255.255.0'>"
        f"<dhcp><range start='{addresses}.2' end='{addresses}.254'/></dhcp></ip>"
        "<dnsmasq:options><dnsmasq:option value='no-ping'/></dnsmasq:options></network>"
    )
    try:
        virsh("net-define", "/dev/stdin", data=xml)
    except VirshError as error:
        if "already exists" not in error.details:
            raise EnvctlError(f"cannot create the network {name}", details=error.details) from error
    with suppress(VirshError):
        virsh("net-start", name)
    if "yes" not in _active(name):
        virsh("net-start", name)


def _active(name: str) -> str:
    lines = virsh("net-info", name).splitlines()
    return next((line for line in lines if line.startswith("Active")), "")


def remove_network(name: str) -> None:
    """Stop and remove a network."""
    for verb in ("net-destroy", "net-undefine"):
        with suppress(VirshError):
            virsh(verb, name)
