"""The checks of what virtual machines need: Vagrant, libvirt, QEMU, and an engine that makes their images."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace

from envctl.doctor.containers import engine_findings
from envctl.doctor.engine import Engine, Reach
from envctl.doctor.finding import Finding, Repair
from envctl.doctor.host import Host
from envctl.doctor.kvm import acceleration, access
from envctl.doctor.libvirt import URI, Libvirt, look, start_command
from envctl.doctor.messages import LEAST_SPACE, install_command
from envctl.errors import EnvctlError
from envctl.host.architectures import ARCHITECTURES, NATIVE, SYSTEM, refusal
from envctl.lazy_dataclass import dataclass

OLDEST_VAGRANT = (2, 3)
IMAGES = "/var/lib/libvirt/images"
"""Where libvirt keeps machines' disks unless told otherwise."""

LIBVIRT_PACKAGES = ("libvirt-daemon-system", "libvirt-clients")
PROVIDER = "vagrant-libvirt"
_DEBIAN_PLUGINS = "usr/share/vagrant-plugins/plugins.d"
_DEBIAN_GEMS = "usr/share/rubygems-integration/all/gems"
_UPSTREAM = "opt/vagrant"
"""Where HashiCorp's own package puts Vagrant; that one knows nothing of Debian's plugins."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that has to be there, the package it comes in, and what it is for."""

    name: str
    program: str
    package: str
    purpose: str


_EMULATOR = Tool("qemu", NATIVE.emulator, NATIVE.emulator_package, "runs machines")
_DISKS = Tool("qemu-img", "qemu-img", "qemu-utils", "makes machines' disks")
_FILES = Tool("mke2fs", "mke2fs", "e2fsprogs", "makes machines' file systems")
_SSH = Tool("ssh", "ssh", "openssh-client", "talks to machines")
_NAMES = Tool("dnsmasq", "dnsmasq", "dnsmasq-base", "gives machines addresses")
_FILTER = Tool("iptables", "iptables", "iptables", "lets machines reach the network")


def machine_findings(host: Host, engine: Engine) -> list[Finding]:
    """Everything that Vagrant machines on libvirt need, and what makes the images they start from.

    Where there can be none, that is all there is to say: nothing that is installed would help.
    """
    if refusal(host.system, host.processor):
        return [_no_machines(host)]
    libvirt = look(host)
    findings = [vagrant(host), provider(host), daemon(host, libvirt)]
    findings += [tool(host, _EMULATOR), tool(host, _DISKS), tool(host, _NAMES)]
    findings += [packet_filter(host, libvirt), acceleration(host), *access(host), space(host)]
    findings += [tool(host, _FILES), tool(host, _SSH)]
    return findings + [_for_images(finding) for finding in engine_findings(host, engine)]


def _no_machines(host: Host) -> Finding:
    return Finding(
        "platform",
        ok=False,
        found=f"{host.system} on {host.processor}",
        remedy=f"machines need {SYSTEM} on {' or '.join(ARCHITECTURES)}: run envctl on such a host to have them;\ncontainers run here: `envctl doctor`",
    )


def _for_images(finding: Finding) -> Finding:
    """A finding about the engine, with what the engine is for where there are machines."""
    if finding.ok or not finding.needed:
        return finding
    remedy = f"{finding.remedy}\nmachines are made from the images that it builds"
    return replace(finding, remedy=remedy)


def vagrant(host: Host) -> Finding:
    """Vagrant itself, and its age."""
    name = "vagrant"
    oldest = ".".join(str(part) for part in OLDEST_VAGRANT)
    elsewhere = (
        f"install Vagrant {oldest} or newer: https://developer.hashicorp.com/vagrant/install"
    )
    program = host.which("vagrant")
    if program is None:
        return _missing(host, name, ("vagrant",), elsewhere)
    try:
        # Quick: before its plugins are loaded.
        text = host.run((program, "--version"), timeout=30).text
    except EnvctlError as error:
        return Finding(name, ok=False, found=error.brief, remedy=elsewhere)
    match = re.search(r"Vagrant (\d+)\.(\d+)\S*", text)
    if match is None:
        last = (text.strip().splitlines() or ["it says nothing"])[-1]
        return Finding(name, ok=False, found=f"`vagrant --version`: {last}", remedy=elsewhere)
    found = match[0].removeprefix("Vagrant ")
    if (int(match[1]), int(match[2])) >= OLDEST_VAGRANT:
        return Finding(name, ok=True, found=found)
    return Finding(name, ok=False, found=found, remedy=elsewhere)


def provider(host: Host) -> Finding:
    """Vagrant's plugin for libvirt. Read from files where they tell: asking Vagrant takes seconds."""
    upstream = (host.root / _UPSTREAM).is_dir()
    version = _own_plugin(host)
    if version is None and not upstream:
        version = _packaged_plugin(host)
    if version is not None:
        return Finding(PROVIDER, ok=True, found=version)
    program = host.which("vagrant")
    by_hand = f"vagrant plugin install {PROVIDER}"
    if program is not None and (upstream or not host.has_apt):
        return _listed_plugin(host, program, by_hand)
    return _missing(host, PROVIDER, (PROVIDER,), by_hand)


