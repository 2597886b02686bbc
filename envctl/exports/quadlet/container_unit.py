"""The `.container` unit of a unit of the plan. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any, Final

from envctl.backends.common import probe, ulimits
from envctl.backends.common.secret_wrapper import wrapped
from envctl.backends.common.step_views import covered, protected
from envctl.errors import EnvctlError
from envctl.exports.quadlet.unit_names import UnitNames
from envctl.exports.systemd_syntax import (
    EMPTY,
    argument,
    arguments,
    description,
    is_plain,
    setting,
    unit_file,
)
from envctl.plan.model import Build, CreateUser, Kind, Mount, Plan, Port, Probe, Restart, Unit
from envctl.plan.secret_templates import of_secret, parts, secrets_of

_START_TIMEOUT: Final = 900
"""Seconds to pull an image and become healthy, in addition to the health check's own time."""
_STOP_TIMEOUT: Final = 10
_BROKEN: Final = "\x80"
"""The generator of Podman 5.4 writes this character as a byte that is no UTF-8, so systemd would refuse the service."""


def container_unit(plan: Plan, unit: Unit, names: UnitNames) -> bytes:
    """The text of the unit. EnvctlError if Podman cannot have its values."""
    sections = {
        "Unit": _unit_section(plan, unit, names),
        "Container": _container_section(unit, names),
        "Service": _service_section(unit, names),
        "Install": [("WantedBy", "default.target")],
    }
    about = "Made by envctl export; changes belong in the spec, or in a drop-in file."
    text = unit_file(sections, about=about)
    if _BROKEN.encode() in text:
        raise EnvctlError(
            f"{unit.name}: Podman's generator cannot write the character U+0080",
            where=unit.where,
            hint="remove it from the values of the service",
        )
    return text


def _unit_section(plan: Plan, unit: Unit, names: UnitNames) -> Iterator[tuple[str, str]]:
    text = f"{unit.name} of {plan.scope.project}/{plan.scope.environment}"
    yield "Description", description(text)
    for service in unit.depends_on:
        for needed in plan.replicas(service):
            yield "Requires", f"{names.container(needed)}.service"
            yield "After", f"{names.container(needed)}.service"
    if unit.run.restart is not Restart.NO and unit.kind is not Kind.TASK:
        yield "StartLimitIntervalSec", "0"


# --- [Container] ----------------------------------------------------------------------------


def _container_section(unit: Unit, names: UnitNames) -> Iterator[tuple[str, str]]:
    yield "Image", _raw(names.image(unit.source))
    yield "ContainerName", names.container(unit)
    yield from _process(unit, names)
    yield from _network(unit, names)
    yield from _storage(unit, names)
    yield from _health(unit)
    yield from _rights(unit)
    yield from _options(unit.run.options)
    if unit.run.platform:
        yield _podman_option("platform", unit.run.platform)


def _raw(text: str) -> str:
    """A value that Podman takes as it is; systemd replaces specifiers and variables in the command it becomes."""
    return setting(text).replace("$", "$$")


def _value(key: str, option: str, text: str) -> tuple[str, str]:
    """A setting that Podman does not split into words, or the option with quotes."""
    return (key, _raw(text)) if is_plain(text) else _podman_option(option, text)


def _podman_option(option: str, text: str) -> tuple[str, str]:
    return "PodmanArgs", argument(f"--{option}={text}")


def exec_words(argv: Sequence[str]) -> str:
    """The words of a command, for `Exec=`."""
    return " ".join(argument(text) if text else EMPTY for text in argv)


def _process(unit: Unit, names: UnitNames) -> Iterator[tuple[str, str]]:
    process = unit.run.process
    if process.argv is not None:
        yield "Exec", exec_words(_with_secrets(unit, process.argv))
    if process.user is not None:
        yield _value("User", "user", process.user)
    if process.workdir is not None:
        yield _value("WorkingDir", "workdir", process.workdir)
    for name, value in sorted(process.env.items()):
        yield "Environment", argument(f"{name}={value}")
    for name, secret in secret_variables(unit).items():
        yield "Secret", f"{names.secret(secret)},type=env,target={name}"
    yield "RunInit", "true"


