"""The pod of a service: its container, what it may do, and what is mounted."""

from __future__ import annotations

import math
import posixpath
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from envctl.backends.common import probe as probes
from envctl.exports.kubernetes.names import config_name, image_name, label_name, secret_name
from envctl.plan.digest import digest
from envctl.plan.model import (
    Build,
    Plan,
    Probe,
    ProbeKind,
    Secret,
    Unit,
)
from envctl.plan.secret_templates import parts

Manifest = Mapping[str, Any]

_SECRETS: Final = "/run/secrets"
_LOCAL: Final = frozenset({"", "127.0.0.1", "localhost", "::1"})
_DEBIAN_USERS: Final[Mapping[str, int]] = {
    "root": 0,
    "daemon": 1,
    "bin": 2,
    "sys": 3,
    "lp": 7,
    "mail": 8,
    "news": 9,
    "uucp": 10,
    "proxy": 13,
    "www-data": 33,
    "backup": 34,
    "list": 38,
    "nobody": 65534,
}
"""Users that every Debian system has, with groups of the same numbers, by its package base-passwd."""


def pod(plan: Plan, unit: Unit, labels: Mapping[str, str]) -> dict[str, Any]:
    """The template of a service's pods."""
    run = unit.run
    config = {"envctl/config": digest(dict(run.process.env))} if run.process.env else {}
    spec: dict[str, Any] = {"automountServiceAccountToken": False, "enableServiceLinks": False}
    numbers = user_numbers(unit)
    if numbers and numbers[0] != 0:
        spec["securityContext"] = {"fsGroup": numbers[0], "fsGroupChangePolicy": "OnRootMismatch"}
    if "hostname" in run.options:
        spec["hostname"] = run.options["hostname"]
    if run.platform:
        spec["nodeSelector"] = {"kubernetes.io/arch": run.platform.split("/")[1]}
    if "stop_timeout" in run.options:
        spec["terminationGracePeriodSeconds"] = run.options["stop_timeout"]
    if numbers is None and run.process.user and (paths := _writable_volumes(unit)):
        spec["initContainers"] = [_owning_container(plan, unit, paths)]
    spec["containers"] = [_container(plan, unit)]
    if volumes := [*_volumes(plan, unit)]:
        spec["volumes"] = volumes
    metadata: dict[str, Any] = {"labels": dict(labels)}
    return {"metadata": {**metadata, **({"annotations": config} if config else {})}, "spec": spec}


def user_numbers(unit: Unit) -> tuple[int, int] | None:
    """The user's and the group's number; None if only the image knows them.

    Even of a user that envctl creates: a package may have created one of that name, with another number.
    """
    user = unit.run.process.user or ""
    if user.isdecimal():
        return int(user), 0  # as an engine runs a number
    return (_DEBIAN_USERS[user],) * 2 if user in _DEBIAN_USERS else None


def _container(plan: Plan, unit: Unit) -> dict[str, Any]:
    run = unit.run
    container: dict[str, Any] = {
        "name": label_name(unit.service),
        "image": image_name(plan, unit),
    }
    if run.process.argv is not None:
        # Kubernetes replaces $(NAME) in commands, and envctl does not.
        container["command" if isinstance(unit.source, Build) else "args"] = [
            _literal(word) for word in run.process.argv
        ]
    if run.process.workdir:
        container["workingDir"] = run.process.workdir
    if run.process.env:
        container["envFrom"] = [{"configMapRef": {"name": config_name(unit)}}]
    if env := [*_secret_variables(plan, unit)]:
        container["env"] = env
    if run.ports:
        container["ports"] = [
            {"containerPort": port.container, "protocol": port.protocol.upper()}
            for port in run.ports
        ]
    if resources := _resources(unit):
        container["resources"] = resources
    if unit.run.probe is not None:
        container |= _probes(unit.run.probe)
    if hooks := _hooks(unit):
        container["lifecycle"] = hooks
    container["securityContext"] = _security(unit)
    if mounts := [*_mounts(unit)]:
        container["volumeMounts"] = mounts
    return container


def _literal(text: str) -> str:
    """A text in which Kubernetes replaces nothing."""
    return text.replace("$(", "$$(")


def _secret_variables(plan: Plan, unit: Unit) -> Iterator[Manifest]:
    """Variables that contain secrets, by reference. A secret within a longer text needs a variable of its own."""
    templates = unit.run.process.secret_env
    helpers: dict[str, str] = {}
    for name, template in sorted(templates.items()):
        pieces = [*parts(template)]
        if len(pieces) == 1:
            yield {"name": name, "valueFrom": _reference(plan, pieces[0][1])}
            continue
        for _, secret in pieces:
            if secret and secret not in helpers:
                helpers[secret] = f"ENVCTL_SECRET_{secret.upper()}"
                yield {"name": helpers[secret], "valueFrom": _reference(plan, secret)}
        value = "".join(
            f"$({helpers[secret]})" if secret else _literal(text) for text, secret in pieces
        )
        yield {"name": name, "value": value}


def _reference(plan: Plan, secret: str) -> Manifest:
    return {"secretKeyRef": {"name": secret_name(plan), "key": secret}}


