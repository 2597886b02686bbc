"""The checks of what virtual machines need: Vagrant, libvirt, QEMU."""

from __future__ import annotations

import json
import re
from contextlib import suppress

from envctl.backends.vagrant.doctor.kvm import acceleration, access
from envctl.backends.vagrant.doctor.libvirt_daemon import START, URI, Libvirt, look, start_command
from envctl.backends.vagrant.doctor.package_names import PACKAGE_NAMES
from envctl.doctor.findings import DaemonState, Finding
from envctl.doctor.host import LEAST_SPACE, Host
from envctl.doctor.install_commands import install_command
from envctl.errors import EnvctlError
from envctl.host.architectures import ARCHITECTURES, NATIVE, SYSTEM
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


def machine_findings(host: Host) -> list[Finding]:
    """Everything that Vagrant machines on libvirt need."""
    libvirt = look(host)
    findings = [vagrant(host), provider(host), daemon(host, libvirt)]
    findings += [tool(host, _EMULATOR), tool(host, _DISKS), tool(host, _NAMES)]
    findings += [packet_filter(host, libvirt), acceleration(host), *access(host), space(host)]
    return [*findings, tool(host, _FILES), tool(host, _SSH)]


def no_machines(host: Host) -> Finding:
    """Why there can be no machines on this host."""
    return Finding(
        "platform",
        ok=False,
        observed=f"{host.system} on {host.processor}",
        remedy=f"machines need {SYSTEM} on {' or '.join(ARCHITECTURES)}: run envctl on such a host to have them;\ncontainers run here: `envctl doctor`",
    )


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
        return Finding(name, ok=False, observed=error.brief, remedy=elsewhere)
    match = re.search(r"Vagrant (\d+)\.(\d+)\S*", text)
    if match is None:
        last = (text.strip().splitlines() or ["it says nothing"])[-1]
        return Finding(name, ok=False, observed=f"`vagrant --version`: {last}", remedy=elsewhere)
    observed = match[0].removeprefix("Vagrant ")
    if (int(match[1]), int(match[2])) >= OLDEST_VAGRANT:
        return Finding(name, ok=True, observed=observed)
    return Finding(name, ok=False, observed=observed, remedy=elsewhere)


def provider(host: Host) -> Finding:
    """Vagrant's plugin for libvirt. Read from files where they tell: asking Vagrant takes seconds."""
    upstream = (host.root / _UPSTREAM).is_dir()
    version = _own_plugin(host)
    if version is None and not upstream:
        version = _packaged_plugin(host)
    if version is not None:
        return Finding(PROVIDER, ok=True, observed=version)
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
    gems = sorted(gem.name for gem in (host.root / _DEBIAN_GEMS).glob(f"{PROVIDER}-[0-9]*"))
    return gems[-1].removeprefix(f"{PROVIDER}-") if gems else "installed"


def _listed_plugin(host: Host, program: str, remedy: str) -> Finding:
    """What Vagrant itself says of the plugin."""
    try:
        outcome = host.run((program, "plugin", "list"), timeout=60)
        if outcome.code != 0:
            raise EnvctlError(f"`vagrant plugin list` exits with {outcome.code}")
    except EnvctlError as error:
        return Finding(
            PROVIDER, ok=False, observed=f"unknown: {error.brief}", remedy=remedy, needed=False
        )
    match = re.search(rf"^{PROVIDER} \(([^,)]+)", outcome.text, re.MULTILINE)
    if match is None:
        return Finding(PROVIDER, ok=False, observed="not installed", remedy=remedy)
    return Finding(PROVIDER, ok=True, observed=match[1])


def daemon(host: Host, libvirt: Libvirt) -> Finding:
    """Whether libvirt answers this user, and how to have it if not."""
    name = "libvirt"
    if libvirt.state is DaemonState.ANSWERS:
        return Finding(name, ok=True, observed=f"{libvirt.version} at {URI}")
    if libvirt.serves_root_only:
        return Finding(
            name,
            ok=False,
            observed=f"{URI} serves root only: no system bus runs to ask who else may",
            remedy="run envctl as root, or start the system bus (sudo mkdir -p /run/dbus && "
            "sudo dbus-daemon --system --fork), then libvirtd anew",
        )
    if libvirt.state is DaemonState.DENIED:
        return Finding(
            name,
            ok=False,
            observed=f"{URI} refuses this user",
            remedy="sudo usermod -aG libvirt $USER, then log in anew (members of that group are as good as root)",
        )
    if libvirt.state is DaemonState.FAILS:
        return Finding(
            name,
            ok=False,
            observed=libvirt.error,
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
    elif command := install_command(host, LIBVIRT_PACKAGES, PACKAGE_NAMES):
        remedy = f"{command} && {start}"
    else:
        remedy = (
            f"install libvirt's daemon and virsh with this system's package manager, then {start}"
        )
    return Finding(
        "libvirt",
        ok=False,
        observed="installed, not running" if installed else "not installed",
        remedy=remedy,
        packages=() if installed or not host.has_apt else LIBVIRT_PACKAGES,
        repairs=(START,) if host.which("libvirtd") or host.has_apt else (),
    )


def tool(host: Host, needed: Tool) -> Finding:
    """A program that only has to be there."""
    path = host.which(needed.program)
    if path is not None:
        return Finding(needed.name, ok=True, observed=path)
    words = f"install {needed.program} with this system's package manager: it {needed.purpose}"
    return _missing(host, needed.name, (needed.package,), words)


def packet_filter(host: Host, libvirt: Libvirt) -> Finding:
    """What libvirt's networks set their rules with: iptables, and nft too since libvirt 10.4."""
    if not host.which("iptables") and host.which("nft") and libvirt.number >= (10, 4):
        return Finding(_FILTER.name, ok=True, observed="nft in its place")
    return tool(host, _FILTER)


def space(host: Host) -> Finding:
    """Room for machines' disks where libvirt keeps them."""
    name = "machine disk space"
    free = host.free(IMAGES)
    observed = f"{free / 1000**3:.1f} GB free at {IMAGES}"
    if free >= LEAST_SPACE:
        return Finding(name, ok=True, observed=observed)
    return Finding(
        name,
        ok=False,
        observed=observed,
        remedy=f"make room: `du -ah {IMAGES}` shows what takes it",
    )


def _missing(host: Host, name: str, packages: tuple[str, ...], elsewhere: str) -> Finding:
    """Something that is not installed: a package where it is known what it is called, else words."""
    remedy = install_command(host, packages, PACKAGE_NAMES) or elsewhere
    known = packages if host.has_apt else ()
    return Finding(name, ok=False, observed="not installed", remedy=remedy, packages=known)