def _with_secrets(unit: Unit, argv: Sequence[str]) -> Sequence[str]:
    """A command that reads the variables with secrets first. Only the entrypoint of built images is known."""
    return wrapped(unit.run, argv) if isinstance(unit.source, Build) else argv


def secret_variables(unit: Unit) -> Mapping[str, str]:
    """For a unit whose entrypoint is unknown, the variables that are a secret and nothing else, by name that secret."""
    if isinstance(unit.source, Build):
        return {}
    return {
        name: secrets_of(template)[0]
        for name, template in sorted(unit.run.process.secret_env.items())
        if len([*parts(template)]) == 1 and template == of_secret(secrets_of(template)[0])
    }


def _network(unit: Unit, names: UnitNames) -> Iterator[tuple[str, str]]:
    if unit.run.options.get("network_mode") == "none":
        yield "Network", "none"
        return
    yield "Network", names.network_unit
    aliases = dict.fromkeys((unit.name, *(unit.run.aliases or (unit.service,))))
    for alias in aliases:
        yield "NetworkAlias", _raw(alias)
    if "hostname" not in unit.run.options:
        yield "HostName", _raw(unit.name)
    for port in unit.run.ports:
        yield "PublishPort", _published(port)


def _published(port: Port) -> str:
    address = f"[{port.address}]" if ":" in port.address else port.address
    return f"{address}:{port.host or ''}:{port.container}/{port.protocol}"


def _storage(unit: Unit, names: UnitNames) -> Iterator[tuple[str, str]]:
    run = unit.run
    label = str(run.options.get("selinux", ""))
    for mount in (*run.mounts, *protected(run.mounts)):
        yield "Mount", argument(_bind(mount, label))
    for path in covered(run.mounts):
        fields = ["type=tmpfs", f"destination={path}", "ro=true", "tmpfs-size=4096"]
        yield "Mount", argument(_csv([*fields, "notmpcopyup"]))
    for volume in run.volumes:
        source = f"source={names.volume_unit(volume.name)}"
        read_only = ["ro=true"] if volume.read_only else []
        fields = ["type=volume", source, f"destination={volume.target}", *read_only]
        yield "Mount", argument(_csv(fields))
    owner = user_numbers(unit)
    rights = f",uid={owner[0]},gid={owner[1]},mode=0400" if owner else ""
    for secret in run.secrets:
        if "," in secret.target:
            raise EnvctlError(
                f"{unit.name}: Podman cannot have a secret at {secret.target}, which has a comma",
                hint="choose another target in the spec",
            )
        name = names.secret(secret.name)
        yield "Secret", argument(f"{name},type=mount,target={secret.target}{rights}")


def _bind(mount: Mount, label: str) -> str:
    fields = ["type=bind", f"source={mount.source}", f"destination={mount.target}"]
    if mount.read_only:
        fields.append("ro=true")
    if label:
        fields.append(f"relabel={label}")
    return _csv(fields)


