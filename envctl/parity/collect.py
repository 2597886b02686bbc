"""Collects facts, with one or two round trips to each running unit, on any backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from envctl.backends.base import Backend
from envctl.backends.common import probe
from envctl.errors import EnvctlError
from envctl.parity import file_search, parse_facts, processes
from envctl.parity.fact_format import SUBSTRATE, UNKNOWN, Category, Facts, UnitFacts, fact_id
from envctl.parity.file_tree import ALTERED
from envctl.parity.run_collector import Answer, CollectorScript
from envctl.plan import sysctls
from envctl.plan.categories import UNITS
from envctl.plan.model import Build, Kind, NpmInstall, Plan, Unit

WORKERS: Final = 4
LOOKS: Final = 3
"""How many times processes are listed. What most lists contain is a fact."""
_OF_EVERY_UNIT: Final = (
    "os", "kernel", "packages", "users", "groups", "timezone", "locale", "substrate",
    "argv", "environ", "status", "limits", "cwd", "cgroup", "size",
)  # fmt: skip
"""Questions for every unit, asked once, by their names in collect.sh."""
_AS_THE_UNIT: Final = frozenset(
    {
        "name",
        "exec_environ",
        "argv",
        "environ",
        "status",
        "limits",
        "cwd",
        "cgroup",
        "size",
        "timezone",
    }
)
"""Questions whose answer depends on the user: root without all capabilities cannot examine other users' processes."""
_AS_BOTH: Final = _AS_THE_UNIT | {"secret"}
_NOTHING: Final[Mapping[str, str]] = {}


def collect(
    plan: Plan,
    units: Sequence[Unit],
    backend: Backend,
    *,
    key: str,
    mask: Callable[[bytes], bytes],
    idle: Mapping[str, str] = _NOTHING,
) -> Facts:
    """Collect the facts of these running units. For a unit that cannot be examined, only the reason is recorded.

    Digests of secrets are made with `key`; `mask` removes secrets from output. `idle` maps the names of units that do
    not run to the reason.
    """

    def facts_of(unit: Unit) -> UnitFacts:
        try:
            return ask(plan, unit, backend, key=key, mask=mask)
        except EnvctlError as error:
            return no_facts(mask(error.brief.encode()).decode("utf-8", "replace"))

    with ThreadPoolExecutor(WORKERS) as pool:
        by_unit = dict(zip([unit.name for unit in units], pool.map(facts_of, units), strict=True))
    by_unit |= {name: no_facts(why) for name, why in idle.items()}
    return Facts(plan.scope.project, plan.scope.environment, plan.backend, by_unit)


def no_facts(why: str) -> UnitFacts:
    """The facts of a unit about which only this reason is known."""
    return {UNKNOWN: {fact_id(UNITS, ""): why}}


def ask(
    plan: Plan,
    unit: Unit,
    backend: Backend,
    *,
    key: str,
    mask: Callable[[bytes], bytes],
    also: Iterable[tuple[str, str]] = (),
    user: str | None = None,
) -> UnitFacts:
    """Collect the facts of one unit; `also` are further questions. EnvctlError if there is no answer.

    Questions are asked as root, who sees most; those that depend on the user also as the unit's own user, or as `user`.
    """
    questions = [*inquiry(plan, unit), *also]
    by_root = [
        *(question for question in questions if question[0] not in _AS_THE_UNIT),
        ("processes", str(LOOKS)),
    ]
    by_unit = [*(question for question in questions if question[0] in _AS_BOTH), ("processes", "1")]
    script = CollectorScript(unit, backend, key, mask)
    with ThreadPoolExecutor(2) as pool:
        asking = pool.submit(script.ask, by_unit, user=user)
        files = pool.submit(file_search.files, script, covered(unit))
        answer = script.ask(by_root, everything=True)
    facts = _without_altered(_merged(script.facts(answer, by_root), files.result()))
    unit_answer: Answer | None = None
    try:
        unit_answer = asking.result()
        unit_facts = script.facts(unit_answer, by_unit)
    except EnvctlError as error:
        unit_facts = {
            UNKNOWN: {
                parse_facts.unknown_without(*question): error.brief for question in by_unit[:-1]
            }
        }
    return _without_name_server(
        _merged(facts, unit_facts, _programs(unit, answer, unit_answer, facts.get(SUBSTRATE))),
        backend.capabilities.name_server,
    )


