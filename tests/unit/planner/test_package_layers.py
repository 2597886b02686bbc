"""The order of package installs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from envctl.planner.package_layers import install_order

SETS = st.frozensets(st.frozensets(st.sampled_from("abcdef"), min_size=1), min_size=1, max_size=6)


def order(wanted: str, *others: str):
    known = frozenset(frozenset(packages) for packages in (wanted, *others))
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
    assert install_order(frozenset(), frozenset({frozenset("a")})) == ()


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
        assert firsts == {install_order(smallest, known)[0]}


@given(SETS)
def test_two_sets_share_what_they_have_in_common_as_their_first_layers(known):
    for left in known:
        for right in known:
            common = left & right
            layers = install_order(left, frozenset({left, right}))
            if common and left != right:
                assert layers[0] == tuple(sorted(common))
                assert layers[0] == install_order(right, frozenset({left, right}))[0]


def test_very_many_sets_are_laid_out_in_bearable_time():
    known = frozenset(frozenset({f"p{n}", f"p{n + 1}", f"p{n * 7 % 300}"}) for n in range(300))
    for wanted in list(known)[:20]:
        steps = install_order(wanted, known)
        assert sorted(name for step in steps for name in step) == sorted(wanted)
