"""Requests to the engine's API. No request waits for ever, and no answer has an unexpected form.

A request that may take long gets more time, and the engine then has to show that it is alive.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from threading import Lock
from typing import Any, BinaryIO, Final, TypeAlias
from urllib.parse import urlencode

from envctl.backends.docker import engine_connection
from envctl.backends.docker.answer_shapes import fit
from envctl.backends.docker.engine_connection import Patience
from envctl.backends.docker.engine_errors import (
    AnswerError,
    EngineConnectionError,
    NoAnswerError,
    api_error,
)
from envctl.backends.docker.engine_http import Response, Transport

USUAL: Final = 60.0
"""Seconds in which an answer has to be complete that has no time of its own; so has the text of an error."""
LONGEST: Final = 3600.0
"""Seconds in which an answer has to be complete that is a stream, or to a request that sends one."""
CONNECT: Final = 15.0
_PING: Final = 10.0
_CHUNK: Final = 1 << 20

Body: TypeAlias = bytes | BinaryIO | Iterable[bytes]


class Requests:
    """One engine; safe to use from threads. `prefix` stands before each path."""

    def __init__(self, transport: Transport, *, prefix: str = "") -> None:
        self._transport = transport
        self._prefix = prefix
        self._version: Mapping[str, Any] | None = None
        self._guard = Lock()

    @property
    def api_version(self) -> str:
        """The engine's newest version of the API, which is the one that is used."""
        return str(self.version()["ApiVersion"])

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._transport.close()

    # --- requests

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        timeout: float | None = None,
        after_head: Patience | None = None,
    ) -> Response:
        """An answer whose head has come, within `timeout` seconds. ApiError if it is one.

        `after_head` is how long the rest is waited for; else there is as long for it as a stream gets.
        """
        base = (
            self._prefix
            if path in ("/version", "/_ping")
            else f"{self._prefix}/v{self.api_version}"
        )
        query = urlencode({k: v for k, v in (params or {}).items() if v is not None}, doseq=True)
        timeout = USUAL if timeout is None else timeout
        if not isinstance(body, bytes | None):
            # To send it may take long, too.
            timeout = max(timeout, LONGEST)
            body = _chunks(body)
        answer = self._transport.request(
            method,
            f"{base}{path}?{query}" if query else f"{base}{path}",
            headers=headers or {},
            body=body,
            patience=self.patience(timeout),
            connect_timeout=CONNECT,
        )
        if answer.status >= 400:
            with answer:
                answer.be_patient(Patience.of(USUAL))
                raise api_error(answer.status, _explanation(answer.content()) or answer.reason)
        if after_head is not None:
            answer.be_patient(after_head)
        return answer

    def patience(self, total: float, *, silence: float = inf) -> Patience:
        """So many seconds; for a long time the engine has to show that it is alive."""
        is_alive = self.is_alive if total > engine_connection.LOOK * 2 else None
        return Patience.of(total, silence=silence, is_alive=is_alive)

    def json(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        timeout: float | None = None,
    ) -> Any:
        """An answer's data. AnswerError if it is of another form than the engine's documentation has."""
        content = self._content(method, path, params=params, data=data, timeout=timeout)
        shown = path if path == "/version" else f"/v{self.api_version}{path}"
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise AnswerError(method, shown, "it is not JSON") from error
        return fit(method, path, answer, shown=shown)

    def _object(self, path: str) -> Mapping[str, Any]:
        """The JSON object at a path."""
        data: Mapping[str, Any] = self.json("GET", path)
        return data

    def do(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        timeout: float | None = None,
    ) -> None:
        """Have something done, of which the engine has nothing to tell."""
        self._content(method, path, params=params, data=data, timeout=timeout)

    def _content(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None,
        data: Any,
        timeout: float | None,
    ) -> bytes:
        """An answer read whole, to a request that has data or none."""
        body = None if data is None else json.dumps(data).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        with self.request(
            method, path, params=params, headers=headers, body=body, timeout=timeout
        ) as answer:
            return answer.content()

    def stream(self, path: str, params: Mapping[str, Any] | None = None) -> Response:
        """An answer to be iterated over."""
        return self.request("GET", path, params=params, after_head=Patience.of(LONGEST))

    def is_alive(self) -> bool:
        """Whether the engine answers at all."""
        try:
            with self._transport.request(
                "GET",
                f"{self._prefix}/_ping",
                headers={},
                body=None,
                patience=Patience.of(_PING),
                connect_timeout=_PING,
            ) as answer:
                return answer.status < 500
        except (EngineConnectionError, NoAnswerError):
            return False

    def version(self) -> Mapping[str, Any]:
        """What the engine says of its version; it is asked once."""
        with self._guard:
            if self._version is None:
                version = self.json("GET", "/version")
                if not isinstance(version.get("ApiVersion"), str):
                    raise AnswerError("GET", "/version", "it has no ApiVersion")
                self._version = version
            return self._version


def events(answer: Response) -> Iterator[dict[str, Any]]:
    """The objects of an answer that has one a line; what is no object is left out."""
    for line in answer.lines():
        if event := as_object(line):
            yield event


def as_object(text: bytes) -> dict[str, Any]:
    """The JSON object of a text; an empty one if it is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _explanation(content: bytes) -> str:
    return str(as_object(content).get("message") or content.decode("utf-8", "replace").strip())


def _chunks(body: BinaryIO | Iterable[bytes]) -> Iterable[bytes]:
    read: Callable[[int], bytes] | None = getattr(body, "read", None)
    return body if read is None else iter(lambda: read(_CHUNK), b"")
