"""Commands in one-offs of a service, and tasks that run again, on every backend that runs processes."""

from __future__ import annotations

import io

import pytest

from envctl.backends.base import Execution
from envctl.errors import EnvctlError

pytestmark = pytest.mark.executes

SPEC = """
db: {command: [sleep, infinity]}
web:
  command: [sleep, infinity]
  env: {COLOUR: blue}
  secrets: [token]
  depends_on: [db]
"""
TOP = "secrets: {token: {generate: 24}}"


def run(stage, *argv: str, service: str = "web", **options) -> tuple[int, str, str]:
    out: list[bytes] = []
    err: list[bytes] = []
    execution = Execution(argv, stdout=out.append, stderr=err.append, **options)
    code = stage.workspace().run(stage.target, service, execution)
    return code, b"".join(out).decode(), b"".join(err).decode()


def test_a_one_off_has_what_its_service_has_and_is_no_part_of_it(stage):
    stage.clear()
    stage.spec(SPEC, top=TOP).up("web")
    ids = stage.ids()
    stage.run("web", "sh", "-c", "echo kept > /data/one-off")
    (stage.root / "live" / "one-off").write_text("mine\n")

    code, out, err = run(
        stage,
        *("sh", "-c"),
        "id -un; pwd; echo $COLOUR $MORE; cat /data/one-off /srv/live/one-off;"
        " cat /run/secrets/token | wc -c; cat; echo err >&2; exit 7",
        stdin=io.BytesIO(b"typed\n"),
        env={"MORE": "red"},
    )

    assert (code, err) == (7, "err\n")
    assert out.split() == ["web", "/srv/web", "blue", "red", "kept", "mine", "24", "typed"]
    assert stage.ids() == ids
    assert stage.up() == []


def test_a_one_off_brings_up_what_its_service_depends_on(stage):
    stage.clear()
    stage.spec(SPEC, top=TOP)

    code, out, _ = run(stage, "echo", "ran")

    assert (code, out) == (0, "ran\n")
    assert stage.states()["db"] == "running"


def test_a_one_off_that_is_interrupted_leaves_nothing(stage):
    stage.clear()
    stage.spec(SPEC, top=TOP).up("web")

    class InterruptedRunError(Exception):
        pass

    def interrupt(_data: bytes) -> None:
        raise InterruptedRunError

    execution = Execution(("sh", "-c", "sleep 98771 & echo begun; sleep 98771"), stdout=interrupt)
    with pytest.raises(InterruptedRunError):
        stage.workspace().run(stage.target, "web", execution)

    _, out, _ = stage.run("web", "sh", "-c", "pgrep -f 'sleep 9877[1]' || :")
    assert out == ""
    observed = stage.workspace().observed(stage.target)
    assert not [name for name in observed.leftovers if "-run-" in name]


def test_a_task_runs_again_and_is_recorded(stage):
    stage.clear()
    job = "job: {kind: task, command: [sh, -c, 'echo x >> /data/times; exit %d']}"
    stage.spec(job % 0).up()

    done = stage.workspace().run_task(stage.target, "job")

    assert (done.exit_code, done.failure) == (0, None)
    assert stage.states() == {"job": "completed"}
    _, out, _ = stage.run("stage", "sh", "-c", "wc -l < /data/times")
    assert out.strip() == "2"

    failed = stage.spec(job % 3).workspace().run_task(stage.target, "job")

    assert (failed.exit_code, stage.states()) == (3, {"job": "failed"})
    assert isinstance(failed.failure, EnvctlError)
    stage.clear()
