"""Progress, as plain lines and on a terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from envctl.cli.output import Stream
from envctl.cli.progress import Plain, Silent, duration, make_reporter
from envctl.progress import Progress, Stage

pytestmark = pytest.mark.slow

TREE = Path(__file__).parents[3]
EVENTS = (
    Progress("build web", Stage.STARTED),
    Progress("build web", Stage.WORKING, "step 1/2 packages python3"),
    Progress("build web", Stage.WORKING, "step 1/2 packages python3"),
    Progress("build web", Stage.WORKING, "Unpacking python3"),
    Progress("base", Stage.NOTE, "registry: not reachable"),
    Progress("build web", Stage.DONE, "3 steps"),
    Progress("start web", Stage.STARTED),
    Progress("start web", Stage.FAILED, "it exited\nwith much more to say"),
)


def told(events: tuple[Progress, ...] = EVENTS) -> str:
    file = io.StringIO()
    reporter = make_reporter(Stream(file), quiet=False)
    for event in events:
        reporter(event)
    reporter.pause()
    return re.sub(r"\d+\.\d s", "N s", file.getvalue())


def test_without_a_terminal_each_event_is_a_line_once_and_plain() -> None:
    assert told() == (
        "  build web\n"
        "  build web: step 1/2 packages python3\n"
        "· base  registry: not reachable\n"
        "✓ build web  (N s)  3 steps\n"
        "  start web\n"
        "✗ start web  (N s)  it exited\n"
    )


def test_a_long_step_says_now_and_then_what_it_does() -> None:
    file, now = io.StringIO(), [0.0]
    reporter = Plain(Stream(file), clock=lambda: now[0])
    for second, said in ((0, ""), (1, "one"), (4, "two"), (6, "three"), (7, "four"), (12, "five")):
        now[0] = second
        reporter(Progress("build", Stage.WORKING, said))
    assert file.getvalue() == "  build\n  build: three\n  build: five\n"


def test_what_an_engine_says_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in told((Progress("build", Stage.WORKING, "step \x1b[2J"),))


def test_a_quiet_run_shows_no_progress() -> None:
    file = io.StringIO()
    reporter = make_reporter(Stream(file), quiet=True)
    assert isinstance(reporter, Silent)
    for event in EVENTS:
        reporter(event)
    assert file.getvalue() == ""


def test_a_pipe_gets_plain_lines() -> None:
    assert isinstance(make_reporter(Stream(io.StringIO()), quiet=False), Plain)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (125, "2 min 05 s")]
)
def test_times_are_readable(seconds: float, text: str) -> None:
    assert duration(seconds) == text


SHOW = """
import sys, threading
from envctl.cli.output import Stream
from envctl.cli.progress import make_reporter
from envctl.progress import Progress, Stage
reporter = make_reporter(Stream(sys.stderr), quiet=False)
reporter(Progress("build web", Stage.STARTED))
reporter(Progress("build web", Stage.WORKING, "packages python3"))
threading.Event().wait(0.6)
reporter(Progress("build db", Stage.STARTED))
reporter(Progress("build web", Stage.DONE, "3 steps"))
threading.Event().wait(0.4)
reporter(Progress("build db", Stage.FAILED, "no such package"))
reporter.pause()
"""


def test_a_terminal_shows_live_lines_and_keeps_the_finished_ones() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SHOW],
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "PYTHONPATH": str(TREE)},
    )
    os.close(theirs)
    raw = _all_of(ours)
    assert process.wait(timeout=60) == 0
    assert "packages python3" in raw
    final = _screen(raw)
    assert [line for line in final if line] == [
        "✓ build web  (N s)  3 steps",
        "✗ build db  (N s)  no such package",
    ]


BUSY = """
import sys, threading
from envctl.cli.output import Stream
from envctl.cli.progress import make_reporter
from envctl.progress import Progress, Stage
reporter = make_reporter(Stream(sys.stderr), quiet=False)
reporter(Progress("build web", Stage.WORKING, "step 3/12 packages " + "python3 " * 40))
reporter(Progress("build a-service-with-a-name-as-long-as-names-can-be", Stage.WORKING, "pulling " + "界" * 90))
threading.Event().wait(0.4)
reporter(Progress("build web", Stage.WORKING, "Unpacking a-package " + "x" * 300))
threading.Event().wait(0.6)
reporter.pause()
"""


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_a_narrow_terminal_cuts_the_message_and_nothing_else(columns: int) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY],
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": str(columns), "PYTHONPATH": str(TREE)},
    )
    os.close(theirs)
    raw = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", _all_of(ours))
    assert process.wait(timeout=60) == 0
    lines = [line for line in re.split(r"[\r\n]+", raw) if line.strip()]
    assert max(map(cell_len, lines)) < columns
    web = [line for line in lines if "build web" in line]
    assert {bool(re.fullmatch(r"[⠁-⣿] build web +3/12 \d+\.\d s .*…", line)) for line in web} == {
        True
    }
    assert "packages python3" in web[0]
    assert "Unpacking a-package"[: columns // 5] in web[-1]
    other = [line for line in lines if "build a-service" in line]
    assert {
        bool(re.match(r"[⠁-⣿] build a-service-[a-z-]*…? +\d+\.\d s pulling", line))
        for line in other
    } == {True}


def _all_of(descriptor: int) -> str:
    """What is written to the terminal until its last writer is gone."""
    data = b""
    while True:
        try:
            chunk = os.read(descriptor, 65536)
        except OSError:
            chunk = b""
        if not chunk:
            os.close(descriptor)
            return data.decode()
        data += chunk


def _screen(raw: str) -> list[str]:
    """The lines a terminal shows in the end: cursor up, erase line, carriage return, newline."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", raw):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.endswith("A") and part.startswith("\x1b"):
            row -= int(part[2:-1] or 1)
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part != "\r" and not part.startswith("\x1b"):
            lines[row] += part
    return [re.sub(r"\d+\.\d s", "N s", line).rstrip() for line in lines]


def test_up_on_a_terminal_keeps_changes_finished_work_and_the_last_word(shop: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "envctl", "up", "dev", "web"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "PYTHONPATH": str(TREE)},
    )
    os.close(theirs)
    raw = _all_of(ours)
    assert process.wait(timeout=60) == 0
    lines = [line for line in _screen(raw) if line]
    assert [line.split("  ")[0] for line in lines[:-1] if " build " not in line] == [
        "+ create db",
        "+ create web",
        "✓ start db",
        "✓ start web",
    ]
    assert lines[-1] == "dev is simulated: nothing runs, and no address answers"
