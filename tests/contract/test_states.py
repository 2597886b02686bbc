"""What is told of units is what happened: how a process ended, who stopped it, which hooks have run."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from envctl.errors import EnvctlError

HOOKED = """
hooked:
  command: [sleep, infinity]
  hooks:
    after_start:
      - echo one >> /data/ran
      - "%s"
after:
  command: [sleep, infinity]
  depends_on: [hooked]
"""


@pytest.mark.executes
def test_hooks_are_part_of_what_up_brings_about(stage):
    stage.clear()
    stage.spec(HOOKED % "cat /data/ready && echo two >> /data/ran")

    with pytest.raises(EnvctlError, match="hooked: after_start hook 2") as caught:
        stage.up()
    assert "the hook printed: cat: /data/ready: No such file" in caught.value.details
    assert "probe" not in str(caught.value)
    assert stage.states() == {"hooked": "running", "after": "missing"}
    cause = causes(stage)["hooked"]
    assert cause.startswith("after_start hook 2 has not succeeded: ")
    assert rows(stage)["hooked"].cause == cause
    assert cause in [one.observed for one in stage.workspace().verify(stage.target).findings]

    # The next `up` runs what has not run, and goes on to what waited for it.
    assert stage.run("hooked", "touch", "/data/ready")[0] == 0
    assert stage.up() == ["hook hooked", "create after"]
    assert stage.run("hooked", "cat", "/data/ran")[1] == "one\ntwo\n"
    assert stage.up() == []

    # Another list of hooks is a change that touches nothing else.
    ids = stage.ids()
    stage.spec(HOOKED % "echo three >> /data/ran; rm /data/ready")
    assert causes(stage)["hooked"].startswith(
        "hooks changed: after_start hook 2 has not succeeded: "
    )
    assert stage.up() == ["hook hooked"]
    assert stage.ids() == ids
    assert stage.run("hooked", "cat", "/data/ran")[1] == "one\ntwo\nthree\n"
    assert stage.run("hooked", "rm", "/data/ran")[0] == 0


@pytest.mark.executes
def test_a_hook_that_is_due_hides_no_bad_health(stage):
    stage.clear()
    spec = """
        ill:
          command: [sh, -c, "touch /tmp/well; exec sleep infinity"]
          healthcheck: {command: "test -e /tmp/well", interval: 1s, retries: 1, start_period: 5s}
          hooks: {after_start: [["test", "-e", "/tmp/seen"]]}
    """
    with pytest.raises(EnvctlError, match="after_start hook 1"):
        stage.spec(spec).up()
    assert stage.run("ill", "rm", "/tmp/well")[0] == 0
    # Where no engine remembers how it was, nobody knows whether it is still starting.
    wait(lambda: rows(stage)["ill"].health == "unhealthy", seconds=15)
    assert "probe" in rows(stage)["ill"].cause
    health = rows(stage)["ill"].health
    assert health in ("unhealthy", "starting")

    due = "after_start hook 1 has not succeeded: test -e /tmp/seen"
    assert causes(stage)["ill"] == due
    assert rows(stage)["ill"].cause.startswith(f"{due}; ")
    found = stage.workspace().verify(stage.target).findings
    (told,) = [one.message for one in found if one.unit == "ill" and one.category == "unit"]
    assert told.startswith(f"{due}; it is {health}; ")
    assert "probe" in told
    stage.clear()


SLOW = """
slow:
  command: [sh, -c, 'rm -f /tmp/ending; trap "touch /tmp/ending; sleep 4; exit 0" TERM; while :; do sleep 0.1; done']
"""

ENDING = ["test", "-e", "/tmp/ending"]


@pytest.mark.executes
@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_an_up_after_a_killed_stop_does_not_take_the_ending_process_for_a_running_one(stage, verb):
    stage.clear()
    stage.spec(SLOW).up()

    with stage.start(verb, stage.target.environment, "slow") as process:
        while stage.run("slow", *ENDING)[0] != 0:
            assert process.poll() is None, process.communicate()
        process.kill()

    assert stage.up() == ["restart slow"]
    assert stage.run("slow", *ENDING)[0] == 1
    assert stage.states() == {"slow": "running"}
    assert stage.up() == []


@pytest.mark.long
def test_a_hook_that_failed_is_run_again_on_paper_too(project):
    spec = "web: {command: [sleep, infinity], hooks: {after_start: [['true'], ['%s']]}}"
    project.spec(spec % "false")
    for _ in range(2):
        with pytest.raises(EnvctlError, match="after_start hook 2") as caught:
            project.up()
        column = 3 + spec.index("['%s']")
        assert str(caught.value.where) == f"envctl.yaml:4:{column}"
        (change,) = project.workspace().changes(project.target)[1]
        assert change.where == caught.value.where
    project.spec(spec % "true")

    assert project.up() == ["hook web"]
    assert project.up() == []


ENDED = """
well: {command: [sh, -c, "echo x; exit 0"]}
ill: {command: [sh, -c, "exit 3"]}
killed: {command: [sh, -c, "kill -TERM $$$$; sleep 60"]}
loop: {command: [sh, -c, "sleep 0.2; exit 4"], restart: always}
"""


@pytest.mark.executes
def test_how_a_process_ended_is_told_and_told_alike(stage):
    stage.clear()
    stage.spec(ENDED)

    # A process that ends a moment later than `up` looks for is no failure of `up`.
    with suppress(EnvctlError):
        stage.up()

    ended = ("well", "ill", "killed")
    assert wait(lambda: all(rows(stage)[name].state == "exited" for name in ended))
    found = rows(stage)
    assert [found[name].cause for name in ended] == [
        "it is not running (exit code 0)",
        "it is not running (exit code 3)",
        "it is not running (exit code 143 (SIGTERM))",
    ]
    # It is caught between two starts or in one.
    assert wait(lambda: "last exit code 4" in rows(stage)["loop"].cause)
    stage.clear()


EATS = "perl -e '$x = q(a) x 300000000; sleep 60'"
GREEDY = """
greedy:
  command: [sh, -c, "exec %(eats)s"]
  resources: {memory: 64MiB}
  healthcheck: {command: ["false"], start_period: 120s}
  options: {vagrant: {layout: single}}
parent:
  command: [sh, -c, "%(eats)s; exit 5"]
  resources: {memory: 64MiB}
  healthcheck: {command: ["false"], start_period: 120s}
  options: {vagrant: {layout: single}}
"""


@pytest.mark.executes
def test_what_used_too_much_is_reported_as_killed_with_its_limit_and_the_remedy(project):
    project.spec(GREEDY % {"eats": EATS})

    with pytest.raises(EnvctlError) as caught:
        project.up()

    text = str(caught.value)
    assert "greedy: it was killed for memory (limit 64 MiB)" in text
    assert "raise `resources.memory`" in text
    ended = "exit code 5: a process in it was killed: out of memory"
    assert f"parent: it exited with {ended}" in text
    found = rows(project)
    assert (found["greedy"].state, found["parent"].state) == ("oom-killed", "exited")
    assert found["greedy"].cause == "it was killed for memory (limit 64 MiB)"
    assert found["parent"].cause == f"it is not running ({ended})"


def wait(true, seconds=60.0):
    """Wait until something is true; whether it is."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def causes(project):
    _, changes = project.workspace().changes(project.target)
    return {change.unit: change.cause for change in changes if str(change.action) != "create"}


def rows(project):
    return {row.unit: row for row in project.workspace().status(project.target)}
