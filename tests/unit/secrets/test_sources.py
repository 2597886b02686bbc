"""Where a secret's value comes from, and that what goes wrong does not show it."""

from __future__ import annotations

import os
import sys

import pytest

from envctl.definition.keys.spec_file import SecretData
from envctl.errors import EnvctlError
from envctl.secrets import sources
from envctl.secrets.sources import LARGEST, NotEvaluatedError, missing


def declared(env=None, file=None, command=None, generate=None) -> SecretData:
    return {"env": env, "file": file, "command": command, "generate": generate}


def source_value(name: str, one: SecretData, *, reach_host: bool = True, **options):
    """The value, as a run has it that the user allowed to use this host."""
    return sources.source_value(name, one, reach_host=reach_host, **options)


def python(code: str) -> list[str]:
    """The argv of a command that runs some Python."""
    return [sys.executable, "-c", code]


def test_the_sources_are_tried_in_their_order(tmp_path):
    (tmp_path / "file").write_text("of the file\n")
    one = declared(env="TOKEN", file="file", command=python("print('of the command')"))

    assert (
        source_value("t", one, root=tmp_path, environ={"TOKEN": "of the variable"})
        == b"of the variable"
    )
    assert source_value("t", one, root=tmp_path, environ={}) == b"of the file"
    (tmp_path / "file").unlink()
    assert source_value("t", one, root=tmp_path, environ={}) == b"of the command"
    assert source_value("t", declared(env="TOKEN"), root=tmp_path, environ={}) is None


def test_a_variable_that_is_set_to_nothing_is_as_good_as_unset(tmp_path):
    (tmp_path / "file").write_text("of the file\n")
    assert source_value("t", declared(env="TOKEN"), root=tmp_path, environ={"TOKEN": ""}) is None
    both = declared(env="TOKEN", file="file")
    assert source_value("t", both, root=tmp_path, environ={"TOKEN": ""}) == b"of the file"


def test_one_newline_at_the_end_is_the_editors_and_the_rest_is_the_values(tmp_path):
    (tmp_path / "file").write_bytes(b" \xff two \n\n")

    assert source_value("t", declared(file="file"), root=tmp_path, environ={}) == b" \xff two \n"
    shell = declared(command=["/bin/sh", "-c", "printf 'a\\n\\n'"])
    assert source_value("t", shell, root=tmp_path, environ={}) == b"a\n"


def test_bytes_of_the_process_environment_come_through(tmp_path):
    environ = {"TOKEN": os.fsdecode(b"\xff\xfe")}
    assert source_value("t", declared(env="TOKEN"), root=tmp_path, environ=environ) == b"\xff\xfe"


def test_a_command_runs_in_the_project_without_standard_input(tmp_path):
    code = "import os, sys; print(os.getcwd() + sys.stdin.read())"
    found = source_value("t", declared(command=python(code)), root=tmp_path, environ={})
    assert found == os.fsencode(tmp_path)


@pytest.mark.parametrize(
    ("command", "brief"),
    [
        (python("import sys; print('hush'); sys.stderr.write('hush'); sys.exit(3)"), "ended with exit code 3"),
        (["no-such-program", "hush"], "cannot be run: No such file or directory"),
        (python("print('hush' * 200_000)"), f"is larger than {LARGEST // 1024} KiB"),
    ],
)  # fmt: skip
def test_a_broken_command_is_reported_without_what_it_printed(tmp_path, command, brief):
    with pytest.raises(EnvctlError) as caught:
        source_value("token", declared(command=command), root=tmp_path, environ={})
    assert caught.value.brief.startswith("secret token")
    assert caught.value.brief.endswith(brief)
    assert "hush" not in str(caught.value)


def test_a_command_that_does_not_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "COMMAND_TIMEOUT", 0.2)
    with pytest.raises(EnvctlError, match="did not end within"):
        source_value("token", declared(command=["sleep", "60"]), root=tmp_path, environ={})


