"""docker-py's client, bounded: no call waits for ever, whatever the engine does, and no answer is of another form.

docker-py's time-outs are of pauses: an engine that sends a byte now and then is waited for without end. Here each
answer has a total time, its error's text too; an engine that is asked for what may take long has to show that it is alive.
"""

from __future__ import annotations

import queue
import re
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import inf
from typing import Any, Final, TypeVar

from docker.api.client import APIClient
from requests import PreparedRequest, Response
from requests.exceptions import ReadTimeout, RequestException

from envctl.backends.docker.answer_shapes import AnswerError, fitting
from envctl.errors import EnvctlError

USUAL: Final = 60.0
"""Seconds in which an answer has to be complete that has no time of its own; so has the text of an error."""
LONGEST: Final = 3600.0
"""Seconds in which an answer has to be complete that is a stream, or that is given one."""
LOOK: Final = 30.0
"""Seconds of silence after which an engine is asked whether it is alive."""
_PING: Final = 10.0
_MOST: Final = 256 * 1024 * 1024
"""Bytes of an answer that is no stream."""
_CHUNK: Final = 64 * 1024
_ENDLESS: Final = re.compile(
    r"/(?:build|session|attach|events|exec/[^/]+/start)(?:\?|$)|[?&]follow=1"
)
"""What is read for as long as it takes: its reader has a time of its own, or a user."""

_Result = TypeVar("_Result")


class Client(APIClient):
    """One engine; safe to use from threads."""

    def send(self, request: PreparedRequest, **options: Any) -> Response:
        """Send a request; its answer, which is whole unless it is a stream. ReadTimeout if it does not come in time."""
        body: Any = request.body
        streamed = bool(options.get("stream"))
        if options.get("timeout") is None:
            options["timeout"] = USUAL
        quiet = _quiet(options["timeout"])
        if not isinstance(body, str | bytes | None):
            # To send it may take long, too.
            quiet = max(quiet, LONGEST)

        def work() -> Response:
            answer: Response = super(Client, self).send(request, **{**options, "stream": True})
            if not streamed:
                _read(answer)
            return answer

        answer = within(quiet, work, alive=self.alive if quiet > LOOK * 2 else None)
        if streamed:
            failed = answer.status_code >= 400
            if failed or not _ENDLESS.search(str(request.url)):
                _cut_later(answer, USUAL if failed else LONGEST)
        return answer

    def alive(self) -> bool:
        """Whether the engine answers at all."""
        with suppress(RequestException, OSError):
            return self.get(f"{self.base_url}/_ping", timeout=_PING).status_code < 500
        return False

    def _result(self, response: Response, json: bool = False, binary: bool = False) -> Any:
        method, url = str(response.request.method), str(response.request.url)
        try:
            found = super()._result(response, json, binary)  # type: ignore[misc]
        except ValueError as error:
            raise AnswerError(method, url, "it is no JSON") from error
        return fitting(method, url, found) if json else found


@contextmanager
def watched(api: Any, answer: Response, *, longest: float) -> Iterator[Callable[[], None]]:
    """Have a stream read only as long as its engine is alive; what is given is to be called whenever something came.

    ReadTimeout if the engine does not answer any more, or after `longest` seconds.
    """
    heard, over, why = threading.Event(), threading.Event(), list[str]()

    def watch() -> None:
        deadline, misses = time.monotonic() + longest, 0
        while not over.wait(LOOK):
            if time.monotonic() > deadline:
                why.append(f"it took longer than {longest:g} s: timed out")
            elif heard.is_set() or api.alive():
                heard.clear()
                misses = 0
                continue
            else:
                misses += 1
                if misses < 2:
                    continue
                why.append("the engine does not answer any more: timed out")
            cut(answer)
            return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield heard.set
    except Exception as error:
        if why:
            raise ReadTimeout(why[0]) from error
        raise
    finally:
        over.set()
    if why:
        raise ReadTimeout(why[0])


def within(
    seconds: float, work: Callable[[], _Result], *, alive: Callable[[], bool] | None = None
) -> _Result:
    """What the work comes to, done in a thread of its own. ReadTimeout if that takes longer.

    With `alive`, that is asked when it takes long; twice no, and it is not waited for any longer.
    """
    results: queue.SimpleQueue[tuple[_Result | None, BaseException | None]] = queue.SimpleQueue()

    def body() -> None:
        try:
            results.put((work(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            results.put((None, error))

    threading.Thread(target=body, daemon=True).start()
    deadline, misses = time.monotonic() + seconds, 0
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise ReadTimeout(f"no whole answer within {seconds:g} s: timed out")
        try:
            result, error = results.get(timeout=min(left, LOOK))
        except queue.Empty:
            misses = misses + 1 if alive is not None and not alive() else 0
            if misses >= 2:
                raise ReadTimeout("the engine does not answer any more: timed out") from None
        else:
            if error is not None:
                raise error
            return result  # type: ignore[return-value] # there is one, as there is no error


def cut(answer: Response) -> None:
    """End a read of this answer that another thread is in; one that is complete is left alone."""
    # When an answer is complete its connection may be another's: it is not known by it any more.
    raw: Any = answer.raw
    with suppress(OSError, AttributeError):
        raw._fp.fp.raw._sock.shutdown(socket.SHUT_RDWR)  # noqa: SLF001


def _quiet(timeout: object) -> float:
    read = timeout[1] if isinstance(timeout, tuple) else timeout
    # What is followed may have nothing to say for as long as it likes.
    return float(read) if isinstance(read, int | float) else inf


def _read(answer: Response) -> None:
    """Have all of an answer in memory, as `requests` has it if it is no stream."""
    parts, size = [], 0
    for part in answer.iter_content(_CHUNK):
        size += len(part)
        if size > _MOST:
            answer.close()
            raise EnvctlError(f"the Docker engine answers with more than {_MOST >> 20} MB")
        parts.append(part)
    answer._content = b"".join(parts)  # noqa: SLF001


def _cut_later(answer: Response, seconds: float) -> None:
    found = weakref.ref(answer)

    def end() -> None:
        if (there := found()) is not None:
            cut(there)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    weakref.finalize(answer, timer.cancel)
    timer.start()