def _csv(fields: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()


def user_numbers(unit: Unit) -> tuple[int, int] | None:
    """The numbers of the unit's user and its group, if the spec or the build decides them."""
    user = unit.run.process.user
    if user in (None, "root", "0"):
        return (0, 0) if user is not None or isinstance(unit.source, Build) else None
    if user.isdigit():
        return int(user), 0
    steps = unit.source.all_steps if isinstance(unit.source, Build) else ()
    created = (step for step in steps if isinstance(step, CreateUser) and step.name == user)
    step = next(created, None)
    return None if step is None else (step.uid, step.uid if step.gid is None else step.gid)


def _health(unit: Unit) -> Iterator[tuple[str, str]]:
    is_built = isinstance(unit.source, Build)
    declared = probe.with_secrets(unit.run) if is_built else unit.run.probe
    if declared is None:
        # Otherwise the image's own check would run.
        yield "HealthCmd", "none"
        return
    yield "HealthCmd", _raw(health_command(declared))
    yield "HealthInterval", f"{declared.interval:g}s"
    yield "HealthTimeout", f"{declared.timeout:g}s"
    yield "HealthRetries", str(declared.retries)
    yield "HealthStartPeriod", f"{declared.start_period:g}s"
    if unit.kind is not Kind.TASK:
        yield "Notify", "healthy"


def health_command(declared: Probe) -> str:
    """The check as JSON. Podman runs an array of one word with a shell, so that one gets a program in front."""
    argv = probe.test(declared)
    return json.dumps(argv if len(argv) > 1 else ["/usr/bin/env", *argv], ensure_ascii=False)


def _rights(unit: Unit) -> Iterator[tuple[str, str]]:
    yield "DropCapability", "all"
    for capability in unit.run.process.capabilities:
        yield "AddCapability", capability
    yield "NoNewPrivileges", "true"
    resources = unit.run.resources
    if resources.memory is not None:
        yield _podman_option("memory", str(resources.memory))
        yield _podman_option("memory-swap", str(resources.memory))
    if resources.cpus is not None:
        yield _podman_option("cpus", f"{resources.cpus:g}")


_KEYS: Final[Mapping[str, str]] = {
    "devices": "AddDevice",
    "dns": "DNS",
    "dns_opt": "DNSOption",
    "dns_search": "DNSSearch",
    "extra_hosts": "AddHost",
    "hostname": "HostName",
    "pids_limit": "PidsLimit",
    "shm_size": "ShmSize",
    "stop_signal": "StopSignal",
    "stop_timeout": "StopTimeout",
}
"""Options of the container whose values are written as they are, and Podman's keys for them."""


def _options(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in sorted(options.items()):
        for text in _texts(value) if name in _KEYS else ():
            yield _KEYS[name], _raw(text)
    if options.get("read_only"):
        yield "ReadOnly", "true"
        # Podman would keep some folders writable.
        yield "ReadOnlyTmpfs", "false"
    for name, value in sorted(options.get("labels", {}).items()):
        yield "Label", argument(f"{name}={value}")
    if "cpu_shares" in options:
        yield _podman_option("cpu-shares", str(options["cpu_shares"]))
    if "domainname" in options:
        yield _podman_option("domainname", str(options["domainname"]))
    for name, value in sorted(options.get("sysctls", {}).items()):
        yield "Sysctl", argument(f"{name}={value}")
    for path, settings in sorted(options.get("tmpfs", {}).items()):
        yield "Tmpfs", _raw(f"{path}:{settings}" if settings else path)
    for name, (soft, hard) in ulimits.read(options.get("ulimits", {})).items():
        yield "Ulimit", f"{name}={soft}:{hard}"


def _texts(value: Any) -> Sequence[str]:
    if isinstance(value, Mapping):
        return [f"{name}:{item}" for name, item in sorted(value.items())]
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]


# --- [Service] ------------------------------------------------------------------------------


def _service_section(unit: Unit, names: UnitNames) -> Iterator[tuple[str, str]]:
    if unit.kind is Kind.TASK:
        yield "Type", "oneshot"
        yield "RemainAfterExit", "yes"
    else:
        declared = unit.run.probe
        wait = declared.start_period + declared.retries * declared.interval if declared else 0
        yield "Restart", str(unit.run.restart)
        yield "RestartSec", "1"
        yield "TimeoutStartSec", str(_START_TIMEOUT + ceil(wait))
    stop = int(unit.run.options.get("stop_timeout", _STOP_TIMEOUT))
    yield "TimeoutStopSec", str(stop + 60)
    run = ("/usr/bin/podman", "exec", names.container(unit))
    for argv in unit.hooks.after_start:
        yield "ExecStartPost", arguments((*run, *_with_secrets(unit, argv)))
    for argv in unit.hooks.before_stop:
        # A failed hook does not keep the container from being stopped.
        yield "ExecStop", f"-{arguments((*run, *_with_secrets(unit, argv)))}"
