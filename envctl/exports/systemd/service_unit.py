"""The service of a unit of the plan on a host, and the sockets that forward its ports. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Final

from envctl.backends.common import ulimits
from envctl.backends.common.secret_wrapper import wrapped
from envctl.backends.common.step_views import covered, protected
from envctl.exports.systemd.host_names import SECRETS, HostNames, host_units
from envctl.exports.systemd_syntax import (
    command,
    description,
    is_plain,
    path_word,
    setting,
    unit_file,
    word,
)
from envctl.plan.model import Kind, Plan, Port, Restart, Run, Unit

_ABOUT: Final = "Made by envctl export; changes belong in the spec, or in a drop-in file."
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_STOP_TIMEOUT: Final = 10
_PROXY: Final = "/usr/lib/systemd/systemd-socket-proxyd"
_MORE: Final = 60
"""Seconds that the start may take beyond the health check's own time."""


def service_unit(plan: Plan, unit: Unit, names: HostNames) -> bytes:
    """The text of the service."""
    sections = {
        "Unit": _unit_section(plan, unit, names),
        "Service": _service_section(unit, names),
        "Install": [("WantedBy", "multi-user.target")],
    }
    return unit_file(sections, about=_ABOUT)


def forwarded_ports(unit: Unit) -> Iterator[Port]:
    """The ports that need a forwarder: those with another number on the host."""
    yield from (
        port
        for port in unit.run.ports
        if port.host not in (0, port.container) and port.protocol == "tcp"
    )


def forwarder_units(unit: Unit, port: Port, names: HostNames) -> Mapping[str, bytes]:
    """The socket of a port of the host, and the service that forwards its connections."""
    name = names.forwarder(unit, port)
    text = description(f"port {port.host} of {unit.name}")
    address = f"[{port.address}]" if ":" in port.address else port.address
    socket = {
        "Unit": [("Description", text)],
        "Socket": [("ListenStream", f"{address}:{port.host}")],
        "Install": [("WantedBy", "sockets.target")],
    }
    service = {
        "Unit": [
            ("Description", text),
            ("Requires", f"{names.service(unit)} {name}.socket"),
            ("After", f"{names.service(unit)} {name}.socket"),
        ],
        "Service": [
            ("ExecStart", command((_PROXY, f"127.0.0.1:{port.container}"))),
            ("DynamicUser", "yes"),
            ("NoNewPrivileges", "yes"),
        ],
    }
    return {
        f"{name}.socket": unit_file(socket, about=_ABOUT),
        f"{name}.service": unit_file(service, about=_ABOUT),
    }


def _unit_section(plan: Plan, unit: Unit, names: HostNames) -> Iterator[tuple[str, str]]:
    text = f"{unit.name} of {plan.scope.project}/{plan.scope.environment}"
    yield "Description", description(text)
    yield "Wants", "network-online.target"
    yield "After", "network-online.target"
    for needed in host_units(plan):
        if needed.service in unit.depends_on:
            yield "Requires", names.service(needed)
            yield "After", names.service(needed)
    if unit.run.restart is not Restart.NO and unit.kind is not Kind.TASK:
        yield "StartLimitIntervalSec", "0"


def _service_section(unit: Unit, names: HostNames) -> Iterator[tuple[str, str]]:
    yield from _life(unit)
    yield from _process(unit, names)
    yield from _storage(unit, names)
    yield from _rights(unit.run)
    yield from _limits(unit.run)


def _life(unit: Unit) -> Iterator[tuple[str, str]]:
    is_task, declared, options = unit.kind is Kind.TASK, unit.run.probe, unit.run.options
    yield "Type", "oneshot" if is_task else "exec"
    if is_task:
        yield "RemainAfterExit", "yes"
        yield "TimeoutStartSec", "infinity"
    else:
        wait = declared.start_period + declared.retries * declared.interval if declared else 0
        yield "Restart", str(unit.run.restart)
        yield "RestartSec", "1"
        yield "TimeoutStartSec", str(_MORE + ceil(wait))
    yield "TimeoutStopSec", str(options.get("stop_timeout", _STOP_TIMEOUT))
    yield "KillMode", "mixed"
    yield "KillSignal", str(options.get("stop_signal", "SIGTERM"))


