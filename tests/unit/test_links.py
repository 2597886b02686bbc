"""Links that lead in a circle: told, or nothing that counts; never followed for ever, never an internal error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envctl.approval import is_trusted
from envctl.git_folders import changeable_git, git_below
from envctl.links import followed
from envctl.private import is_private
from tests.support.project import Project

TREE = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a link to itself."""
    project = Project(tmp_path / "project", backend="memory").spec("web: {image: x, command: [y]}")
    (project.root / "loop").symlink_to("loop")
    return project


def test_a_link_is_followed_and_a_circle_is_left_in_it(tmp_path):
    (tmp_path / "link").symlink_to("kept/page")
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")

    assert followed(tmp_path / "link") == tmp_path / "kept/page"
    assert followed(tmp_path / "one").parent == tmp_path


def test_a_circle_is_no_private_folder_no_repository_and_no_folder_to_trust(project):
    loop = project.root / "loop"

    assert not is_private(loop, project.root)
    assert not is_trusted(project.root, {"ENVCTL_TRUSTED": f"{loop}:{loop}/*", "HOME": "/nowhere"})
    assert is_trusted(
        project.root, {"ENVCTL_TRUSTED": f"{loop}:{project.root}", "HOME": "/nowhere"}
    )


@pytest.mark.parametrize("name", [".git", ".envctl"])
def test_a_circle_in_the_place_of_a_folder_of_ours_is_none(project, name):
    (project.root / name).symlink_to(name)
    (project.root / "app").mkdir()
    project.spec("web: {image: x, command: [y], mounts: {./app: /app, .: /all}}")

    done = project.cli("plan", "dev@docker", "--json")

    assert list(git_below(project.root, project.root)) == []
    assert changeable_git(project.root / "app", project.root) is None
    assert "internal error" not in done.stderr


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("render", "dev@docker", "-o", "loop"), "loop"),
        (("render", "dev@docker", "-o", "loop/below"), "loop"),
        (("init", "loop"), "loop"),
    ],
    ids=["render", "render below", "init"],
)
def test_where_a_circle_is_to_be_written_the_path_is_named(project, argv, said):
    done = project.cli(*argv)

    assert (done.returncode, "internal error" in done.stderr) == (1, False)
    assert said in done.stderr
    assert (project.root / "loop").is_symlink()


def test_only_a_projects_own_folder_is_resolved_by_what_each_python_does_in_its_own_way():
    """That folder is no circle: its spec has been read."""
    calls = [
        f"{path.relative_to(TREE)}: {call}"
        for path in (TREE / "envctl").rglob("*.py")
        for call in re.findall(r"[a-z_.]+\.resolve\(", path.read_text("utf-8"))
        if not call.endswith("root.resolve(")
    ]

    assert calls == []
