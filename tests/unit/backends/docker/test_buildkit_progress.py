"""BuildKit's records, encoded by hand as protobuf says."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.backends.docker.build_watch import Watch
from envctl.backends.docker.buildkit_progress import Output, Vertex, decode
from envctl.errors import EnvctlError, Place
from envctl.plan.model import CopyFromStage
from tests.support.plans import build, packages, script


def varint(number):
    data = b""
    while number > 0x7F:
        data += bytes([number & 0x7F | 0x80])
        number >>= 7
    return data + bytes([number])


def field(number, value):
    """A field with a number, or with bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def vertex(digest, name, **more):
    numbers = {"cached": 4, "started": 5, "completed": 6, "error": 7}
    rest = b"".join(field(numbers[key], value) for key, value in more.items())
    return field(1, field(1, digest) + field(3, name) + rest)


def output(digest, data):
    return field(3, field(1, digest) + field(4, data))


def test_vertexes_and_outputs_are_read():
    message = (
        vertex("sha256:a", "[2/3] RUN make", started=b"t")
        + vertex("sha256:b", "[3/3] RUN x", cached=1, completed=b"t", error="exit code: 2")
        + output("sha256:a", b"\xff line\n")
    )
    assert list(decode(message)) == [
        Vertex("sha256:a", "[2/3] RUN make", started=True),
        Vertex("sha256:b", "[3/3] RUN x", cached=True, completed=True, error="exit code: 2"),
        Output("sha256:a", b"\xff line\n"),
    ]


def test_fields_of_every_width_that_are_not_known_are_passed_over():
    unknown = field(9, 2**40) + field(10, b"x" * 300) + b"\x59" + b"8" * 8 + b"\x65" + b"4" * 4
    assert list(decode(unknown + output("v", b"x"))) == [Output("v", b"x")]


@pytest.mark.parametrize(
    "garbage", [b"\x0a", b"\x0a\x05abc", b"\x0b", b"\xff" * 11, b"\x0a\x01\x0a"]
)
def test_what_is_no_message_is_a_value_error(garbage):
    with pytest.raises(ValueError, match="not a protobuf message"):
        list(decode(garbage))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_a_value_error(data):
    with suppress(ValueError):
        list(decode(data))


# --- what a build's watcher makes of them ---------------------------------------------------


@pytest.fixture
def events():
    return []


@pytest.fixture
def watch(events):
    return Watch(build(packages("curl"), script("make")), "web", events.append)


def send(watch, message):
    watch.take({"id": "moby.buildkit.trace", "aux": base64.b64encode(message).decode()})


def test_steps_are_reported_in_the_specs_words(watch, events):
    send(watch, vertex("i", "[internal] load build context", started=b"t"))
    send(watch, vertex("f", "[1/3] FROM debian:bookworm", cached=1))
    send(watch, vertex("a", "[2/3] RUN apt", started=b"t"))
    send(watch, vertex("b", "[3/3] RUN make", cached=1))
    send(watch, output("a", b"half a "))
    send(watch, output("a", b"line\nrest"))

    assert [event.text for event in events] == [
        "FROM debian:bookworm (cached)",
        "step 1/2 packages curl",
        "step 2/2 run sh: make (cached)",
        "half a line",
    ]


def test_a_failing_step_is_reported_with_its_output_and_place(watch):
    send(watch, output("b", b"make: no target\nand the last"))
    send(watch, vertex("b", "[3/3] RUN make", started=b"t", error="did not complete: exit code: 2"))
    with pytest.raises(EnvctlError) as caught:
        watch.take({"error": "failed to solve"})

    assert caught.value.brief == "cannot build web: step 2/2 run sh: make failed (exit code 2)"
    assert caught.value.details == "  make: no target\n  and the last"
    assert str(caught.value.where) == "envctl.yaml:7:9"


def test_a_base_that_is_not_at_hand_names_the_command_that_gets_it(watch):
    with pytest.raises(EnvctlError) as caught:
        watch.take({"error": "debian:bookworm: failed to resolve source metadata for debian"})
    assert caught.value.hint.endswith("`envctl base build debian:bookworm`")


def test_records_of_another_kind_do_not_end_a_build(watch):
    watch.take({"id": "moby.buildkit.trace", "aux": "AAAA////"})
    watch.take({"stream": "old builder"})
    watch.take({"id": "moby.image.id", "aux": {"ID": "sha256:1"}})
    assert watch.image == "sha256:1"


def test_steps_of_a_stage_are_reported_with_its_name_and_so_is_a_copy_that_finds_nothing(events):
    stage = build(script("make"))
    where = Place("envctl.yaml", 9, 9)
    copy = CopyFromStage("/out/app", "/bin/", stage.digest, "compile", stage, where=where)
    watch = Watch(build(packages("curl"), copy), "web", events.append)
    send(watch, vertex("a", "[compile 2/2] RUN make", started=b"t"))
    send(watch, vertex("b", "[linux/arm64 stage-1 2/3] RUN apt", started=b"t"))

    assert [event.text for event in events] == [
        "step 1/1 stage compile: run sh: make",
        "step 1/2 packages curl",
    ]
    with pytest.raises(EnvctlError) as caught:
        watch.take({"error": 'failed to calculate checksum of ref a::b: "/out/app": not found'})
    assert caught.value.brief == "cannot build web: the stage compile has nothing at /out/app"
    assert caught.value.where == where
