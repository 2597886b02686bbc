"""Patterns of `.gitignore`: what git itself ignores, pattern by pattern."""

from __future__ import annotations

import string
import subprocess
from pathlib import Path

import pytest

from envctl.files.gitignore import GitIgnore


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty one for all tests: each writes its own patterns into it."""
    root = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


SIGNS = sorted({*string.printable} - {*"/\0\t\n\r\x0b\x0c"})


def ours(patterns: list[str], paths: list[str]) -> set[str]:
    """What is ignored, going down to each path as a walk does; nothing in an ignored folder is looked at."""
    rules = GitIgnore(patterns)
    found = set()
    for path in paths:
        *folders, name = path.split("/")
        state, left_out = rules.top, False
        for folder in folders:
            left_out = left_out or bool(rules.ignored(state, folder, is_folder=True))
            state = rules.below(state, folder)
        if left_out or rules.ignored(state, name, is_folder=False):
            found.add(path)
    return found


def gits(root: Path, patterns: list[str], paths: list[str]) -> set[str]:
    """What git says of the same paths."""
    (root / ".gitignore").write_text("".join(f"{one}\n" for one in patterns))
    run = subprocess.run(
        ["git", "-C", str(root), "check-ignore", "--no-index", "-z", "--stdin"],
        input="\0".join(paths),
        capture_output=True,
        text=True,
        check=False,
    )
    assert not run.stderr
    return {*filter(None, run.stdout.split("\0"))}


CLASSES = ["alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit"]  # fmt: skip


def test_classes_of_characters_have_the_characters_that_git_gives_them(repository):
    patterns = [f"{name}-[[:{name}:]]" for name in CLASSES]
    patterns += [f"no-{name}-[^[:{name}:]]" for name in CLASSES]
    patterns += [f"two-{name}-[[:{name}:]!]" for name in CLASSES]
    heads = [one.partition("[")[0] for one in patterns]
    paths = [f"{head}{sign}" for head in heads for sign in SIGNS]
    assert ours(patterns, paths) == gits(repository, patterns, paths)


LISTS = [
    *("x[ab]", "x[!ab]", "x[^ab]", "x[a-c]", "x[a-]", "x[-a]", "x[]]", "x[]a]", "x[!]a]", "x[a\\]b]", "x[\\a-\\c]"),
    *("x[a-c-e]", "x[a", "x[", "x[]", "x[[:nope:]]", "x[[:alpha:]", "x[c-a]", "x[\\", "x[[:digit:]a-c]", "x[a[:digit:]]"),
    *("x[[:digit:][:upper:]]", "x[0-9A-F]", "x[*?]", "x[\\\\]", "x[!-~]"),
]  # fmt: skip


@pytest.mark.parametrize("pattern", LISTS)
def test_a_list_of_characters_takes_what_git_takes(repository, pattern):
    paths = [f"x{sign}" for sign in SIGNS]
    assert ours([pattern], paths) == gits(repository, [pattern], paths)


PATHS = [
    *("a", "b", "a.o", "b.o", "a/b", "a/a.o", "b/a", "b/a.o", "b/c/a", "b/c/a.o", "a/b/c", "c/a/b", "c/x/b", "c/x/y/b"),
    *("a/x/b", "a/x/y/b", "ab", "a b", "a ", "#a", "!a", "abc", "a/b/c/d", "b/a/b", ".a", "b/.a", "a\\", "*", "b*"),
]  # fmt: skip
PATTERNS = [
    *("a", "/a", "a/", "/a/", "*.o", "/*.o", "b/*.o", "b/**", "**/a", "**/a.o", "a/**/b", "**", "*", "/*", "a/*"),
    *("?", "a?", "?b", "a**", "a**b", "**b", "c/**/b", "a/**/b/c", "a/*/b", "**/b/**", "\\#a", "#a", "\\!a", "!a"),
    *("a ", "a\\ ", "a\\\\", "a  ", "", "/", "a\\", "\\*", "b\\*", "a/b/", "b/c", "c/x/", "**/", "a//b", "./a", ".*"),
    *("a/**/", "***", "a/***/b", "***/b", "a/** ", "b/c/**/a.o", "**/c/**/a", "*/a", "*/*/a", "a\r"),
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_ignores_what_git_ignores(repository, pattern):
    assert ours([pattern], PATHS) == gits(repository, [pattern], PATHS)


@pytest.mark.parametrize(
    "patterns",
    [
        ["*", "!a"],
        ["*.o", "!a.o"],
        ["!a.o", "*.o"],
        ["/*", "!/b"],
        ["a/", "!a/b"],
        ["a/*", "!a/b"],
        ["b/**", "!b/c", "!b/c/a"],
        ["*", "!*/", "!*.o"],
        ["a", "!/a", "/a/b"],
        ["# a", "", "b", "!b/", "b/*.o"],
        ["**/a", "!b/**/a"],
    ],
)
def test_of_several_patterns_the_last_decides_as_with_git(repository, patterns):
    assert ours(patterns, PATHS) == gits(repository, patterns, PATHS)
