"""Which environment and services a command means that does not name both, and how that is said."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from envctl.backends.base import Execution
from envctl.plan.target import Target
from envctl.project import Project
from envctl.verbs.stop import stop
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.slow


def put_default(shop: Path, name: str) -> None:
    spec = (shop / "envctl.yaml").read_text()
    (shop / "envctl.yaml").write_text(spec.replace("vars:", f"default: {name}\nvars:", 1))


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Target, str, tuple[str, ...]]]:
    """What was asked to be executed."""
    calls: list[tuple[Target, str, tuple[str, ...]]] = []

    def execute(_: object, target: Target, unit: str, execution: Execution) -> int:
        calls.append((target, unit, execution.argv))
        return 0

    monkeypatch.setattr("envctl.verbs.exec.execute", execute)
    return calls


def test_the_default_of_the_spec_is_meant_and_said(envctl: Run, shop: Path) -> None:
    put_default(shop, "test")
    ended = envctl("plan")
    assert (ended.code, "+ create web" in ended.out) == (0, True)
    assert ended.err.splitlines()[0] == "note: environment test, the default in envctl.yaml:3"
    assert "note: environment" not in envctl("plan", "-q").err


def test_the_environment_variable_goes_before_the_default_of_the_spec(
    envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_default(shop, "test")
    monkeypatch.setenv("ENVCTL_ENV", "dev@memory")
    assert envctl("plan").err.splitlines()[0] == "note: environment dev@memory, from ENVCTL_ENV"


def test_the_only_environment_is_meant_without_a_word(envctl: Run, shop: Path) -> None:
    (shop / "environments" / "test.yaml").unlink()
    put_default(shop, "dev")
    assert "note: environment" not in envctl("plan").err


def test_the_only_one_that_is_up_is_meant_and_said(envctl: Run, shop: Path) -> None:
    assert envctl("up", "test").code == 0
    ended = envctl("stop")
    assert ended.err.splitlines()[0] == "note: environment test@memory, the only one that is up", (
        ended
    )
    assert "web" in ended.out


def test_several_that_are_up_are_named(envctl: Run, shop: Path) -> None:
    spec = (shop / "envctl.yaml").read_text()
    (shop / "envctl.yaml").write_text(spec.replace('    ports: ["8080:80"]\n', ""))
    envctl("up", "test")
    assert envctl("up", "dev").code == 0
    ended = envctl("stop")
    assert (ended.code, ended.err.splitlines()[0]) == (2, "error: no environment named")
    assert "2 are up, name one of: dev@memory, test@memory" in ended.err


def test_where_nothing_says_which_is_meant_the_ways_to_say_it_are_reported(
    envctl: Run, shop: Path
) -> None:
    ended = envctl("up", "web")
    assert (ended.code, ended.err.splitlines()[0]) == (2, "error: there is no environment 'web'")
    assert "name one of: dev, test; or write `default: NAME` in envctl.yaml" in ended.err
    assert "or set ENVCTL_ENV" in ended.err


@pytest.mark.parametrize("name", ["prd", "prod"])
def test_an_environment_variable_that_names_none_is_an_error(
    envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("ENVCTL_ENV", name)
    ended = envctl("plan")
    assert ended.code == 2
    assert f"ENVCTL_ENV is '{name}', and there is no environment '{name}'" in ended.err


def test_a_default_that_is_no_environment_is_a_mistake_in_the_spec(envctl: Run, shop: Path) -> None:
    put_default(shop, "tset")
    ended = envctl("validate")
    assert ended.code == 1
    assert "envctl.yaml:3:10: default: there is no environment 'tset'" in ended.err
    assert "did you mean 'test'?" in ended.err
    assert "envctl.yaml:3:10: default is 'tset'" in envctl("plan").err


@pytest.mark.parametrize("line", ["default: ${level}", "default: [dev]", "default: 5x"])
def test_a_default_that_is_no_name_is_a_mistake_in_the_spec(
    envctl: Run, shop: Path, line: str
) -> None:
    (shop / "envctl.yaml").write_text(f"{(shop / 'envctl.yaml').read_text()}{line}\n")
    ended = envctl("validate", "dev")
    assert (ended.code, "default" in ended.err) == (1, True)


def test_a_default_stands_in_the_root_file_only(envctl: Run, shop: Path) -> None:
    (shop / "environments" / "dev.yaml").write_text("backend: memory\ndefault: dev\n")
    assert "default is only allowed in envctl.yaml" in envctl("validate", "dev").err


@pytest.mark.parametrize("line", ['default: "test"', "'default': test", "default:\n  test"])
def test_a_default_may_be_written_in_any_way(envctl: Run, shop: Path, line: str) -> None:
    (shop / "envctl.yaml").write_text(f"{(shop / 'envctl.yaml').read_text()}{line}\n")
    assert "note: environment test, the default" in envctl("plan").err


def test_a_service_in_place_of_the_target_is_one_of_the_default(envctl: Run, shop: Path) -> None:
    put_default(shop, "test")
    ended = envctl("up", "db")
    assert (ended.code, "create web" in ended.out) == (0, False)
    assert envctl("status", "test", "--json").json[0]["environment"] == "test"


def test_an_environment_goes_before_a_service_of_its_name(
    envctl: Run, shop: Path, executed: list[tuple[Target, str, tuple[str, ...]]]
) -> None:
    (shop / "environments" / "web.yaml").write_text("backend: memory\n")
    put_default(shop, "test")
    envctl("exec", "web", "db", "--", "ls")
    envctl("exec", "db", "--", "ls")
    assert executed == [(Target("web"), "db", ("ls",)), (Target("test"), "db", ("ls",))]


@pytest.mark.parametrize(
    ("line", "unit", "argv"),
    [
        ("exec web -- ls -l", "web", ("ls", "-l")),
        ("exec web ls -l", "web", ("ls", "-l")),
        ("exec web ls -- x", "web", ("ls", "--", "x")),
        ("exec test db -- ls", "db", ("ls",)),
        ("shell db", "db", None),
        ("shell test db", "db", None),
    ],
)
def test_exec_and_shell_take_a_service_alone(
    envctl: Run,
    shop: Path,
    executed: list[tuple[Target, str, tuple[str, ...]]],
    line: str,
    unit: str,
    argv: tuple[str, ...] | None,
) -> None:
    put_default(shop, "test")
    assert envctl(*line.split()).code == 0
    assert [(target, name) for target, name, _ in executed] == [(Target("test"), unit)]
    assert argv in (None, executed[0][2])


def test_exec_takes_a_command_alone_where_there_is_one_service(
    envctl: Run, shop: Path, executed: list[tuple[Target, str, tuple[str, ...]]]
) -> None:
    spec = "project: one\ndefault: dev\nbase: debian:bookworm\nservices: {app: {command: [sleep, '1']}}\n"
    (shop / "envctl.yaml").write_text(spec)
    envctl("exec", "--", "ls", "-l")
    envctl("exec", "-Tu", "root", "dev", "--", "ls")
    assert executed == [
        (Target("dev"), "app", ("ls", "-l")),
        (Target("dev"), "app", ("ls",)),
    ]


def test_a_word_that_is_neither_is_reported_as_both(envctl: Run, shop: Path) -> None:
    put_default(shop, "test")
    ended = envctl("logs", "wbe")
    assert ended.code == 2
    assert "there is no environment 'wbe', and test has no service 'wbe'" in ended.err
    assert "did you mean 'web'?" in ended.err


def test_what_runs_of_a_spec_with_mistakes_is_found_by_its_name(envctl: Run, shop: Path) -> None:
    put_default(shop, "test")
    envctl("up")
    (shop / "envctl.yaml").write_text("default: test\nservices: {\n")
    ended = envctl("logs", "web")
    assert "web is only simulated" in ended.err


def test_a_removed_environment_can_still_be_named(envctl: Run, shop: Path) -> None:
    envctl("up", "test")
    put_default(shop, "dev")
    (shop / "environments" / "test.yaml").unlink()
    assert "is only simulated" in envctl("logs", "test").err


def states(envctl: Run, *words: str) -> dict[str, str]:
    return {row["unit"]: row["state"] for row in envctl("status", *words, "--json").json}


def test_stop_and_down_and_status_take_services(envctl: Run, shop: Path) -> None:
    put_default(shop, "test")
    envctl("up")
    ended = envctl("stop", "web")
    assert ended.out.splitlines() == ["# stop web  it is being stopped"]
    assert states(envctl, "test") == {"db": "running", "web": "stopped"}
    assert states(envctl, "web") == {"web": "stopped"}
    ended = envctl("down", "test", "web")
    assert ended.out.splitlines() == ["- remove web  it is taken down"]
    assert states(envctl, "test") == {"db": "running", "web": "missing"}
    assert envctl("down", "web").out == "test: nothing is up\n"
    assert envctl("stop", "web").out == "test: nothing is running\n"


@pytest.mark.parametrize("verb", ["stop", "down", "status"])
def test_a_service_that_nobody_knows_is_an_error(envctl: Run, shop: Path, verb: str) -> None:
    envctl("up", "test")
    ended = envctl(verb, "test", "wbe")
    assert (ended.code, "test has no service 'wbe'" in ended.err) == (2, True)
    assert states(envctl, "test") == {"db": "running", "web": "running"}


def test_services_are_taken_down_before_what_they_depend_on(envctl: Run, shop: Path) -> None:
    envctl("up", "test")
    ended = envctl("down", "test", "db", "web")
    done = [line for line in ended.err.splitlines() if line.startswith("✓")]
    assert ["remove web" in done[0], "remove db" in done[1]] == [True, True]


def test_data_of_single_services_is_not_deleted(envctl: Run, shop: Path) -> None:
    envctl("up", "test")
    ended = envctl("down", "-v", "test", "db")
    assert (ended.code, "cannot be used with services" in ended.err) == (2, True)
    assert states(envctl, "test") == {"db": "running", "web": "running"}


def test_down_says_what_went_and_what_stayed(envctl: Run, shop: Path) -> None:
    envctl("up", "test")
    last = envctl("down", "test").err.splitlines()[-1]
    assert last == (
        "· test@memory  removed 2 units and 1 network; data stays: data; `envctl down --volumes` deletes it"
    )
    envctl("up", "test")
    last = envctl("down", "-v", "test").err.splitlines()[-1]
    assert last == "· test@memory  removed 2 units, 1 network and 1 volume"
    assert "removed" not in envctl("down", "test").err


def test_watch_shows_the_states_again_when_they_change(
    envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    envctl("up", "test")
    looks = []

    def look(_: float) -> None:
        looks.append(1)
        if len(looks) == 2:
            stop(Project(shop, environ={}), Target("test"))
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", look)
    ended = envctl("status", "test", "web", "--watch")
    tables = [table.splitlines()[1].split()[3] for table in ended.out.split("\n\n")]
    assert (ended.code, tables) == (0, ["running", "stopped"])


@pytest.mark.parametrize("option", ["--json", "--all"])
def test_watch_goes_with_no_other_form(envctl: Run, shop: Path, option: str) -> None:
    assert envctl("status", "--watch", option).code == 2


def test_plan_ends_with_a_summary_and_the_next_command(envctl: Run, shop: Path) -> None:
    lines = envctl("plan", "test").out.splitlines()
    assert lines[-1] == "2 to build, 2 to create; `envctl up test` makes these changes"
    envctl("up", "test")
    assert envctl("plan", "test").out == "test: no changes\n"
