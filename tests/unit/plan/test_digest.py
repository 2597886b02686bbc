"""Identities of builds and runs."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from envctl.errors import Place
from envctl.plan.digest import build_digest, canonical, digest, run_text
from envctl.plan.model import Mount, Process, Run
from tests.support.plans import BASE, packages, script

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
ENVS = st.dictionaries(TEXT, TEXT, max_size=4)


def test_how_packages_are_spread_over_steps_does_not_count():
    assert build_digest(BASE, [packages("a", "b")]) == build_digest(
        BASE, [packages("b"), packages("a")]
    )


def test_the_order_of_other_steps_counts():
    assert build_digest(BASE, [script("a"), script("b")]) != build_digest(
        BASE, [script("b"), script("a")]
    )


def test_where_a_step_is_written_does_not_count():
    moved = replace(script("a"), where=Place("other.yaml", 99, 1))

    assert build_digest(BASE, [script("a")]) == build_digest(BASE, [moved])


def test_templates_of_the_projects_own_make_another_build():
    assert len({build_digest(BASE, [], recipe) for recipe in ("", "a", "b")}) == 3
    assert build_digest(BASE, [], "") == build_digest(BASE, [])


def test_another_base_is_another_build():
    assert build_digest(BASE, []) != build_digest(replace(BASE, snapshot="20260101"), [])


def test_kinds_of_steps_with_the_same_fields_are_told_apart():
    assert digest(Mount("/a", "/b")) != digest({"source": "/a", "target": "/b", "read_only": False})


@given(ENVS)
def test_the_order_of_variables_does_not_count(env):
    backwards = dict(reversed(env.items()))

    assert run_text(Run(Process(env=env))) == run_text(Run(Process(env=backwards)))


@given(ENVS, ENVS)
def test_two_runs_have_one_text_only_if_they_are_equal(left, right):
    same = run_text(Run(Process(env=left))) == run_text(Run(Process(env=right)))

    assert same == (left == right)


@given(TEXT)
def test_any_text_has_a_digest(text):
    assert len(digest([text])) == 24
    assert canonical(text)
