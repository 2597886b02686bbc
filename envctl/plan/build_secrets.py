"""The secrets that builds need while they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from envctl.plan.changes import Change
from envctl.plan.model import Build, BuildSecret, RunCommand, Source, Unit


def build_secrets(source: Source) -> tuple[BuildSecret, ...]:
    """Return the secrets that a build's commands name, each once."""
    if not isinstance(source, Build):
        return ()
    steps = (step for step in source.all_steps if isinstance(step, RunCommand))
    by_name: Mapping[str, BuildSecret] = {
        secret.name: secret for step in steps for secret in step.secrets
    }
    return tuple(by_name.values())


def secret_names(units: Iterable[Unit]) -> frozenset[str]:
    """Return the names of all secrets that units run with or are built with."""
    names: set[str] = set()
    for unit in units:
        names |= {secret.name for secret in unit.run.secrets}
        names |= {secret.name for secret in build_secrets(unit.source)}
    return frozenset(names)


def secrets_to_build(changes: Iterable[Change]) -> tuple[str, ...]:
    """Return the names of the secrets of these builds, sorted."""
    builds = (change.target for change in changes if isinstance(change.target, Build))
    return tuple(sorted({secret.name for build in builds for secret in build_secrets(build)}))