def _own_plugin(host: Host) -> str | None:
    """The version of the plugin that this user installed with Vagrant; None if there is none."""
    home = host.environ.get("VAGRANT_HOME") or f"{host.environ.get('HOME', '/root')}/.vagrant.d"
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        entry = json.loads(host.read(f"{home}/plugins.json".lstrip("/")))["installed"].get(PROVIDER)
        return None if entry is None else str(entry.get("installed_gem_version") or "installed")
    return None


def _packaged_plugin(host: Host) -> str | None:
    """The version of the distribution's plugin; None if it is not installed."""
    if not (host.root / _DEBIAN_PLUGINS / f"{PROVIDER}.json").is_file():
        return None
    gems = sorted(one.name for one in (host.root / _DEBIAN_GEMS).glob(f"{PROVIDER}-[0-9]*"))
    return gems[-1].removeprefix(f"{PROVIDER}-") if gems else "installed"


def _listed_plugin(host: Host, program: str, remedy: str) -> Finding:
    """What Vagrant itself says of the plugin."""
    try:
        outcome = host.run((program, "plugin", "list"), timeout=60)
        if outcome.code != 0:
            raise EnvctlError(f"`vagrant plugin list` exits with {outcome.code}")
    except EnvctlError as error:
        return Finding(
            PROVIDER, ok=False, found=f"unknown: {error.brief}", remedy=remedy, needed=False
        )
    match = re.search(rf"^{PROVIDER} \(([^,)]+)", outcome.text, re.MULTILINE)
    if match is None:
        return Finding(PROVIDER, ok=False, found="not installed", remedy=remedy)
    return Finding(PROVIDER, ok=True, found=match[1])


def daemon(host: Host, libvirt: Libvirt) -> Finding:
    """Whether libvirt answers this user, and how to have it if not."""
    name = "libvirt"
    if libvirt.reach is Reach.ANSWERS:
        return Finding(name, ok=True, found=f"{libvirt.version} at {URI}")
    if libvirt.serves_root_only:
        return Finding(
            name,
            ok=False,
            found=f"{URI} serves root only: no system bus runs to ask who else may",
            remedy="run envctl as root, or start the system bus (sudo mkdir -p /run/dbus && "
            "sudo dbus-daemon --system --fork), then libvirtd anew",
        )
    if libvirt.reach is Reach.DENIED:
        return Finding(
            name,
            ok=False,
            found=f"{URI} refuses this user",
            remedy="sudo usermod -aG libvirt $USER, then log in anew (members of that group are as good as root)",
        )
    if libvirt.reach is Reach.FAILS:
        return Finding(
            name,
            ok=False,
            found=libvirt.error,
            remedy="look into libvirt's own log: /var/log/libvirt/libvirtd.log, `journalctl -u libvirtd`",
        )
    return _no_daemon(host)


def _no_daemon(host: Host) -> Finding:
    installed = all(host.which(program) for program in ("libvirtd", "virtlogd", "virsh"))
    if host.has_apt:
        # Without that user libvirtd does not start; the package that makes it is another than libvirtd's.
        installed = installed and "\nlibvirt-qemu:" in f"\n{host.read('etc/passwd')}"
    start = start_command(host)
    if installed:
        remedy = start
    elif command := install_command(host, LIBVIRT_PACKAGES):
        remedy = f"{command} && {start}"
    else:
        remedy = (
            f"install libvirt's daemon and virsh with this system's package manager, then {start}"
        )
    return Finding(
        "libvirt",
        ok=False,
        found="installed, not running" if installed else "not installed",
        remedy=remedy,
        packages=() if installed or not host.has_apt else LIBVIRT_PACKAGES,
        repairs=(Repair.LIBVIRT,) if host.which("libvirtd") or host.has_apt else (),
    )


def tool(host: Host, wanted: Tool) -> Finding:
    """A program that only has to be there."""
    path = host.which(wanted.program)
    if path is not None:
        return Finding(wanted.name, ok=True, found=path)
    words = f"install {wanted.program} with this system's package manager: it {wanted.purpose}"
    return _missing(host, wanted.name, (wanted.package,), words)


def packet_filter(host: Host, libvirt: Libvirt) -> Finding:
    """What libvirt's networks set their rules with: iptables, and nft too since libvirt 10.4."""
    if not host.which("iptables") and host.which("nft") and libvirt.number >= (10, 4):
        return Finding(_FILTER.name, ok=True, found="nft in its place")
    return tool(host, _FILTER)


def space(host: Host) -> Finding:
    """Room for machines' disks where libvirt keeps them."""
    name = "machine disk space"
    free = host.free(IMAGES)
    found = f"{free / 1000**3:.1f} GB free at {IMAGES}"
    if free >= LEAST_SPACE:
        return Finding(name, ok=True, found=found)
    return Finding(
        name, ok=False, found=found, remedy=f"make room: `du -ah {IMAGES}` shows what takes it"
    )


def _missing(host: Host, name: str, packages: tuple[str, ...], elsewhere: str) -> Finding:
    """Something that is not installed: a package where it is known what it is called, else words."""
    remedy = install_command(host, packages) or elsewhere
    known = packages if host.has_apt else ()
    return Finding(name, ok=False, found="not installed", remedy=remedy, packages=known)
