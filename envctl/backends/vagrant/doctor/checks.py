"""The checks for virtual machines: Vagrant, libvirt, QEMU."""

from __future__ import annotations

import json
import re
from contextlib import suppress

from envctl.backends.vagrant.doctor.kvm import acceleration, access
from envctl.backends.vagrant.doctor.libvirt_daemon import START, URI, Libvirt, look, start_command
from envctl.backends.vagrant.doctor.package_names import PACKAGE_NAMES
from envctl.doctor.disk_space import disk_space
from envctl.doctor.findings import DaemonState, Finding
from envctl.doctor.host import Host
from envctl.doctor.install_commands import install_command
from envctl.errors import EnvctlError
from envctl.host.architectures import ARCHITECTURES, NATIVE, SYSTEM

OLDEST_VAGRANT = (2, 3)
IMAGES = "/var/lib/libvirt/images"
"""The default folder of libvirt for machines' disks."""

LIBVIRT_PACKAGES = ("libvirt-daemon-system", "libvirt-clients")
PROVIDER = "vagrant-libvirt"
_DEBIAN_PLUGINS = "usr/share/vagrant-plugins/plugins.d"
_DEBIAN_GEMS = "usr/share/rubygems-integration/all/gems"
_UPSTREAM = "opt/vagrant"
"""Where HashiCorp's package installs Vagrant. That Vagrant ignores Debian's plugins."""


def machine_findings(host: Host) -> list[Finding]:
    """All requirements of Vagrant machines on libvirt."""
    libvirt = look(host)
    return [
        vagrant(host),
        provider(host),
        daemon(host, libvirt),
        tool(host, "qemu", NATIVE.emulator_package, "runs machines", program=NATIVE.emulator),
        tool(host, "qemu-img", "qemu-utils", "makes machines' disks"),
        tool(host, "dnsmasq", "dnsmasq-base", "gives machines addresses"),
        packet_filter(host, libvirt),
        acceleration(host),
        *access(host),
        disk_space(host, "machine disk space", IMAGES, usage_command=f"du -ah {IMAGES}"),
        tool(host, "mke2fs", "e2fsprogs", "makes machines' file systems"),
        tool(host, "ssh", "openssh-client", "talks to machines"),
    ]


def no_machines(host: Host) -> Finding:
    """Why this host cannot run machines."""
    return Finding.failed(
        "platform",
        f"{host.system} on {host.processor}",
        f"machines need {SYSTEM} on {' or '.join(ARCHITECTURES)}: run envctl on such a host to have them;\ncontainers run here: `envctl doctor`",
    )


def vagrant(host: Host) -> Finding:
    """Whether Vagrant is installed, and new enough."""
    name, oldest = "vagrant", ".".join(map(str, OLDEST_VAGRANT))
    remedy = f"install Vagrant {oldest} or newer: https://developer.hashicorp.com/vagrant/install"
    program = host.which("vagrant")
    if program is None:
        return _missing(host, name, ("vagrant",), remedy)
    try:
        # Fast, because Vagrant prints its version before it loads its plugins.
        text = host.run((program, "--version"), timeout=30).text
    except EnvctlError as error:
        return Finding.failed(name, error.brief, remedy)
    match = re.search(r"Vagrant (\d+)\.(\d+)\S*", text)
    if match is None:
        last = (text.strip().splitlines() or ["no output"])[-1]
        return Finding.failed(name, f"`vagrant --version`: {last}", remedy)
    version = match[0].removeprefix("Vagrant ")
    if (int(match[1]), int(match[2])) < OLDEST_VAGRANT:
        return Finding.failed(name, version, remedy)
    return Finding.passed(name, version)


def provider(host: Host) -> Finding:
    """Whether Vagrant's libvirt plugin is installed. Reads files if possible, because asking Vagrant takes seconds."""
    upstream = (host.root / _UPSTREAM).is_dir()
    version = _user_plugin(host) or ("" if upstream else _packaged_plugin(host))
    if version:
        return Finding.passed(PROVIDER, version)
    program = host.which("vagrant")
    by_hand = f"vagrant plugin install {PROVIDER}"
    if program is not None and (upstream or not host.has_apt):
        return _listed_plugin(host, program, by_hand)
    return _missing(host, PROVIDER, (PROVIDER,), by_hand)


