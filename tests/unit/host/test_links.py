"""Links that lead in a circle: told, or nothing that counts; never followed for ever, never an internal error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envctl.host.git_folders import changeable_git, git_below
from envctl.host.links import alike, as_listed, followed, ignores_case
from envctl.host.private_state import is_private
from envctl.trust.approval import is_trusted
from tests.support.project import Project

TREE = Path(__file__).parents[3]


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


@pytest.mark.slow
@pytest.mark.parametrize("name", [".git", ".envctl"])
def test_a_circle_in_the_place_of_a_folder_of_ours_is_none(project, name):
    (project.root / name).symlink_to(name)
    (project.root / "app").mkdir()
    project.spec("web: {image: x, command: [y], mounts: {./app: /app, .: /all}}")

    done = project.cli("plan", "dev@docker", "--json")

    assert list(git_below(project.root, project.root)) == []
    assert changeable_git(project.root / "app", project.root) is None
    assert "internal error" not in done.stderr


@pytest.mark.slow
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


# --- names, where case tells; on other disks they are tested in tests/scenarios/test_odd_disks.py


def test_names_that_differ_in_case_stay_what_they_are_where_both_are_there(tmp_path):
    for name in ("app", "APP", "Caf\u00e9", "caf\u00e9"):
        (tmp_path / name).mkdir()
        assert as_listed(tmp_path / name) == tmp_path / name
        assert followed(tmp_path / name / "missing") == tmp_path / name / "missing"
        assert not ignores_case(tmp_path / name)


def test_what_is_not_there_does_not_become_what_is_there_in_another_case(tmp_path):
    (tmp_path / "APP").mkdir()
    (tmp_path / "\u00c9").mkdir()
    assert as_listed(tmp_path / "app/x") == tmp_path / "app/x"
    assert as_listed(tmp_path / "\u00e9") == tmp_path / "\u00e9"
    assert not ignores_case(tmp_path / "app")


def test_a_link_keeps_its_name_where_only_spelling_is_asked(tmp_path):
    (tmp_path / "to").mkdir()
    (tmp_path / "link").symlink_to("to")
    assert as_listed(tmp_path / "link") == tmp_path / "link"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("App", "aPP", True),
        ("caf\u00e9", "CAFE\u0301", True),
        ("stra\u00dfe", "STRASSE", True),
        ("app", "apq", False),
    ],
)
def test_what_some_disk_takes_for_one_name_is_alike(one, other, same):
    assert (alike(one) == alike(other)) is same
