"""`status` of all that is up: in the spec or taken out of it, on the engines that answer; of the others it is said."""

from __future__ import annotations

import pytest

from envctl.backends.base import NoEngineError
from envctl.backends.docker import DockerBackend
from envctl.backends.memory import MemoryBackend
from envctl.backends.vagrant import VagrantBackend
from envctl.errors import EnvctlError
from envctl.plan.target import Target
from envctl.verbs.list_environments import running

WEB = "web: {command: [sleep, infinity]}"


@pytest.fixture
def project(make_project, monkeypatch):
    """A project on paper, on a host without any engine."""

    def absent(_self):
        raise NoEngineError("there is none")

    monkeypatch.setattr(DockerBackend, "environments", absent)
    monkeypatch.setattr(VagrantBackend, "environments", absent)
    return make_project(backend="memory").spec(WEB)


def seen(project):
    found = running(project.workspace())
    return [(row.environment, row.unit, row.state) for row in found.rows], found.unanswered


def test_nothing_is_up_where_nothing_is(project):
    assert seen(project) == ([], ())


def test_what_was_taken_out_of_the_spec_is_reported_as_long_as_it_is_there(project):
    project.write("environments/test.yaml", "backend: memory\n")
    for name in ("dev", "test"):
        project.workspace().up(Target(name))
    (project.root / "environments/test.yaml").unlink()

    assert seen(project)[0] == [("dev", "web", "running"), ("test", "web", "running")]
    rows = {row.environment: row.cause for row in running(project.workspace()).rows}
    assert rows == {"dev": "", "test": "the environment was removed from the spec"}

    project.workspace().down(Target("test", "memory"))
    assert seen(project) == ([("dev", "web", "running")], ())


def test_an_environment_is_found_though_no_lock_tells_of_it(project):
    project.workspace().up(Target("dev", "memory"))
    project.write("environments/dev.yaml", "backend: docker\n")
    for lock in project.root.rglob("*.lock"):
        lock.unlink()

    assert seen(project)[0] == [("dev", "web", "running")]


@pytest.mark.parametrize("gone", [False, True])
def test_an_engine_that_does_not_answer_is_reported_and_what_it_has_is_unknown(
    project, monkeypatch, gone
):
    project.write("environments/test.yaml", "backend: memory\n")
    for name in ("dev", "test"):
        project.workspace().up(Target(name))
    if gone:
        (project.root / "environments/test.yaml").unlink()
    observe = MemoryBackend.observe

    def silent(self, plan=None):
        if self.context.scope.environment == "test":
            raise EnvctlError("the engine does not answer")
        return observe(self, plan)

    monkeypatch.setattr(MemoryBackend, "observe", silent)

    rows, unanswered = seen(project)

    assert rows == [("dev", "web", "running")] + ([] if gone else [("test", "web", "unknown")])
    assert [error.brief for error in unanswered] == ["the engine does not answer"]
    with pytest.raises(EnvctlError, match="does not answer"):
        running(project.workspace()).require_answers()


def test_no_engine_at_all_is_not_an_error(project, monkeypatch):
    def absent(_self, _plan=None):
        raise NoEngineError("there is none")

    monkeypatch.setattr(MemoryBackend, "observe", absent)

    assert seen(project) == ([], ())


def test_logs_of_what_is_not_up_are_an_error_and_no_silence(project):
    with pytest.raises(EnvctlError, match="dev is not up") as caught:
        list(project.workspace().logs(project.target))
    assert "envctl up dev" in caught.value.hint

    done = project.cli("logs", "dev")
    assert (done.returncode, done.stdout) == (1, "")
    assert "dev is not up" in done.stderr
