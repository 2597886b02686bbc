"""Patterns of `.dockerignore`: what moby's matcher leaves out, and what it refuses.

Source: https://github.com/moby/patternmatcher/blob/main/patternmatcher.go, `compile` and `match`.
"""

from __future__ import annotations

import pytest

from envctl.files.dockerignore import DockerIgnore, PatternError

PATHS = "a b a/b a/x b/a b/c/a ab ba xa a.o b/a.o a/b/c a/b/d c/a/b c/x/a/b .a b/.a a^ a* ^".split()  # noqa: SIM905


def left_out(*lines: str) -> set[str]:
    """What is left out, going down to each path; below what is not entered nothing is kept."""
    rules = DockerIgnore("\n".join(lines))
    found = set()
    for path in PATHS:
        *folders, name = path.split("/")
        at, entered = rules.top(), True
        for folder in folders:
            decision = rules.decide(at, folder, is_folder=True)
            entered = entered and decision.enter
            at = decision.below
        if not entered or rules.decide(at, name, is_folder=False).ignored:
            found.add(path)
    return found


A_AND_BELOW = {"a", "a/b", "a/x", "a/b/c", "a/b/d"}
NAMED_A = A_AND_BELOW | {"b/a", "b/c/a", "c/a/b", "c/x/a/b"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a"], A_AND_BELOW),
        (["/a"], A_AND_BELOW),
        (["./a/"], A_AND_BELOW),
        (["b/../a"], A_AND_BELOW),
        (["  a  "], A_AND_BELOW),
        (["\ufeffa"], A_AND_BELOW),
        (["a\r"], A_AND_BELOW),
        (["**/a"], NAMED_A),
        (["**a"], NAMED_A | {"ba", "xa", ".a", "b/.a"}),
        (["a/**"], A_AND_BELOW - {"a"}),
        (["a**"], A_AND_BELOW | {"ab", "a.o", "a^", "a*"}),
        (["**"], {*PATHS}),
        (["*"], {*PATHS}),
        (["a/*"], A_AND_BELOW - {"a"}),
        (["*/a"], {"b/a", "c/a/b"}),
        (["**/*.o"], {"a.o", "b/a.o"}),
        (["*.o"], {"a.o"}),
        (["a?"], {"ab", "a^", "a*"}),
        (["c/**/b"], {"c/a/b", "c/x/a/b"}),
        (["*/**/b"], {"a/b", "a/b/c", "a/b/d", "c/a/b", "c/x/a/b"}),
        (["*/x/**"], {"c/x/a/b"}),
        (["**/a/**"], {"a/b", "a/x", "a/b/c", "a/b/d", "c/a/b", "c/x/a/b"}),
        (["[ab]"], A_AND_BELOW | {"b", "b/a", "b/c/a", "b/a.o", "b/.a"}),
        (["[a-b][a-b]"], {"ab", "ba"}),
        (["[^a]a"], {"ba", "xa", ".a"}),
        (["a[\\^x]"], {"a^"}),
        (["a\\*"], {"a*"}),
        (["a^"], {"a^"}),
        (["^"], {"^"}),
        (["# a", "", "   "], set()),
        (["*", "!a"], {*PATHS} - A_AND_BELOW),
        (["*", "! a"], {*PATHS} - A_AND_BELOW),
        (["a", "!a/b"], {"a", "a/x"}),
        (["a", "!a/b", "a/b/c"], {"a", "a/x", "a/b/c"}),
        (["!a/b", "a"], A_AND_BELOW),
        (["**", "!**/a"], {*PATHS} - NAMED_A),
        (["**", "!a/**"], {*PATHS} - A_AND_BELOW | {"a"}),
        (["**", "!a/b/*"], {*PATHS} - {"a/b/c", "a/b/d"}),
        (["**", "!c/*/a"], {*PATHS} - {"c/x/a/b"}),
        (["*", "!*.o"], {*PATHS} - {"a.o"}),
    ],
)
def test_a_file_of_patterns_leaves_out_what_docker_leaves_out(lines, expected):
    assert left_out(*lines) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("!", "an exception needs a pattern"),
        ("a\\", "escapes nothing"),
        ("a\\b", "\\b means nothing"),
        ("[a", "is not closed"),
        ("[]", "is not closed"),
        ("[a-]", "is not closed"),
        ("[-a]", "is not closed"),
        ("[b-a]", "the range b-a is empty"),
        ("[*]", "write \\* for the character *"),
        ("[a[]", "write \\[ for the character ["),
        ("*^", "write \\^ for the character ^"),
        ("a\\b*", "means nothing"),
    ],
)
def test_what_docker_would_refuse_or_read_otherwise_is_refused_with_its_place(line, message):
    with pytest.raises(PatternError) as caught:
        DockerIgnore(f"fine\n  {line}")
    assert message in str(caught.value)
    assert (caught.value.line, caught.value.column) == (2, 3)


def test_a_folder_is_entered_only_if_something_in_it_may_be_kept():
    rules = DockerIgnore("*\n!a/b\n!c/**\n")
    entered = {name: rules.decide(rules.top(), name, is_folder=True).enter for name in "abc"}
    assert entered == {"a": True, "b": False, "c": True}
    anywhere = DockerIgnore("*\n!**/b")
    assert anywhere.decide(anywhere.top(), "x", is_folder=True).enter


def test_patterns_are_compared_with_the_path_in_the_context_wherever_a_walk_begins():
    rules = DockerIgnore("srv/a\nb\n")
    assert rules.decide(rules.top("srv"), "a", is_folder=False).ignored
    assert not rules.decide(rules.top("srv"), "b", is_folder=False).ignored
    for top in ("", "."):
        assert rules.decide(rules.top(top), "b", is_folder=False).ignored


def test_a_file_without_patterns_is_none():
    assert not DockerIgnore("# nothing\n\n")
    assert DockerIgnore("a")
