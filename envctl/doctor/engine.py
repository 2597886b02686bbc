"""What the doctor knows of the Docker engine: where it should be, and how it answers."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
_PATIENCE = 10
"""Seconds an engine gets to answer a question."""


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
    import docker
    from docker.context import ContextAPI
    from docker.errors import DockerException

    address = environ.get("DOCKER_HOST", "")
    try:
        if not address:
            address = ContextAPI.kwargs_from_context().get("base_url", "") or DEFAULT_ADDRESS
        client = docker.from_env(version="auto", timeout=_PATIENCE, environment=dict(environ))
        try:
            return _answer(address, client.version(), client.info())
        finally:
            client.close()
    except (DockerException, OSError, ValueError) as error:
        # requests' own errors are OSErrors; which one it was stands in the text alone
        return Engine(address or DEFAULT_ADDRESS, _reach(str(error)), error=_last(str(error)))


def _answer(address: str, version: Mapping[str, Any], info: Mapping[str, Any]) -> Engine:
    major, _, minor = str(version.get("ApiVersion", "0.0")).partition(".")
    components = [str(part.get("Name", "")) for part in version.get("Components") or ()]
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
