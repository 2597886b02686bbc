"""`devcontainer`: devcontainer.json beside the rendered Compose file, and what became of each key of the spec."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from envctl.backends.common.step_views import secret_variable
from envctl.conversion.conversion_report import KeyOutcome
from envctl.exports import compose_export
from envctl.exports.devcontainer.work_place import PROJECT, WorkPlace, work_place
from envctl.exports.export_format import (
    ExportedFiles,
    ExportedTarget,
    ExportFormat,
    KeyNote,
    KeyRule,
    SetKey,
)
from envctl.exports.rule_words import keep, rules, translate
from envctl.plan.build_secrets import build_secrets
from envctl.plan.model import Plan, Port

FILE: Final = "devcontainer.json"
_README: Final = "README.md"


def write(targets: Sequence[ExportedTarget]) -> ExportedFiles:
    """The folder .devcontainer of one target."""
    (target,) = targets
    place = work_place(target.plan, target.service)
    rendered, modes = target.render(place.plan)
    text = json.dumps(settings(place), indent=2) + "\n"
    files = {**rendered, FILE: text.encode(), _README: _readme(place, rendered[_README])}
    services = {unit.service for unit in target.plan.units}
    return ExportedFiles(files, modes, dict.fromkeys(("", *services), compose_export.FILE))


def settings(place: WorkPlace) -> Mapping[str, Any]:
    """The content of devcontainer.json."""
    plan, unit = place.plan, place.unit
    ports = dict(_ports(place))
    secrets = _secrets(plan)
    user = (unit.run.process.user or "").partition(":")[0]
    return {
        "name": f"{plan.scope.project} {plan.scope.environment}",
        "dockerComposeFile": [compose_export.FILE],
        "service": unit.name,
        "runServices": sorted(other.name for other in plan.units),
        "workspaceFolder": place.folder,
        "overrideCommand": False,
        "shutdownAction": "stopCompose",
        **({"remoteUser": user} if user else {}),
        **({"forwardPorts": [*ports], "portsAttributes": _attributes(ports)} if ports else {}),
        **({"secrets": secrets} if secrets else {}),
    }


def _ports(place: WorkPlace) -> Iterator[tuple[int | str, str]]:
    """The ports to forward, and their units: those of the unit to work in by number, others with the unit's name."""
    for unit in place.plan.units:
        for port in filter(_is_tcp, unit.run.ports):
            is_own = unit.name == place.unit.name
            yield (port.container if is_own else f"{unit.name}:{port.container}"), unit.name


def _is_tcp(port: Port) -> bool:
    return port.protocol == "tcp"


def _attributes(ports: Mapping[int | str, str]) -> Mapping[str, Mapping[str, str]]:
    return {str(port): {"label": name, "onAutoForward": "silent"} for port, name in ports.items()}


def _secrets(plan: Plan) -> Mapping[str, Mapping[str, str]]:
    """The environment variables of the host that have secrets, described."""
    used: dict[str, str] = {}
    for unit in plan.units:
        used |= {secret_variable(secret): secret.name for secret in build_secrets(unit.source)}
        used |= {secret_variable(secret): secret.name for secret in unit.run.secrets}
    return {
        variable: {"description": f"The secret {used[variable]} of envctl.yaml."}
        for variable in sorted(used)
    }


def _readme(place: WorkPlace, rendered: Any) -> bytes:
    """What the folder is, before what is in every rendered folder."""
    assert isinstance(rendered, bytes)
    lines = (
        "# Dev container",
        "",
        "Made by `envctl export devcontainer`. This folder belongs into the project as `.devcontainer`. Set the variables of",
        "the secrets below, then open the project in an editor that knows dev containers, or run, in the project's folder:",
        "",
        "```sh",
        "devcontainer up --workspace-folder .",
        "devcontainer exec --workspace-folder . bash",
        "```",
        "",
        f"You work in the service `{place.unit.name}`, where its process runs. The other services run beside it.",
        "",
    )
    return "".join(f"{line}\n" for line in lines).encode() + b"#" + rendered


def _mount_notes(key: SetKey) -> Iterator[KeyNote]:
    root = key.plan.scope.root.rstrip("/")
    for index, mount in enumerate(key.plan.replicas(key.service)[0].run.mounts):
        if mount.source != root and not mount.source.startswith(f"{root}/"):
            note = "it is outside of the project: the same path has to exist where it is opened"
            yield KeyNote(KeyOutcome.SAME, note, (index,))


def _build_notes(key: SetKey) -> Iterator[KeyNote]:
    for index, step in enumerate(key.value):
        copies_all = step["step"] == "copy" and step["source"] == "."
        if copies_all and ".devcontainer" not in step["exclude"]:
            note = (
                "COPY of the whole project, .devcontainer too, so that each export changes the image;"
                " remedy: `exclude: [.devcontainer]`"
            )
            yield KeyNote(KeyOutcome.TRANSLATED, note, (index,))


def _option_notes(key: SetKey) -> Iterator[KeyNote]:
    compose = compose_export.COMPOSE.rules["options"].notes
    yield from compose(key) if compose else ()
    if key.value.get("docker", {}).get("read_only"):
        note = "editors install nothing into a read-only container; remedy: leave it out in dev"
        yield KeyNote(KeyOutcome.SAME, note, ("docker", "read_only"))


_OWN_RULES: Final[Mapping[str, KeyRule]] = rules(
    keep("top.project", "a part of `name`, here and in the Compose file"),
    translate("top.backend", "nothing: a dev container is for a container engine"),
    translate(
        "top.secrets",
        "`secrets`, which describes environment variables; the Compose file reads these",
    ),
    translate("build", "instructions of a Dockerfile", _build_notes),
    keep("user", "and `remoteUser`"),
    keep("ports", "and `forwardPorts`", compose_export.COMPOSE.rules["ports"].notes),
    keep(
        "mounts",
        f"with paths from `{PROJECT}`, the project; the one with the code is `workspaceFolder`",
        _mount_notes,
    ),
    keep("command", "the process of the container; no other one is put in its place"),
    keep("options", "the keys that Compose has for options.docker", _option_notes),
)

DEVCONTAINER: Final = ExportFormat(
    "devcontainer",
    "the folder .devcontainer of a project: the Compose file, and the service to work in",
    "docker",
    {**compose_export.COMPOSE.rules, **_OWN_RULES},
    write,
    takes_service=True,
    next_commands=(
        "devcontainer up --workspace-folder .   # start it, in the project; editors reopen the folder in it",
    ),
)
