"""The order of package installs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from envctl.planner.layers import install_order

SETS = st.sets(st.frozensets(st.sampled_from("abcdef"), min_size=1), min_size=1, max_size=6)


def order(wanted: str, *others: str):
    known = {frozenset(wanted), *(frozenset(other) for other in others)}
    return ["".join(names) for names in install_order(frozenset(wanted), known)]


def test_a_set_alone_is_one_step():
    assert order("ba") == ["ab"]


def test_a_larger_set_begins_with_the_smaller():
    assert order("abc", "ab") == ["ab", "c"]
    assert order("ab", "abc") == ["ab"]


def test_what_two_sets_have_in_common_comes_first_in_both():
    assert order("ab", "ac") == ["a", "b"]
    assert order("ac", "ab") == ["a", "c"]


def test_no_packages_are_no_step():
    assert install_order(frozenset(), {frozenset("a")}) == ()


@given(SETS)
def test_every_package_is_installed_exactly_once(known):
    for wanted in known:
        steps = install_order(wanted, known)
        flat = [name for step in steps for name in step]
        assert sorted(flat) == sorted(wanted)


@given(SETS)
def test_a_set_within_all_others_is_always_the_shared_first_layer(known):
    smallest = frozenset.intersection(*known)
    if smallest:
        firsts = {install_order(wanted, known)[0] for wanted in known}
        assert firsts == {install_order(smallest, {*known, smallest})[0]}