def _process(unit: Unit, names: HostNames) -> Iterator[tuple[str, str]]:
    process = unit.run.process
    user = process.user or "root"
    yield "User", setting(user)
    argv = wrapped(unit.run, process.argv or ())
    if process.workdir is not None and is_plain(process.workdir):
        yield "WorkingDirectory", setting(process.workdir)
    elif process.workdir is not None:
        argv = ("/usr/bin/env", f"--chdir={process.workdir}", *_with_equals(argv))
    for name, value in sorted({"PATH": _PATH, **process.env}.items()):
        yield "Environment", word(f"{name}={value}")
    for secret in unit.run.secrets:
        copy = (
            "/usr/bin/install",
            "-D",
            "-m",
            "0400",
            "-o",
            user,
            f"{names.secrets}/{secret.name}",
        )
        yield "ExecStartPre", f"+{command((*copy, names.secret_file(unit, secret)))}"
    yield "ExecStart", command(argv)
    if unit.run.probe and unit.kind is not Kind.TASK:
        yield "ExecStartPost", command((names.ready_script(unit),))
    for hook in unit.hooks.after_start:
        yield "ExecStartPost", command(wrapped(unit.run, hook))
    for hook in unit.hooks.before_stop:
        # A failed hook does not keep the service from being stopped.
        yield "ExecStop", f"-{command(wrapped(unit.run, hook))}"


def _with_equals(argv: tuple[str, ...]) -> tuple[str, ...]:
    """A command behind `env`, which would take a program with "=" in its name for a variable."""
    return ("/bin/sh", "-c", 'exec "$0" "$@"', *argv) if "=" in argv[0] else argv


def _storage(unit: Unit, names: HostNames) -> Iterator[tuple[str, str]]:
    run = unit.run
    for mount in (*run.mounts, *protected(run.mounts)):
        yield _bind(mount.source, mount.target, read_only=mount.read_only)
    for path in covered(run.mounts):
        yield "TemporaryFileSystem", f"{path_word(path)}:ro,size=4k,mode=0555"
    for volume in run.volumes:
        yield _bind(names.volume(volume.name), volume.target, read_only=volume.read_only)
    for path, options in sorted(run.options.get("tmpfs", {}).items()):
        yield "TemporaryFileSystem", path_word(path) + (f":{setting(options)}" if options else "")
    folder, uses_folder = names.secret_folder(unit), False
    for secret in run.secrets:
        file = names.secret_file(unit, secret)
        if secret.target == f"{SECRETS}/{file.removeprefix(f'{folder}/')}":
            uses_folder = True
        else:
            yield _bind(f"-{file}", secret.target, read_only=True)
    if uses_folder:
        # The dash: these paths do not exist yet when ExecStartPre= runs, which makes them.
        yield _bind(f"-{folder}", SECRETS, read_only=True)


def _bind(source: str, target: str, *, read_only: bool) -> tuple[str, str]:
    key = "BindReadOnlyPaths" if read_only else "BindPaths"
    return key, f"{path_word(source)}:{path_word(target)}"


def _rights(run: Run) -> Iterator[tuple[str, str]]:
    yield "NoNewPrivileges", "yes"
    names = " ".join(f"CAP_{name}" for name in run.process.capabilities)
    yield "CapabilityBoundingSet", names
    if run.options.get("read_only"):
        yield "ProtectSystem", "strict"
        targets = [volume.target for volume in run.volumes if not volume.read_only]
        targets += [mount.target for mount in run.mounts if not mount.read_only]
        for target in targets:
            yield "ReadWritePaths", path_word(target)
    if run.options.get("network_mode") == "none":
        yield "PrivateNetwork", "yes"
    for device in run.options.get("devices", ()):
        yield "DeviceAllow", f"{path_word(device.partition(':')[0])} rwm"


def _limits(run: Run) -> Iterator[tuple[str, str]]:
    yield "TasksMax", str(run.options.get("pids_limit", "infinity"))
    # As in a container, an OOM kill ends one process instead of the whole service.
    yield "OOMPolicy", "continue"
    for name, pair in ulimits.limits(run.options).items():
        soft, hard = ("infinity" if limit == ulimits.UNLIMITED else str(limit) for limit in pair)
        yield f"Limit{name.upper()}", f"{soft}:{hard}"
    if run.resources.memory is not None:
        yield "MemoryMax", str(run.resources.memory)
        yield "MemorySwapMax", "0"
    if run.resources.cpus is not None:
        yield "CPUQuota", f"{run.resources.cpus * 100:g}%"
