"""Identities of builds and runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.errors import Place
from envctl.plan.digest import build_digest, canonical, digest, is_same_run, plain, run_text
from envctl.plan.model import BuildSecret, Mount, Process, Restart, Run, RunCommand, Secret
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


def test_the_text_is_the_same_in_every_version_that_can_read_it():
    """It is kept in labels: another text would make every unit anew."""
    assert canonical({"b": ("ü", 1.5), "a": Restart.ON_FAILURE, 5: None}) == (
        '{"5":null,"a":"on-failure","b":["ü",1.5]}'
    )
    assert canonical(Mount("/a", "/b", hidden=("x",))) == (
        '{"is":"Mount","read_only":false,"source":"/a","target":"/b"}'
    )


def test_a_field_that_came_later_is_reported_only_where_it_is_set():
    assert "secrets" not in plain(RunCommand(("make",)))
    told = plain(RunCommand(("make",), secrets=(BuildSecret("token", env="TOKEN"),)))
    assert told["secrets"] == [{"is": "BuildSecret", "name": "token"}]


SEALED = Run(Process(("x",)), secrets=(Secret("a", "/a", "1"), Secret("b", "/b", "2")))


def sealed(*digests, **changes):
    secrets = tuple(
        replace(one, digest=digest) for one, digest in zip(SEALED.secrets, digests, strict=True)
    )
    return replace(SEALED, secrets=secrets, **changes)


def test_a_run_is_the_same_whatever_the_values_of_its_secrets_are():
    assert is_same_run(run_text(SEALED), sealed("3", ""))
    assert is_same_run(run_text(Run()), Run())


@pytest.mark.parametrize(
    "other",
    [
        sealed("1", "2", process=Process(("y",))),
        sealed("1", "2", restart=Restart.ALWAYS),
        replace(SEALED, secrets=SEALED.secrets[:1]),
        replace(SEALED, secrets=(SEALED.secrets[0], replace(SEALED.secrets[1], target="/c"))),
    ],
)
def test_a_run_that_differs_in_anything_else_is_another(other):
    assert not is_same_run(run_text(SEALED), other)


@pytest.mark.parametrize(
    "recorded", ["", "{", "7", "[]", "{}", '{"secrets": 5}', '{"secrets": [5]}', "[" * 100_000]
)
def test_a_record_that_cannot_be_read_is_of_no_run(recorded):
    assert is_same_run(recorded, Run()) is False
