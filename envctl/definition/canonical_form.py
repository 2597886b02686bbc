"""Authoring forms → canonical data: what the short forms and defaults come to."""

from __future__ import annotations

import posixpath
from typing import Literal

from envctl.definition.canonical import (
    CanonicalAcceptance,
    CanonicalBase,
    CanonicalDockerfile,
    CanonicalMount,
    CanonicalPort,
    CanonicalProbe,
    CanonicalSecret,
    CanonicalService,
    CanonicalStep,
)
from envctl.definition.running import HealthForm, MountForm, PortForm
from envctl.definition.schema import AcceptForm, ServiceForm
from envctl.definition.steps import BaseForm, DockerfileForm, SecretForm, StepForm


def base(given: BaseForm | None) -> CanonicalBase | None:
    """A base; one that has a name gets its image and box from the catalogue."""
    if given is None:
        return None
    return {
        "name": given.name or "",
        "image": given.image or "",
        "box": given.box or "",
        "snapshot": given.snapshot or "",
    }


def secret(given: SecretForm) -> CanonicalSecret:
    """The sources of a secret."""
    return {
        "env": given.env,
        "file": given.file,
        "command": given.command,
        "generate": given.generate,
    }


def acceptance(given: AcceptForm) -> CanonicalAcceptance:
    """What `parity` accepts."""
    return {
        "unit": given.unit,
        "category": given.category,
        "key": given.key,
        "reason": " ".join(given.reason.split()),
    }


def service(given: ServiceForm, default: CanonicalBase | None) -> CanonicalService:
    """A service; `default` is the file's base. Conditions left open in `depends_on` stay ""."""
    ready = given.image is not None or given.dockerfile is not None
    return {
        "kind": given.kind,  # type: ignore[typeddict-item]
        "base": base(given.base) or (None if ready else default),
        "image": given.image,
        "dockerfile": _dockerfile(given.dockerfile),
        "platform": given.platform,
        "packages": list(dict.fromkeys(given.packages)),
        "build": [_step(step) for step in given.build],
        "user": {"name": given.user.name, "uid": given.user.uid} if given.user else None,
        "workdir": given.workdir,
        "env": given.env,
        "command": given.command,
        "ports": [_port(port) for port in given.ports],
        "mounts": [_mount(mount) for mount in given.mounts],
        "volumes": {
            name: {"target": volume.target, "read_only": volume.read_only, "owner": volume.owner}
            for name, volume in given.volumes.items()
        },
        "secrets": [
            {"name": use.name, "target": use.target or f"/run/secrets/{use.name}"}
            for use in given.secrets
        ],
        "healthcheck": _probe(given.healthcheck),
        "depends_on": given.depends_on,  # type: ignore[typeddict-item]
        "replicas": given.replicas,
        "resources": {"cpus": given.resources.cpus, "memory": given.resources.memory},
        "restart": given.restart,  # type: ignore[typeddict-item]
        "checks": [
            {"name": name, "command": check.command, "timeout": check.timeout}
            for name, check in given.checks.items()
        ],
        "hooks": {
            "after_start": given.hooks.after_start,
            "before_stop": given.hooks.before_stop,
        },
        "capabilities": list(dict.fromkeys(given.capabilities)),
        "options": given.options,
    }


def _dockerfile(given: DockerfileForm | None) -> CanonicalDockerfile | None:
    if given is None:
        return None
    context = given.context or posixpath.dirname(given.file) or "."
    return {"file": given.file, "context": context, "target": given.target, "args": given.args}


def _step(given: StepForm) -> CanonicalStep:
    if given.copy_ is not None:
        copy = given.copy_
        return {
            "step": "copy",
            "source": copy.source,
            "target": copy.to,
            "owner": copy.owner,
            "mode": copy.mode,
            "exclude": copy.exclude,
        }
    if given.run is not None:
        run = given.run
        return {
            "step": "run",
            "command": run.command,
            "user": run.user,
            "workdir": run.workdir,
            "env": run.env,
            "secrets": run.secrets,
        }
    if given.pip is not None:
        pip = given.pip
        return {
            "step": "pip",
            "venv": pip.venv,
            "requirements": pip.requirements,
            "packages": pip.packages,
        }
    if given.npm is not None:
        npm = given.npm
        return {
            "step": "npm",
            "directory": npm.directory,
            "packages": npm.packages,
            "production": npm.production,
        }
    template = given.template
    assert template is not None  # a step has one kind
    return {
        "step": "template",
        "source": template.source,
        "target": template.to,
        "values": template.values,
        "owner": template.owner,
        "mode": template.mode,
    }


def _port(given: PortForm) -> CanonicalPort:
    return {
        "container": given.container,
        "host": given.host or 0,
        "address": "0.0.0.0" if given.public else "127.0.0.1",  # noqa: S104 — asked for by `public`
        "protocol": given.protocol,
    }


def _mount(given: MountForm) -> CanonicalMount:
    return {"source": given.source, "target": given.target, "read_only": given.read_only}


def _probe(given: HealthForm | None) -> CanonicalProbe | None:
    if given is None:
        return None
    kind, test = _asked(given)
    return {
        "kind": kind,
        "test": test,
        "interval": given.interval,
        "timeout": given.timeout,
        "retries": given.retries,
        "start_period": given.start_period,
        "start_interval": given.start_interval,
    }


def _asked(given: HealthForm) -> tuple[Literal["http", "tcp", "command"], list[str]]:
    if given.http is not None:
        return "http", [given.http]
    if given.tcp is not None:
        host, _, port = given.tcp.rpartition(":")
        return "tcp", [host, port]
    return "command", given.command or []
