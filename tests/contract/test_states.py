"""What is told of units is what happened: how a process ended, who stopped it, which hooks have run."""

from __future__ import annotations

import pytest

from envctl.errors import EnvctlError

TOGETHER = "options: {vagrant: {layout: single}}"
"""On machines all in one: it is made once."""

HOOKED = """
web:
  command: [sleep, infinity]
  %(together)s
  hooks:
    after_start:
      - echo one >> /var/tmp/ran
      - "%(second)s"
after:
  command: [sleep, infinity]
  depends_on: [web]
  %(together)s
"""


def hooked(second):
    return HOOKED % {"together": TOGETHER, "second": second}


@pytest.mark.executes
def test_hooks_are_part_of_what_up_brings_about(project):
    project.spec(hooked("cat /var/tmp/ready && echo two >> /var/tmp/ran"))

    with pytest.raises(EnvctlError, match="web: after_start hook 2") as caught:
        project.up()
    assert "the hook printed: cat: /var/tmp/ready: No such file" in caught.value.details
    assert "probe" not in str(caught.value)
    assert project.states() == {"web": "running", "after": "missing"}
    cause = causes(project)["web"]
    assert cause.startswith("after_start hook 2 has not run: ")
    assert rows(project)["web"].cause == cause
    assert any(one.found == cause for one in project.workspace().verify(project.target).findings)

    # The next `up` runs what has not run, and goes on to what waited for it.
    assert project.run("web", "touch", "/var/tmp/ready")[0] == 0
    assert project.up() == ["hook web", "create after"]
    assert project.run("web", "cat", "/var/tmp/ran")[1] == "one\ntwo\n"
    assert project.up() == []

    # Another list of hooks is a change that touches nothing else.
    ids = project.ids()
    project.spec(hooked("echo three >> /var/tmp/ran"))
    assert causes(project)["web"].startswith("hooks changed: after_start hook 2 has not run: ")
    assert project.up() == ["hook web"]
    assert project.ids() == ids
    assert project.run("web", "cat", "/var/tmp/ran")[1] == "one\ntwo\nthree\n"

    # What envctl stopped is told as that; hooks run again when it is started again.
    project.workspace().stop(project.target)
    assert project.states() == {"web": "stopped", "after": "stopped"}
    assert causes(project) == {"web": "it is stopped", "after": "it is stopped"}
    assert project.up() == ["start web", "start after"]
    assert project.run("web", "cat", "/var/tmp/ran")[1] == "one\ntwo\nthree\none\nthree\n"
    assert project.up() == []


def test_a_hook_that_failed_is_run_again_on_paper_too(project):
    spec = "web: {command: [sleep, infinity], hooks: {after_start: [['true'], ['%s']]}}"
    project.spec(spec % "false")
    for _ in range(2):
        with pytest.raises(EnvctlError, match="after_start hook 2"):
            project.up()
    project.spec(spec % "true")

    assert project.up() == ["hook web"]
    assert project.up() == []


EATS = "perl -e '$x = q(a) x 300000000; sleep 60'"
ENDED = f"""
well:
  command: [sh, -c, "echo x; exit 0"]
  {TOGETHER}
ill:
  command: [sh, -c, "exit 3"]
  {TOGETHER}
killed:
  command: [sh, -c, "trap - TERM; kill -TERM $$$$; sleep 60"]
  {TOGETHER}
greedy:
  command: [sh, -c, "exec {EATS}"]
  resources: {{memory: 64MiB}}
  healthcheck: {{command: ["false"], start_period: 60s}}
  {TOGETHER}
parent:
  command: [sh, -c, "{EATS}; exit 5"]
  resources: {{memory: 64MiB}}
  healthcheck: {{command: ["false"], start_period: 60s}}
  {TOGETHER}
loop:
  command: [sh, -c, "sleep 1; exit 4"]
  restart: always
  {TOGETHER}
"""


@pytest.mark.executes
def test_how_a_process_ended_is_told_and_told_alike(project):
    project.spec(ENDED)

    with pytest.raises(EnvctlError) as caught:
        project.up()

    text = str(caught.value)
    for line in (
        "well: it exited with exit code 0",
        "ill: it exited with exit code 3",
        "killed: it exited with exit code 143 (SIGTERM)",
        "greedy: it was killed for memory (limit 64 MiB)",
        "raise `resources.memory`",
        "parent: it exited with exit code 5: a process in it was killed for memory",
    ):
        assert line in text
    found = rows(project)
    states = {name: row.state for name, row in found.items() if name != "loop"}
    assert states == {
        "well": "exited",
        "ill": "exited",
        "killed": "exited",
        "greedy": "oom-killed",
        "parent": "exited",
    }
    assert found["well"].cause == "it is not running (exit code 0)"
    assert found["greedy"].cause == "it was killed for memory (limit 64 MiB)"
    assert found["parent"].cause == (
        "it is not running (exit code 5: a process in it was killed for memory)"
    )


def causes(project):
    _, changes = project.workspace().changes(project.target)
    return {change.unit: change.cause for change in changes if str(change.action) != "create"}


def rows(project):
    return {row.unit: row for row in project.workspace().status(project.target)}
