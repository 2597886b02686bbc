"""Dockerfiles are read as Docker reads them."""

from __future__ import annotations

import pytest

from envctl.detect.dockerfile_reader import DockerfileError, parse_dockerfile
from envctl.detect.dockerfile_words import WordError, exec_form, expand, key_values, raw_words


def read(text: str) -> list[tuple[int, str, str]]:
    return [(each.line, each.name, each.text) for each in parse_dockerfile(text).instructions]


def test_lines_are_continued_over_comments_and_empty_lines() -> None:
    text = "FROM a\nRUN b \\\n  # a comment\n\n  && c\\\\\nrun d\n"

    assert read(text) == [(1, "FROM", "a"), (2, "RUN", "b   && c\\\\"), (6, "RUN", "d")]


def test_a_directive_sets_the_escape_character() -> None:
    parsed = parse_dockerfile("# syntax=x\n# escape=`\nFROM a\nRUN b `\n c\\\n")

    assert parsed.escape == "`"
    assert parsed.instructions[1].text == "b  c\\"
    assert parse_dockerfile("FROM a\n# escape=`\nRUN b").escape == "\\"


def test_here_documents_belong_to_their_instruction() -> None:
    text = "FROM a\nRUN <<EOF cat <<-'END'\n1\n# 2\nEOF\n\t3\n\tEND\nCOPY a b\n"

    run, copy = parse_dockerfile(text).instructions[1:]

    assert [(each.word, each.text, each.is_quoted) for each in run.heredocs] == [
        ("EOF", "1\n# 2\n", False),
        ("END", "3\n", True),
    ]
    assert (copy.line, copy.text) == (8, "a b")
    assert parse_dockerfile('FROM a\nRUN echo "<<EOF"\n').instructions[1].heredocs == ()


def test_flags_are_apart_from_arguments() -> None:
    copy = parse_dockerfile("FROM a\nCOPY --from=b --link c d\n").instructions[1]

    assert copy.flags == (("from", "b"), ("link", ""))
    assert copy.text == "c d"


def test_a_line_that_is_no_instruction_is_an_error() -> None:
    with pytest.raises(DockerfileError, match="'WHAT' is not an instruction") as raised:
        parse_dockerfile("FROM a\nWHAT b\n")

    assert raised.value.line == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A-${A}", "1-1"),
        ("${B:-x$A}", "x1"),
        ("${E-y}|${E:-y}", "|y"),
        ("${A:+yes}${B:+no}", "yes"),
        ("${A:-${B:-c}}", "1"),
        (r"\$A '$A' \"", '$A $A "'),
        ("\"$A 'x'\"", "1 'x'"),
        ("$", "$"),
    ],
)
def test_variables_are_replaced(text: str, value: str) -> None:
    assert expand(text, {"A": "1", "E": ""}) == value


@pytest.mark.parametrize("text", ["${A", "${}", "${A#x}", "${B:?needed}", "${B:-" * 30 + "}" * 30])
def test_what_cannot_be_replaced_is_an_error(text: str) -> None:
    with pytest.raises(WordError):
        expand(text, {"A": "1"})


def test_values_are_bounded() -> None:
    with pytest.raises(WordError, match="256 KiB"):
        expand("$A" * 1000, {"A": "x" * 1000})


def test_words_and_lists() -> None:
    assert raw_words("a 'b c' d\\ e \"f g\"") == ["a", "'b c'", "d\\ e", '"f g"']
    assert exec_form('["a", "b"]') == ["a", "b"]
    assert exec_form("[a]") is exec_form("[1]") is exec_form("a") is None
    assert key_values("A=1 B='2 3' C", "\\") == [("A", "1"), ("B", "'2 3'"), ("C", None)]
    assert key_values("A some text", "\\") == [("A", "some text")]
