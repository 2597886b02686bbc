"""What is quoted for a format is read back, by that format's own reader, as it was."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from envctl.backends.docker import quoting
from envctl.errors import EnvctlError

HOSTILE = (
    "",
    'say "hi"',
    "it's",
    "two\nlines",
    "$HOME ${HOME:-x} $$ $(id)",
    "`id`",
    "# no comment",
    "${{ github.token }}",
    "{{ jinja }}{% raw %}",
    "Grüße ☃ 😀",
    "-rf",
    "--",
    "back\\slash",
    "trailing\\",
    "<<EOF",
    "cat <<-'EOF'",
    "# escape=`",
    '", "x"]',
    "[*?]",
    "\t\r\x01\x7f\x85\u2028\ufeff",
    "yes",
    "1e3",
    "~",
    "key: value",
    "%s%n",
    "a" * 5000,
)
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
    st.text(" \"'$`\\#{}<>[],:-\n", max_size=30),
)


def unexpanded(text: str) -> str:
    """What Docker's builder makes of a word: unquotes and expands, here with no variables set."""
    result, quote, position = "", "", 0
    while position < len(text):
        char = text[position]
        if char == "\\" and quote != "'":
            position += 1
            result += text[position]
        elif char in "\"'" and quote in ("", char):
            quote = "" if quote else char
        else:
            assert char != "$", f"{text!r} would be expanded"
            result += char
        position += 1
    assert not quote
    return result


@given(st.lists(texts))
def test_a_run_command_reads_back_as_its_words(words):
    line = quoting.exec_form(words)
    assert json.loads(line) == words
    assert line.isascii()
    assert line.isprintable()
    assert "<<" not in line
    assert r"\\" not in line


@given(texts, texts)
def test_the_paths_of_a_copy_survive_the_builders_expansion(source, target):
    line = quoting.copy_form(source, target)
    assert [unexpanded(path) for path in json.loads(line)] == [source, target]
    assert line.isprintable()


@pytest.mark.parametrize("path", ["a\udcff", "\U0001f600", "\U00010000\uffff", " \x00\x7f\x80"])
def test_a_path_of_any_characters_reads_back_from_ascii(path):
    line = quoting.copy_form(path, "/")
    assert json.loads(line) == [path, "/"]
    assert line.isascii()


@given(texts)
def test_a_compose_value_reads_back_once_compose_has_interpolated_it(text):
    value = yaml.safe_load(quoting.compose(text))
    assert "$" not in value.replace("$$", "")
    assert value.replace("$$", "$") == text


@given(st.lists(texts))
def test_a_compose_list_reads_back_as_a_list_of_strings(values):
    read = yaml.safe_load(quoting.compose_list(values))
    assert [value.replace("$$", "$") for value in read] == values


@given(texts.filter(lambda text: len(text) < 100))  # YAML limits keys to 1024 characters
def test_a_yaml_key_reads_back_as_it_was(text):
    assert yaml.safe_load(f"{quoting.yaml_string(text)}: 1") == {text: 1}


@given(texts)
def test_a_comment_stays_on_its_line(text):
    assert quoting.comment(text).isprintable()


@given(texts)
def test_markdown_stays_on_its_line(text):
    assert quoting.markdown(text).isprintable()
    assert quoting.code(text).isprintable()


def test_a_code_span_is_longer_than_the_backticks_in_it():
    assert quoting.code("plain") == "`plain`"
    assert quoting.code("a``b") == "``` a``b ```"


@pytest.mark.parametrize(
    "text", ["debian:bookworm", "web", "web:www-data", "r.example:5000/a/b@sha256:0"]
)
def test_image_and_user_names_are_put_in_as_they_are(text):
    assert quoting.word(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "a b", "$USER", "web\nRUN id", "-x", "--chown=0", "a\\", "<<EOF", "#x", "`id`", "ü"],
)
def test_a_name_that_would_mean_something_else_is_refused(text):
    with pytest.raises(EnvctlError, match="cannot be written in a Dockerfile"):
        quoting.word(text)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(2, "2"), (0.5, "0.5"), (1e-05, "0.00001"), (536870912, "536870912"), (10, "10")],
)
def test_numbers_have_no_exponent_and_no_needless_digits(value, shown):
    assert quoting.number(value) == shown


