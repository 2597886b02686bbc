"""Patterns: what they match, held against regular expressions."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from envctl.files.dockerignore import DockerIgnore
from envctl.files.globs import ANY_CHARACTER, Globs, OneOf, Wild

AS_REGEX = {Wild.NAME: "[^/]*", Wild.ALL: ".*", Wild.FOLDERS: "(?:.*/)?", ANY_CHARACTER: "[^/]"}
AB = OneOf((("a", "b"),))
TOKENS = st.lists(st.sampled_from([*"ab/", *Wild, ANY_CHARACTER, AB]), max_size=6)
TEXTS = st.text("abc/\n", max_size=10)


def regex(tokens) -> str:
    return "".join("[ab]" if one == AB else AS_REGEX.get(one) or re.escape(one) for one in tokens)


@given(st.lists(TOKENS, min_size=1, max_size=4), TEXTS, st.integers(0, 10))
def test_several_patterns_at_once_match_what_regular_expressions_do(patterns, text, cut):
    globs = Globs(patterns)
    state = globs.after(text[cut:], globs.after(text[:cut], globs.start))
    expected = [n for n, one in enumerate(patterns) if re.fullmatch(regex(one), text)]
    assert list(state.accepts) == expected


@given(TOKENS, st.text("abc", max_size=4), st.text("abc/", max_size=6))
def test_a_last_name_is_asked_for_quickly_and_with_the_same_answer(tokens, name, folders):
    globs = Globs([tokens])
    state = globs.after(folders and f"{folders}/", globs.start)
    assert globs.ending(name, state) == globs.after(name, state).accepts


def ignored(text: str, path: str) -> bool:
    """Whether an ignore file leaves a file out, going down to it."""
    rules = DockerIgnore(text)
    *folders, name = path.split("/")
    known = rules.top()
    for folder in folders:
        found = rules.decide(known, folder, is_folder=True)
        if not found.enter:
            return True
        known = found.below
    return rules.decide(known, name, is_folder=False).ignored


WORDS = {
    "a": "a",
    ".": "[.]",
    "*": "[^/]*",
    "?": "[^/]",
    "a/b": "a/b",
    "a/**/b": "a/(.*/)?b",
    "b/*/a": "b/[^/]*/a",
}
PATTERNS = st.lists(st.sampled_from(sorted(WORDS)), min_size=1, max_size=3).filter(
    lambda words: "**" not in "".join(words).replace("/**/", "") and "".join(words).strip(".")
)
PATHS = st.lists(st.text("ab.", min_size=1, max_size=2), min_size=1, max_size=4).map("/".join)


@given(PATTERNS, PATHS)
def test_one_pattern_of_an_ignore_file_leaves_out_what_it_matches_and_all_below(words, path):
    parts = path.split("/")
    above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    meaning = "".join(WORDS[one] for one in words)
    expected = any(re.fullmatch(meaning, one) for one in above)
    assert ignored("".join(words) + "\n", path) == expected
