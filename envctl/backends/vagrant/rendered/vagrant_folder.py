"""The rendered folder: a Vagrantfile, scripts for each machine, and its units. It works without envctl. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from envctl.backends.common.step_views import (
    ALL_IS_SENT,
    DOCKERIGNORE,
    ContextFile,
    context_files,
    own_context,
    own_dockerfile,
    secret_variable,
    slug,
)
from envctl.backends.vagrant import layout
from envctl.backends.vagrant.machine import vagrantfile
from envctl.backends.vagrant.names import vagrant_name
from envctl.backends.vagrant.provision import provision_script
from envctl.backends.vagrant.provision.stage_problems import require_one_base
from envctl.backends.vagrant.quoting import FUNCTIONS
from envctl.backends.vagrant.rendered import box_catalogue, start_script
from envctl.backends.vagrant.rendered.addresses import Network, machine_name
from envctl.backends.vagrant.unit import container, guest_setup, log_scripts
from envctl.backends.vagrant.unit.unit_paths import UnitPaths, secret_file
from envctl.plan.artifact import Artifact
from envctl.plan.build_secrets import build_secrets
from envctl.plan.model import (
    Build,
    BuildSecret,
    DockerfileBuild,
    Mount,
    Plan,
    ReadyImage,
    Secret,
    Source,
    Unit,
)

_TRUST: Final = "trust/ca.crt"
_OTHER_BASE: Final = "give both the same base; `envctl up` with a container engine and folders rendered for Docker can have several"


def artifacts(plan: Plan, *, trust: Path | None = None) -> tuple[Artifact, ...]:
    """The files of the rendered folder. With `trust`, its builds trust that CA bundle while they run."""
    network = Network.of(plan)
    files = {
        "Vagrantfile": _template(
            "Vagrantfile", "vagrant/rendered.Vagrantfile.j2", _vagrantfile(plan, network, trust)
        ),
        "README.md": _template("README.md", "vagrant/README.md.j2", _readme(plan, network, trust)),
        "provision/envctl.rb": _template(
            "provision/envctl.rb",
            "vagrant/envctl.rb.j2",
            {"program": log_scripts.PROGRAM, "log_service": log_scripts.SERVICE_FILE},
        ),
        "output/program": _text("output/program", log_scripts.PROGRAM_TEXT),
        "output/service": _text("output/service", log_scripts.SERVICE),
    }
    for name, units in _machines(plan).items():
        machine_artifacts = [
            *_machine(name, units, network, trust=trust is not None),
            *_files(units[0].source),
        ]
        files |= {artifact.path: artifact for artifact in machine_artifacts}
        for unit in units:
            files |= {artifact.path: artifact for artifact in _unit(unit)}
    if trust:
        files[_TRUST] = _text(_TRUST, trust.read_text(encoding="utf-8", errors="replace"))
    return tuple(files[path] for path in sorted(files))


def _template(path: str, template: str, context: Mapping[str, Any], mode: int = 0o644) -> Artifact:
    return Artifact(path, template, {**FUNCTIONS, **context}, mode=mode)


def _text(path: str, text: str, mode: int = 0o644) -> Artifact:
    return _template(path, "vagrant/text.j2", {"text": text}, mode)


def _machines(plan: Plan) -> Mapping[str, list[Unit]]:
    """By machine, its units in start order."""
    machines: dict[str, list[Unit]] = {}
    for unit in plan.units:
        machines.setdefault(machine_name(plan, unit), []).append(unit)
    return machines


# --- files of a machine ---------------------------------------------------------------------


def _machine(
    name: str, units: Sequence[Unit], network: Network, *, trust: bool
) -> Iterator[Artifact]:
    source = units[0].source
    script = f"provision/{name}.sh"
    if isinstance(source, Build):
        require_one_base(units[0].service, source, hint=_OTHER_BASE, key=box_catalogue.box_of_base)
        values = provision_script.context(name, source, trust=trust)
        yield _template(script, provision_script.TEMPLATE, values, 0o755)
    else:
        values = _container(name, source)
        yield _template(script, "vagrant/container.sh.j2", values, 0o755)
    values = {
        "host": name,
        "mac": network.mac(name),
        "address": network.numbers[name],
        "others": network.table(name, shared=layout.is_shared(units[0])),
        "volumes": _volumes(units[0]),
    }
    yield _template(f"machines/{name}.sh", "vagrant/machine.sh.j2", values, 0o755)


def _container(name: str, source: Source) -> Mapping[str, Any]:
    """The template values of the script that pulls or builds a container image in a machine."""
    shared = {"name": name, "tag": container.NAME, "engine": "\n".join(container.start_engine())}
    if isinstance(source, ReadyImage):
        return {**shared, "image": source.image}
    assert isinstance(source, DockerfileBuild)
    arguments = [f"--build-arg={key}={value}" for key, value in sorted(source.args.items())]
    target = [f"--target={source.target}"] if source.target else []
    return {
        **shared,
        "image": "",
        "arguments": [*target, *arguments],
        "dockerfile": f"{_folder(source)}.Dockerfile",
        "folder": _folder(source),
    }


def _folder(source: DockerfileBuild) -> str:
    """The folder of a Dockerfile's build context. The Dockerfile is next to it."""
    return f"context/{slug(posixpath.basename(source.context) or 'project')}-{source.digest[:12]}"