def test_a_mount_within_the_project_can_move_with_it():
    assert quoting.bind_source("/srv/p/app $x", "/srv/p") == '"${PROJECT_DIR:-/srv/p}/app $$x"'
    assert quoting.bind_source("/srv/p", "/srv/p") == '"${PROJECT_DIR:-/srv/p}"'
    assert quoting.bind_source("/srv/p~/app", "/srv/p~") == '"${PROJECT_DIR:-/srv/p~}/app"'
    assert quoting.bind_source("/app", "/") == '"${PROJECT_DIR:-/}app"'


def test_a_mount_from_elsewhere_or_under_an_odd_root_is_absolute():
    assert quoting.bind_source("/srv/pq", "/srv/p") == '"/srv/pq"'
    assert quoting.bind_source("/a}$b/c", "/a}$b") == '"/a}$$b/c"'


def interpolated(value):
    """What Compose makes of a value: `$$` is one dollar sign; keys it leaves alone."""
    if isinstance(value, str):
        assert "$" not in value.replace("$$", "")
        return value.replace("$$", "$")
    if isinstance(value, dict):
        return {key: interpolated(item) for key, item in value.items()}
    return [interpolated(item) for item in value] if isinstance(value, list) else value


keys = texts.filter(lambda text: len(text) < 100)
values = st.recursive(
    st.one_of(texts, st.booleans(), st.integers(-(10**9), 10**9), st.sampled_from([0.5, -2.25, 1e-9])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip


@given(values)
def test_any_value_of_a_compose_file_reads_back_as_it_was(value):
    assert interpolated(yaml.safe_load(quoting.compose_value(value))) == value


def test_several_values_stay_several():
    assert yaml.safe_load(
        quoting.compose_value({"a": 1, "b": ["x", "y"], "c": True, "d": False})
    ) == {
        "a": 1,
        "b": ["x", "y"],
        "c": True,
        "d": False,
    }
    assert yaml.safe_load(quoting.compose_list(["x", "y"])) == ["x", "y"]


@pytest.mark.parametrize("value", ["a", "/srv/web", "v1.2", "user@host", "a:b", "a+b_c-d", "-x"])
def test_a_path_or_a_word_is_a_setting(value):
    assert quoting.setting("NAME", value) == f"NAME={value}"


@pytest.mark.parametrize("value", ["", " ", "a b", "a\nRUN x", "$HOME", "a'b", 'a"b', "a\\b", "a#b", "a=b", "é"])  # fmt: skip
def test_what_the_builder_would_read_otherwise_is_not_a_setting(value):
    with pytest.raises(EnvctlError, match="cannot be written in a Dockerfile here"):
        quoting.setting("NAME", value)
    if value:
        with pytest.raises(EnvctlError, match="cannot be written in a Dockerfile here"):
            quoting.setting(value, "x")


@given(st.lists(texts, min_size=1))
def test_words_that_end_a_list_read_back_within_its_brackets(words):
    assert json.loads(f"[{quoting.arguments(words)}]") == words


@pytest.mark.parametrize(
    ("char", "written"),
    [
        ('"', '\\"'),
        ("\\", "\\\\"),
        ("a", "a"),
        ("\x01", "\\x01"),
        ("\xff", "ÿ"),
        ("\x85", "\\x85"),
        ("\u2028", "\\u2028"),
        ("\uffff", "\\uffff"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_what_is_not_printable_is_written_by_number(char, written):
    assert quoting.yaml_string(char) == f'"{written}"'
    assert yaml.safe_load(quoting.yaml_string(char)) == char


def test_templates_are_given_each_way_to_quote_by_its_name():
    names = "exec_form arguments copy_form word setting comment compose compose_list compose_value"
    names += " compose_host_variables yaml_string number markdown code bind_source raw"
    assert {*quoting.FUNCTIONS} == {*names.split()}
    assert all(getattr(quoting, name) is one for name, one in quoting.FUNCTIONS.items())
