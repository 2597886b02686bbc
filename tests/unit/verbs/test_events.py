"""Events: what two looks at an environment tell of what happened between them."""

from __future__ import annotations

from envctl.plan.state import Health, Status, UnitState
from envctl.verbs.events import changed

RUNNING = UnitState("web", "web", Status.RUNNING, id="1")


def seen(before: UnitState | None, after: UnitState | None) -> list[str]:
    old, new = ({state.name: state} if state else {} for state in (before, after))
    return [f"{event.event} {event.detail}".strip() for event in changed(old, new, "now")]


def state(status: Status = Status.RUNNING, **changes: object) -> UnitState:
    return UnitState("web", "web", status, **{"id": "1", **changes})  # type: ignore[arg-type]


def test_nothing_has_happened_to_what_is_the_same() -> None:
    assert seen(RUNNING, RUNNING) == []
    assert seen(None, None) == []


def test_a_unit_comes_runs_becomes_healthy_and_goes() -> None:
    assert seen(None, state()) == ["created", "started"]
    assert seen(None, state(Status.CREATED)) == ["created"]
    assert seen(state(), state(health=Health.HEALTHY)) == ["healthy"]
    assert seen(state(health=Health.HEALTHY), state(health=Health.STARTING)) == []
    assert seen(state(), None) == ["removed"]


def test_how_it_ended_is_reported() -> None:
    assert seen(state(), state(Status.EXITED, exit_code=3)) == ["exited exit code 3"]
    assert seen(state(), state(Status.STOPPED)) == ["stopped"]
    assert seen(state(), state(Status.UNREACHABLE, cause="no answer")) == ["unreachable no answer"]


def test_another_incarnation_is_a_replacement() -> None:
    assert seen(state(), state(id="2", health=Health.HEALTHY)) == ["replaced", "started", "healthy"]


def test_a_restart_that_was_quicker_than_a_look_is_seen() -> None:
    assert seen(state(), state(restarts=1)) == ["restarted"]
