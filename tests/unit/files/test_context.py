"""The context of a project's own Dockerfile."""

from __future__ import annotations

import pytest

from envctl.errors import Place, SpecError
from envctl.files import hash_context
from envctl.host.source_tree import EntryKind

WHERE = Place("envctl.yaml", 9, 7)


def sent(root, folder="app", dockerfile="app/Dockerfile"):
    return hash_context(root, folder, dockerfile=dockerfile, where=WHERE)


def paths(root, *given):
    return [one.path for one in sent(root, *given).tree.entries]


def test_what_dockerignore_leaves_out_is_no_part_of_a_context(project, put):
    put({"app/.dockerignore": "# notes\nsub\n"})
    before = sent(project)
    put({"app/sub/data.txt": "other"})
    assert [one.path for one in before.tree.entries] == [".dockerignore", "main.py"]
    assert sent(project) == before


def test_a_dockerfiles_own_ignore_file_takes_the_place_of_the_contexts(project, put):
    put({"app/.dockerignore": "sub\n", "docker/web.Dockerfile.dockerignore": "main.py\n"})
    assert paths(project, "app", "docker/web.Dockerfile") == [
        ".dockerignore",
        "sub",
        "sub/data.txt",
    ]
    assert paths(project, "app", "docker/other.Dockerfile") == [".dockerignore", "main.py"]


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(project, put):
    put({"app/.dockerignore": "\ufeffmain.py\r\nsub\r\n"})
    assert paths(project) == [".dockerignore"]


def test_what_is_deep_in_a_folder_that_is_left_out_is_left_out(project, put):
    put({"app/.dockerignore": "**/node_modules\n", "app/web/node_modules/a/b/c.js": "x"})
    assert paths(project) == [".dockerignore", "main.py", "sub", "sub/data.txt", "web"]


@pytest.mark.parametrize("exception", ["!**/keep.txt", "!gone/deep/keep.txt", "!gone/*/keep.txt"])
def test_an_exception_brings_back_what_is_in_a_folder_that_is_left_out(project, put, exception):
    put(
        {
            "app/.dockerignore": f"gone\n{exception}\n",
            "app/gone/deep/keep.txt": "x",
            "app/gone/x": "x",
        }
    )
    assert [one for one in paths(project) if "gone" in one] == [
        "gone",
        "gone/deep",
        "gone/deep/keep.txt",
    ]


def test_modes_empty_folders_and_links_count_and_times_do_not(project):
    app = project / "app"
    main, seen = app / "main.py", {sent(project).content}
    main.touch()
    assert sent(project).content in seen
    for change in (
        lambda: main.chmod(0o600),
        lambda: (app / "storage").mkdir(mode=0o700),
        lambda: (app / "storage").chmod(0o755),
        lambda: (app / "link").symlink_to("/srv/current"),
    ):
        change()
        assert sent(project).content not in seen
        seen.add(sent(project).content)
    kinds = {one.path: (one.kind, one.mode) for one in sent(project).tree.entries}
    assert kinds["main.py"] == (EntryKind.FILE, 0o600)
    assert kinds["storage"] == (EntryKind.FOLDER, 0o755)


def test_version_control_is_sent_as_docker_build_does_and_noted(project, put):
    put({"app/.git/HEAD": "ref"})
    assert ".git/HEAD" in paths(project)
    (note,) = sent(project).tree.notes
    assert note.startswith("the context of app/Dockerfile has .git in it, as with `docker build`")
    put({"app/.dockerignore": ".git\n"})
    assert sent(project).tree.notes == ()


def test_private_state_of_a_former_version_is_not_sent(project, put):
    put({".envctl/secrets/dev/token": "secret"})
    assert not [one for one in paths(project, ".", "Dockerfile") if "envctl" in one]


def test_a_context_that_is_a_file_is_reported(project):
    with pytest.raises(SpecError, match=r"9:7: 'app/main.py' is not a folder"):
        sent(project, "app/main.py")
