"""`env`: a file with the environment variables of each service, for Compose, systemd, Podman and shells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from envctl.backends.common.comment_text import comment
from envctl.conversion.conversion_report import KeyOutcome
from envctl.definition.keys.service import ServiceData
from envctl.exports.export_format import (
    ExportedFiles,
    ExportedTarget,
    ExportFormat,
    KeyNote,
    KeyRule,
    SetKey,
)
from envctl.exports.rule_words import drop, keep, rules, translate
from envctl.plan.model import Unit
from envctl.plan.secret_templates import secrets_of

_PLAIN: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,=-"
)
_NO_VARIABLE: Final = "it is not a variable; remedy: another format, such as compose"


def write(targets: Sequence[ExportedTarget]) -> ExportedFiles:
    """One file for each unit of one target."""
    (target,) = targets
    units = target.plan.units
    files = {f"{unit.name}.env": "".join(_lines(target, unit)).encode() for unit in units}
    places = {unit.service: f"{unit.name}.env" for unit in reversed(units)}
    return ExportedFiles(files, places={"": "*.env", **places})


def _lines(target: ExportedTarget, unit: Unit) -> Iterator[str]:
    project, environment = target.plan.scope.project, target.environment
    yield comment(f"# The variables of {unit.name} in {project}/{environment}") + "\n"
    process = unit.run.process
    for name, value in sorted(process.env.items()):
        yield f"{name}={env_value(value)}\n"
    for name, template in sorted(process.secret_env.items()):
        secrets = ", ".join(secrets_of(template))
        yield comment(f"# {name} is made of the secret {secrets}") + "\n"
    for secret in unit.run.secrets:
        yield comment(f"# The secret {secret.name} is a file at {secret.target}") + "\n"


def env_value(value: str) -> str:
    """A value that Compose, systemd's `EnvironmentFile=` and a POSIX shell read alike.

    Only Compose reads the backslash before a backtick as a character; it appears if an apostrophe or backslash does, too.
    """
    if value and set(value) <= _PLAIN:
        return value
    if "'" not in value and "\\" not in value:
        return f"'{value}'"
    for char in '\\"$`':
        value = value.replace(char, f"\\{char}")
    return f'"{value}"'


def _env_notes(key: SetKey) -> Iterator[KeyNote]:
    for name in key.plan.replicas(key.service)[0].run.process.secret_env:
        if name in (key.value or {}):
            note = "its value contains a secret, and secrets are not written; remedy: set it where the file is used"
            yield KeyNote(KeyOutcome.DROPPED, note, (name,))


_RULES: Final[Mapping[str, KeyRule]] = rules(
    translate("top.project", "a comment in each file"),
    translate("top.environment", "a comment in each file"),
    translate("top.backend", "nothing: variables are for any backend"),
    translate("top.vars", "their values, where they are used"),
    translate("top.secrets", "comments that name them"),
    drop("top.accept", "it is for `envctl parity`; remedy: keep using envctl for it"),
    *(drop(key, _NO_VARIABLE) for key in ServiceData.__annotations__),
    keep("env", "`NAME=value`; a comment for what contains a secret", _env_notes),
    translate("secrets", "comments that name them and their files"),
    translate("profiles", "nothing: only the services of the chosen profiles are exported"),
    translate("replicas", "a file for each"),
)

ENV: Final = ExportFormat(
    "env",
    "a file of environment variables for each service",
    "",
    _RULES,
    write,
    next_commands=("set -a; . ./SERVICE.env   # set them in a shell, in that folder",),
)
