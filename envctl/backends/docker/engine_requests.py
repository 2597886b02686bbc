"""Requests to the engine's API. Every request has a timeout, and every answer is checked.

A request that may take long gets more time, but the engine must then prove that it is alive.
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
"""How many seconds a complete answer may take by default, and the text of an error."""
LONGEST: Final = 3600.0
"""How many seconds a complete stream may take, and the answer to a request that sends one."""
CONNECT: Final = 15.0
_PING: Final = 10.0
_CHUNK: Final = 1 << 20

Body: TypeAlias = bytes | BinaryIO | Iterable[bytes]


class Requests:
    """The requests to one engine; safe to use from threads. `prefix` starts each path."""

    def __init__(self, transport: Transport, *, prefix: str = "") -> None:
        self._transport = transport
        self._prefix = prefix
        self._version: Mapping[str, Any] | None = None
        self._guard = Lock()

    @property
    def api_version(self) -> str:
        """The engine's newest version of the API, which envctl uses."""
        return str(self.version()["ApiVersion"])

    def close(self) -> None:
        """Close unused connections."""
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
        """Send a request; its answer, once its header arrives, within `timeout` seconds. ApiError for an error status.

        `after_head` is the patience for the rest of the answer; by default, that of a stream.
        """
        base = (
            self._prefix
            if path in ("/version", "/_ping")
            else f"{self._prefix}/v{self.api_version}"
        )
        query = urlencode({k: v for k, v in (params or {}).items() if v is not None}, doseq=True)
        timeout = USUAL if timeout is None else timeout
        if not isinstance(body, bytes | None):
            # Sending the stream may take long, too.
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
        """The patience for a number of seconds. If that is long, the engine must prove that it is alive."""
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
        """The JSON of an answer. AnswerError if its form differs from the engine's documentation."""
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
        """Send a request whose answer has no content."""
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
        """The content of an answer."""
        body = None if data is None else json.dumps(data).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        with self.request(
            method, path, params=params, headers=headers, body=body, timeout=timeout
        ) as answer:
            return answer.content()

    def stream(self, path: str, params: Mapping[str, Any] | None = None) -> Response:
        """An answer to iterate over."""
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
        """The engine's version information, read once."""
        with self._guard:
            if self._version is None:
                version = self.json("GET", "/version")
                if not isinstance(version.get("ApiVersion"), str):
                    raise AnswerError("GET", "/version", "it has no ApiVersion")
                self._version = version
            return self._version


def events(answer: Response) -> Iterator[dict[str, Any]]:
    """The JSON objects of an answer with one object per line; other lines are skipped."""
    for line in answer.lines():
        if event := as_object(line):
            yield event


def as_object(text: bytes) -> dict[str, Any]:
    """The JSON object in a text; an empty one if the text is anything else."""
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
