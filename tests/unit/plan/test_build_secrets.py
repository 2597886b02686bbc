"""Builds are known by the names of their secrets, and builds without any are known as before there were such."""

from __future__ import annotations

from dataclasses import replace

from envctl.plan.build_secrets import build_secrets, secret_names, secrets_to_build
from envctl.plan.changes import Action, Change, because
from envctl.plan.digest import canonical
from envctl.plan.model import BuildSecret, DockerfileBuild, ReadyImage, RunCommand, Secret
from envctl.plan.text import step_text
from tests.support.plans import build, packages, script, unit

MAKE = RunCommand(("make",))
WITH_TOKEN = replace(MAKE, secrets=(BuildSecret("token", "TOKEN"),))


def test_a_build_is_known_by_the_names_of_its_secrets_and_not_by_where_they_come_from():
    from_elsewhere = replace(MAKE, secrets=(BuildSecret("token", "OTHER"),))
    other = replace(MAKE, secrets=(BuildSecret("key", "TOKEN"),))

    assert build(WITH_TOKEN).digest == build(from_elsewhere).digest
    assert len({build(step).digest for step in (MAKE, WITH_TOKEN, other)}) == 3


def test_a_step_without_secrets_is_known_as_before():
    assert canonical(MAKE) == (
        '{"argv":["make"],"env":{},"is":"RunCommand","user":"root","workdir":"/"}'
    )


def test_the_plan_tells_the_names():
    assert step_text(WITH_TOKEN) == "run make (secrets: token)"
    assert step_text(MAKE) == "run make"


def test_each_secret_is_reported_once_of_builds_and_of_what_runs():
    again = replace(script("x"), secrets=(BuildSecret("token"), BuildSecret("key")))
    both = build(packages("curl"), WITH_TOKEN, again)
    web = replace(unit("web", WITH_TOKEN, secrets=(Secret("run", "/run/secrets/run"),)))

    assert [one.name for one in build_secrets(both)] == ["token", "key"]
    assert build_secrets(ReadyImage("x")) == build_secrets(DockerfileBuild("D", ".")) == ()
    assert secret_names([web]) == {"token", "run"}


def test_only_what_is_to_be_built_wants_its_secrets():
    wanted = build(WITH_TOKEN)
    changes = [
        Change(Action.BUILD, "web", because("x"), wanted),
        Change(
            Action.CREATE,
            "job",
            because("x"),
            unit("job", replace(MAKE, secrets=(BuildSecret("other"),))),
        ),
    ]
    assert secrets_to_build(changes) == ("token",)
