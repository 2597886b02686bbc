"""Who may import whom, and what a quick command pays for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]


def loaded(code: str) -> set[str]:
    """The top-level modules that are loaded after the code ran in a fresh interpreter."""
    script = f"{code}\nimport sys\nprint(' '.join(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=TREE
    )
    return set(done.stdout.split())


@pytest.mark.slow  # `make check` runs this command by itself
def test_data_flows_one_way():
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        capture_output=True, text=True, check=False, cwd=TREE,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout


def test_deciding_imports_no_engine_no_templates_and_no_validation():
    code = (
        "import envctl.project, envctl.session, envctl.reconcile.compare, envctl.planner,"
        " envctl.backends.docker, envctl.definition"
    )

    assert not loaded(code) & {"docker", "jinja2", "pydantic", "typer", "rich"}


def test_the_centre_needs_the_standard_library_only():
    allowed = {*sys.stdlib_module_names, "envctl"}
    code = (
        "from envctl.plan import model, state, changes, digest, text\nfrom envctl import progress"
    )

    assert loaded(code) - loaded("pass") <= allowed


def test_a_command_in_a_machine_loads_neither_the_plan_nor_what_it_is_made_by():
    code = (
        "import sys, envctl.cli.exec, envctl.verbs.exec;"
        "from envctl.backends.vagrant import VagrantBackend; from envctl.backends.vagrant.ssh import ssh_machine;"
        "from envctl.backends.vagrant.unit import unit_exec; print(' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=TREE
    )
    rooms = (
        "plan.model",
        "planner",
        "reconcile.compare",
        "secrets",
        "definition.keys.service",
        "backends.common.build_inputs",
    )

    assert not {"jeepney", "tarfile", "xml", *(f"envctl.{room}" for room in rooms)} & set(
        done.stdout.split()
    )


def test_looking_at_the_spec_loads_neither_the_plan_nor_what_only_mistakes_need(tmp_path):
    (tmp_path / "environments").mkdir()
    (tmp_path / "envctl.yaml").write_text("project: p\nservices: {web: {image: redis}}\n")
    (tmp_path / "environments" / "dev.yaml").write_text("")
    code = (
        "import sys; from pathlib import Path; from envctl.cli.declare import load; from envctl import definition;"
        f"definition.load(Path({str(tmp_path)!r}), 'dev', environ={{}});"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=TREE)
    script = f"{code} import envctl.cli.spec; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=TREE
    )

    assert not {
        "envctl.plan.model",
        "envctl.definition.interpolate",
        "envctl.definition.problems",
    } & set(done.stdout.split())
