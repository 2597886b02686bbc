"""What is printed cannot steer the terminal it is printed on."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.cli.output import Stream, escaped, escaped_but_color, json_text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def test_control_characters_are_shown_and_not_sent() -> None:
    assert escaped("a\x1b[2Jb\r\x9bc\u202ed\te\n") == "a\\x1b[2Jb\\x0d\\x9bc\\u202ed\te\n"


def test_colours_alone_may_pass_where_a_program_wrote_them() -> None:
    assert escaped_but_color("\x1b[1;31mred\x1b[0m \x1b]0;title\x07") == (
        "\x1b[1;31mred\x1b[0m \\x1b]0;title\\x07"
    )


@pytest.mark.parametrize(
    "codes",
    ["", "0", "1", "01;31", "1;4;93", "38;5;200", "48;2;1;2;3;1", "38:2::1:2:3", "39;49;22"],
)
def test_what_programs_colour_with_passes(codes: str) -> None:
    assert escaped_but_color(f"\x1b[{codes}mx\x1b[m") == f"\x1b[{codes}mx\x1b[m"


@pytest.mark.parametrize("codes", ["8", "1;8", "08", "5", "7", "38;2;1;2;3;8", "38;5;1;8", "1;;8"])
def test_what_hides_text_or_makes_it_blink_is_shown_and_not_sent(codes: str) -> None:
    assert escaped_but_color(f"a\x1b[{codes}mb") == f"a\\x1b[{codes}mb"


def test_a_colour_ends_with_its_line(terminal: Terminal) -> None:
    assert escaped_but_color("\x1b[31mred") == "\x1b[31mred\x1b[0m"
    Stream(terminal).line("\x1b[31mred")
    assert terminal.getvalue() == "\x1b[31mred\x1b[0m\n"


def test_a_stream_without_colours_leaves_those_of_programs_out() -> None:
    file = io.StringIO()
    Stream(file).line("\x1b[31mred\x1b[0m \x1b[2J")
    assert file.getvalue() == "red \\x1b[2J\n"


@given(st.text())
def test_json_stays_json_with_the_same_content(text: str) -> None:
    printed = json_text({"value": text})
    assert json.loads(printed) == {"value": text}
    assert printed == escaped(printed)


def test_a_terminal_gets_colours(terminal: Terminal) -> None:
    assert Stream(terminal).paint("yes", "green") == "\x1b[32myes\x1b[0m"


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_none_gets_none(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert Stream(terminal).paint("yes", "green") == "yes"


def test_the_option_turns_colours_off(terminal: Terminal) -> None:
    assert Stream(terminal, no_color=True).paint("yes", "green") == "yes"


def test_a_pipe_gets_no_colours() -> None:
    assert Stream(io.StringIO()).paint("yes", "green") == "yes"


def test_a_coloured_cell_keeps_its_column(terminal: Terminal) -> None:
    Stream(terminal).table([("a", "up", "x"), ("b", "down", "y")], styles={"up": "green"})
    assert terminal.getvalue() == "a  \x1b[32mup\x1b[0m    x\nb  down  y\n"


def test_columns_line_up_and_empty_ones_are_left_out() -> None:
    file = io.StringIO()
    Stream(file).table([("web", "", "up"), ("database", "", "down")], head=("UNIT", "WHY", "STATE"))
    assert file.getvalue() == "UNIT      STATE\nweb       up\ndatabase  down\n"


@pytest.mark.parametrize(
    ("environ", "shown"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"FORCE_COLOR": "0", "CLICOLOR_FORCE": "0"}, False),
        ({"FORCE_COLOR": ""}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colours_can_be_forced_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], shown: bool
) -> None:
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[31m" in Stream(io.StringIO()).paint("red", "red")) == shown
    assert Stream(io.StringIO(), no_color=True).paint("red", "red") == "red"
