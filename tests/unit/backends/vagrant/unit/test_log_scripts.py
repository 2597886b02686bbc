"""What a machine's service sends to the journal of what a process writes: run by a real Perl, with real pipes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.backends.vagrant.unit import journal, log_scripts
from envctl.backends.vagrant.unit.unit_paths import UnitPaths

RUN = "the-run"


class Journal:
    """The socket of a journal, and a service that sends to it what comes from two pipes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("stdout", "stderr"):
            os.mkfifo(folder / name)
        (folder / "run").write_text(f"{RUN}\n")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "journal"))
        self.socket.settimeout(20)
        (folder / "program").write_text(log_scripts.PROGRAM_TEXT)
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Start the service, and wait until it says that it has."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as init:
            name = f"\0{self.folder}{time.monotonic()}"
            init.bind(name)
            init.settimeout(20)
            folder, environ = self.folder, {"NOTIFY_SOCKET": name.replace("\0", "@")}
            files = [folder / "program", "web", folder, folder / "journal", folder / "run"]
            argv = ["perl", "-w", *map(str, files)]
            process = subprocess.Popen(argv, stderr=subprocess.PIPE, env={**os.environ, **environ})
            assert init.recv(100) == b"READY=1"
        return process

    def entries(self) -> Iterator[tuple[str, bytes, bool]]:
        """The stream of each entry, its message, and whether its line goes on."""
        while True:
            head, _, rest = self.socket.recv(1 << 20).partition(b"MESSAGE\n")
            fields = dict(line.split("=", 1) for line in head.decode().splitlines())
            assert (fields["SYSLOG_IDENTIFIER"], fields[log_scripts.RUN]) == ("web", RUN)
            length = int.from_bytes(rest[:8], "little")
            assert rest[8 + length :] == b"\n"
            stream = {"6": "stdout", "3": "stderr"}[fields["PRIORITY"]]
            yield stream, rest[8 : 8 + length], log_scripts.PART in fields

    def lines(self, count: int, stream: str = "stdout") -> Sequence[bytes]:
        """The next whole lines of a stream, of which nothing else comes."""
        found: list[bytes] = []
        begun = b""
        while len(found) < count:
            which, text, goes_on = next(self.entries())
            assert which == stream
            begun += text
            if not goes_on:
                found.append(begun)
                begun = b""
        return found

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.socket.close()


@contextmanager
def playing() -> Iterator[Journal]:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder))
        try:
            yield journal
        finally:
            journal.end()


@pytest.fixture
def played():
    with playing() as journal:
        yield journal


def write(played: Journal, script: str, stream: str = "stdout") -> None:
    """What a shell does that has both pipes, as a unit's has."""
    pipes = " ".join(f"{number}<>{played.folder}/{name}" for number, name in ((1, "stdout"), (2, "stderr")))  # fmt: skip
    subprocess.run(["/bin/sh", "-c", f"exec {pipes}; {script}"], check=True)


def test_lines_come_as_they_were_written_empty_ones_too(played):
    write(played, r"printf 'one\n\n  two \n\ttab\n'")

    assert played.lines(4) == [b"one", b"", b"  two ", b"\ttab"]


def test_standard_error_comes_apart(played):
    write(played, "echo out; echo ill >&2")

    found = {next(played.entries())[:2] for _ in range(2)}
    assert found == {("stdout", b"out"), ("stderr", b"ill")}


def test_a_line_without_an_end_comes_when_its_writer_has_ended_and_the_next_writer_is_heard(played):
    for number in range(20):
        write(played, f"printf {number}")
        assert played.lines(1) == [str(number).encode()]


def test_a_line_that_is_long_comes_whole(played):
    length = 5 * log_scripts.LONGEST + 1
    write(played, f"head -c {length} /dev/zero | tr '\\0' x; echo; echo next")

    assert played.lines(2) == [b"x" * length, b"next"]


def test_who_may_open_its_own_output_again_writes_there(played):
    write(played, "sh -c 'echo again >/dev/stdout; echo ill >/dev/stderr'")

    found = {next(played.entries())[:2] for _ in range(2)}
    assert found == {("stdout", b"again"), ("stderr", b"ill")}


def test_nobody_is_killed_for_writing_while_the_service_is_away_and_nothing_is_lost(played):
    with (played.folder / "stdout").open("r+b", buffering=0) as pipe:
        pipe.write(b"before\n")
        assert played.lines(1) == [b"before"]
        played.process.send_signal(signal.SIGKILL)
        played.process.communicate()
        pipe.write(b"meanwhile\n")
        played.process = played.start()
        pipe.write(b"after\n")

        assert played.lines(2) == [b"meanwhile", b"after"]


