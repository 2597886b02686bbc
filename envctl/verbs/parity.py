"""`parity`: compare the facts of targets. Can bring them up for the comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from envctl.errors import SpecError
from envctl.parity.fact_format import Facts, from_file
from envctl.parity.result import Parity, Side, compare_sides
from envctl.plan.target import Target
from envctl.project import Project
from envctl.session import Session
from envctl.verbs.acceptances import accepted, misnamed_acceptances
from envctl.verbs.down import take_down
from envctl.verbs.facts import facts
from envctl.verbs.up import bring_up


def parity(project: Project, *targets: str, up: bool = False) -> Parity:
    """Compare the facts of targets, each with the first. A target may also be a file of facts.

    With `up`, targets that are not up are brought up, and taken down afterwards.
    """
    # Mistakes in a file or a name are reported before anything is brought up.
    saved = {
        name: _side(project, from_file(name), name) for name in targets if name.endswith(".json")
    }
    live = {name: Target.parse(name) for name in targets if name not in saved}
    accepting = [side.facts.environment for side in saved.values() if side.accept]
    units = {unit for side in saved.values() for unit in side.facts.units}
    environments = [*accepting, *(target.environment for target in live.values())]
    if mistakes := misnamed_acceptances(project, environments, also=units):
        raise SpecError(tuple(mistakes))
    with _brought_up(project, tuple(live.values()) if up else ()):
        return compare_sides(
            *(
                saved[name] if name in saved else _side(project, facts(project, live[name]))
                for name in targets
            )
        )


@contextmanager
def _brought_up(project: Project, targets: Sequence[Target]) -> Iterator[None]:
    """Bring up the targets that are not up, on free ports, and take them down at the end.

    This deletes their volumes and generated secrets if none existed before. No other run can bring them up meanwhile.
    """
    visitor = project.with_free_ports()
    sessions = {session.id: session for session in (Session(visitor, target) for target in targets)}
    with ExitStack() as afterwards:
        # Lock in a fixed order, so that two runs do not wait for each other.
        for _, session in sorted(sessions.items()):
            with ExitStack() as here:
                here.enter_context(session.locked())
                observed = session.observe()
                if observed.units:
                    continue
                fresh = not observed.volumes and not session.store.keeps_any()
                here.callback(take_down, session, volumes=fresh)
                bring_up(session)
                afterwards.enter_context(here.pop_all())
        yield


def _side(project: Project, known_facts: Facts, file: str = "") -> Side:
    """Facts with the entries that their environment's spec accepts; none if they belong to another project."""
    known = known_facts.environment in project.environments()
    spec = project.resolved(known_facts.environment) if known else None
    return Side(known_facts, accepted(spec, known_facts) if spec else (), file)
