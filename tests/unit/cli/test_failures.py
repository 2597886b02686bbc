"""Whatever goes wrong: a neat message, the right exit code, no traceback."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from envctl.cli.failure import INTERRUPTED, PIPE_CLOSED
from envctl.errors import EnvctlError, Place
from envctl.host.private_state import state_path
from tests.unit.cli.conftest import Run

pytestmark = pytest.mark.slow

TREE = Path(__file__).parents[3]


def raising(error: BaseException):
    def status(*_: object) -> None:
        raise error

    return status


def test_an_error_shows_its_place_evidence_and_hint(
    envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = EnvctlError(
        "web: it exited", details="boom\n\x1b[2J", hint="mend it", where=Place("envctl.yaml", 5, 3)
    )
    monkeypatch.setattr("envctl.verbs.status.status", raising(error))
    ended = envctl("status", "dev")
    assert ended.code == 1
    assert ended.out == ""
    assert ended.err == (
        "error: envctl.yaml:5:3: web: it exited\n  boom\n  \\x1b[2J\nhint: mend it\n"
    )


def test_a_traceback_is_shown_with_debug_only(
    envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envctl.verbs.status.status", raising(EnvctlError("no")))
    assert "Traceback" not in envctl("status", "dev").err
    assert "Traceback" in envctl("status", "dev", "--debug").err


@pytest.mark.parametrize("error", [EnvctlError("no\x1b[2J"), ZeroDivisionError("no\x1b[2J")])
def test_a_traceback_cannot_steer_the_terminal(
    envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("envctl.verbs.status.status", raising(error))
    shown = envctl("status", "dev", "--debug").err
    assert "no\\x1b[2J" in shown
    assert "\x1b" not in shown


def test_with_json_an_error_is_json_too(
    envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = EnvctlError("web: it exited", details="boom", hint="mend it", where=Place("a", 5, 3))
    monkeypatch.setattr("envctl.verbs.status.status", raising(error))
    ended = envctl("status", "dev", "--json")
    assert ended.json == {
        "error": {
            "message": "web: it exited",
            "details": "boom",
            "hint": "mend it",
            "where": "a:5:3",
            "problems": [],
            "exit_code": 1,
        }
    }
    assert "error: a:5:3: web: it exited" in ended.err


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied", "/x"), "/x: Permission denied"),
        (ZeroDivisionError("no"), "internal error, ZeroDivisionError: no"),
    ],
)
def test_with_json_any_error_is_json(
    envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    monkeypatch.setattr("envctl.verbs.status.status", raising(error))
    assert envctl("status", "dev", "--json").json["error"]["message"] == message


def test_with_json_mistakes_of_a_spec_are_reported_one_by_one(envctl: Run, shop: Path) -> None:
    (shop / "environments" / "dev.yaml").write_text("backend: memory\nnonsense: 1\n")
    (problem,) = envctl("plan", "dev", "--json").json["error"]["problems"]
    assert (problem["file"], problem["line"]) == ("environments/dev.yaml", 2)
    assert envctl("validate", "dev", "--json").json["problems"] == [problem]


def test_with_json_wrong_usage_is_json(envctl: Run, shop: Path) -> None:
    assert envctl("plan", "--json").json["error"]["exit_code"] == 2


def test_an_interrupt_says_how_to_go_on(
    envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envctl.verbs.status.status", raising(KeyboardInterrupt()))
    ended = envctl("status", "dev")
    assert ended.code == INTERRUPTED == 130
    assert ended.err == "\ninterrupted; run the command again to continue\n"


def test_a_bug_is_one_line_and_its_traceback_is_kept_privately(
    envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "envctl.verbs.status.status", raising(ZeroDivisionError("division\nby zero"))
    )
    ended = envctl("status", "dev")
    assert ended.code == 1
    assert ended.err.startswith(
        "envctl: internal error, ZeroDivisionError: division; run again with"
    )
    assert len(ended.err.splitlines()) == 1
    log = state_path(shop) / "crash.log"
    assert "Traceback" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.parametrize("link", ["", "crash.log"])
def test_a_traceback_is_not_written_through_a_link(
    envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    victim = shop / "victim"
    place = state_path(shop, link)
    if link:
        victim.write_text("precious")
    else:
        victim.mkdir()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(victim)
    monkeypatch.setattr("envctl.verbs.status.status", raising(ZeroDivisionError()))
    ended = envctl("status", "dev")
    assert ended.code == 1
    assert "or see" not in ended.err
    assert list(victim.iterdir()) == [] if victim.is_dir() else victim.read_text() == "precious"


def test_an_error_of_a_descriptor_does_not_show_its_number(
    envctl: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = IsADirectoryError(21, "Is a directory", 6)
    monkeypatch.setattr("envctl.verbs.status.status", raising(error))
    assert envctl("status", "dev").err == "error: Is a directory\n"


def test_what_the_system_refuses_is_reported_in_its_words(envctl: Run, shop: Path) -> None:
    ended = envctl("schema", "-o", "nowhere/schema.json")
    assert (ended.code, ended.err) == (1, "error: nowhere/schema.json: No such file or directory\n")


def test_a_bug_outside_a_project_is_one_line_too(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("envctl.definition.json_schema", raising(ZeroDivisionError()))
    ended = envctl("schema")
    assert (ended.code, len(ended.err.splitlines())) == (1, 1)


def test_a_reader_that_leaves_is_no_error_message(shop: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "envctl", "config", "dev"],
        stdout=writing,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TREE)},
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (PIPE_CLOSED, "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "Usage: envctl"),
        ("upp", "Did you mean 'up'?"),
        ("up dev --jsn", "No such option: --jsn"),
        ("render dev", "Missing option"),
        ("logs dev --tail many", "--tail"),
        ("exec dev", "no command given"),
        ("config dev --set level", "is not of the form name=value"),
        ("status a@b@c", "is not a target"),
        ("-C nowhere status dev", "no such folder: 'nowhere'"),
        ("schema --for nothing", "--for takes envctl or environment"),
        ("config dve", "did you mean 'dev'?"),
        ("up dev@dokcer", "docker"),
        ("plan", "name one of: dev, test"),
        ("config dev@", "is not a target"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_right(
    envctl: Run, shop: Path, line: str, said: str
) -> None:
    ended = envctl(*line.split())
    assert ended.code == 2
    assert said in ended.err
    assert ended.out == ""


def test_no_command_is_reported_in_half_a_sentence(
    envctl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    assert "..." not in envctl("--help").out.partition("Start:")[2]


@pytest.mark.parametrize(("line", "same"), [("help", "--help"), ("help up", "up --help")])
def test_help_is_a_word_too(envctl: Run, tmp_path: Path, line: str, same: str) -> None:
    ended = envctl(*line.split())
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == envctl(*same.split()).out


def test_outside_a_project_the_hint_is_init(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = envctl("up", "dev")
    assert ended.code == 1
    assert "envctl init" in ended.err


@pytest.mark.parametrize("path", [".:{path}", ":{path}", "{path}:", "bin:{path}"])
def test_programs_are_not_looked_for_in_the_project(tmp_path: Path, path: str) -> None:
    (tmp_path / "bin").mkdir()
    for folder in (tmp_path, tmp_path / "bin"):
        for name in ("virsh", "docker", "vagrant", "ssh", "git"):
            (folder / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
            (folder / name).chmod(0o755)
    spec = "project: p\nservices: {web: {image: x}}\nenvironments: {dev: {backend: vagrant}}\n"
    (tmp_path / "envctl.yaml").write_text(spec)
    # An engine that is nowhere: what matters is who is asked for it.
    environ = {**os.environ, "PATH": path.format(path="/nonexistent"), "PYTHONPATH": str(TREE)}
    environ["HOME"] = str(tmp_path)
    for verb in ("status", "plan"):
        argv = [sys.executable, "-m", "envctl", verb, "dev"]
        subprocess.run(argv, cwd=tmp_path, env=environ, capture_output=True, check=False)
    assert not (tmp_path / "ran").exists()


def test_modules_are_not_looked_for_in_the_project(tmp_path: Path) -> None:
    for name in ("yaml", "docker", "typing_extensions", "pydantic", "jinja2", "json", "typing"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    (tmp_path / "envctl.yaml").write_text("project: p\nservices: {web: {image: x}}\n")
    done = subprocess.run(
        [sys.executable, "-m", "envctl", "validate"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "the project has no environments" in done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("status", "--nonsense", "--json"), "No such option: --nonsense"),
        (("wat", "--json"), "No such command 'wat'."),
        (("destroy", "--json"), "there is no command 'destroy'"),
        (("logs", "--json", "--tail", "x"), "Invalid value for '--tail'"),
    ],
)
def test_a_command_line_that_is_wrong_is_json_too(
    envctl: Run, shop: Path, words: tuple[str, ...], message: str
) -> None:
    ended = envctl(*words)
    error = ended.json["error"]
    assert error["message"].startswith(message)
    assert ended.code == error["exit_code"] == 2
    assert message in ended.err


def test_a_command_line_that_is_wrong_is_text_unless_it_asks_for_json(
    envctl: Run, shop: Path
) -> None:
    for words in (("status", "--nonsense"), ("run", "--nonsense", "web", "--", "ls", "--json")):
        ended = envctl(*words)
        assert (ended.code, ended.out) == (2, "")
        assert "No such option: --nonsense" in ended.err
        assert "Usage: envctl" in ended.err
