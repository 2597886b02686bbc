"""Converts a unit into the engine's JSON for a new container. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from envctl.backends.common import probe
from envctl.backends.common.secret_wrapper import wrapped
from envctl.backends.common.step_views import covered, protected
from envctl.backends.docker import names as n
from envctl.backends.docker import options
from envctl.backends.docker.names import Names
from envctl.backends.docker.ownership import MEMORY
from envctl.backends.docker.volumes import volume_mount
from envctl.plan.model import Kind, Restart, Run, Secret, Unit, Volume

SECRETS_FOLDER: Final = "/run/secrets"
_EMPTY: Final = {"SizeBytes": 4096, "Mode": 0o555}
_NANO: Final = 10**9
_NOTHING: Final[Mapping[str, Any]] = {}
LOGS: Final[Mapping[str, Any]] = {
    "Type": "json-file",
    "Config": {"max-size": "10m", "max-file": "3"},
}
_MEMORY_VOLUME: Final = {
    "Name": "local",
    "Options": {"type": MEMORY, "device": MEMORY, "o": "mode=0755,size=4m"},
}


def container(
    unit: Unit,
    names: Names,
    *,
    log_driver: str = "json-file",
    own_volumes: Sequence[Volume] = (),
    start_interval: bool = False,
    image: Mapping[str, Any] = _NOTHING,
) -> Mapping[str, Any]:
    """The request body that creates a unit's container; `own_volumes` are those that its image declares.

    `start_interval` is whether the engine supports `StartInterval` (API 1.44). `image` is the configuration of its
    image, for a unit with variables that contain secrets.
    """
    process = unit.run.process
    settings, host = options.bodies(unit.run.options)
    body: dict[str, Any] = {
        "Image": names.image_of(unit),
        "Env": [f"{name}={value}" for name, value in sorted(process.env.items())],
        "ExposedPorts": {f"{port.container}/{port.protocol}": {} for port in unit.run.ports},
        "Healthcheck": healthcheck(unit.run, start_interval=start_interval),
        **settings,
        "Labels": {**settings.get("Labels", {}), **names.unit_labels(unit)},
        "HostConfig": {**_host(unit, names, log_driver, own_volumes), **host},
    }
    if process.secret_env:
        # With its own entrypoint, the engine would ignore the image's command.
        body["Entrypoint"] = [*wrapped(unit.run, image.get("Entrypoint") or ())]
        body["Cmd"] = list(image.get("Cmd") or ())
    if process.argv is not None:
        body["Cmd"] = list(process.argv)
    if process.user is not None:
        body["User"] = process.user
    if process.workdir is not None:
        body["WorkingDir"] = process.workdir
    if body["HostConfig"]["NetworkMode"] == names.network:
        body.setdefault("Hostname", unit.name)
        aliases = sorted({unit.service, unit.name, *unit.run.aliases})
        body["NetworkingConfig"] = {"EndpointsConfig": {names.network: {"Aliases": aliases}}}
    return body


def _host(
    unit: Unit, names: Names, log_driver: str, own_volumes: Sequence[Volume]
) -> dict[str, Any]:
    run = unit.run
    host: dict[str, Any] = {
        "Init": True,
        "NetworkMode": names.network,
        "CapDrop": ["ALL"],
        "CapAdd": sorted(run.process.capabilities),
        "SecurityOpt": ["no-new-privileges:true"],
        "RestartPolicy": {"Name": restart_policy(unit)},
        "Binds": binds(unit),
        "Mounts": _mounts(unit, names, own_volumes),
        "PortBindings": _bindings(unit),
    }
    if log_driver == "json-file":
        host["LogConfig"] = LOGS
    if run.resources.cpus is not None:
        host["NanoCpus"] = round(run.resources.cpus * _NANO)
    if run.resources.memory is not None:
        host["Memory"] = run.resources.memory
        # Without `MemorySwap` the engine allows the same amount of swap in addition; a machine has no swap.
        host["MemorySwap"] = run.resources.memory
    return host


def _bindings(unit: Unit) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in unit.run.ports:
        binding = {"HostIp": port.address, "HostPort": str(port.host or "")}
        bindings.setdefault(f"{port.container}/{port.protocol}", []).append(binding)
    return bindings


def restart_policy(unit: Unit) -> str:
    """The engine's name of the restart policy."""
    # A task runs once; the next `up` decides whether it runs again.
    policy = Restart.NO if unit.kind is Kind.TASK else unit.run.restart
    # "unless-stopped" is "always", except that it respects `envctl stop` when the engine restarts.
    return {Restart.ALWAYS: "unless-stopped"}.get(policy, str(policy))


def binds(unit: Unit) -> list[str]:
    """Mounts of the host that SELinux must label: `Mounts` cannot express that, but `Binds` can."""
    label = options.label(unit.run.options)
    return [
        f"{mount.source}:{mount.target}:{'ro' if mount.read_only else 'rw'},{label}"
        for mount in unit.run.mounts
        if label
    ]


def _mounts(unit: Unit, names: Names, own_volumes: Sequence[Volume]) -> list[dict[str, Any]]:
    plain_mounts = () if options.label(unit.run.options) else unit.run.mounts
    from_host = [
        {
            "Type": "bind",
            "Source": mount.source,
            "Target": mount.target,
            "ReadOnly": mount.read_only,
        }
        for mount in (*plain_mounts, *protected(unit.run.mounts))
    ]
    covers = [
        {"Type": "tmpfs", "Target": path, "ReadOnly": True, "TmpfsOptions": _EMPTY}
        for path in covered(unit.run.mounts)
    ]
    volumes = [
        # The engine does not fill an existing volume, even if it is empty.
        {
            **volume_mount(volume.name, volume.target, names, copy=volume.new is None),
            "ReadOnly": volume.read_only,
        }
        for volume in (*unit.run.volumes, *own_volumes)
    ]
    secrets = (
        [secrets_mount(unit.name, names, SECRETS_FOLDER, read_only=True)]
        if unit.run.secrets
        else []
    )
    return [*from_host, *covers, *volumes, *secrets]


def secrets_mount(unit: str, names: Names, target: str, *, read_only: bool) -> dict[str, Any]:
    """The mount of the in-memory volume with a unit's secrets; the engine creates it if it does not exist."""
    return {
        "Type": "volume",
        "Source": names.secrets(unit),
        "Target": target,
        "ReadOnly": read_only,
        "VolumeOptions": {
            # Do not copy the image's files from that folder into the volume.
            "NoCopy": True,
            "Labels": {**names.labels, n.SECRETS: unit},
            "DriverConfig": _MEMORY_VOLUME,
        },
    }


def healthcheck(run: Run, *, start_interval: bool = False) -> dict[str, Any]:
    """The engine's health check. Without a probe in the spec, the image's own check is switched off."""
    declared = probe.with_secrets(run)
    if declared is None:
        return {"Test": ["NONE"]}
    return {
        "Test": ["CMD", *probe.test(declared)],
        "Interval": round(declared.interval * _NANO),
        "Timeout": round(declared.timeout * _NANO),
        "Retries": declared.retries,
        "StartPeriod": round(declared.start_period * _NANO),
        **({"StartInterval": round(declared.pause(0.0) * _NANO)} if start_interval else {}),
    }


def secret_file(secret: Secret) -> str:
    """The file name of a secret in its unit's volume: that of its target, or a hidden name for a target elsewhere."""
    name = secret.target.removeprefix(f"{SECRETS_FOLDER}/")
    return name if name != secret.target and "/" not in name else f".{secret.name}"
