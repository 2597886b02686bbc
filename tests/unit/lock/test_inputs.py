"""What decides on what is installed, and what does not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from envctl.lock.inputs import inputs
from envctl.plan.model import ReadyImage, Source
from envctl.target import Target
from tests.support.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return (
        Project(tmp_path, backend="memory", environ={})
        .write("app/requirements.txt", "-r more.txt\nflask\n")
        .write("app/more.txt", "jinja2\n")
        .write("app/main.py", "print()\n")
        .write("app/package.json", "{}")
        .spec(SPEC)
    )


SPEC = """
web:
  packages: [python3, python3-venv]
  build:
    - copy: {from: app/, to: /srv/}
    - pip: {venv: /opt/web, requirements: /srv/requirements.txt}
    - npm: {directory: /srv}
    - run: curl -O https://example.org/tool
  user: web
  env: {A: b}
  command: [x]
"""


def lines(project: Project) -> tuple[str, ...]:
    plan = project.workspace().plan(Target("dev"))
    return told(plan.units[0].source, project.root)


def told(source: Source, root: Path) -> tuple[str, ...]:
    """The lines that a lock has."""
    return tuple(one.line for one in inputs(source, root))


def heads(found: tuple[str, ...]) -> list[str]:
    return [line.split()[0] for line in found]


def test_base_packages_and_installing_steps_are_told_in_their_order(project):
    found = lines(project)

    assert heads(found) == ["base", "packages", "pip", "npm", "run"]
    assert found[:2] == ("base debian:bookworm", "packages python3 python3-venv")


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("python3-venv", "python3-dev", ["packages"]),
        ("example.org/tool", "example.org/other", ["run"]),
        ("/opt/web", "/opt/other", ["pip"]),
        ("A: b", "A: c", []),
        ("user: web", "user: other", []),
        ("command: [x]", "command: [y]", []),
    ],
)
def test_what_installs_something_else_changes_its_line_and_nothing_else_does(
    project, old, new, changed
):
    before = lines(project)
    after = lines(project.spec(SPEC.replace(old, new)))

    assert heads(tuple(line for line in after if line not in before)) == changed


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("app/requirements.txt", ["pip"]),
        ("app/more.txt", ["pip"]),
        ("app/package.json", ["npm"]),
        ("app/main.py", []),
    ],
)
def test_of_copied_files_those_count_that_pip_and_npm_read(project, file, changed):
    before = lines(project)
    project.write(file, (project.root / file).read_text() + "\n")

    assert heads(tuple(line for line in lines(project) if line not in before)) == changed


def test_another_order_is_another_input(project):
    before = lines(project)
    moved = SPEC.replace("    - npm: {directory: /srv}\n", "").replace(
        "    - pip", "    - npm: {directory: /srv}\n    - pip"
    )

    after = lines(project.spec(moved))

    assert before != after
    assert sorted(before) == sorted(after)


def test_a_ready_image_is_its_name(tmp_path):
    assert told(ReadyImage("redis:7"), tmp_path) == ("image redis:7",)


def test_a_dockerfile_counts_and_its_context_does_not(tmp_path):
    project = (
        Project(tmp_path, backend="memory", environ={})
        .write("app/Dockerfile", "FROM x\n")
        .write("app/main.py", "")
        .spec("web: {dockerfile: {file: app/Dockerfile, context: app}}")
    )
    before = lines(project)
    assert lines(project.write("app/main.py", "print()")) == before

    assert lines(project.write("app/Dockerfile", "FROM y\n")) != before


SECRET = """
web:
  build:
    - run: curl -H 'Token ${token}' https://example.org/tool
    - run: {command: [tool, "${token}"]}
    - pip: {venv: /opt/web, packages: ["x @ https://${token}@example.org/x.whl", flask==3.1]}
    - npm: {packages: ["https://${token}@example.org/y.tgz", "@a/b@1.0"]}
  command: [x]
"""


def test_what_a_variable_is_set_to_decides_and_is_not_told(tmp_path):
    """A lock is committed, and `--set` is how a token gets in."""
    project = Project(tmp_path, backend="memory", environ={})
    project.spec(SECRET, top="vars: {token: none}\n")

    def with_token(value: str) -> tuple[str, ...]:
        plan = project.workspace(token=value).plan(Target("dev"))
        return told(plan.units[0].source, project.root)

    before, after = with_token("hunter2"), with_token("hunter3")

    assert not any("hunter" in line for line in (*before, *after))
    assert heads(tuple(line for line in after if line not in before)) == [
        "run",
        "run",
        "pip",
        "npm",
    ]
    assert any("flask==3.1" in line for line in before)
    assert any("@a/b@1.0" in line for line in before)


@pytest.mark.parametrize("text", ["\n" * 100_000, "-r" + " " * 100_000 + "\n", "-r\n" * 30_000])
def test_long_requirements_take_no_longer_for_their_length(project, text):
    project.write("app/more.txt", text)
    start = time.process_time()
    lines(project)
    assert time.process_time() - start < 3


def test_line_ends_of_another_system_and_a_large_lock_file_change_nothing_and_hinder_nothing(
    project,
):
    before = lines(project)
    project.write("app/requirements.txt", "-r more.txt\r\nflask\r\n")
    assert lines(project) == before
    project.write("app/package-lock.json", "{" + " " * 6_000_000 + "}")
    assert heads(lines(project)) == heads(before)
