"""Plans and changes as text, one line an item, and as JSON-able data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envctl.plan.changes import Action, Cause, Change
from envctl.plan.digest import plain
from envctl.plan.model import (
    Build,
    CopyFiles,
    CopyFromStage,
    CreateUser,
    DockerfileBuild,
    InstallPackages,
    MakeDirectories,
    NpmInstall,
    PipInstall,
    Plan,
    ReadyImage,
    Run,
    RunCommand,
    Source,
    Step,
    Unit,
    WriteFile,
)
from envctl.plan.platforms import plain_name

SIGNS: Mapping[Action, str] = {
    Action.BUILD: "*",
    Action.CREATE: "+",
    Action.REPLACE: "~",
    Action.RECONFIGURE: "~",
    Action.START: ">",
    Action.RESTART: ">",
    Action.HOOK: ">",
    Action.STOP: "#",
    Action.REMOVE: "-",
    Action.DELETE_VOLUME: "!",
    Action.TEAR_DOWN: "-",
}

_ACTION_TEXTS: Mapping[Action, str] = {
    # JSON keeps the names that it always had.
    Action.DELETE_VOLUME: "delete volume",
    Action.TEAR_DOWN: "remove network",
}

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_ROUGH = ("kB", "MB", "GB", "TB")


def shown(value: object) -> str:
    """Return a value on one line: JSON, so that control characters cannot reach a terminal."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    """Return a character as JSON writes it; DEL, which JSON would leave, too."""
    return json.dumps(char)[1:-1] if not char.isascii() else f"\\u{ord(char):04x}"


def size_text(count: int) -> str:
    """Return a number of bytes in the largest unit that it is a whole number of: two that differ never look the same."""
    unit = 0
    while count and count % 1024 == 0 and unit < len(_UNITS) - 1:
        count, unit = count // 1024, unit + 1
    if not count:
        return "0"
    return "1 byte" if (count, unit) == (1, 0) else f"{count} {_UNITS[unit]}"


def rough_size(count: int) -> str:
    """Return a number of bytes for readers, such as 212 MB."""
    if count < 1000:
        return f"{count} bytes" if count != 1 else "1 byte"
    power = min((len(str(count)) - 1) // 3, len(_ROUGH))
    number = count / 1000**power
    return f"{number:.{0 if number >= 10 else 1}f} {_ROUGH[power - 1]}"


def first_lines(lines: Sequence[str], most: int) -> list[str]:
    """At most `most` lines, and how many more there are."""
    more = len(lines) - most
    return [*lines[:most], *([f"and {more} more"] if more > 0 else [])]


def argv_text(argv: Sequence[str]) -> str:
    """Return a command on one line; a shell script shows as its first line."""
    if list(argv[:2]) in (["/bin/sh", "-ec"], ["/bin/sh", "-c"]) and len(argv) == 3:
        first, *more = argv[2].strip().splitlines() or [""]
        return f"sh: {shown(first)[1:-1]}" + (" …" if more else "")
    return " ".join(
        word if word and word.isprintable() and " " not in word else shown(word) for word in argv
    )


def step_text(step: Step) -> str:
    """Describe a build step on one line."""
    match step:
        case InstallPackages():
            return f"packages {' '.join(step.names)}"
        case CreateUser():
            group = "" if step.gid is None else f":{step.gid}"
            return f"user {step.name} ({step.uid}{group})"
        case MakeDirectories():
            return f"directories {' '.join(step.paths)} ({step.owner})"
        case CopyFiles():
            return f"copy {step.source} → {step.target}"
        case CopyFromStage():
            return f"copy_from {step.stage} {step.source} → {step.target}"
        case WriteFile():
            return f"write {step.target}"
        case RunCommand():
            secrets = ", ".join(secret.name for secret in step.secrets)
            return f"run {argv_text(step.argv)}" + (f" (secrets: {secrets})" if secrets else "")
        case PipInstall():
            what = [f"-r {step.requirements}"] if step.requirements else []
            return f"pip {' '.join([*what, *step.packages])} → {step.venv}"
        case NpmInstall():
            return f"npm {' '.join(step.packages) or step.directory}"


def source_text(source: Source) -> str:
    """Describe the source of a unit on one line."""
    on = f" for {source.platform}" if source.platform else ""
    match source:
        case Build():
            dated = f" at {source.base.snapshot}" if source.base.snapshot else ""
            image, _ = plain_name(source.base.image)
            return f"build {source.digest} from {source.base.name or image}{dated}{on}"
        case DockerfileBuild():
            return f"build {source.digest} from {source.dockerfile}{on}"
        case ReadyImage():
            return f"image {source.image}{on}"


def plan_text(plan: Plan) -> str:
    """Return the whole plan with one line per item. Unit tests of the pure stages compare this text."""
    return "\n".join(_plan_lines(plan)) + "\n"


def _plan_lines(plan: Plan) -> Iterator[str]:
    yield f"environment {plan.scope.environment} of {plan.scope.project} on {plan.backend}"
    for unit in plan.units:
        yield f"{unit.kind} {unit.name}: {source_text(unit.source)}"
        if isinstance(unit.source, Build):
            for stage in unit.source.stages:
                yield f"  stage {stage.name}: {source_text(stage.build)}"
                yield from (f"    step {step_text(step)}" for step in stage.build.steps)
            for step in unit.source.steps:
                yield f"  step {step_text(step)}"
        yield from (f"  {line}" for line in _unit_lines(unit))


def _unit_lines(unit: Unit) -> Iterator[str]:
    run = unit.run
    process = run.process
    if process.argv is not None:
        yield f"command {argv_text(process.argv)}"
    if process.user is not None:
        yield f"user {process.user}"
    if process.workdir is not None:
        yield f"workdir {process.workdir}"
    for name in sorted(process.env):
        yield f"env {name}={shown(process.env[name])}"
    for name in sorted(process.secret_env):
        yield f"env {name} from {shown(process.secret_env[name])}"
    for port in run.ports:
        yield f"port {port.address}:{port.host or '(a free port, chosen at up)'} → {port.container}/{port.protocol}"
    for mount in run.mounts:
        yield f"mount {mount.source} → {mount.target}{' (read-only)' if mount.read_only else ''}"
    for volume in run.volumes:
        owner = f" ({volume.new.owner}'s)" if volume.new and volume.new.owner else ""
        yield f"volume {volume.name} → {volume.target}{owner}"
    for secret in run.secrets:
        yield f"secret {secret.name} → {secret.target}"
    yield from _policy_lines(run)
    yield from _relation_lines(unit)


def _relation_lines(unit: Unit) -> Iterator[str]:
    for name, condition in unit.depends_on.items():
        yield f"after {name} {condition}"
    for check in unit.checks:
        yield f"check {check.name}: {argv_text(check.argv)}"
    for hook in unit.hooks.after_start:
        yield f"hook after_start {argv_text(hook)}"
    for hook in unit.hooks.before_stop:
        yield f"hook before_stop {argv_text(hook)}"


def _policy_lines(run: Run) -> Iterator[str]:
    probe = run.probe
    if probe:
        yield (
            f"health {probe.kind} {argv_text(probe.test)} every {probe.interval:g}s, "
            f"timeout {probe.timeout:g}s, {probe.retries} retries after {probe.start_period:g}s"
        )
    if run.resources.cpus is not None:
        yield f"cpus {run.resources.cpus:g}"
    if run.resources.memory is not None:
        yield f"memory {size_text(run.resources.memory)}"
    yield f"restart {run.restart}"
    for name in run.process.capabilities:
        yield f"capability {name}"
    for name in sorted(run.options):
        yield f"option {name}={shown(plain(run.options[name]))}"


def changes_text(changes: Sequence[Change]) -> str:
    """Changes as lines: sign, action and unit, then the causes, one a line; columns line up."""
    return "\n".join(
        head + cause.text + warning_text(cause) + (f"  ({cause.where})" if cause.where else "")
        for head, cause in change_rows(changes)
    )


def change_rows(changes: Sequence[Change]) -> Iterator[tuple[str, Cause]]:
    """Each cause, after its aligned columns."""
    heads = [
        f"{SIGNS[change.action]} {_ACTION_TEXTS.get(change.action, change.action)} {change.unit}".rstrip()
        for change in changes
    ]
    width = max(map(len, heads), default=0) + 2
    for head, change in zip(heads, changes, strict=True):
        for index, cause in enumerate(change.causes):
            yield f"{'' if index else head:<{width}}", cause


def summary_text(changes: Sequence[Change]) -> str:
    """Count the changes of each kind in a plan: "1 to build, 2 to create"."""
    counts: dict[str, int] = {}
    for change in changes:
        name = "run hooks of" if change.action is Action.HOOK else change.action
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{count} to {name}" for name, count in counts.items())


def warning_text(cause: Cause) -> str:
    """Return the warning that follows a cause."""
    return f"  ! {cause.warning}" if cause.warning else ""


def changes_json(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Changes as data; `where` is "file:line:column" or null."""
    return [
        {
            "action": str(change.action),
            "unit": change.unit,
            "cause": change.cause,
            "where": _where_json(change),
            "causes": [
                {"text": cause.text, "where": _where_json(cause), "warning": cause.warning or None}
                for cause in change.causes
            ],
        }
        for change in changes
    ]


def _where_json(item: Change | Cause) -> str | None:
    return str(item.where) if item.where else None