def test_what_is_there_is_sent_before_the_service_ends(played):
    with (played.folder / "stdout").open("r+b", buffering=0) as pipe:
        pipe.write(b"first\n")
        assert played.lines(1) == [b"first"]
        played.process.send_signal(signal.SIGSTOP)
        pipe.write(b"second\nthird")
        played.process.send_signal(signal.SIGTERM)
        played.process.send_signal(signal.SIGCONT)

        assert played.lines(2) == [b"second", b"third"]
        assert played.process.wait(20) == 0


def test_a_journal_that_is_started_again_gets_the_rest(played):
    write(played, "echo one")
    assert played.lines(1) == [b"one"]
    played.socket.close()
    (played.folder / "journal").unlink()
    write(played, "echo two; echo three")
    played.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    played.socket.bind(str(played.folder / "journal"))
    played.socket.settimeout(20)

    assert played.lines(2) == [b"two", b"three"]


@pytest.mark.slow
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=20))
def test_whatever_bytes_come_in_whatever_pieces_are_the_lines_of_them(pieces):
    whole = b"".join(pieces) + b"\nend\n"
    with playing() as played, (played.folder / "stdout").open("r+b", buffering=0) as pipe:
        for piece in pieces:
            if piece:
                pipe.write(piece)
        pipe.write(b"\nend\n")
        wanted = whole[:-1].split(b"\n")
        assert played.lines(len(wanted)) == wanted


def entry(text: str, *, run: str = RUN, at: int = 5, part: str = "", priority: str = "6") -> bytes:
    fields = {
        "MESSAGE": text,
        log_scripts.RUN: run,
        "PRIORITY": priority,
        "__REALTIME_TIMESTAMP": at,
    }
    return json.dumps(fields | ({log_scripts.PART: part} if part else {})).encode()


def lines(*entries: bytes, now: int = 10) -> Sequence[str]:
    head = f"{RUN} {now}".encode()
    return [line.text for line in journal._lines("web", iter([head, *entries]))]


def test_a_line_of_several_entries_is_reported_as_one():
    parts = [entry("a", part="1"), entry("ill", priority="3"), entry("b", part="1"), entry("c")]
    assert lines(*parts, entry("d")) == ["ill", "abc", "d"]


def test_what_former_runs_have_logged_is_not_told_and_what_later_ones_do_is():
    former, later = entry("former", run="x"), entry("later", run="y", at=11)
    assert lines(former, entry("own"), later) == ["own", "later"]
    assert lines(former, later) == ["later"]
    assert lines(former) == []


def test_a_unit_that_was_never_brought_up_has_logged_nothing():
    assert list(journal._lines("web", iter([]))) == []


def test_an_empty_message_is_an_empty_line():
    assert lines(entry("")) == [""]


def test_the_commands_are_the_shells(tmp_path):
    room = UnitPaths("web")
    for text in (
        log_scripts.read_command(room, log_scripts.LogRange()),
        log_scripts.read_command(room, log_scripts.LogRange(3), follow=True),
        *log_scripts.setup_commands(room, "web:", new_run=True),
    ):
        assert subprocess.run(["/bin/sh", "-n", "-c", text], check=False).returncode == 0


def test_only_lines_between_two_moments_are_reported():
    head = f"{RUN} 10".encode()
    entries = [entry(text, at=at) for text, at in (("a", 1), ("b", 2), ("c", 3))]
    for log_range, texts in (
        (log_scripts.LogRange(since=2e-6), ["b", "c"]),
        (log_scripts.LogRange(until=2e-6), ["a", "b"]),
        (log_scripts.LogRange(since=4e-6), []),
    ):
        found = journal._lines("web", iter([head, *entries]), log_range)
        assert [line.text for line in found] == texts


def test_the_journal_counts_lines_only_where_it_counts_the_right_ones():
    def command(*, tail=None, since=None, until=None):
        log_range = log_scripts.LogRange(tail, since, until)
        return log_scripts.read_command(UnitPaths("web"), log_range)

    assert "--lines=all --since=@5.250000 " in command(since=5.25)
    assert "--lines=all --until=@5.000000 --since=@3.000000 " in command(since=3, until=5)
    assert "--lines=7 _SYSTEMD" in command(tail=7, since=5)
    assert "--lines=all --until=@5.000000 _SYSTEMD" in command(tail=7, until=5)