def _programs(
    unit: Unit, by_root: Answer, by_unit: Answer | None, substrate: Mapping[str, str] | None
) -> UnitFacts:
    """The running programs, as facts."""
    prefix = fact_id(Category.FILES, "")
    parts = [
        parse_facts.parts(answer.data, answer.mark, "processes") if answer else ()
        for answer in (by_root, by_unit)
    ]
    try:
        running = processes.read(
            parts[0][0] if parts[0] else {},
            parts[1][0] if parts[1] else {},
            unit=unit.name,
            # A machine runs at least its init.
            substrate=None
            if substrate is None
            else {key.removeprefix(prefix) for key in substrate},
            probe=probe.test(unit.run.probe) if unit.run.probe else (),
        )
    except ValueError as error:
        return {UNKNOWN: {fact_id(Category.PROCESSES, ""): str(error)}}
    if not running.substrate:
        return {Category.PROCESSES: running.of_unit}
    return {
        Category.PROCESSES: {**running.of_unit, **dict.fromkeys(running.substrate, "runs")},
        SUBSTRATE: {fact_id(Category.PROCESSES, path): "" for path in running.substrate},
    }


def _merged(*parts: UnitFacts) -> UnitFacts:
    """The facts of one unit, merged from several sources."""
    merged: dict[str, dict[str, str]] = {}
    for part in parts:
        for category, values in part.items():
            merged.setdefault(category, {}).update(values)
    # A secret that one user can read is known, even if the other cannot read it.
    secrets, prefix = merged.get(Category.SECRETS, {}), fact_id(Category.SECRETS, "")
    for name in [key for key in merged.get(UNKNOWN, {}) if key.startswith(prefix)]:
        if name.removeprefix(prefix) in secrets:
            del merged[UNKNOWN][name]
    return merged


def inquiry(plan: Plan, unit: Unit) -> Iterator[tuple[str, str]]:
    """All questions for a unit, as (kind, value). Paths with a newline are left out: questions are lines."""
    steps = unit.source.steps if isinstance(unit.source, Build) else ()
    npm = [step.directory for step in steps if isinstance(step, NpmInstall) and step.directory]
    questions: dict[str, Sequence[str]] = {
        **dict.fromkeys(_OF_EVERY_UNIT, ("",)),
        "sockets": [
            " ".join(str(port.container) for port in unit.run.ports if port.protocol == "udp")
        ],
        "sysctls": [" ".join(sysctls.READ)],
        # The name of a task is only meaningful while the task runs.
        "name": sorted(
            {name for other in plan.units for name in _names(other) if other.kind is Kind.SERVICE}
        ),
        "secret": sorted(secret.target for secret in unit.run.secrets),
        "npm": sorted(set(npm)),
    }
    for kind, values in questions.items():
        yield from ((kind, value) for value in values if "\n" not in value)


def _names(unit: Unit) -> tuple[str, ...]:
    return (unit.name, unit.service, *unit.run.aliases)


def _without_altered(facts: UnitFacts) -> UnitFacts:
    """Files that came with a machine but were changed in it count as the unit's own."""
    changed = facts.get(ALTERED, {})
    kept_facts = {category: values for category, values in facts.items() if category != ALTERED}
    if SUBSTRATE in kept_facts:
        listed = kept_facts[SUBSTRATE]
        kept_facts[SUBSTRATE] = {key: value for key, value in listed.items() if key not in changed}
    return kept_facts


def _without_name_server(facts: UnitFacts, address: str) -> UnitFacts:
    """The facts without the sockets of the engine's own name server."""
    sockets = facts.get(Category.SOCKETS, {})
    of_unit = {
        key: user for key, user in sockets.items() if not address or f" {address}:" not in key
    }
    return {**facts, Category.SOCKETS: of_unit}


def covered(unit: Unit) -> Sequence[str]:
    """Paths in a unit whose content is not part of its image: volumes, mounts, secrets."""
    mounts, volumes, secrets = unit.run.mounts, unit.run.volumes, unit.run.secrets
    targets = [*(place.target for place in mounts), *(place.target for place in volumes)]
    return [*targets, *(secret.target for secret in secrets)]
