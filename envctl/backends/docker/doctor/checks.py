"""The checks for containers: an engine that builds, disk space for images, and tools that bootstrap bases."""

from __future__ import annotations

from contextlib import suppress

from envctl.backends.docker.doctor.engine_status import EngineStatus
from envctl.backends.docker.doctor.package_names import PACKAGE_NAMES
from envctl.backends.docker.doctor.start import START
from envctl.backends.docker.engine import version_numbers
from envctl.backends.docker.engine_check import OLDEST_API
from envctl.doctor.disk_space import disk_space
from envctl.doctor.findings import DaemonState, Finding
from envctl.doctor.host import Host
from envctl.doctor.install_commands import install_command
from envctl.errors import EnvctlError

ENGINE_PACKAGES = ("docker.io", "iptables")
BOOTSTRAP_PACKAGES = ("mmdebstrap",)


def engine_findings(host: Host, engine: EngineStatus) -> list[Finding]:
    """Whether the engine answers, and if so, whether it is suitable."""
    findings = [reachable(host, engine)]
    if engine.state is DaemonState.ANSWERS:
        findings += [version(engine), buildkit(engine), limits(engine)]
    return [*findings, space(host, engine), bootstrap(host)]


def reachable(host: Host, engine: EngineStatus) -> Finding:
    """Whether the engine answers, and how to get one if not."""
    name = "docker engine"
    if engine.state is DaemonState.ANSWERS:
        return Finding.passed(name, f"{engine.version} at {engine.address}")
    if engine.state is DaemonState.DENIED:
        return Finding.failed(
            name,
            f"{engine.address} refuses this user",
            "sudo usermod -aG docker $USER, then log in again (members of this group have root access)",
        )
    if not engine.is_default:
        return Finding.failed(
            name,
            f"nothing answers at {engine.address}: {engine.error}",
            "start that engine, or choose another: DOCKER_HOST, or `docker context use`",
        )
    if engine.state is DaemonState.FAILS:
        return Finding.failed(name, engine.error, "check the engine's log")
    return _absent(host, engine)


def _absent(host: Host, engine: EngineStatus) -> Finding:
    installed = host.which("dockerd") is not None
    return Finding.failed(
        "docker engine",
        f"{'installed, not running' if installed else 'not installed'} ({engine.address})",
        _engine_remedy(host, installed=installed),
        packages=() if installed or not host.has_apt else ENGINE_PACKAGES,
        repairs=(START,) if installed or host.has_apt else (),
    )


def _engine_remedy(host: Host, *, installed: bool) -> str:
    start = "sudo systemctl enable --now docker" if host.has_systemd else "sudo dockerd &"
    if host.system == "Darwin":
        return "brew install colima docker && colima start, or install Docker Desktop"
    windows = " (or enable WSL integration in Docker Desktop)" if host.is_wsl else ""
    if installed:
        return start + windows
    if command := install_command(host, ENGINE_PACKAGES, PACKAGE_NAMES):
        return f"{command} && {start}{windows}"
    return f"install the Docker engine (https://docs.docker.com/engine/install/), then {start}{windows}"


def version(engine: EngineStatus) -> Finding:
    """The version of the engine's API."""
    observed = f"API {engine.api[0]}.{engine.api[1]}"
    if engine.api >= version_numbers(OLDEST_API):
        return Finding.passed("engine API", observed)
    return Finding.failed("engine API", observed, "install Docker engine 20.10 (API 1.41) or newer")


def buildkit(engine: EngineStatus) -> Finding:
    """Whether the engine builds Linux images with BuildKit through its API."""
    if engine.os_type != "linux":
        return Finding.failed(
            "BuildKit",
            f"the engine runs {engine.os_type} containers",
            "switch it to Linux containers",
        )
    if "podman" in engine.product.lower():
        return Finding.failed(
            "BuildKit",
            f"{engine.product} has Docker's API but not its BuildKit",
            "point DOCKER_HOST or the docker context to a Docker engine",
        )
    return Finding(
        "BuildKit",
        ok=engine.api >= version_numbers(OLDEST_API),
        observed=f"part of {engine.product}",
    )


def limits(engine: EngineStatus) -> Finding:
    """Whether the kernel enforces memory and CPU limits."""
    observed = f"cgroup v{engine.cgroup}" if engine.cgroup else "cgroups"
    if engine.limits:
        return Finding.passed("resource limits", f"{observed}: memory and CPU can be limited")
    return Finding.failed(
        "resource limits",
        f"{observed}: the engine cannot limit memory or CPU here",
        "enable the kernel's memory and cpu controllers (cgroup_enable=memory)",
        needed=False,
    )


def space(host: Host, engine: EngineStatus) -> Finding:
    """Disk space where the engine stores images; unknown for a remote engine."""
    place = engine.data or "/var/lib/docker"
    if not engine.is_local or host.system != "Linux":
        return Finding.passed("disk space", "managed by a remote engine", needed=False)
    note = f" ({engine.storage})" if engine.storage else ""
    return disk_space(host, "disk space", place, usage_command="docker system df", note=note)


def bootstrap(host: Host) -> Finding:
    """The tool that bootstraps bases when no registry can be reached."""
    name = "base bootstrap"
    if host.which("mmdebstrap"):
        return Finding.passed(name, "mmdebstrap", needed=False)
    observed = "no mmdebstrap: bases can only be pulled from a registry"
    if host.has_apt:
        return Finding.failed(
            name,
            observed,
            install_command(host, BOOTSTRAP_PACKAGES, PACKAGE_NAMES),
            needed=False,
            packages=BOOTSTRAP_PACKAGES,
        )
    command = install_command(host, BOOTSTRAP_PACKAGES, PACKAGE_NAMES)
    remedy = f"{command}, or make a registry reachable" if command else "make a registry reachable"
    return Finding.failed(name, observed, remedy, needed=False)


def compose(host: Host) -> Finding:
    """The tool that runs a rendered folder without envctl; envctl itself does not use it."""
    name = "docker compose"
    for program in ("docker-compose", "docker"):
        path = host.which(program)
        if path is None:
            continue
        argv = (path, "version") if program == "docker-compose" else (path, "compose", "version")
        with suppress(EnvctlError):
            outcome = host.run(argv, timeout=10)
            if outcome.code == 0 and outcome.text.strip():
                return Finding.passed(name, outcome.text.strip().splitlines()[0], needed=False)
    return Finding.failed(
        name,
        "not installed",
        "only needed to run a rendered folder by hand; the package is docker-compose",
        needed=False,
    )
