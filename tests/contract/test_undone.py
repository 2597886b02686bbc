"""What is left of an environment that was stopped or taken down, and comes back with it."""

from __future__ import annotations

import pytest

from tests.contract.conftest import capabilities

TOP = "secrets: {token: {env: TOKEN, generate: 24}}\n"
WEB = "web: {command: [sleep, infinity], secrets: [token]}"
NOTE = "/data/note"


def printed(stage, *argv: str) -> str | None:
    """What a command in `web` prints; None where there are no processes, or if it fails."""
    if not capabilities(stage.backend).executes:
        return None
    code, out, _ = stage.run("web", *argv)
    return out if code == 0 else None


def token(stage) -> str | None:
    return printed(stage, "cat", "/run/secrets/token")


def test_a_stopped_environment_starts_again_as_it_was_secrets_and_all(stage):
    stage.spec(WEB[:-1] + ", hooks: {after_start: [echo ran >> /data/hooked]}}", top=TOP).up()
    before, secret = stage.ids(), token(stage)
    ran = printed(stage, "cat", "/data/hooked")
    changes = stage.workspace().stop(stage.target)

    assert sorted(change.unit for change in changes) == ["stage", "web"]
    assert stage.states() == {"web": "stopped"}
    assert sorted(stage.up()) == ["start stage", "start web"]
    assert stage.ids() == before
    assert token(stage) == secret
    # Hooks run after each start.
    assert printed(stage, "cat", "/data/hooked") == (ran and f"{ran}ran\n")


@pytest.mark.executes
def test_a_generated_secret_stays_the_same_and_a_changed_one_arrives(stage, verb):
    stage.spec(WEB, top=TOP).up()
    assert len(token(stage) or "") == 24

    stage.environ = {**stage.environ, "TOKEN": "another"}

    assert stage.up() == [f"{verb('secrets')} web"]
    assert token(stage) == "another"
    del stage.environ["TOKEN"]
    stage.up()


def test_down_removes_everything_but_data_secrets_and_images(stage):
    stage.spec(WEB, top=TOP).up()
    secret = token(stage)
    printed(stage, "sh", "-c", f"echo kept > {NOTE}")

    done = stage.down()

    assert (sorted(done[:-1]), done[-1]) == (["remove stage", "remove web"], "dismantle")
    observed = stage.workspace().observed(stage.target)
    assert (observed.units, observed.leftovers) == ({}, ())
    assert observed.volumes == {"data"}

    assert sorted(stage.up()) == ["create stage", "create web"]
    assert token(stage) == secret
    if capabilities(stage.backend).executes:
        assert printed(stage, "cat", NOTE) == "kept\n"


def test_down_with_volumes_removes_data_too_and_down_again_nothing(stage):
    stage.spec(WEB, top=TOP).up()

    done = stage.down(volumes=True)

    assert (sorted(done[:2]), done[2:]) == (
        ["remove stage", "remove web"],
        ["discard data", "dismantle"],
    )
    observed = stage.workspace().observed(stage.target)
    assert (observed.units, observed.leftovers, observed.volumes) == ({}, (), frozenset())
    assert stage.down(volumes=True) == []
    stage.up()
    assert printed(stage, "cat", NOTE) is None


def test_single_services_are_stopped_and_taken_down_and_come_back(stage):
    stage.spec(f"{WEB}\nother: {{command: [sleep, infinity]}}", top=TOP).up()
    printed(stage, "sh", "-c", f"echo kept > {NOTE}")
    verbs = stage.workspace()

    assert [change.unit for change in verbs.stop(stage.target, services=["web"])] == ["web"]
    assert stage.states() == {"web": "stopped", "other": "running"}
    assert [row.state for row in verbs.status(stage.target, ["web"])] == ["stopped"]
    assert [change.unit for change in verbs.down(stage.target, services=["web"])] == ["web"]
    assert stage.states() == {"web": "missing", "other": "running"}
    assert verbs.observed(stage.target).volumes == {"data"}
    assert verbs.down(stage.target, services=["web"]) == ()

    assert stage.up() == ["create web"]
    assert printed(stage, "cat", NOTE) == (
        "kept\n" if capabilities(stage.backend).executes else None
    )


def test_down_works_though_the_spec_is_broken(stage):
    stage.spec(WEB, top=TOP).up()
    stage.write("envctl.yaml", "project: [")

    assert sorted(stage.down()) == ["dismantle", "remove stage", "remove web"]


def test_a_project_that_got_another_name_keeps_its_hold_on_what_is_up(stage):
    stage.spec(WEB, top=TOP).up()
    former, stage.name = stage.name, f"{stage.name}-new"
    stage.spec(WEB, top=TOP)

    done = stage.down()
    stage.name = former

    assert sorted(done) == ["dismantle", "remove stage", "remove web"]
