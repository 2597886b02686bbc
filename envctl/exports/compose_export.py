"""`compose`: the rendered folder with its Compose file, and what became of each key of the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.exports.export_format import (
    ExportedFiles,
    ExportedTarget,
    ExportFormat,
    KeyNote,
    KeyRule,
    SetKey,
)
from envctl.exports.rule_words import drop, keep, other_backends, rules, translate

FILE: Final = "compose.yaml"
_NO_SPEC: Final = "Compose has nothing like it; remedy: keep using envctl for it"


def write(targets: Sequence[ExportedTarget]) -> ExportedFiles:
    """The rendered folder of one target."""
    (target,) = targets
    files, modes = target.render()
    services = {unit.service for unit in target.plan.units}
    return ExportedFiles(files, modes, dict.fromkeys(("", *services), FILE))


def _hook_notes(key: SetKey) -> Iterator[KeyNote]:
    if key.value and key.value.get("after_start"):
        note = (
            "post_start, which Compose runs when the container has started, not when it is healthy"
        )
        yield KeyNote(KeyOutcome.TRANSLATED, note, ("after_start",))
    if key.value and key.value.get("before_stop"):
        yield KeyNote(KeyOutcome.TRANSLATED, "pre_stop", ("before_stop",))


def _port_notes(key: SetKey) -> Iterator[KeyNote]:
    for index, port in enumerate(key.plan.replicas(key.service)[0].run.ports):
        if not port.host:
            note = "ports without `published`: Compose chooses another one at each start"
            yield KeyNote(KeyOutcome.TRANSLATED, note, (index,))


BUILD_RULES: Final[tuple[KeyRule, ...]] = (
    translate("base", "FROM of a Dockerfile"),
    translate("packages", "RUN of a Dockerfile"),
    translate("build", "instructions of a Dockerfile"),
    translate("build_args", "ARG of a Dockerfile"),
    translate("stages", "stages of a Dockerfile"),
)
"""What builds an image, for all formats that use images."""

_RULES: Final[Mapping[str, KeyRule]] = rules(
    keep("top.project", "a part of `name`"),
    keep("top.environment", "a part of `name`"),
    translate("top.backend", "nothing: a Compose file is for a container engine"),
    translate("top.vars", "their values, where they are used"),
    translate("top.secrets", "secrets that are read from environment variables"),
    drop("top.accept", "it is for `envctl parity`; " + _NO_SPEC),
    translate("kind", "a service; others wait until a task is completed"),
    keep("image"),
    translate("dockerfile", "`build` with a copy of its context"),
    keep("platform"),
    *BUILD_RULES,
    keep("user"),
    keep("workdir", "`working_dir`"),
    keep("env", "`environment`; what contains a secret is put together at the start"),
    keep("command"),
    keep("ports", notes=_port_notes),
    keep("mounts", "`volumes` of type bind; envctl's own state is covered"),
    keep("volumes"),
    keep("secrets"),
    keep("healthcheck"),
    keep("depends_on"),
    translate("profiles", "nothing: only the services of the chosen profiles are exported"),
    translate("replicas", "one service for each, since each has its own name and ports"),
    keep("resources", "`cpus` and `mem_limit`"),
    keep("restart"),
    drop("restart_on", "it is for `envctl watch`; remedy: `develop.watch` in the Compose file"),
    drop("checks", "they are for `envctl verify`; " + _NO_SPEC),
    keep("hooks", notes=_hook_notes),
    keep("capabilities", "`cap_drop: [ALL]` and `cap_add`"),
    keep("options", "the keys that Compose has for options.docker", other_backends("docker")),
)

COMPOSE: Final = ExportFormat(
    "compose",
    "a Compose file, Dockerfiles and their contexts",
    "docker",
    _RULES,
    write,
    next_commands=("docker compose up --build --detach   # start it, in that folder",),
)