def test_a_command_that_prints_without_end_is_ended(tmp_path):
    with pytest.raises(EnvctlError, match="is larger than"):
        source_value("token", declared(command=["yes"]), root=tmp_path, environ={})


def test_what_a_command_leaves_running_does_not_hold_us_up_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "COMMAND_TIMEOUT", 0.3)
    with pytest.raises(EnvctlError, match="did not end within"):
        source_value(
            "t", declared(command=["/bin/sh", "-c", "sleep 5 &"]), root=tmp_path, environ={}
        )


def test_a_value_may_be_as_large_as_the_bound_and_have_its_newline(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * LARGEST + b"\n")
    code = f"print('x' * {LARGEST})"
    for one in (declared(file="file"), declared(command=python(code))):
        assert source_value("t", one, root=tmp_path, environ={}) == b"x" * LARGEST


def test_no_more_is_read_of_a_file_than_a_secret_may_have(tmp_path):
    with (tmp_path / "file").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(EnvctlError, match="is larger than"):
        source_value("t", declared(file="file"), root=tmp_path, environ={})


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_pipe_or_device_in_the_place_of_a_file_is_reported_at_once(tmp_path, make):
    make(tmp_path / "file")
    with pytest.raises(EnvctlError, match=r"is a pipe|leads outside the project"):
        source_value("token", declared(file="file"), root=tmp_path, environ={})


def test_a_folder_in_the_place_of_a_file_is_reported(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(EnvctlError, match="file is a folder"):
        source_value("token", declared(file="file"), root=tmp_path, environ={})


@pytest.mark.parametrize("file", ["/etc/hostname", "../file", "a/../../file"])
def test_without_leave_no_variable_is_taken_no_command_run_and_no_file_outside_read(tmp_path, file):
    (tmp_path / "project").mkdir()
    trace = declared(command=["touch", str(tmp_path / "trace")])
    for one in (trace, declared(file=file)):
        with pytest.raises(NotEvaluatedError, match="only `envctl up` may use"):
            source_value("t", one, root=tmp_path / "project", environ={}, reach_host=False)
    assert not (tmp_path / "trace").exists()
    both = declared(env="TOKEN", command=["touch", str(tmp_path / "trace")])
    environ = {"TOKEN": "of the variable"}
    with pytest.raises(NotEvaluatedError, match="only `envctl up` may use"):
        source_value("t", both, root=tmp_path, environ=environ, reach_host=False)
    unset = declared(env="TOKEN", file="file")
    assert source_value("t", unset, root=tmp_path, environ={}, reach_host=False) is None


def test_where_a_file_outside_was_allowed_a_link_is_not_followed_any_more(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "other").write_text("hush-hush")
    (tmp_path / "outside").symlink_to("other")
    one, allowed = declared(file="../outside"), tmp_path / "outside"
    with pytest.raises(EnvctlError, match=f"{allowed} cannot be read") as caught:
        source_value("t", one, root=root, environ={}, allowed_file=allowed)
    assert "hush" not in str(caught.value)
    assert source_value("t", one, root=root, environ={}) == b"hush-hush"


def test_a_file_outside_whose_links_lead_in_a_circle_is_reported(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "outside").symlink_to("outside")
    with pytest.raises(EnvctlError, match="cannot be read"):
        source_value("t", declared(file="../outside"), root=root, environ={})


def test_a_file_that_a_link_leads_out_of_the_project_is_refused(tmp_path):
    (tmp_path / "outside").write_text("hush-hush")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "file").symlink_to("../outside")
    with pytest.raises(EnvctlError, match="file leads outside the project") as caught:
        source_value("t", declared(file="file"), root=tmp_path / "project", environ={})
    assert "hush" not in str(caught.value)


def test_a_missing_value_names_all_ways_to_give_it():
    hint = missing("token", declared(env="TOKEN", file="secrets/token")).hint
    assert hint == (
        "set TOKEN or write it to secrets/token; "
        "or let envctl generate it: secrets: {token: {generate: 24}}"
    )
