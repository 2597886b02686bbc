"""What the doctor knows of the Docker engine: where it should be, and how it answers."""

from __future__ import annotations

import os
import queue
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
_PATIENCE = 10
"""Seconds an engine may be silent."""
_TOTAL = 30
"""Seconds it gets to answer all that is asked."""


class Reach(StrEnum):
    """How an attempt to talk to the engine ended."""

    ANSWERS = "answers"
    ABSENT = "absent"
    DENIED = "denied"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine's answer, or why there is none.

    `api` is (major, minor). Memory and processor limits tell whether the kernel lets the engine
    enforce them. `data` is the folder where it keeps images, on the machine where it runs.
    """

    address: str
    reach: Reach
    error: str = ""
    version: str = ""
    api: tuple[int, int] = (0, 0)
    product: str = ""
    os_type: str = "linux"
    storage: str = ""
    data: str = ""
    cgroup: str = ""
    limits: bool = True

    @property
    def is_default(self) -> bool:
        """Whether it is the system's own engine, which can be installed and started here."""
        return self.address == DEFAULT_ADDRESS

    @property
    def is_local(self) -> bool:
        """Whether its files are on this machine."""
        return self.address.startswith("unix:")


def look(environ: Mapping[str, str] = os.environ) -> Engine:
    """Ask the engine that DOCKER_HOST, or else the current docker context, names. Never raises."""
    from docker.context import ContextAPI
    from docker.errors import DockerException

    address = environ.get("DOCKER_HOST", "")
    try:
        if not address:
            address = ContextAPI.kwargs_from_context().get("base_url", "") or DEFAULT_ADDRESS
        return _in_time(lambda: _asked(address, environ))
    except (DockerException, OSError, ValueError) as error:
        # requests' own errors are OSErrors; which one it was stands in the text alone
        return Engine(address or DEFAULT_ADDRESS, _reach(str(error)), error=_last(str(error)))


def _asked(address: str, environ: Mapping[str, str]) -> Engine:
    import docker

    try:
        client = docker.from_env(version="auto", timeout=_PATIENCE, environment=dict(environ))
        try:
            return _answer(address, client.version(), client.info())
        finally:
            client.close()
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("what answers there is no Docker engine") from error


def _in_time(ask: Callable[[], Engine]) -> Engine:
    """What the engine answers. TimeoutError if it is not done in time: its client's time-outs are of pauses."""
    answers: queue.SimpleQueue[Engine | Exception] = queue.SimpleQueue()

    def body() -> None:
        try:
            answers.put(ask())
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            answers.put(error)

    threading.Thread(target=body, daemon=True).start()
    try:
        answer = answers.get(timeout=_TOTAL)
    except queue.Empty:
        raise TimeoutError(f"it did not answer within {_TOTAL} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _answer(address: str, version: Mapping[str, Any], info: Mapping[str, Any]) -> Engine:
    major, _, minor = str(version.get("ApiVersion", "0.0")).partition(".")
    parts = [part for part in version.get("Components") or () if isinstance(part, dict)]
    components = [str(part.get("Name", "")) for part in parts]
    return Engine(
        address,
        Reach.ANSWERS,
        version=str(version.get("Version", "")),
        api=(int(major or 0), int(minor or 0)),
        product=components[0] if components else "Engine",
        os_type=str(info.get("OSType", "linux")),
        storage=str(info.get("Driver", "")),
        data=str(info.get("DockerRootDir", "")),
        cgroup=str(info.get("CgroupVersion", "")),
        limits=bool(info.get("MemoryLimit", True) and info.get("CpuCfsQuota", True)),
    )


def _reach(text: str) -> Reach:
    if "PermissionError" in text or "Permission denied" in text:
        return Reach.DENIED
    absent = ("FileNotFoundError", "ConnectionRefusedError", "Connection refused")
    if any(sign in text for sign in absent):
        return Reach.ABSENT
    return Reach.FAILS


def _last(text: str) -> str:
    """The system's own words out of a chain of errors told in one text; else all of it."""
    words = re.findall(r"\[Errno -?\d+\] ([^'\")]+)|Error\(\d+, '([^']+)'\)", text)
    return next((part for pair in words for part in pair if part), text)
