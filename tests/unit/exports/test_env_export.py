"""`envctl export env`: files of variables that Compose, systemd and shells read alike."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from envctl.definition import dotenv
from envctl.definition.problems import Problems
from envctl.definition.tree import ScalarNode
from envctl.exports.env_export import ENV, env_value
from envctl.plan.target import Target
from envctl.project import Project
from envctl.verbs.export_target import export
from tests.support.systemd_units import environment_file

VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=30)


def _files(full: Path, environment: str = "dev") -> dict[str, str]:
    made = export(Project(full, environ={}), ENV, [Target(environment)])
    return {
        path: text.decode() for path, text in made.written.files.items() if isinstance(text, bytes)
    }


def test_each_service_has_a_file_with_its_variables(full: Path) -> None:
    assert _files(full)["web.env"] == (
        "# The variables of web in shop/dev\n"
        "LOG_LEVEL=info\n"
        "# URL is made of the secret password\n"
        "# The secret password is a file at /run/secrets/password\n"
    )


def test_each_replica_has_a_file(full: Path) -> None:
    assert {"web.env", "web-2.env"} <= {*_files(full, "prod")}


def test_a_variable_with_a_secret_is_reported_as_dropped(full: Path) -> None:
    made = export(Project(full, environ={}), ENV, [Target("dev")])

    (line,) = (item for item in made.report.lines if item.path == "services.web.env.URL")
    assert str(line.outcome) == "dropped"
    assert "secrets are not written" in line.note


@given(VALUES)
@example('it\'s $HOME \\ "x"\nnext')
@example("a\\")
@example("'")
@example("`date`")
@example("# no comment")
def test_compose_reads_values_as_they_are(value: str) -> None:
    # Compose knows no escape for a backtick in double quotes, a shell needs one.
    assume("`" not in value or not {"'", "\\"} & {*value})
    problems = Problems()

    table = dotenv.parse(f"X={env_value(value)}\n", ".env", known=lambda _: None, problems=problems)

    node = table["X"]
    assert isinstance(node, ScalarNode)
    # `$` is doubled there, since variables of the spec begin with it.
    assert str(node).replace("$$", "$") == value


@given(VALUES)
@example('it\'s $HOME `date` \\ "x"\nnext')
@example("a\\")
def test_systemd_reads_every_value_as_it_is(value: str) -> None:
    assert environment_file(f"X={env_value(value)}\n") == {"X": value}


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(VALUES)
@example('it\'s $HOME `date` \\ "x"\nnext')
def test_a_shell_reads_every_value_as_it_is(value: str) -> None:
    script = f'X={env_value(value)}\nprintf %s "$X"\n'

    done = subprocess.run(["/bin/sh"], input=script.encode(), capture_output=True, check=True)

    assert done.stdout.decode() == value
