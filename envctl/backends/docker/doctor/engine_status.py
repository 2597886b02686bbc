"""The Docker engine's address and answers, for the doctor."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from envctl.backends.docker.endpoint import Endpoint, find
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_errors import EngineConnectionError, EngineError
from envctl.backends.docker.tunnel import TIMEOUT as TUNNEL_TIMEOUT
from envctl.doctor.findings import DaemonState
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass

DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
_TOTAL = 20.0
"""How many seconds the engine gets for all answers, without the time to connect by SSH."""


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """An engine's answer, or why it did not answer.

    `api` is (major, minor). `limits` is whether the kernel lets the engine limit memory and CPU. `data` is the folder
    where it stores images, on the engine's own machine.
    """

    address: str
    state: DaemonState
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
        """Whether it is the system's own engine, which envctl can install and start."""
        return self.address == DEFAULT_ADDRESS

    @property
    def is_local(self) -> bool:
        """Whether its files are on this machine."""
        return self.address.startswith("unix:")


def look(environ: Mapping[str, str] = os.environ) -> EngineStatus:
    """Ask the engine that every other command would use, over the same connection. Never raises."""
    address = environ.get("DOCKER_HOST", "") or DEFAULT_ADDRESS
    try:
        endpoint = find(environ)
        address = endpoint.host
        way = TUNNEL_TIMEOUT if address.startswith("ssh://") else 0
        return _in_time(partial(_ask, endpoint), _TOTAL + way)
    except EnvctlError as error:
        return EngineStatus(address, DaemonState.FAILS, error=_summary(error))
    except (EngineError, OSError, ValueError) as error:
        return EngineStatus(address, _state(error), error=str(error))


def _ask(endpoint: Endpoint) -> EngineStatus:
    connection = Engine(endpoint)
    try:
        return _answer(endpoint.host, connection.api.version(), connection.api.info())
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("the answer does not come from a Docker engine") from error
    finally:
        connection.close()


def _summary(error: EnvctlError) -> str:
    """An error on one line, with the most informative line of the details, the last one."""
    lines = [line.strip() for line in error.details.splitlines() if line.strip()]
    return f"{error.brief}: {lines[-1]}" if lines else error.brief


def _in_time(ask: Callable[[], EngineStatus], seconds: float) -> EngineStatus:
    """Call `ask` with a time limit. TimeoutError if it takes longer. The client's own timeouts restart with each byte."""
    answers: queue.SimpleQueue[EngineStatus | Exception] = queue.SimpleQueue()

    def body() -> None:
        try:
            answers.put(ask())
        except Exception as error:  # noqa: BLE001 - raised later, in the waiting thread
            answers.put(error)

    threading.Thread(target=body, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"it did not answer within {seconds:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _answer(address: str, version: Mapping[str, Any], info: Mapping[str, Any]) -> EngineStatus:
    major, _, minor = str(version.get("ApiVersion", "0.0")).partition(".")
    parts = [part for part in version.get("Components") or () if isinstance(part, dict)]
    components = [str(part.get("Name", "")) for part in parts]
    return EngineStatus(
        address,
        DaemonState.ANSWERS,
        version=str(version.get("Version", "")),
        api=(int(major or 0), int(minor or 0)),
        product=components[0] if components else "Engine",
        os_type=str(info.get("OSType", "linux")),
        storage=str(info.get("Driver", "")),
        data=str(info.get("DockerRootDir", "")),
        cgroup=str(info.get("CgroupVersion", "")),
        limits=bool(info.get("MemoryLimit", True) and info.get("CpuCfsQuota", True)),
    )


def _state(error: Exception) -> DaemonState:
    if isinstance(error, EngineConnectionError) and error.denied:
        return DaemonState.DENIED
    if isinstance(error, EngineConnectionError) and error.absent:
        return DaemonState.ABSENT
    return DaemonState.FAILS
