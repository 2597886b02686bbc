"""What a copy step takes from the project."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress

import pytest

from envctl.errors import Place, SpecError
from envctl.files import hash_copy, hash_tree, read_text, rules, tree_reader
from envctl.files.walk import DEEPEST
from envctl.host.source_tree import EntryKind

WHERE = Place("envctl.yaml", 9, 7)


def taken(root, relative="app", exclude=(), **options):
    return hash_copy(root, relative, exclude=exclude, where=WHERE, **options)


def paths(root, relative="app", exclude=()):
    return [one.path for one in taken(root, relative, exclude).tree.entries]


def notes(root, relative="app", exclude=()):
    return list(taken(root, relative, exclude).tree.notes)


def test_a_folder_gives_what_is_in_it_empty_folders_too(project):
    (project / "app" / "storage").mkdir()
    assert paths(project) == ["main.py", "storage", "sub", "sub/data.txt"]
    assert taken(project).tree.origin == "app"


def test_a_single_file_gives_itself_and_a_link_to_one_what_it_leads_to(project):
    (project / "link.py").symlink_to("app/main.py")
    for name in ("app/main.py", "link.py"):
        (entry,) = taken(project, name).tree.entries
        assert (entry.path, entry.kind, taken(project, name).tree.origin) == (
            "",
            EntryKind.FILE,
            "app/main.py",
        )


@pytest.mark.parametrize(
    "name", [".git/config", "__pycache__/x.pyc", "__pycache__/x.txt", "sub/y.pyc"]
)
def test_version_control_and_caches_are_not_copied_unless_it_is_asked_for(project, put, name):
    before = taken(project)
    put({f"app/{name}": "x"})
    assert taken(project) == before
    assert name in paths(project, exclude=["!.git", "!__pycache__", "!*.pyc"])


def test_private_state_of_a_former_version_is_never_copied_whatever_it_is_called(project, put):
    put({".envctl/secrets/dev/token": "secret", "page": "x"})
    assert [one for one in paths(project, ".", ["!.envctl"]) if "envctl" in one] == []
    for name in (".envctl", ".envctl/secrets/dev/token", "link"):
        if name == "link":
            (project / "link").symlink_to(".envctl/secrets")
        with pytest.raises(SpecError, match="is in envctl's own folder"):
            taken(project, name)


def test_what_is_private_is_reported_by_device_and_inode_as_on_a_disk_where_case_does_not_count(
    project, put, monkeypatch
):
    put({".ENVCTL/secrets/.key": "secret"})
    seen = (project / ".ENVCTL").stat()
    monkeypatch.setattr(hash_tree, "private_ids", lambda _: {(seen.st_dev, seen.st_ino)})
    assert [one for one in paths(project, ".") if "ENVCTL" in one] == []


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("*.txt", ["main.py", "sub"]),
        ("sub/data.txt", ["main.py", "sub"]),
        ("./sub/data.txt", ["main.py", "sub"]),
        ("/sub", ["main.py"]),
        ("sub", ["main.py"]),
        ("sub/", ["main.py"]),
        ("**/data.txt", ["main.py", "sub"]),
        ("sub/*.txt", ["main.py", "sub"]),
        ("sub/**", ["main.py", "sub"]),
        ("main.py/", ["main.py", "sub", "sub/data.txt"]),
    ],
)
def test_excluded_names_and_paths_are_left_out_as_git_would(project, pattern, left):
    assert paths(project, exclude=[pattern]) == left


def test_an_exception_brings_back_what_an_earlier_pattern_leaves_out(project):
    assert paths(project, exclude=["*", "!main.py"]) == ["main.py"]
    assert paths(project, exclude=["!main.py", "*"]) == []


@pytest.mark.parametrize(
    "pattern", ["nothing", "main.py/", "!nothing", "# main.py", "[", "/data.txt"]
)
def test_a_pattern_that_matches_nothing_is_noted(project, pattern):
    assert notes(project, exclude=["*.txt", pattern]) == [
        f'copy app: the pattern "{pattern}" of its `exclude` matches nothing'
    ]


def test_contents_names_kinds_and_execute_bits_count(project):
    seen = {taken(project).content}
    main = project / "app" / "main.py"
    main.write_text("print(2)\n")
    seen.add(taken(project).content)
    main.chmod(0o755)
    seen.add(taken(project).content)
    main.rename(project / "app" / "other.py")
    seen.add(taken(project).content)
    (project / "app" / "empty").mkdir()
    seen.add(taken(project).content)
    (project / "app" / "link").symlink_to("a")
    seen.add(taken(project).content)
    (project / "app" / "link").unlink()
    (project / "app" / "link").symlink_to("b")
    seen.add(taken(project).content)
    assert len(seen) == 7


def test_other_permissions_and_times_do_not_count(project):
    before = taken(project).content
    (project / "app" / "main.py").chmod(0o600)
    (project / "app" / "main.py").touch()
    assert taken(project).content == before


# --- ignore files


IGNORE = "# notes\n**/node_modules\n.env\napp/sub\n"


@pytest.mark.parametrize("name", [".dockerignore", ".envctlignore"])
def test_a_projects_ignore_file_counts_for_copies_by_the_path_in_the_project(project, put, name):
    put({name: IGNORE, ".env": "x", "app/.env": "x", "app/web/node_modules/x/y.js": "x"})
    assert paths(project) == [".env", "main.py", "web"]
    assert paths(project, ".") == [name, "app", "app/.env", "app/main.py", "app/web"]


def test_envctls_own_ignore_file_takes_the_place_of_dockers(project, put):
    put({".dockerignore": "**/main.py\n", ".envctlignore": ""})
    assert paths(project) == ["main.py", "sub", "sub/data.txt"]


def test_what_a_copy_names_is_copied_though_an_ignore_file_names_it_too(project, put):
    put({".dockerignore": "app\napp/main.py\n*\n"})
    assert paths(project) == ["sub", "sub/data.txt"]
    assert paths(project, "app/main.py") == [""]


def test_a_copy_of_which_the_ignore_file_leaves_nothing_is_an_error(project, put):
    put({".dockerignore": "app/**\n"})
    with pytest.raises(
        SpecError, match=r"copy app would copy nothing: .dockerignore excludes all"
    ) as caught:
        taken(project)
    assert ".envctlignore" in str(caught.value)


@pytest.mark.parametrize("line", ["a[", "!", "x\\", "[b-a]", "build\\output"])
def test_a_line_of_an_ignore_file_that_is_no_pattern_is_reported_with_its_place(project, put, line):
    put({".dockerignore": f"a\n  {line}\n"})
    with pytest.raises(SpecError, match=r"^\.dockerignore:2:3: "):
        taken(project)


# --- what git ignores


def test_what_git_ignores_is_copied_and_noted_once_with_sizes(project, put):
    put(
        {
            ".gitignore": ".env\nnode_modules/\n*.log\n!keep.log\n",
            "app/.gitignore": "/dist\n",
            ".env": "x",
            "node_modules/a/b.js": "x" * 2000,
            "node_modules/c.js": "x" * 500,
            "app/dist/x": "x",
            "app/sub/dist/x": "x",
            "app/keep.log": "x",
        }
    )
    assert "node_modules/a/b.js" in paths(project, ".")
    assert notes(project, ".") == [
        "copy . takes 3 things that git ignores: .env, app/dist/ (1 byte), node_modules/ (2.5 kB); to leave them out, name them in its `exclude` or in .envctlignore"
    ]
    assert notes(project) == [
        "copy app takes 1 thing that git ignores: app/dist/ (1 byte); to leave it out, name it in its `exclude` or in .envctlignore"
    ]
    assert notes(project, "app/dist") == []
    assert notes(project, ".", ["node_modules", ".env", "/app/dist"]) == []


def test_git_says_the_same_of_what_it_ignores(project, put):
    put(
        {
            ".gitignore": "*.log\n!/app/b.log\n/build/\nsub/**/x\n**/y\n\\!z\n[ab].c\nfoo\\ \n  q \n",
            "app/.gitignore": "!a.log\nsub/*.txt\n",
            ".git/info/exclude": "hidden\n",
        }
    )
    names = ("a.log", "b.log", "build/f", "app/build/f", "app/a.log", "app/b.log", "app/sub/a.log",
             "sub/x", "sub/p/q/x", "app/sub/x", "y/f", "app/y", "!z", "a.c", "c.c", "app/b.c", "foo ", "foo", "  q",
             "q", "hidden", "app/hidden/f", "app/sub/e.txt", "app/sub/deep/e.txt", "sub/e.txt")  # fmt: skip
    put(dict.fromkeys(names, "x"))
    subprocess.run(["git", "init", "-q", project], check=True)
    (project / ".git/info/exclude").write_text("hidden\n")
    git = subprocess.run(
        ["git", "-c", "core.excludesFile=", "ls-files", "-z", "--others", "--ignored", "--exclude-standard"],
        cwd=project, check=True, capture_output=True, text=True,
    )  # fmt: skip
    (note,) = [one for one in notes_in_full(project) if "git ignores" in one]
    told = note.partition("git ignores: ")[2].partition("; to leave")[0]
    things = {one.partition(" (")[0] for one in told.split(", ")}
    assert things <= {
        *names,
        "app/sub/data.txt",
        "build/",
        "app/y/",
        "y/",
        "hidden/",
        "app/hidden/",
    }
    ours = {
        name
        for name in (*names, "app/sub/data.txt")
        for thing in things
        if f"{name}/".startswith(f"{thing.rstrip('/')}/")
    }
    assert ours == {one for one in git.stdout.split("\0") if one}


def test_what_git_tracks_is_not_said_to_be_ignored(project, put):
    put(
        {
            ".gitignore": "*.log\nbuild/\n",
            "app/kept ü.log": "x",
            "app/b.log": "x",
            "app/build/x": "x",
        }
    )
    for words in (
        ["init", "-q"],
        ["add", "-f", "."],
        ["rm", "-q", "--cached", "-r", "app/b.log", "app/build"],
    ):
        subprocess.run(["git", *words], cwd=project, check=True)
    (note,) = notes(project)
    assert note.startswith(
        "copy app takes 2 things that git ignores: app/b.log, app/build/ (1 byte);"
    )
    index = project / ".git" / "index"
    for data in (
        b"",
        b"DIRC",
        index.read_bytes()[:-200],
        b"DIRC\0\0\0\2\xff\xff\xff\xff" + b"x" * 500,
    ):
        index.write_bytes(data)
        assert "git ignores: app/b.log, app/build/" in notes(project)[0]


def notes_in_full(project):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "_SHOWN", 100)
        return notes(project, ".")


# --- links and other things


def test_links_are_copied_as_links_wherever_they_lead(project):
    app = project / "app"
    links = {
        "current": "/srv/app/current",
        "nowhere": "me@host.123:456",
        "in": "sub/data.txt",
        "loop": "loop",
    }
    for name, to in links.items():
        (app / name).symlink_to(to)
    found = {
        one.path: one.digest for one in taken(project).tree.entries if one.kind is EntryKind.LINK
    }
    assert found == links
    assert notes(project) == []


def test_what_editors_keep_beside_a_file_is_not_copied(project):
    app, before = project / "app", taken(project)
    (app / ".#main.py").symlink_to("me@host.123:456")
    for name in (".main.py.swp", ".main.py.swo", "main.py~"):
        (app / name).write_text("x")
    assert taken(project) == before


def test_a_link_to_what_is_not_copied_is_noted(project):
    (project / "app" / "sub" / "lib").symlink_to("../../shared/lib")
    assert notes(project) == [
        "copy app takes app/sub/lib as a link to ../../shared/lib, which is outside what is copied"
    ]


def test_nothing_is_read_through_a_link(project):
    (project / "etc").symlink_to("/etc")
    (project / "app" / "etc").symlink_to("/etc")
    with pytest.raises(SpecError, match="leads outside the project: it is a link to /etc"):
        taken(project, "etc")
    assert not [one for one in paths(project) if one.startswith("etc/")]


def test_a_missing_file_is_reported_with_its_place_and_a_link_that_leads_nowhere_as_one(project):
    with pytest.raises(SpecError, match=r"envctl.yaml:9:7: 'nothing' does not exist"):
        taken(project, "nothing")
    (project / "current").symlink_to("gone")
    with pytest.raises(SpecError, match=r"'current' does not exist: it is a link to gone"):
        taken(project, "current")
    (project / "loop").symlink_to("loop")
    with pytest.raises(SpecError, match="'loop' cannot be read"):
        taken(project, "loop")


@pytest.mark.timeout(10)
def test_pipes_are_not_waited_for_told_where_they_are_named_and_noted_where_not(project):
    os.mkfifo(project / "pipe")
    os.mkfifo(project / "app" / "pipe")
    for take in (taken, lambda root, path: read_text(root, path, where=WHERE)):
        with pytest.raises(SpecError, match=r"9:7: 'pipe' is neither a file nor a folder"):
            take(project, "pipe")
    assert "pipe" not in paths(project)
    assert notes(project) == ["copy app skips what is neither file, folder nor link: pipe"]


def test_a_folder_that_becomes_a_link_while_it_is_read_leads_nowhere(project, put, monkeypatch):
    put({"app/z/page": "mine", "elsewhere/page": "another's"})
    real = os.open

    def exchanging(path, *given, **options):
        if path == "z":
            (project / "app/z").rename(project / "was")
            (project / "app/z").symlink_to(project / "elsewhere")
        return real(path, *given, **options)

    monkeypatch.setattr(os, "open", exchanging)
    with pytest.raises(SpecError, match="'app/z' cannot be read"):
        taken(project)


# --- bounds


@pytest.mark.slow
def test_folders_that_are_too_deep_are_a_clear_error(project):
    (project / "app" / "/".join(["d"] * (DEEPEST - 1))).mkdir(parents=True)
    assert len(paths(project)) == DEEPEST + 2
    folder = os.open(project / "app", os.O_RDONLY)
    for _ in range(1500):
        with suppress(FileExistsError):
            os.mkdir("d", dir_fd=folder)
        folder, former = os.open("d", os.O_RDONLY, dir_fd=folder), folder
        os.close(former)
    os.close(folder)
    try:
        with pytest.raises(
            SpecError, match=r"9:7: 'app/d/d.*' has folders nested more than 200 deep"
        ):
            taken(project)
    finally:
        # Too deep for what pytest removes its old folders with.
        subprocess.run(["rm", "-rf", project / "app"], check=True)


def test_a_huge_sparse_file_is_a_clear_error_and_not_read(project):
    with (project / "app" / "disk.img").open("wb") as file:
        file.truncate(30_000_000_000)
    with pytest.raises(
        SpecError,
        match=r"'app' is too large for a build.*'app/disk.img' alone 30 GB, of which 0 bytes are used",
    ) as caught:
        taken(project)
    assert "exclude" in str(caught.value)
    assert "disk.img" not in paths(project, exclude=["*.img"])


@pytest.mark.timeout(20)
def test_patterns_of_many_stars_end(project, put):
    many = "*a" * 3000 + "b"
    put(
        {
            ".dockerignore": f"{many}\n**/{many}\n",
            ".gitignore": f"{many}\n**/{many}\n",
            "app/" + "a" * 250: "",
        }
    )
    assert "a" * 250 in paths(project, exclude=[many, f"**/{many}"])


def test_what_a_mount_covers_is_neither_read_nor_counted(project):
    before = taken(project, covered=lambda path: path.startswith("sub"))
    (project / "app/sub/data.txt").write_text("other")
    assert taken(project, covered=lambda path: path.startswith("sub")) == before
    assert [one.path for one in before.tree.entries] == ["main.py"]
    assert taken(project, covered=lambda _: True).tree.entries == ()


# --- disks that keep no permissions; those are really mounted in tests/scenarios/test_odd_disks.py


@pytest.fixture
def all_programs(project, put):
    """A project in which every file is a program, as on a disk without permissions."""
    put({"envctl.yaml": "", "app/run.sh": "#!/bin/sh\n"})
    for path in project.rglob("*"):
        path.chmod(0o755)
    return project


def repository(root, *, mode):
    git = ["git", "-C", str(root)]
    for words in (
        ["init", "-q"],
        ["add", "app"],
        ["update-index", "--chmod=-x", "app/main.py", "app/sub/data.txt"],
        ["update-index", "--chmod=+x", "app/run.sh"],
        ["config", "core.fileMode", mode],
    ):
        subprocess.run([*git, *words], check=True)


def programs(root):
    return [
        one.path
        for one in taken(root).tree.entries
        if one.kind is EntryKind.FILE and one.is_program
    ]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["false", "no", "0"])
def test_where_git_found_no_permissions_its_record_of_programs_counts(all_programs, mode):
    repository(all_programs, mode=mode)
    assert programs(all_programs) == ["run.sh"]
    assert notes(all_programs) == []
    (all_programs / "app/new").write_text("")
    (all_programs / "app/new").chmod(0o755)
    assert programs(all_programs) == ["new", "run.sh"]
    assert "is a program" in notes(all_programs)[0]


@pytest.mark.slow
def test_where_git_found_permissions_those_of_the_disk_count(all_programs):
    repository(all_programs, mode="true")
    assert programs(all_programs) == ["main.py", "run.sh", "sub/data.txt"]


def test_files_that_are_all_programs_are_noted_once_a_project(all_programs):
    (note,) = notes(all_programs)
    (other,) = notes(all_programs, "app/sub")
    (single,) = notes(all_programs, "app/main.py")
    assert note == other == single
    assert f"every file of {all_programs} is a program" in note
    assert "builds differ from those of other machines" in note


@pytest.mark.parametrize("path", ["envctl.yaml", "app/main.py"])
def test_a_file_that_is_none_shows_that_the_disk_keeps_permissions(all_programs, path):
    (all_programs / path).chmod(0o644)
    assert notes(all_programs) == []


@pytest.fixture
def small(monkeypatch):
    """A build takes 1,000 bytes and 6 things at most."""
    monkeypatch.setattr(tree_reader, "MOST_BYTES", 1000)
    monkeypatch.setattr(tree_reader, "MOST_ENTRIES", 6)


def test_a_build_may_take_so_many_bytes_and_no_more(project, put, small):
    there = sum(path.stat().st_size for path in (project / "app").rglob("*") if path.is_file())
    put({"app/z": "x" * (1000 - there)})
    assert "z" in paths(project)
    put({"app/z": "x" * (1001 - there)})
    with pytest.raises(
        SpecError,
        match=r"'app' is too large for a build: more than 1.0 kB, 'app/z' alone 987 bytes\n",
    ) as caught:
        taken(project)
    assert str(caught.value).startswith("envctl.yaml:9:7: ")
    assert "with `exclude` of the copy or in an ignore file" in str(caught.value)


def test_of_many_files_that_are_too_much_none_is_named_unless_it_is_a_large_one(
    project, put, small
):
    put({f"app/more{number}": "x" * 250 for number in range(4)})
    with pytest.raises(SpecError, match=r"more than 1.0 kB\n"):
        taken(project)
    put({f"app/more{number}": "x" * 251 for number in range(4)})
    with pytest.raises(SpecError, match=r"more than 1.0 kB, 'app/more3' alone 251 bytes\n"):
        taken(project)


def test_that_a_file_is_mostly_holes_is_reported_and_how_much_of_it_is_used(project, small):
    disk = project / "app" / "disk"
    with disk.open("wb") as file:
        file.write(b"x" * (1 << 20))
        file.truncate(5 << 19)
    used = disk.stat().st_blocks * 512 / 1_000_000
    with pytest.raises(
        SpecError, match=rf"'app/disk' alone 2.6 MB, of which {used:.1f} MB are used\n"
    ):
        taken(project)
    os.truncate(disk, 1 << 20)
    with pytest.raises(SpecError, match=r"'app/disk' alone 1.0 MB\n"):
        taken(project)


def test_a_build_may_take_so_many_things_and_no_more(project, put, small):
    put({f"app/more{number}": "" for number in range(3)})
    assert len(paths(project)) == 6
    put({"app/one-too-many": ""})
    with pytest.raises(SpecError, match=r"'app' is too large for a build: more than 6 files\n"):
        taken(project)


def test_a_single_file_that_is_too_large_is_reported_too(project, put, small):
    put({"app/main.py": "x" * 1001})
    with pytest.raises(
        SpecError, match=r"'app/main.py' is too large for a build.* 'app/main.py' alone 1.0 kB\n"
    ):
        taken(project, "app/main.py")


def test_of_what_is_left_out_five_are_named_and_the_rest_are_counted(project):
    for number in range(5):
        os.mkfifo(project / "app" / f"pipe{number}")
    assert notes(project) == [
        "copy app skips what is neither file, folder nor link: pipe0, pipe1, pipe2, pipe3, pipe4"
    ]
    for number in (5, 6):
        os.mkfifo(project / "app" / f"pipe{number}")
    assert notes(project) == [
        "copy app skips what is neither file, folder nor link: pipe0, pipe1, pipe2, pipe3, pipe4 and 2 more"
    ]


def test_links_out_of_what_is_copied_are_noted_three_at_most(project):
    for number in range(4):
        (project / "app" / f"out{number}").symlink_to("../x")
    (project / "app" / "sub" / "in").symlink_to("../main.py")
    (project / "app" / "sub" / "out").symlink_to("../../x")
    (project / "app" / "absolute").symlink_to("/etc/passwd")
    (project / "app" / "odd").symlink_to("..x")
    assert notes(project) == [
        f"copy app takes app/out{number} as a link to ../x, which is outside what is copied"
        for number in range(3)
    ]


def test_what_git_ignores_is_reported_with_the_sizes_of_folders_and_of_large_files(project, put):
    put({".gitignore": "*.log\nbuild\n", "app/a.log": "x", "app/build/x": "x" * 1500})
    with (project / "app" / "b.log").open("wb") as file:
        file.truncate(999_999)
    with (project / "app" / "c.log").open("wb") as file:
        file.truncate(1_000_000)
    (note,) = notes(project)
    assert note == (
        "copy app takes 4 things that git ignores: app/a.log, app/b.log, app/build/ (1.5 kB), app/c.log (1.0 MB);"
        " to leave them out, name them in its `exclude` or in .envctlignore"
    )
    put({f"app/{number}.log": "" for number in range(3)})
    (note,) = notes(project)
    assert (
        "takes 7 things that git ignores: app/0.log, app/1.log, app/2.log, app/a.log, app/b.log, 2 more;"
        in note
    )


def test_of_one_thing_that_git_ignores_it_is_said_so(project, put):
    put({".gitignore": "*.log\n", "app/a.log": "x"})
    (note,) = notes(project, ".")
    assert note.startswith(
        "copy . takes 1 thing that git ignores: app/a.log; to leave it out, name it in"
    )


def test_what_git_ignores_by_the_files_of_each_folder_is_reported(project, put):
    put({
        ".git/info/exclude": "info\n", ".gitignore": "top\n", "app/.gitignore": "here\n", "app/sub/.gitignore": "!here\nthere\n",
        "app/info": "", "app/top": "", "app/here": "", "app/sub/here": "", "app/sub/there": "", "app/there": "",
    })  # fmt: skip
    (note,) = notes(project)
    assert "takes 4 things that git ignores: app/here, app/info, app/sub/there, app/top;" in note