def _files(source: Source) -> Iterator[Artifact]:
    if isinstance(source, DockerfileBuild):
        dockerfile = replace(own_dockerfile(source), mode=0o644)
        yield _file(f"{_folder(source)}.Dockerfile", dockerfile)
        for path, file in own_context(source).items():
            yield _file(f"{_folder(source)}/{path}", file)
        if DOCKERIGNORE in own_context(source):
            text = ContextFile(text=ALL_IS_SENT)
            yield _file(f"{_folder(source)}.Dockerfile{DOCKERIGNORE}", text)
    if isinstance(source, Build):
        yield from (_file(path, file) for path, file in context_files(source).items())


def _file(path: str, file: ContextFile) -> Artifact:
    if file.text is None:
        return Artifact(path, copy_of=file.source, mode=file.mode, entry=file.entry)
    return _text(path, file.text, file.mode)


def _unit(unit: Unit) -> Iterator[Artifact]:
    paths = UnitPaths(unit.name, layout.is_shared(unit))
    texts = {
        "service": guest_setup.service(unit, paths),
        "run": guest_setup.run_script(unit, paths),
    }
    for name, text in texts.items():
        yield _text(f"units/{unit.name}/{name}", text)
    values = start_script.context(unit, paths)
    yield _template(f"units/{unit.name}/start.sh", start_script.TEMPLATE, values, 0o755)


# --- values for the Vagrantfile and the README ----------------------------------------------


def _vagrantfile(plan: Plan, network: Network, trust: Path | None) -> Mapping[str, Any]:
    machines = _machines(plan)
    return {
        "root": plan.scope.root,
        "mounts": any(unit.run.mounts for unit in plan.units),
        **vagrantfile.processor(),
        "network": network.addresses,
        "network_name": network.name,
        "prefix": f"{network.name}_",
        "files": provision_script.FILES,
        "machines": [
            _defined(plan, name, units, network=network, trust=trust is not None)
            for name, units in machines.items()
        ],
    }


def _defined(
    plan: Plan, name: str, units: Sequence[Unit], *, network: Network, trust: bool
) -> Mapping[str, Any]:
    machine = layout.machine_of(units[0])
    paths = {path.split("/")[1] for path in (file.path for file in _files(machine.source))}
    return {
        "name": name,
        "called": vagrant_name(name),
        "box": box_catalogue.published_box(machine.source),
        "number": network.numbers[name],
        "mac": network.mac(name).replace(":", ""),
        "cpus": machine.cpus,
        "memory": machine.memory,
        "mounts": [_mount(plan, mount) for mount in machine.mounts],
        "ports": [
            {"container": port.container, "host": network.port(unit, port), "address": port.address}
            for unit in units
            for port in unit.run.ports
        ],
        "disks": vagrantfile.disks(machine, network.disk),
        "units": [{"name": unit.name, "secrets": _secrets(unit)} for unit in units],
        "build_secrets": [secret_variable(secret) for secret in build_secrets(machine.source)],
        "paths": [*(f"context/{path}" for path in sorted(paths)), *(["trust"] if trust else [])],
    }


def _secrets(unit: Unit) -> Sequence[Mapping[str, str]]:
    paths = UnitPaths(unit.name, layout.is_shared(unit))
    return [
        {"variable": secret_variable(secret), "path": secret_file(secret, paths)}
        for secret in unit.run.secrets
    ]


def _volumes(unit: Unit) -> Sequence[Mapping[str, str]]:
    volumes = enumerate(layout.machine_of(unit).volumes)
    return [{"serial": f"volume{number}", "target": volume.target} for number, volume in volumes]


def _mount(plan: Plan, mount: Mount) -> Mapping[str, Any]:
    """A mounted folder. A path inside the project is relative to it, so that the project can move."""
    root = plan.scope.root.rstrip("/")
    inside = mount.source == root or mount.source.startswith(f"{root}/")
    source = mount.source[len(root) :] if inside else mount.source
    return {
        "inside": inside,
        "source": source,
        "target": mount.target,
        "read_only": mount.read_only,
    }


def _readme(plan: Plan, network: Network, trust: Path | None) -> Mapping[str, Any]:
    secrets: dict[str, Secret | BuildSecret] = {}
    for unit in plan.units:
        secrets |= {secret.name: secret for secret in build_secrets(unit.source)}
        secrets |= {secret.name: secret for secret in unit.run.secrets}
    disks = {volume: network.disk(volume) for volume in plan.volumes()}
    boxes = dict.fromkeys(box_catalogue.published_box(unit.source) for unit in plan.units)
    return {
        "project": plan.scope.project,
        "environment": plan.scope.environment,
        "root": plan.scope.root,
        "box": ", ".join(boxes),
        "secrets": [
            {"name": name, "variable": secret_variable(secrets[name])} for name in sorted(secrets)
        ],
        "addresses": [
            {"unit": unit.name, "at": f"{port.address}:{network.port(unit, port)}"}
            for unit in plan.units
            for port in unit.run.ports
        ],
        "disks": [{"volume": volume, "path": path} for volume, path in disks.items()],
        "mounts": any(unit.run.mounts for unit in plan.units),
        "machines": [
            {"name": vagrant_name(name), "units": [unit.name for unit in units]}
            for name, units in _machines(plan).items()
        ],
        "hooks": any(unit.hooks.after_start or unit.hooks.before_stop for unit in plan.units),
        "trust": trust is not None,
    }
