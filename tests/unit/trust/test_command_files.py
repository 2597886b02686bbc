"""What of a project a command names: every word and its parts, links, and what no word tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl.trust.command_files import named
from envctl.trust.host_access import command_access


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a script, a text, a folder and links."""
    root = tmp_path / "p9"
    (root / "tools").mkdir(parents=True)
    (root / "tools/tok.sh").write_text("echo one\n")
    (root / "tools/a b").write_text("two\n")
    (root / "tok.py").write_text("three\n")
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o755)
    (tmp_path / "theirs").write_text("four\n")
    (root / "out").symlink_to("../theirs")
    (root / "in").symlink_to("tools/tok.sh")
    return root


@pytest.mark.parametrize(
    ("argv", "files"),
    [
        (["sh", "tools/tok.sh"], ["tools/tok.sh"]),
        (["/bin/sh", "-ec", "./tools/tok.sh db"], ["./tools/tok.sh"]),
        (["/bin/sh", "-ec", "cd /;exec <tools/tok.sh|cat"], ["tools/tok.sh"]),
        (["/bin/sh", "-ec", 'X=$(./tools/tok.sh);echo "$X"'], ["./tools/tok.sh"]),
        (["/bin/sh", "-ec", "'./tools/a b' x"], ["./tools/a b"]),
        (["/bin/sh", "-ec", r"./tools/a\ b x"], ["./tools/a b"]),
        (["/bin/sh", "-ec", '"tools/tok.sh" && `./tok.py`'], ["tools/tok.sh", "./tok.py"]),
        (["sops", "--config=tok.py", "-ftools/tok.sh"], ["tok.py", "tools/tok.sh"]),
        (["env", "PYTHONSTARTUP=tok.py", "x"], ["tok.py"]),
        (["curl", "-d", "@tok.py", "file:tools/tok.sh"], ["tok.py", "tools/tok.sh"]),
        (["../p9/tok.py"], ["../p9/tok.py"]),
        (["in"], ["in"]),
        (["/bin/sh", "-ec", "date >>tok.py 2>tools/tok.sh"], []),
        (["/bin/sh", "-ec", "cat <>tok.py; date >tok.py; ./tok.py"], ["tok.py"]),
        (["pass", "show", "shop/db"], []),
        (["x", "\0", "'", "a" * 5000, ""], []),
    ],
)
def test_files_are_found_in_words_and_their_parts(root, argv, files):
    assert list(named(root, argv).files) == files


@pytest.mark.parametrize(
    ("argv", "more"),
    [
        (["pass", "show", "shop/db"], False),
        (["/bin/sh", "-ec", "pass show shop/db"], False),
        (["cat", "tok.py"], False),
        (["make", "-s", "token"], True),
        (["npm", "run", "token"], True),
        (["python3.11", "-m", "tools"], True),
        (["/bin/sh", "-ec", "make -s token"], True),
        (["/bin/sh", "-ec", "cd tools && ./tok.sh"], True),
        (["/bin/sh", "-ec", "./tools/*.sh"], True),
        (["/bin/sh", "-ec", "$X/tok"], True),
        (["/bin/sh", "-ec", "sh tok.py"], True),
        (["sh", "tok.py"], True),
        (["./run"], True),
        (["tool", "-C", "tools"], True),
    ],
)
def test_what_may_run_more_than_its_words_tell_is_reported(root, argv, more):
    assert named(root, argv).may_run_more is more
    assert (
        "anything that it runs from this folder" in command_access("k", argv, root, None).text
    ) is more


@pytest.mark.parametrize(
    "argv",
    [
        ["/bin/sh", "-ec", "./tools/tok.sh db"],
        ["x", "--script=tools/tok.sh"],
        ["/bin/sh", "-ec", "x='tools/tok.sh'"],
        ["in"],
    ],
)
def test_another_script_behind_the_same_words_is_another_thing_to_allow(root, argv):
    before = command_access("key", argv, root, None)
    (root / "tools/tok.sh").write_text("echo evil\n")
    after = command_access("key", argv, root, None)
    assert before.text == after.text
    assert before.key != after.key


