"""`quadlet`: a folder of units for Podman's generator, with Dockerfiles, and what became of each key of the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from envctl.backends.common.step_views import slug
from envctl.conversion.conversion_report import KeyOutcome
from envctl.exports.compose_export import BUILD_RULES
from envctl.exports.export_format import (
    ExportedFiles,
    ExportedTarget,
    ExportFormat,
    KeyNote,
    KeyRule,
    SetKey,
)
from envctl.exports.quadlet.container_unit import (
    container_unit,
    secret_variables,
    user_numbers,
)
from envctl.exports.quadlet.readme import readme
from envctl.exports.quadlet.unit_names import UnitNames, qualified
from envctl.exports.rule_words import drop, keep, other_backends, rules, translate
from envctl.exports.systemd_syntax import argument, unit_file
from envctl.plan.build_secrets import build_secrets
from envctl.plan.model import (
    Build,
    Condition,
    CopyFromStage,
    DockerfileBuild,
    Plan,
    Source,
)
from envctl.render.rendered_files import Content

_ABOUT: Final = "Made by envctl export; changes belong in the spec, or in a drop-in file."
_REPLACED: Final = frozenset({"compose.yaml", "README.md"})
"""Rendered files that are for Compose."""


def write(targets: Sequence[ExportedTarget]) -> ExportedFiles:
    """The units of one target, and what its images are built from."""
    (target,) = targets
    plan = target.plan
    names = UnitNames.of(plan)
    rendered, modes = target.render(_with_registries(plan))
    files = {path: content for path, content in rendered.items() if path not in _REPLACED}
    files |= _units(plan, names, files)
    files["README.md"] = readme(plan, names).encode()
    places = {unit.service: f"{names.container(unit)}.container" for unit in reversed(plan.units)}
    return ExportedFiles(
        dict(sorted(files.items())),
        {path: mode for path, mode in modes.items() if path in files},
        {"": "README.md", **places},
    )


def _with_registries(plan: Plan) -> Plan:
    """The plan with the registry in the names of all bases."""
    units = [replace(unit, source=_with_registry(unit.source)) for unit in plan.units]
    return replace(plan, units=tuple(units))


def _with_registry(source: Source) -> Source:
    return _build_with_registry(source) if isinstance(source, Build) else source


def _build_with_registry(build: Build) -> Build:
    steps = (
        replace(step, build=_build_with_registry(step.build))
        if isinstance(step, CopyFromStage)
        else step
        for step in build.steps
    )
    base = replace(build.base, image=qualified(build.base.image))
    return replace(build, base=base, steps=tuple(steps))


def _units(plan: Plan, names: UnitNames, rendered: Mapping[str, Content]) -> Mapping[str, bytes]:
    files = {names.network_unit: _network(names)}
    for volume in plan.volumes():
        section = [("VolumeName", names.volume(volume))]
        files[names.volume_unit(volume)] = unit_file({"Volume": section}, about=_ABOUT)
    for digest, build in plan.builds().items():
        files[names.build_unit(digest)] = _build(plan, names, build, rendered)
    for unit in plan.units:
        files[f"{names.container(unit)}.container"] = container_unit(plan, unit, names)
    return files


def _network(names: UnitNames) -> bytes:
    return unit_file({"Network": [("NetworkName", names.prefix)]}, about=_ABOUT)


def _build(
    plan: Plan, names: UnitNames, build: Build | DockerfileBuild, rendered: Mapping[str, Content]
) -> bytes:
    first = names.builds[build.digest]
    context = f"context/{slug(first)}" if isinstance(build, DockerfileBuild) else ""
    has_files = any(path.startswith(f"{context}/") for path in rendered)
    section = [
        ("ImageTag", f"localhost/envctl/{plan.scope.project}:{build.digest}"),
        ("File", f"{first}.Dockerfile"),
        ("SetWorkingDirectory", f"./{context}" if context and has_files else "unit"),
        *_build_arguments(build),
        *(
            ("Secret", f"id={secret.name},src=%E/{names.prefix}/secrets/{secret.name}")
            for secret in build_secrets(build)
        ),
    ]
    return unit_file({"Build": section}, about=_ABOUT)


def _build_arguments(build: Build | DockerfileBuild) -> Iterator[tuple[str, str]]:
    if isinstance(build, Build):
        return
    if build.target:
        yield "PodmanArgs", argument(f"--target={build.target}")
    if build.platform:
        yield "PodmanArgs", argument(f"--platform={build.platform}")
    for name, value in sorted(build.args.items()):
        yield "PodmanArgs", argument(f"--build-arg={name}={value}")


# --- the report -----------------------------------------------------------------------------


def _env_notes(key: SetKey) -> Iterator[KeyNote]:
    unit = key.plan.replicas(key.service)[0]
    if isinstance(unit.source, Build):
        return
    for name in unit.run.process.secret_env:
        if name not in secret_variables(unit):
            note = (
                "only the image knows its entrypoint, so nothing can put text and secrets together before it;"
                " remedy: a variable that is one secret, or a build with a `command`"
            )
            yield KeyNote(KeyOutcome.DROPPED, note, (name,))


def _port_notes(key: SetKey) -> Iterator[KeyNote]:
    for index, port in enumerate(key.plan.replicas(key.service)[0].run.ports):
        if not port.host:
            note = "PublishPort= without a number: Podman chooses another one at each start"
            yield KeyNote(KeyOutcome.TRANSLATED, note, (index,))


def _secret_notes(key: SetKey) -> Iterator[KeyNote]:
    if key.value and user_numbers(key.plan.replicas(key.service)[0]) is None:
        note = (
            "Secret=, which every user of the container can read, since only the image knows the number of its user;"
            " a number as `user` changes that"
        )
        yield KeyNote(KeyOutcome.TRANSLATED, note)


def _dependency_notes(key: SetKey) -> Iterator[KeyNote]:
    for service, condition in key.plan.replicas(key.service)[0].depends_on.items():
        needed = key.plan.replicas(service)
        if condition is Condition.STARTED and needed and needed[0].run.probe:
            note = "After=, which waits until it is healthy: systemd counts it as started then"
            yield KeyNote(KeyOutcome.TRANSLATED, note, (service,))


def _hook_notes(key: SetKey) -> Iterator[KeyNote]:
    if key.value and key.value.get("after_start"):
        yield KeyNote(KeyOutcome.TRANSLATED, "ExecStartPost= with podman exec", ("after_start",))
    if key.value and key.value.get("before_stop"):
        yield KeyNote(KeyOutcome.TRANSLATED, "ExecStop= with podman exec", ("before_stop",))


_RULES: Final[Mapping[str, KeyRule]] = rules(
    keep("top.project", "the beginning of all names"),
    keep("top.environment", "a part of all names"),
    translate("top.backend", "nothing: the units are for Podman"),
    translate("top.vars", "their values, where they are used"),
    translate("top.secrets", "secrets in Podman's store; README.md has the commands"),
    drop("top.accept", "it is for `envctl parity`; remedy: keep using envctl for it"),
    translate("kind", "a service; `Type=oneshot` for a task"),
    keep("image", "`Image=`, with its registry"),
    translate("dockerfile", "a `.build` unit with a copy of its context"),
    keep("platform", "`--platform`"),
    *BUILD_RULES,
    keep("user", "`User=`"),
    keep("workdir", "`WorkingDir=`"),
    keep("env", "`Environment=`; what contains a secret is put together at the start", _env_notes),
    keep("command", "`Exec=`"),
    keep("ports", "`PublishPort=`", _port_notes),
    keep("mounts", "`Mount=` of type bind; envctl's own state is covered"),
    keep("volumes", "`.volume` units and `Mount=`"),
    keep("secrets", "`Secret=`", _secret_notes),
    keep("healthcheck", "`HealthCmd=` and `Notify=healthy`"),
    keep("depends_on", "`Requires=` and `After=`", _dependency_notes),
    translate("profiles", "nothing: only the services of the chosen profiles are exported"),
    translate("replicas", "a unit for each"),
    keep("resources", "`--memory` and `--cpus`"),
    keep("restart", "`Restart=`"),
    drop("restart_on", "it is for `envctl watch`; remedy: `systemctl restart` after a change"),
    drop("checks", "they are for `envctl verify`; remedy: keep using envctl for it"),
    keep("hooks", notes=_hook_notes),
    keep("capabilities", "`DropCapability=all` and `AddCapability=`"),
    keep("options", "Podman's keys for options.docker", other_backends("docker")),
)

QUADLET: Final = ExportFormat(
    "quadlet",
    "units for Podman's generator, which makes services of systemd from them; Podman 5.3 or newer",
    "docker",
    _RULES,
    write,
    next_commands=("less README.md   # how to install the units, in that folder",),
)
