"""What decides on what is installed, and what does not."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from envctl.errors import Place
from envctl.lock.inputs import Input, base_text, inputs
from envctl.plan.model import (
    Base,
    Build,
    CopyFromStage,
    DockerfileBuild,
    NpmInstall,
    PipInstall,
    ReadyImage,
    Source,
    Step,
    WriteFile,
)
from envctl.plan.target import Target
from tests.support.plans import build, packages, script
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


def test_base_packages_and_installing_steps_are_reported_in_their_order(project):
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


@pytest.mark.slow
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


# --- what each kind of step has in its line


AT = Place("envctl.yaml", 9, 5)


def written(path: str, text: str) -> WriteFile:
    return WriteFile(path, text, owner="root", mode="0644", where=AT)


def of(root: Path, *steps: Step) -> list[Input]:
    return list(inputs(build(*steps), root))[1:]


def test_runs_are_numbered_and_told_by_a_hash_only(tmp_path):
    first, second = of(tmp_path, script("curl hush"), script("curl other"))
    assert first.line.startswith("run 1 ")
    assert second.line.startswith("run 2 ")
    assert "hush" not in first.line
    assert (first.summary, second.summary) == ("run 1 of the build", "run 2 of the build")
    assert len(first.line) == len("run 1 ") + 12


def test_included_requirements_ask_and_constraints_only_bound_and_each_is_read_once(tmp_path):
    files = [
        written("/srv/a.txt", "flask==3.1\n-r more/b.txt\n-c bounds.txt\n--requirement=more/b.txt\n"),
        written("/srv/more/b.txt", "  --requirement c.txt\n-r ../a.txt\njinja2==3\n"),
        written("/srv/more/c.txt", "six==1\n--constraint  ../bounds.txt\n"),
        written("/srv/bounds.txt", "click==8\n-r late.txt\n"),
        written("/srv/late.txt", "wheel==1\n"),
        written("/srv/unread.txt", "pip==1\n"),
    ]  # fmt: skip
    step = PipInstall(
        "/opt//venv/", requirements="/srv/./a.txt", packages=("uvicorn==1",), where=AT
    )
    *_, found = of(tmp_path, *files, step)
    assert [one.name for one in found.requirements] == ["uvicorn", "flask", "jinja2", "six"]
    assert (found.kind, found.folder, found.where) == ("pip", "/opt/venv", AT)
    assert found.summary == (
        "/srv/a.txt, /srv/more/b.txt, /srv/bounds.txt, /srv/more/c.txt or /srv/late.txt"
    )


@pytest.mark.parametrize("name", ["a.txt", "more/b.txt", "more/c.txt", "bounds.txt"])
def test_an_edit_of_any_file_that_pip_reads_changes_its_line(tmp_path, name):
    texts = {
        "a.txt": "flask\n-r more/b.txt\n-c bounds.txt\n",
        "more/b.txt": "-r c.txt\n",
        "more/c.txt": "six\n",
        "bounds.txt": "click\n",
    }
    step = PipInstall("/opt/venv", requirements="/srv/a.txt")

    def line(**changed: str) -> str:
        files = [written(f"/srv/{at}", text) for at, text in {**texts, **changed}.items()]
        return of(tmp_path, *files, step)[-1].line

    assert line(**{name: f"{texts[name]}# edited\n"}) != line()


def test_an_address_with_a_password_is_reported_by_a_hash(tmp_path):
    plain = of(tmp_path, PipInstall("/v", packages=("flask==3.1", "uvicorn[standard]")))[0]
    assert plain.line.endswith("flask==3.1 uvicorn[standard]") or "uvicorn[standard]" in plain.line
    assert plain.summary == ""
    for address in ("git+https://me:hush@example.org/x", "https://hush.example.org/x.whl"):
        hidden = of(tmp_path, PipInstall("/v", packages=("flask==3.1", address)))[0]
        other = of(tmp_path, PipInstall("/v", packages=("flask==3.1", f"{address}?2")))[0]
        assert "hush" not in hidden.line
        assert "…" in hidden.line
        assert hidden.line != other.line
        assert hidden.summary == "the step's packages"


def test_npm_reads_its_three_files_and_asks_for_what_its_package_file_has(tmp_path):
    files = [
        written("/srv/package.json", '{"dependencies": {"left": "^1"}}'),
        written("/srv/package-lock.json", "{}"),
        written("/srv/npm-shrinkwrap.json", "{}"),
        written("/srv/other.json", "{}"),
    ]
    found = of(tmp_path, *files, NpmInstall("/srv/", where=AT))[-1]
    assert found.summary == (
        "/srv/package.json, /srv/package-lock.json, /srv/npm-shrinkwrap.json or the step itself"
    )
    assert (found.kind, found.folder) == ("npm", "/srv")
    assert [one.name for one in found.requirements] == ["left"]
    named = of(tmp_path, *files, NpmInstall(packages=("serve@1",)))[-1]
    assert (named.summary, named.folder, named.requirements) == ("the step itself", "/", ())
    assert found.line != of(tmp_path, *files, NpmInstall("/srv/", production=False))[-1].line or (
        found.line != of(tmp_path, *files, NpmInstall("/srv/", production=True))[-1].line
    )


def test_a_dockerfiles_target_and_arguments_decide_too(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM debian\n")
    source = DockerfileBuild("Dockerfile", ".", digest="")
    (plain,) = inputs(source, tmp_path, where=AT)
    assert plain.line.startswith("Dockerfile ")
    assert (plain.where, plain.summary) == (AT, "Dockerfile, its target or an argument")
    for other in (replace(source, target="test"), replace(source, args={"A": "1"})):
        assert told(other, tmp_path) != (plain.line,)


def test_a_base_is_reported_with_its_dated_mirror_and_by_its_image_if_it_has_no_name():
    assert base_text(Base("debian:bookworm", "img")) == "debian:bookworm"
    assert base_text(Base("", "img")) == "img"
    assert base_text(Base("debian", "img", snapshot="20250101")) == "debian at 20250101"


def test_a_platform_decides_on_what_is_installed(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM debian\n")
    own = DockerfileBuild("Dockerfile", ".", digest="")

    for source in (ReadyImage("redis:7"), own, build()):
        (first, *rest) = inputs(for_arm(source), tmp_path, where=AT)
        assert (first.line, first.where) == ("platform linux/arm64", AT)
        assert rest == [*inputs(source, tmp_path, where=AT)]
    assert base_text(replace(ARM_BASE, name="")) == "debian:bookworm"


ARM_BASE = Base(
    "debian:bookworm", "envctl-platform/linux-arm64/debian:bookworm", platform="linux/arm64"
)


def for_arm(source: Source) -> Source:
    return (
        build(base=ARM_BASE)
        if isinstance(source, Build)
        else replace(source, platform="linux/arm64")
    )


def test_what_a_stage_installs_is_an_input_with_the_name_of_the_stage(tmp_path):
    stage = build(packages("golang"), script("make"))
    taken = CopyFromStage("/out", "/srv", stage.digest, "compile", stage)

    lines = [item.line for item in inputs(build(packages("curl"), taken), tmp_path)]

    assert lines[:4] == [
        "base debian:bookworm",
        "packages curl",
        "stage compile base debian:bookworm",
        "stage compile packages golang",
    ]
    assert lines[4].startswith("stage compile run 1 ")
