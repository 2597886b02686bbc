"""What a spec accepts: which differences an entry is about, between whom it holds, and when it is for nothing."""

from __future__ import annotations

import pytest

from envctl.errors import Place
from envctl.parity.accepted import Acceptance
from envctl.parity.fact_format import Facts
from envctl.parity.result import Side, compare_sides

PACKAGES = {"web": {"packages": {"bash": "1", "curl": "7"}}}
OTHERS = {"web": {"packages": {"bash": "2", "curl": "8"}}}


def entry(key="*", *, category="packages", unit="*", line=1, reason="because"):
    return Acceptance(unit, category, key, reason, Place("envctl.yaml", line, 5))


def side(units, *accept, environment="dev"):
    return Side(Facts("shop", environment, "docker", units), accept)


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        ("*", "anything at all"),
        ("/etc/*", "/etc/ssl/certs/ca.pem"),
        ("lib?", "libc"),
        ("lib[a-c]", "libc"),
        ("tcp [::]:80", "tcp [::]:80"),
        ("", ""),
    ],
)
def test_a_key_matches_a_pattern_or_itself(pattern, key):
    assert entry(pattern).covers("web", "packages", key)


@pytest.mark.parametrize(
    ("pattern", "key"), [("bash", "bash-doc"), ("BASH", "bash"), ("tcp [::]:8*", "tcp [::]:80")]
)
def test_a_key_does_not_match_a_part_or_another_case(pattern, key):
    assert not entry(pattern).covers("web", "packages", key)


def test_an_entry_is_about_its_units_and_its_category_alone():
    one = entry(unit="web*")
    assert one.covers("web-2", "packages", "bash")
    assert not one.covers("db", "packages", "bash")
    assert not one.covers("web", "files", "bash")


def test_what_either_of_two_accepts_is_declared():
    accept = entry()
    for sides in (
        (side(PACKAGES, accept), side(OTHERS)),
        (side(PACKAGES), side(OTHERS, accept)),
    ):
        found = compare_sides(*sides)
        assert (found.differences, found.stale) == (0, [])


def test_what_a_third_accepts_declares_nothing_between_the_first_two():
    found = compare_sides(side(PACKAGES), side(OTHERS), side(OTHERS, entry()))
    assert [len(pair.comparison.undeclared) for pair in found.pairs] == [2, 0]
    assert found.differences == 2
    assert not found.stale


def test_an_entry_is_stale_if_it_matches_nothing_in_any_comparison():
    used, late, never = entry("bash", line=3), entry("curl", line=2), entry("vim", line=1)
    shared = (used, late, never)
    same_curl = {"web": {"packages": {"bash": "2", "curl": "7"}}}
    found = compare_sides(side(PACKAGES, *shared), side(same_curl, *shared))
    assert found.stale == [never, late]

    found = compare_sides(side(PACKAGES, *shared), side(same_curl, *shared), side(OTHERS))
    assert found.stale == [never]


def test_an_entry_that_comes_after_another_for_the_same_difference_is_not_stale():
    assert not compare_sides(side(PACKAGES, entry(), entry("b*", line=2)), side(OTHERS)).stale


def test_an_entry_for_what_is_substrate_anyway_is_stale():
    kernels = ({"web": {"kernel": {"release": number}}} for number in "12")
    one, other = kernels
    accept = entry(category="kernel")
    assert compare_sides(side(one, accept), side(other)).stale == [accept]


def test_an_entry_whose_variables_differ_is_one_entry():
    one, other = entry("bash"), entry("vim")
    assert not compare_sides(side(PACKAGES, one), side(OTHERS, other)).stale
