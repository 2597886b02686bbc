"""Log lines out of the engine's frames."""

from __future__ import annotations

import pytest

from envctl.backends.base import LogLine
from envctl.backends.docker.logs import _after, _parsed


def frame(stream, data):
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


def parsed(*frames):
    return list(_parsed("web", frames))


def test_each_frame_is_a_line_with_its_time_and_stream():
    assert parsed(
        frame(1, b"2026-01-01T00:00:00.5Z hello world\n"), frame(2, b"T \xff oops\r\n")
    ) == [
        LogLine("web", "hello world", "stdout", "2026-01-01T00:00:00.5Z"),
        LogLine("web", "\ufffd oops\r", "stderr", "T"),
    ]


def test_a_long_line_in_several_frames_is_one_with_the_first_time():
    assert parsed(frame(1, b"T1 half "), frame(2, b"T2 other\n"), frame(1, b"T3 line\n")) == [
        LogLine("web", "other", "stderr", "T2"),
        LogLine("web", "half line", "stdout", "T1"),
    ]


def test_a_line_without_its_end_is_reported_at_the_end():
    assert parsed(frame(1, b"T1 prompt> ")) == [LogLine("web", "prompt> ", "stdout", "T1")]


@pytest.mark.parametrize(
    ("moment", "after"),
    [
        ("1970-01-01T00:00:01.5Z", "1.500000001"),
        ("1970-01-01T00:00:01.999999999Z", "2.000000000"),
        ("1970-01-01T00:00:01Z", "1.000000001"),
    ],
)
def test_following_goes_on_a_nanosecond_later(moment, after):
    assert _after(moment) == after
