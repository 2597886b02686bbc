"""Commands in one-offs of a service, and tasks that run again, on every backend that runs processes."""

from __future__ import annotations

import io
import signal

import pytest

from envctl.backends.base import Execution
from envctl.errors import EnvctlError
from tests.contract.test_lifecycle import two
from tests.support.project import Project, wait_for

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

    code, out, _ = run(stage, "sh", "-c", "wc -c < /run/secrets/token; exit 7")

    assert (code, out.strip()) == (7, "24")
    # The service itself need not be up, and is not up now.
    assert set(stage.ids()) == {"db"}
    assert stage.states()["db"] == "running"
    assert stage.up() == ["create web"]


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


# --- services that, on machines, have each a machine of its own


def without_web(pair: Project) -> Project:
    """The pair, of which only `db` is up."""
    pair.spec(two(pair)).up()
    pair.workspace().down(pair.target, services=("web",))
    return pair


def test_what_is_not_up_has_a_place_of_its_own_that_goes_with_the_command(pair):
    before = without_web(pair).ids()

    code, out, _ = run(pair, "sh", "-c", "getent hosts db >/dev/null && echo $COLOUR; exit 7")

    assert (code, out) == (7, "blue\n")
    observed = pair.workspace().observed(pair.target)
    assert {name: unit.id for name, unit in observed.units.items()} == before
    assert [text for text in observed.leftovers if not text.startswith(("network", "folder"))] == []


def test_that_place_goes_if_the_command_is_interrupted_too(pair):
    before = without_web(pair).ids()
    with pair.start("run", "dev", "web", "--", "sh", "-c", "echo begun; sleep 987650") as process:
        wait_for(process, "begun")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=300)

    assert process.returncode == 128 + signal.SIGTERM
    observed = pair.workspace().observed(pair.target)
    assert {name: unit.id for name, unit in observed.units.items()} == before
    assert [text for text in observed.leftovers if not text.startswith(("network", "folder"))] == []


@pytest.mark.long
def test_a_stopped_service_is_stopped_when_the_command_has_ended(pair):
    pair.spec(two(pair)).up()
    before = pair.ids()
    pair.workspace().stop(pair.target, services=("web",))

    assert run(pair, "sh", "-c", "exit 7")[0] == 7

    assert (pair.ids(), pair.states()["web"]) == (before, "stopped")
    assert pair.up() == ["start web"]


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
