"""Variables made of secrets reach a process by a real shell, and no command line."""

from __future__ import annotations

import json
import subprocess

import pytest

from envctl.backends.common.secret_wrapper import wrapped
from envctl.plan.model import Process, Run, Secret
from envctl.plan.secret_templates import fill_in, parts, secrets_of

SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


@pytest.mark.parametrize("value", ["plain", "it's $HOME `id`\n\n", "", " ü\t", "-n"])
def test_a_variable_is_the_template_with_the_values_of_its_secrets(tmp_path, value):
    (tmp_path / "it's").write_text(value, "utf-8")
    run = Run(
        Process(secret_env={"URL": "it's $$x ${secret.a}@${secret.a}$", "A": "${secret.a}"}),
        secrets=(Secret("a", str(tmp_path / "it's")),),
    )
    argv = wrapped(run, ("python3", "-c", SHOW))

    done = subprocess.run(argv, capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"})
    seen = json.loads(done.stdout)

    assert seen["A"] == value
    assert seen["URL"] == f"it's $x {value}@{value}$"
    assert set(seen) <= {"A", "URL", "PATH", "LC_CTYPE"}
    assert fill_in(run.process.secret_env["URL"], lambda _: value.encode()).decode() == seen["URL"]


def test_a_secret_that_is_gone_stops_the_process():
    run = Run(Process(secret_env={"A": "${secret.a}"}), secrets=(Secret("a", "/nowhere/at/all"),))
    done = subprocess.run(wrapped(run, ("echo", "ran")), capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (126, b"")


def test_without_such_variables_a_command_is_run_as_it_is():
    assert wrapped(Run(), ("a", "b")) == ("a", "b")


def test_a_template_is_read_as_it_is_written():
    assert list(parts("a$$${secret.b}${secret.c}$d")) == [
        ("a", ""),
        ("$", ""),
        ("", "b"),
        ("", "c"),
        ("$d", ""),
    ]
    assert secrets_of("${secret.b}${secret.c}$${secret.d}${secret.b}") == ("b", "c")
