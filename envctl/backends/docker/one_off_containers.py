"""One-off containers: created from a unit for one command, and removed when it has ended.

They are labelled as one-offs and never as units. They have the unit's image, environment, user, network, mounts,
volumes and secrets, but no ports, health check, log or network alias, so that nothing mistakes them for the unit.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from envctl.backends.base import Execution
from envctl.backends.common.makers import has_ended, here
from envctl.backends.common.one_off_units import one_off_unit
from envctl.backends.common.termination import OutputError, reason, writing
from envctl.backends.docker import names as n
from envctl.backends.docker.containers import container
from envctl.backends.docker.engine import STOP_TIMEOUT, Engine
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import ApiError, NotFoundError
from envctl.backends.docker.engine_requests import LONGEST, USUAL
from envctl.backends.docker.exec_errors import start_failure
from envctl.backends.docker.lifecycle import Lifecycle
from envctl.backends.docker.names import Names
from envctl.backends.docker.ownership import claim_volumes
from envctl.backends.docker.secrets_container import SecretsContainer
from envctl.backends.docker.streams import (
    NO_DETACHING,
    ExecStream,
    attach_terminal,
    pass_streams,
    to_screen,
)
from envctl.backends.docker.volumes import remove_volume
from envctl.errors import EnvctlError
from envctl.plan.model import Unit

_NAME: Final = re.compile(r".+-run-([0-9a-f]{8})-(\d+)-[0-9a-f]{6}(?:\.secrets)?")
"""The second group is the pid of the process that created it; the first identifies the host where that pid is valid."""
_SECRETS: Final = ".secrets"
"""The suffix of the container and the volume with a one-off's secrets."""
_NOT_STARTED: Final = ("OCI runtime", "unable to find user", "unable to find group")
"""The engine's errors for a command that cannot be started."""


class OneOffs:
    """The one-offs of one environment."""

    def __init__(
        self, engine: Engine, names: Names, lifecycle: Lifecycle, secret_files: SecretsContainer
    ) -> None:
        self._engine = engine
        self._names = names
        self._lifecycle = lifecycle
        self._secret_files = secret_files

    def run(self, unit: Unit, execution: Execution, ready: Callable[[], object]) -> int:
        """Run a command in a one-off of a unit; its exit code. `ready` is called when everything that it needs exists."""
        self.sweep()
        self._lifecycle.have_image(unit)
        self._lifecycle.prepare(unit)
        name = f"{unit.name}-run-{here()}-{os.getpid()}-{secrets.token_hex(3)}"
        one_off = one_off_unit(unit, name, execution)
        with self._engine.doing(f"run {unit.name}", where=unit.where) as api:
            try:
                identity = self._make(api, unit, one_off, execution)
                ready()
                return _attached(api, unit.name, identity, execution)
            except OutputError as error:
                raise reason(error) from None
            finally:
                self._remove(api, one_off)

    def sweep(self, *, running: bool = False) -> None:
        """Remove the one-offs of processes that have ended; with `running`, all one-offs."""
        filters = {"label": [*self._names.filters["label"], n.ONE_OFF]}
        with self._engine.doing("remove leftovers of interrupted runs") as api:
            names = map(self._own_name, api.containers(all=True, filters=filters))
            left = [name for name in names if name and (running or _is_left(name))]
            for name in left:
                _remove_container(api, name)
            for name in {name.removesuffix(_SECRETS) for name in left}:
                remove_volume(api, f"{name}{_SECRETS}")

    def _own_name(self, listed: Mapping[str, Any]) -> str:
        """The name of a one-off's container; "" for a container that only inherited the labels."""
        names = (str(name).lstrip("/") for name in listed["Names"])
        start = f"{self._names.prefix}_"
        return next((name for name in names if name.startswith(start) and _NAME.match(name)), "")

    def _make(self, api: EngineApi, unit: Unit, one_off: Unit, execution: Execution) -> str:
        claim_volumes(api, one_off, self._names)
        labels = self._names.one_off_labels(unit.name)
        image = self._lifecycle.image_config(one_off)
        body = one_off_body(container(one_off, self._names, image=image), labels, execution)
        name = self._names.container(one_off.name)
        identity = api.create_container(body, name, unit.run.platform or None)
        self._secret_files.lend(one_off, identity, name=f"{name}{_SECRETS}", labels=labels)
        return identity

    def _remove(self, api: EngineApi, one_off: Unit) -> None:
        name = self._names.container(one_off.name)
        for container_name in (name, f"{name}{_SECRETS}"):
            _remove_container(api, container_name)
        remove_volume(api, self._names.secrets(one_off.name))


def one_off_body(
    unit_body: Mapping[str, Any], labels: Mapping[str, str], execution: Execution
) -> Mapping[str, Any]:
    """The request body that creates a one-off, based on that of its unit."""
    listens = _listens(execution)
    body = {
        **unit_body,
        # Set all labels. Otherwise the container would inherit those of its image, which may be a committed unit.
        "Labels": {**labels, n.RUN: "", n.BUILD: "", n.IMAGE: ""},
        "HostConfig": {**unit_body["HostConfig"], "LogConfig": {"Type": "none"}},
        "Tty": execution.tty,
        "OpenStdin": listens,
        "StdinOnce": listens,
    }
    if "Hostname" in body:
        body["Hostname"] = labels[n.ONE_OFF]
    # Like `docker compose run`: the one-off gets no requests for the service.
    for endpoint in body.get("NetworkingConfig", {}).get("EndpointsConfig", {}).values():
        endpoint["Aliases"] = []
    return body


def _listens(execution: Execution) -> bool:
    return execution.tty or execution.stdin is not None


def _attached(api: EngineApi, unit: str, identity: str, execution: Execution) -> int:
    """Start a one-off and connect its streams; its exit code. An interrupt stops the one-off."""
    keys = NO_DETACHING if execution.tty else None
    connection = ExecStream(api.attach(identity, stdin=_listens(execution), detach_keys=keys))
    try:
        api.start(identity)
        if execution.tty:
            attach_terminal(partial(api.resize, identity), connection, writing(to_screen))
        else:
            pass_streams(connection, execution, writing(execution.stdout), None)
        return api.wait(identity, timeout=LONGEST)
    except ApiError as error:
        if not any(sign in str(error) for sign in _NOT_STARTED):
            raise
        code, text = start_failure(str(error).encode(), unit, execution)
        if write := to_screen if execution.tty else execution.stderr:
            write(f"{text}\n".encode())
        return code
    except BaseException:
        connection.close()
        with suppress(EnvctlError, ApiError):
            api.stop(identity, timeout=STOP_TIMEOUT + USUAL)
        raise
    finally:
        connection.close()


def _is_left(name: str) -> bool:
    """Whether the process that created a one-off has ended. False for another host or namespace, where that is unknown."""
    match = _NAME.match(name)
    return match is not None and has_ended(match[1], int(match[2]))


def _remove_container(api: EngineApi, name: str) -> None:
    with suppress(NotFoundError):
        api.remove_container(name, force=True, v=True)
