"""What two specs differ in: values, places, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from envctl.definition.differences import ABSENT, Difference, differences
from envctl.definition.origins import Origins, part_of
from envctl.definition.resolved import Resolved
from envctl.errors import Place

BEFORE, AFTER = Place("a.yaml", 1, 1), Place("b.yaml", 2, 2)


def spec(data, origins=()):
    parts = {}
    for path, where in dict(origins).items():
        spot = (where.file, where.line, where.column)
        part, inner = part_of(path)
        parts.setdefault(part, {})[inner] = (spot, (), "")
    return Resolved(Path("/p"), data, Origins(lambda: parts))


def told(before, after):
    found = differences(spec({"x": before}), spec({"x": after}))
    return [(one.path, one.before, one.after) for one in found]


def test_a_value_that_differs_is_reported_with_both_places():
    before = spec({"services": {"web": {"env": {"A": "1"}}}}, {("services", "web"): BEFORE})
    after = spec(
        {"services": {"web": {"env": {"A": "2"}}}}, {("services", "web", "env", "A"): AFTER}
    )
    assert differences(before, after) == (
        Difference("services.web.env.A", "1", "2", BEFORE, AFTER),
    )


def test_the_environments_own_name_is_not_a_difference():
    assert differences(spec({"environment": "dev"}), spec({"environment": "prod"})) == ()


def test_what_one_side_lacks_is_absent_there():
    assert told({"a": 1}, {"b": None}) == [("x.a", 1, ABSENT), ("x.b", ABSENT, None)]
    assert told(1, "1") == [("x", 1, "1")]
    assert told(1, True) == [("x", 1, True)]
    assert told({"a": [0]}, {"a": [False]}) == [("x.a[0]", 0, False)]
    assert told({}, []) == [("x", {}, [])]


def test_a_step_in_the_middle_of_a_list_makes_no_difference_of_those_behind_it():
    assert told([1, 2, 3, 4], [1, 2, 9, 3, 4]) == [("x[2]", ABSENT, 9)]
    assert told([1, 2, 3], [1, 3]) == [("x[1]", 2, ABSENT)]
    assert told([{"a": 1, "b": 2}], [{"a": 1, "b": 3}]) == [("x[0].b", 2, 3)]


values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def text(value):
    """Tells `true` from 1, and not the order of keys."""
    return json.dumps(value, sort_keys=True)


@given(values)
def test_what_is_equal_does_not_differ(value):
    assert told(value, value) == []


@given(values, values)
def test_what_is_not_equal_differs_the_same_way_from_both_sides(one, other):
    there, back = told(one, other), told(other, one)
    assert bool(there) == bool(back) == (text(one) != text(other))
    assert len(there) == len(back) or isinstance(one, list | dict)
