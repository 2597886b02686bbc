"""Facts compared: nothing that differs is missed, nothing that is equal is told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.errors import EnvctlError
from envctl.parity.comparing import Verdict, compare
from envctl.parity.facts import Category, Facts, from_json, to_json

values = st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=4)
units = st.dictionaries(
    st.sampled_from(["web", "db"]),
    st.dictionaries(st.sampled_from([*map(str, Category)]), values, max_size=5),
    max_size=2,
)


def facts(units, environment="dev", backend="docker"):
    return Facts("shop", environment, backend, units)


def told(one, other):
    return [
        (found.category, found.key, found.before, found.after, found.verdict)
        for found in compare(facts({"web": one}), facts({"web": other}, backend="vagrant")).findings
    ]


@given(units)
def test_what_is_equal_has_no_findings(known):
    found = compare(facts(known), facts(known))
    assert not found.findings
    assert sum(found.equal.values()) == sum(
        len(one) for unit in known.values() for one in unit.values()
    )


@given(units, units)
def test_every_difference_is_found_once_and_from_both_sides(one, other):
    there, back = compare(facts(one), facts(other)), compare(facts(other), facts(one))
    assert there.equal == back.equal
    assert [(found.key, found.after, found.before) for found in there.findings] == [
        (found.key, found.before, found.after) for found in back.findings
    ]
    both = [(unit, category, key) for unit in {*one} & {*other} for category in {*one[unit], *other[unit]}
            for key in {*one[unit].get(category, {}), *other[unit].get(category, {})}]  # fmt: skip
    counted = sum(there.equal.values()) + len(there.findings)
    assert counted == len(both) + len({*one} ^ {*other})


@given(units)
def test_a_file_of_facts_has_the_same_facts(known):
    before = facts(known)
    assert from_json(json.dumps(to_json(before)), name="x.json") == before


def test_a_difference_is_undeclared_unless_it_came_with_a_machine():
    one = {"packages": {"bash": "1"}, "kernel": {"release": "6"}}
    other = {
        "packages": {"bash": "2", "openssh-server": "9"},
        "kernel": {"release": "5"},
        "substrate": {"packages\topenssh-server": ""},
    }
    assert told(one, other) == [
        ("kernel", "release", "6", "5", Verdict.SUBSTRATE),
        ("packages", "bash", "1", "2", Verdict.UNDECLARED),
        ("packages", "openssh-server", None, "9", Verdict.SUBSTRATE),
    ]


def test_a_unit_that_one_lacks_is_a_difference():
    found = compare(facts({"web": {}}), facts({}))
    assert [(one.unit, one.before, one.after) for one in found.undeclared] == [
        ("web", "runs", None)
    ]
    assert found.subjects == [("web", "units")]


def test_digests_of_secrets_mean_something_in_one_environment_only():
    one = {"web": {"secrets": {"/s": "mode 400", "/s digest": "a"}}}
    other = {"web": {"secrets": {"/s": "mode 400", "/s digest": "b"}}}
    assert compare(facts(one), facts(other)).undeclared
    assert not compare(facts(one), facts(other, environment="prod")).findings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "x.json is no JSON"),
        ("[]", "x.json has no facts in it"),
        ('{"format": "envctl facts", "version": 2}', "is of version 2"),
        ('{"format": "envctl facts", "version": 1}', "is not whole"),
    ],
)
def test_a_file_that_is_none_is_told(text, said):
    with pytest.raises(EnvctlError, match=said):
        from_json(text, name="x.json")
