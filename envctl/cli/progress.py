"""Progress: live lines on a terminal, one plain line per event elsewhere."""

from __future__ import annotations

import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING

from envctl.cli.output import Stream, escaped
from envctl.lazy_dataclass import dataclass
from envctl.progress import Progress, Stage

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

_MARKS = {Stage.DONE: "✓", Stage.FAILED: "✗", Stage.NOTE: "·"}
_COLORS = {Stage.DONE: "green", Stage.FAILED: "red", Stage.NOTE: "cyan"}
_STEP = re.compile(r"step (?P<step>\d+/\d+) ")
_REFRESH_RATE = 8
_NAME_SHARE = 0.4
"""The name of a live line takes at most this part of the terminal's width, because the rest needs space, too."""
_SILENCE = 5.0
"""Without a terminal, the seconds between output lines of one build, apart from its steps."""


@dataclass(slots=True)
class _Work:
    text: str = ""
    step: str = ""
    """"3/12" while a build is in its third step."""
    since: float = field(default_factory=time.monotonic)


def duration(seconds: float) -> str:
    """A readable duration: "0.4 s", "2 min 05 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, left = divmod(int(seconds), 60)
    return f"{minutes} min {left:02d} s"


class Reporter(ABC):
    """Receives progress events, from several threads, and shows them."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.works: dict[str, _Work] = {}
        self._lock = threading.RLock()

    def __call__(self, event: Progress) -> None:
        """Receive one event."""
        text = escaped(event.text.strip().partition("\n")[0])
        with self._lock:
            if event.stage is Stage.NOTE:
                self.show_finished(event.stage, event.work, "", text)
            elif event.stage in (Stage.DONE, Stage.FAILED):
                work = self.works.pop(event.work, None)
                took = duration(time.monotonic() - work.since) if work else ""
                self.show_finished(event.stage, event.work, took, text)
            else:
                known = event.work in self.works
                work = self.works.setdefault(event.work, _Work())
                if not known or (text and text != work.text):
                    work.text = text
                    if match := _STEP.match(text):
                        work.step = match["step"]
                    self.show_working(event.work, text)

    @abstractmethod
    def show_working(self, work: str, text: str) -> None:
        """Show what some work is doing."""

    def show_finished(self, stage: Stage, work: str, took: str, text: str) -> None:
        """Show a line that remains on the screen."""
        parts = [escaped(work), *([f"({took})"] if took else []), text]
        mark = self.stream.paint(_MARKS[stage], _COLORS[stage])
        self.stream.line(f"{mark} {'  '.join(part for part in parts if part)}")

    @abstractmethod
    def pause(self) -> None:
        """Clear the live lines until the next event, so that other output can be printed."""


class Silent(Reporter):
    """Shows nothing."""

    def show_working(self, work: str, text: str) -> None:
        """Do nothing."""

    def show_finished(self, stage: Stage, work: str, took: str, text: str) -> None:
        """Do nothing."""

    def pause(self) -> None:
        """Do nothing."""


class Plain(Reporter):
    """Prints one line per event, for logs and pipes. Output of a build is shown only every few seconds."""

    def __init__(self, stream: Stream, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._spoke: dict[str, float] = {}

    def show_working(self, work: str, text: str) -> None:
        """Print the start of work, each of its steps, and a sign of life every few seconds."""
        now = self._clock()
        if text and not text.startswith("step ") and now - self._spoke.get(work, now) < _SILENCE:
            return
        self._spoke[work] = now
        self.stream.line(f"  {escaped(work)}" + (f": {text}" if text else ""))

    def pause(self) -> None:
        """Do nothing: there are no live lines."""


class OnTerminal(Reporter):
    """Shows a live line for each piece of work in progress; finished lines stay above."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._live: Live | None = None
        self._spinner: Spinner | None = None

    def show_working(self, work: str, text: str) -> None:
        """Update the work's live line at the next refresh."""
        del work, text
        if self._live is None:
            self._live = self._started()

    def show_finished(self, stage: Stage, work: str, took: str, text: str) -> None:
        """Print the line above the live lines."""
        if not self.works:
            self.pause()
        if self._live is None:
            super().show_finished(stage, work, took, text)
            return
        from rich.text import Text

        line = Text(f"{_MARKS[stage]} ", style=_COLORS[stage])
        line.append(escaped(work), style="default")
        for part, style in ((f"({took})" if took else "", "dim"), (text, "default")):
            if part:
                line.append(f"  {part}", style=style)
        self._live.console.print(line, soft_wrap=True)

    def pause(self) -> None:
        """Remove the live lines from the screen."""
        with self._lock:
            live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _started(self) -> Live:
        from rich.live import Live
        from rich.spinner import Spinner

        self._spinner = Spinner("dots", style="cyan")
        live = Live(
            get_renderable=self._lines,
            console=self._console,
            refresh_per_second=_REFRESH_RATE,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        live.start()
        return live

    @cached_property
    def _console(self) -> Console:
        from rich.console import Console

        return Console(
            file=self.stream.file,
            highlight=False,
            markup=False,
            emoji=False,
            color_system="auto" if self.stream.color else None,
        )

    def _lines(self) -> RenderableType:
        from rich.console import Group

        now = time.monotonic()
        with self._lock:
            works = list(self.works.items())
        width = self._console.width
        names = [escaped(name) for name, _ in works]
        longest = min(max(map(len, names), default=0), int(width * _NAME_SHARE))
        steps = max((len(work.step) for _, work in works), default=0)
        return Group(
            *(
                self._line(name, work, now=now, width=width, columns=(longest, steps))
                for name, (_, work) in zip(names, works, strict=True)
            )
        )

    def _line(
        self, name: str, work: _Work, *, now: float, width: int, columns: tuple[int, int]
    ) -> Text:
        """Spinner, name, step and time of some work, and as much of its message as fits."""
        from rich.text import Text

        longest, steps = columns
        title = Text(name)
        title.truncate(longest, overflow="ellipsis", pad=True)
        took = Text(duration(now - work.since), style="dim")
        step = [Text(work.step.rjust(steps))] if steps else []
        line = Text(" ", no_wrap=True).join([self._spinner_frame(now), title, *step, took])
        message = Text(f" {_STEP.sub('', work.text, count=1)}".rstrip())
        message.truncate(max(width - 1 - line.cell_len, 0), overflow="ellipsis")
        line.append_text(message)
        line.truncate(width - 1, overflow="ellipsis")
        return line

    def _spinner_frame(self, now: float) -> Text:
        from rich.text import Text

        frame = self._spinner.render(now) if self._spinner else ""
        return frame if isinstance(frame, Text) else Text(str(frame))


def make_reporter(stream: Stream, *, quiet: bool) -> Reporter:
    """The reporter for this stream."""
    if quiet:
        return Silent(stream)
    return OnTerminal(stream) if stream.terminal else Plain(stream)