def test_a_link_out_of_the_project_is_shown_with_its_place_which_is_part_of_what_is_allowed(root):
    before = command_access("key", ["./out"], root, None)
    assert f"with ./out, which leads to {root.parent}/theirs" in before.text
    (root / "out").unlink()
    (root / "out").symlink_to("/bin/sh")
    assert command_access("key", ["./out"], root, None).key != before.key


RUNNERS = sorted(
    {
        *[
            "make",
            "gmake",
            "just",
            "task",
            "rake",
            "ninja",
            "scons",
            "bazel",
            "cmake",
            "meson",
            "npm",
            "npx",
            "yarn",
            "pnpm",
            "bun",
            "bunx",
            "deno",
            "node",
            "nodejs",
            "tsx",
            "corepack",
            "python",
            "pypy",
            "pip",
            "pipx",
            "uv",
            "uvx",
            "poetry",
            "pipenv",
            "hatch",
            "pdm",
            "tox",
            "nox",
            "invoke",
            "inv",
            "fab",
            "pytest",
            "ruby",
            "bundle",
            "perl",
            "php",
            "composer",
            "lua",
            "tclsh",
            "Rscript",
            "java",
            "gradle",
            "mvn",
            "ant",
            "sbt",
            "lein",
            "go",
            "cargo",
            "dotnet",
            "mix",
            "elixir",
            "stack",
            "cabal",
            "swift",
            "git",
            "direnv",
            "mise",
            "asdf",
            "ansible",
            "ansible-vault",
            "ansible-playbook",
            "terraform",
            "tofu",
            "pulumi",
            "helm",
            "docker",
            "docker-compose",
            "podman",
            "vagrant",
            "envctl",
            "python3",
            "python3.11",
            "ruby3.1",
            "perl5",
            "node-20",
            "lua5.4",
        ]
    }
)


@pytest.mark.parametrize("name", RUNNERS)
def test_a_program_that_runs_what_it_finds_may_run_more_wherever_it_stands(root, name):
    for argv in (
        [name],
        [f"/usr/bin/{name}", "x"],
        ["env", "A=1", name],
        ["/bin/sh", "-ec", f"exec {name} x"],
    ):
        assert named(root, argv).may_run_more


@pytest.mark.parametrize("name", ["sh", "ash", "bash", "dash", "fish", "ksh", "mksh", "zsh"])
def test_a_shell_that_another_program_starts_may_run_anything(root, name):
    assert named(root, ["env", name]).may_run_more
    assert named(root, [name]).may_run_more
    assert named(root, [name, "-e", "tok.py"]).may_run_more
    assert not named(root, [name, "-c", "pass show db"]).may_run_more


@pytest.mark.parametrize("name", ["pass", "cat", "op", "vault", "sops", "makes", "2to3", "gitlab"])
def test_other_programs_run_what_their_words_tell(root, name):
    assert not named(root, [name, "show", "db"]).may_run_more


@pytest.mark.parametrize("sign", [*list(";&|<()`\"'{}=:,@!#"), "$(", " ", "\n", "\t"])
def test_whatever_signs_stand_around_a_file_it_is_found(root, sign):
    text = f"tool {sign}tok.py{sign} x"
    assert list(named(root, ["/bin/sh", "-ec", text]).files) == ["tok.py"]


@pytest.mark.parametrize(
    ("mode", "more"), [(0o700, True), (0o610, True), (0o601, True), (0o644, False), (0o602, False)]
)
def test_a_file_that_anybody_may_execute_may_run_more(root, mode, more):
    (root / "tok.py").chmod(mode)
    assert named(root, ["x", "tok.py"]).may_run_more is more
