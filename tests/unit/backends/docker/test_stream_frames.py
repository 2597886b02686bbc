"""Frames come out whole, however their bytes come in."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from envctl.backends.docker.stream_frames import Demultiplexer

FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=6)


def encoded(frames):
    return b"".join(
        bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data for stream, data in frames
    )


@given(FRAMES, st.lists(st.integers(0, 300), max_size=8))
def test_frames_cut_anywhere_are_put_together(frames, cuts):
    data = encoded(frames)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    demultiplexer = Demultiplexer()
    found = []
    for start, end in pairwise(edges):
        found += demultiplexer.feed(data[start:end])

    assert found == frames


def test_an_unfinished_frame_is_kept_back():
    demultiplexer = Demultiplexer()
    data = encoded([(1, b"hello")])

    assert list(demultiplexer.feed(data[:-1])) == []
    assert list(demultiplexer.feed(data[-1:])) == [(1, b"hello")]
