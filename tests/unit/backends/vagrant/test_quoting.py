"""What is quoted for a Vagrantfile, a shell and a kernel's command line is read back as it was."""

from __future__ import annotations

import re
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envctl.backends.vagrant.quoting import FUNCTIONS, kernel, number, raw, ruby, shell, words
from tests.support.examples import examples

TEXTS = st.one_of(
    st.sampled_from(["", "it's", "\\", "\\'", "#{x}", "$HOME `id` $(id)", "a\nb", "-rf", "ü ☃", "%n", "\x01"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
)  # fmt: skip


def read_by_ruby(literal: str) -> str:
    """What Ruby makes of a single-quoted literal: it knows two escapes there, of itself and of the quote."""
    assert re.fullmatch(r"'(?:[^'\\]|\\.)*'", literal, re.DOTALL)
    return re.sub(r"\\([\\'])", r"\1", literal[1:-1])


@given(TEXTS)
def test_a_ruby_string_reads_back(text):
    assert read_by_ruby(ruby(text)) == text


@settings(max_examples=examples(60))
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_words_of_a_shell_command_read_back(texts):
    script = f"printf '%s\\0' {words(texts)}"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True)
    assert done.stdout == b"".join(text.encode() + b"\0" for text in texts)
    assert words(texts[:1]) == shell(texts[0])


@settings(max_examples=examples(60))
@given(TEXTS.filter(bool))
def test_a_path_on_the_kernels_command_line_is_one_plain_word_and_reads_back(text):
    word = kernel(text)
    assert re.fullmatch(r"[A-Za-z0-9/._@+=\\-]+", word)
    done = subprocess.run(
        ["/bin/sh", "-c", 'printf %b "$1"', "sh", word], capture_output=True, check=True
    )
    assert done.stdout == text.encode()


@pytest.mark.parametrize(("value", "shown"), [(0, "0"), (2, "2"), (2.0, "2"), (0.5, "0.5"), (1234567, "1234567"), (-1, "-1")])  # fmt: skip
def test_a_number_has_no_needless_digits(value, shown):
    assert number(value) == shown


@given(TEXTS)
def test_what_has_no_syntax_is_put_out_as_it_is(text):
    assert raw(text) == text


def test_templates_are_given_each_way_to_quote_by_its_name():
    assert {*FUNCTIONS} == {
        "ruby",
        "shell",
        "words",
        "number",
        "raw",
        "comment",
        "markdown",
        "code",
    }
    assert FUNCTIONS["ruby"]("a'b") == r"'a\'b'"
    assert FUNCTIONS["shell"]("a b") == "'a b'"
    assert FUNCTIONS["words"](["a b", "c"]) == "'a b' c"
