"""What a copy step takes from the project."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.errors import Place, SpecError
from envctl.files import context, excluded, read_text, tree

WHERE = Place("envctl.yaml", 9, 7)


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    (root / "app" / "sub").mkdir(parents=True)
    (root / "app" / "main.py").write_text("print(1)\n")
    (root / "app" / "sub" / "data.txt").write_text("data\n")
    return root


def taken(root, relative="app", exclude=()):
    return tree(root, relative, exclude=exclude, where=WHERE)


def test_a_folder_gives_its_files_by_project_path(project):
    assert taken(project).paths == ("app/main.py", "app/sub/data.txt")


def test_a_single_file_gives_itself(project):
    assert taken(project, "app/main.py").paths == ("app/main.py",)


@pytest.mark.parametrize("name", [".git/config", ".envctl/key", "__pycache__/x.pyc", "sub/y.pyc"])
def test_state_and_caches_are_never_copied(project, name):
    before = taken(project)
    path = project / "app" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")

    assert taken(project) == before


def test_excluded_names_and_paths_are_left_out(project):
    assert taken(project, exclude=["*.txt"]).paths == ("app/main.py",)
    assert taken(project, exclude=["sub/data.txt"]).paths == ("app/main.py",)
    assert taken(project, exclude=["sub"]).paths == ("app/main.py",)


def test_contents_names_and_execute_bits_count(project):
    seen = {taken(project).content}
    (project / "app" / "main.py").write_text("print(2)\n")
    seen.add(taken(project).content)
    (project / "app" / "main.py").chmod(0o755)
    seen.add(taken(project).content)
    (project / "app" / "main.py").rename(project / "app" / "other.py")
    seen.add(taken(project).content)

    assert len(seen) == 4


def test_other_permissions_and_times_do_not_count(project):
    before = taken(project)
    (project / "app" / "main.py").chmod(0o600)
    (project / "app" / "main.py").touch()

    assert taken(project) == before


def test_a_missing_file_is_told_with_its_place(project):
    with pytest.raises(SpecError, match=r"envctl.yaml:9:7: 'nothing' does not exist"):
        taken(project, "nothing")


@pytest.mark.parametrize("link", ["/etc/passwd", "../../outside"])
def test_a_link_that_leads_outside_is_refused(project, link):
    (project.parent / "outside").write_text("secret")
    (project / "app" / "sub" / "link").symlink_to(link if link[0] == "/" else "../" + link)

    with pytest.raises(SpecError, match="leads outside the project"):
        taken(project)


def test_a_folder_that_is_a_link_to_outside_is_refused(project):
    (project / "etc").symlink_to("/etc")

    with pytest.raises(SpecError, match="leads outside the project"):
        taken(project, "etc")


def test_a_link_within_the_project_is_kept_as_a_link(project):
    (project / "app" / "link.py").symlink_to("main.py")

    assert "app/link.py" in taken(project).paths


def test_a_link_that_leads_in_circles_is_refused(project):
    (project / "app" / "loop").symlink_to("loop")

    with pytest.raises(SpecError, match="'app/loop' does not exist"):
        taken(project)


@pytest.mark.parametrize("name", [".envctl", ".envctl/secrets/dev/token", "link"])
def test_our_own_folder_is_not_copied_even_if_asked_for(project, name):
    (project / ".envctl/secrets/dev").mkdir(parents=True)
    (project / ".envctl/secrets/dev/token").write_text("secret")
    (project / "link").symlink_to(".envctl/secrets")

    with pytest.raises(SpecError, match="is in envctl's own folder"):
        taken(project, name)


@pytest.mark.timeout(10)
def test_a_pipe_is_told_with_its_place_and_not_waited_for(project):
    os.mkfifo(project / "pipe")
    (project / "app" / "link").symlink_to("../pipe")

    for take in (taken, lambda root, path: read_text(root, path, where=WHERE)):
        with pytest.raises(
            SpecError, match=r"envctl.yaml:9:7: 'pipe' is neither a file nor a folder"
        ):
            take(project, "pipe")
    with pytest.raises(SpecError, match="'app/link' is neither a file nor a folder"):
        taken(project)


@given(st.text(min_size=1, max_size=12), st.text(max_size=12))
def test_any_pattern_can_be_asked_for(name, pattern):
    assert excluded(name, [pattern]) in (True, False)


def test_what_dockerignore_leaves_out_is_no_part_of_a_context(project):
    (project / "app" / ".dockerignore").write_text("# notes\nsub\n")
    before = context(project, "app", where=WHERE)
    (project / "app" / "sub" / "data.txt").write_text("other\n")

    assert before.paths == ("app/.dockerignore", "app/main.py")
    assert context(project, "app", where=WHERE) == before
