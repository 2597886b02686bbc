"""What `down` says in the end."""

from __future__ import annotations

from envctl.plan.changes import Action, Change, because
from envctl.reconcile.down_summary import down_summary

UNITS = [Change(Action.REMOVE, name, because("")) for name in ("web", "db")]
NETWORK = Change(Action.TEAR_DOWN, "", because(""))
SIZES = {"data": 212_000_000, "cache": 1_000}


def volumes(*names: str) -> list[Change]:
    return [Change(Action.DELETE_VOLUME, name, because("")) for name in names]


def test_what_went_and_what_stays_is_one_sentence():
    assert down_summary([*UNITS, NETWORK], {"data", "cache"}, SIZES) == (
        "removed 2 units and 1 network; data stay: cache, data (212 MB);"
        " `envctl down --volumes` deletes them"
    )


def test_deleted_data_is_reported_with_its_size():
    changes = [*UNITS[:1], NETWORK, *volumes("data", "cache")]
    assert down_summary(changes, {"data", "cache"}, SIZES, secrets=True) == (
        "removed 1 unit, 1 network, 2 volumes (212 MB) and the generated secrets"
    )


def test_a_size_that_is_not_wholly_known_is_not_told():
    assert down_summary(volumes("data", "other"), {"data", "other"}, SIZES) == "removed 2 volumes"
    assert "(" not in down_summary([], {"other"}, SIZES)


def test_of_nothing_there_is_nothing_to_say():
    assert down_summary([], (), {}) == ""