def _user_plugin(host: Host) -> str:
    """The version of the plugin that this user has installed with Vagrant; "" if it is not installed."""
    home = host.environ.get("VAGRANT_HOME") or f"{host.environ.get('HOME', '/root')}/.vagrant.d"
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        entry = json.loads(host.read(f"{home}/plugins.json".lstrip("/")))["installed"].get(PROVIDER)
        return "" if entry is None else str(entry.get("installed_gem_version") or "installed")
    return ""


def _packaged_plugin(host: Host) -> str:
    """The version of the distribution's plugin; "" if it is not installed."""
    if not (host.root / _DEBIAN_PLUGINS / f"{PROVIDER}.json").is_file():
        return ""
    gems = sorted(gem.name for gem in (host.root / _DEBIAN_GEMS).glob(f"{PROVIDER}-[0-9]*"))
    return gems[-1].removeprefix(f"{PROVIDER}-") if gems else "installed"


def _listed_plugin(host: Host, program: str, remedy: str) -> Finding:
    """Whether Vagrant lists the plugin."""
    try:
        outcome = host.run((program, "plugin", "list"), timeout=60)
        if outcome.code != 0:
            raise EnvctlError(f"`vagrant plugin list` exits with {outcome.code}")
    except EnvctlError as error:
        return Finding.failed(PROVIDER, f"unknown: {error.brief}", remedy, needed=False)
    match = re.search(rf"^{PROVIDER} \(([^,)]+)", outcome.text, re.MULTILINE)
    if match is None:
        return Finding.failed(PROVIDER, "not installed", remedy)
    return Finding.passed(PROVIDER, match[1])


def daemon(host: Host, libvirt: Libvirt) -> Finding:
    """Whether libvirt answers this user, and how to fix it if not."""
    name = "libvirt"
    if libvirt.state is DaemonState.ANSWERS:
        return Finding.passed(name, f"{libvirt.version} at {URI}")
    if libvirt.serves_root_only:
        return Finding.failed(
            name,
            f"{URI} serves root only: there is no system bus to ask for other users' permissions",
            "run envctl as root, or start the system bus (sudo mkdir -p /run/dbus && "
            "sudo dbus-daemon --system --fork), then restart libvirtd",
        )
    if libvirt.state is DaemonState.DENIED:
        return Finding.failed(
            name,
            f"{URI} refuses this user",
            "sudo usermod -aG libvirt $USER, then log in again (members of that group are as powerful as root)",
        )
    if libvirt.state is DaemonState.FAILS:
        remedy = "look at libvirt's log: /var/log/libvirt/libvirtd.log, `journalctl -u libvirtd`"
        return Finding.failed(name, libvirt.error, remedy)
    return _no_daemon(host)


def _no_daemon(host: Host) -> Finding:
    installed = all(host.which(program) for program in ("libvirtd", "virtlogd", "virsh"))
    if host.has_apt:
        # libvirtd does not start without this user, which another package creates.
        installed = installed and "\nlibvirt-qemu:" in f"\n{host.read('etc/passwd')}"
    remedy = start = start_command(host)
    if not installed:
        command = install_command(host, LIBVIRT_PACKAGES, PACKAGE_NAMES)
        by_hand = (
            f"install libvirt's daemon and virsh with this system's package manager, then {start}"
        )
        remedy = f"{command} && {start}" if command else by_hand
    return Finding.failed(
        "libvirt",
        "installed, not running" if installed else "not installed",
        remedy,
        packages=() if installed or not host.has_apt else LIBVIRT_PACKAGES,
        repairs=(START,) if host.which("libvirtd") or host.has_apt else (),
    )


def tool(host: Host, name: str, package: str, purpose: str, *, program: str = "") -> Finding:
    """Whether a program is installed; `purpose` says what it is for."""
    program = program or name
    if path := host.which(program):
        return Finding.passed(name, path)
    remedy = f"install {program} with this system's package manager: it {purpose}"
    return _missing(host, name, (package,), remedy)


def packet_filter(host: Host, libvirt: Libvirt) -> Finding:
    """Whether libvirt can set up firewall rules for its networks: with iptables, or since libvirt 10.4 with nft."""
    if not host.which("iptables") and host.which("nft") and libvirt.number >= (10, 4):
        return Finding.passed("iptables", "nft instead")
    return tool(host, "iptables", "iptables", "lets machines reach the network")


def _missing(host: Host, name: str, packages: tuple[str, ...], by_hand: str) -> Finding:
    """The finding for a missing program: with packages if their names are known, otherwise with `by_hand`."""
    remedy = install_command(host, packages, PACKAGE_NAMES) or by_hand
    return Finding.failed(name, "not installed", remedy, packages=packages if host.has_apt else ())
