"""Problems of a plan on Docker: invalid options, conflicting options, secrets that would be hidden. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from envctl.backends.docker import options
from envctl.errors import Place, Problem
from envctl.plan.model import Plan, Unit

_FOLDER: Final = "/run/secrets"
_START: Final = Place("envctl.yaml", 1, 1)


def problems(plan: Plan) -> Sequence[Problem]:
    """All problems of a plan, each once, with the place in the spec."""
    unique: dict[Problem, None] = {}
    for unit in plan.units:
        unique |= dict.fromkeys((*_option_problems(unit), *_secret_problems(unit)))
    return tuple(unique)


def _option_problems(unit: Unit) -> Iterator[Problem]:
    invalid = {f"options.{problem.path}": problem for problem in options.problems(unit.run.options)}
    invalid |= {problem.path: problem for problem in options.conflicts(unit.run)}
    for path, problem in invalid.items():
        where = unit.origins.get(path) or unit.where or _START
        yield Problem(where, problem.message, problem.expected, problem.hint)


def _secret_problems(unit: Unit) -> Iterator[Problem]:
    """Secrets outside /run/secrets that a read-only root or a tmpfs makes impossible."""
    options = unit.run.options
    tmpfs = options.get("tmpfs")
    memory = [str(path) for path in tmpfs] if isinstance(tmpfs, dict) else []
    for index, secret in enumerate(unit.run.secrets):
        where = (
            unit.origins.get(f"secrets.{index}.target")
            or unit.origins.get(f"secrets.{index}")
            or unit.origins.get("secrets")
            or unit.where
            or _START
        )
        hint = f"remove its `target`: it will be at {_FOLDER}/{secret.name}"
        shown = f"{unit.service}: the secret {secret.name} cannot be at {secret.target}"
        over = next((path for path in memory if _covers(path, secret.target)), None)
        if over is not None:
            yield Problem(where, f"{shown}: the tmpfs at {over} is empty at every start", hint=hint)
        elif not _is_in(secret.target, _FOLDER) and options.get("read_only") is True:
            yield Problem(
                where, f"{shown}: options.docker.read_only prevents writing it", hint=hint
            )
    if unit.run.secrets and any(_is_in(path, _FOLDER) for path in memory):
        where = unit.origins.get("options.tmpfs") or unit.where or _START
        yield Problem(where, f"{unit.service}: a tmpfs would cover its secrets in {_FOLDER}")


def _covers(tmpfs: str, target: str) -> bool:
    """Whether a tmpfs would hide a link at this path. The volume at /run/secrets is mounted on top of a tmpfs above it."""
    return _is_in(target, tmpfs) and not _is_in(target, _FOLDER)


def _is_in(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")