def _resources(unit: Unit) -> Manifest:
    limits: dict[str, str] = {}
    if unit.run.resources.cpus is not None:
        limits["cpu"] = f"{round(unit.run.resources.cpus * 1000)}m"
    if unit.run.resources.memory is not None:
        limits["memory"] = str(unit.run.resources.memory)
    return {"limits": limits} if limits else {}


def _probes(probe: Probe) -> Manifest:
    period, patience = max(1, round(probe.interval)), max(1, math.ceil(probe.timeout))
    action = _probe_action(probe)
    start = math.ceil(probe.start_period / period) + probe.retries
    times = {"periodSeconds": period, "timeoutSeconds": patience}
    return {
        "startupProbe": {**action, **times, "failureThreshold": start},
        "readinessProbe": {**action, **times, "failureThreshold": probe.retries},
    }


def _probe_action(probe: Probe) -> Manifest:
    if probe.kind is ProbeKind.HTTP:
        url = urlsplit(probe.test[0])
        if url.hostname in _LOCAL and url.scheme in ("http", "https"):
            port = url.port or {"http": 80, "https": 443}[url.scheme]
            path = (url.path or "/") + (f"?{url.query}" if url.query else "")
            return {"httpGet": {"scheme": url.scheme.upper(), "port": port, "path": path}}
    if probe.kind is ProbeKind.TCP and probe.test[0] in _LOCAL:
        return {"tcpSocket": {"port": int(probe.test[1])}}
    return {"exec": {"command": [*probes.test(probe)]}}


def _hooks(unit: Unit) -> Manifest:
    """Hooks; a container has one command at each end, so several are run by a shell, one after the other."""
    hooks: dict[str, Any] = {}
    for name, commands in (
        ("postStart", unit.hooks.after_start),
        ("preStop", unit.hooks.before_stop),
    ):
        if commands:
            hooks[name] = {"exec": {"command": [*_one_command(commands)]}}
    return hooks


def _one_command(commands: Sequence[Sequence[str]]) -> Sequence[str]:
    if len(commands) == 1:
        return commands[0]
    return ("/bin/sh", "-ec", "\n".join(map(shlex.join, commands)))


def _security(unit: Unit) -> Manifest:
    security: dict[str, Any] = {"allowPrivilegeEscalation": False}
    added = sorted(unit.run.process.capabilities)
    security["capabilities"] = {"drop": ["ALL"], **({"add": added} if added else {})}
    if unit.run.options.get("read_only"):
        security["readOnlyRootFilesystem"] = True
    if numbers := user_numbers(unit):
        user, group = numbers
        security |= {"runAsUser": user, "runAsGroup": group, "runAsNonRoot": user != 0}
    security["seccompProfile"] = {"type": "RuntimeDefault"}
    return security


def _writable_volumes(unit: Unit) -> Sequence[str]:
    return [volume.target for volume in unit.run.volumes if not volume.read_only]


def _owning_container(plan: Plan, unit: Unit, paths: Sequence[str]) -> Manifest:
    """Gives new volumes to a user whose number only the image knows."""
    mounts = [mount for mount in _mounts(unit) if mount["mountPath"] in paths]
    return {
        "name": "own-volumes",
        "image": image_name(plan, unit),
        "command": ["chown", "--", unit.run.process.user, *paths],
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE", "FOWNER"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": mounts,
    }


def _mounts(unit: Unit) -> Iterator[Manifest]:
    for volume in unit.run.volumes:
        read_only = {"readOnly": True} if volume.read_only else {}
        yield {"name": label_name(volume.name), "mountPath": volume.target, **read_only}
    if any(map(_is_in_secrets_folder, unit.run.secrets)):
        yield {"name": "envctl-secrets", "mountPath": _SECRETS, "readOnly": True}
    for secret in unit.run.secrets:
        if not _is_in_secrets_folder(secret):
            yield {
                "name": "envctl-secrets",
                "mountPath": secret.target,
                "subPath": _item_path(secret),
                "readOnly": True,
            }
    for index, path in enumerate(sorted(unit.run.options.get("tmpfs", {}))):
        yield {"name": f"tmpfs-{index}", "mountPath": path}


def _is_in_secrets_folder(secret: Secret) -> bool:
    return posixpath.dirname(secret.target) == _SECRETS


def _item_path(secret: Secret) -> str:
    """The path of a secret's file in the volume of all secrets."""
    name = posixpath.basename(secret.target)
    return name if _is_in_secrets_folder(secret) else f"elsewhere/{secret.name}"


def _volumes(plan: Plan, unit: Unit) -> Iterator[Manifest]:
    for name in sorted({volume.name for volume in unit.run.volumes}):
        yield {"name": label_name(name), "persistentVolumeClaim": {"claimName": label_name(name)}}
    if unit.run.secrets:
        # With a known group, fsGroup lets only that group read; else the user has to, whoever it is.
        mode = 0o400 if user_numbers(unit) else 0o444
        items = [{"key": secret.name, "path": _item_path(secret)} for secret in unit.run.secrets]
        source = {"secretName": secret_name(plan), "defaultMode": mode, "items": items}
        yield {"name": "envctl-secrets", "secret": source}
    for index, _ in enumerate(sorted(unit.run.options.get("tmpfs", {}))):
        yield {"name": f"tmpfs-{index}", "emptyDir": {"medium": "Memory"}}
