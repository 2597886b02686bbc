"""Builds images with BuildKit through the engine's API, and reports progress step by step."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from types import MappingProxyType
from typing import BinaryIO, Final, cast

from envctl.backends.common.build_inputs import BuildInputs
from envctl.backends.docker import names as n
from envctl.backends.docker.build_watch import Watch
from envctl.backends.docker.buildcontext import Sender, dockerfile_path, labels_text
from envctl.backends.docker.buildkit_session import BuildSession, NoSessionError
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import ApiError
from envctl.backends.docker.engine_requests import events
from envctl.backends.docker.names import Names
from envctl.backends.docker.registries import Registries, image_in, refused, registry_of
from envctl.errors import EnvctlError
from envctl.plan.build_causes import build_text
from envctl.plan.model import Build, DockerfileBuild
from envctl.progress import Report

NO_SECRETS: Final[Mapping[str, bytes]] = MappingProxyType({})
QUIET_TIMEOUT: Final = 3600.0
"""How many seconds a build may be silent while its engine is alive."""
LONGEST: Final = 6 * 3600.0
"""The maximum duration of a build, in seconds."""

_IN_MEMORY: Final = 32 * 1024 * 1024
_NO_SESSION: Final = re.compile(r"no active session|session healthcheck|context canceled|client connection is closing", re.IGNORECASE)  # fmt: skip
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_LOOPBACK: Final = re.compile(r"//(?:[^@/]*@)?(?:localhost|127\.|\[::1\])")


def build(
    source: Build | DockerfileBuild,
    unit: str,
    *,
    engine: Engine,
    names: Names,
    sender: Sender,
    report: Report,
    secrets: Mapping[str, bytes] = NO_SECRETS,
) -> str:
    """Build an image; its id. EnvctlError, with the failing step, its output and its place.

    `secrets` are the values of the secrets that its steps name.
    """
    registries = Registries()
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as context:
        sender.write(source, cast("BinaryIO", context))
        context.seek(0)
        with (
            engine.doing(f"build {unit}", where=source.where) as api,
            _session(api, registries, source, secrets) as session,
        ):
            explain = partial(_explained, registries, session)
            watch = Watch(source, unit, report, explain=explain)
            parameters = _parameters(source, names, sender.build_inputs)
            if session is not None:
                parameters["session"] = session.id
            _follow(api, watch, parameters, cast("BinaryIO", context))
    if not watch.image:
        watch.failed("the builder ended without an image")
    return watch.image


@contextmanager
def _session(
    api: EngineApi,
    registries: Registries,
    source: Build | DockerfileBuild,
    secrets: Mapping[str, bytes],
) -> Iterator[BuildSession | None]:
    """A session for a build; None if the engine has no sessions and the build does not need one."""
    with ExitStack() as stack:
        session = None
        try:
            session = stack.enter_context(BuildSession(api, registries=registries, values=secrets))
        except NoSessionError as error:
            if secrets:
                raise EnvctlError(
                    "the engine cannot pass secrets to a build: it builds without BuildKit",
                    hint="Docker 20.10 or later has it; `docker version` shows what answers there",
                    where=source.where,
                ) from error
        yield session


def _follow(api: EngineApi, watch: Watch, parameters: Mapping[str, str], context: BinaryIO) -> None:
    """Send a build to the engine and follow it until it ends."""
    try:
        with api.request(
            "POST",
            "/build",
            params=parameters,
            headers={"Content-Type": "application/x-tar"},
            body=context,
            timeout=QUIET_TIMEOUT,
            after_head=api.patience(LONGEST, silence=QUIET_TIMEOUT),
        ) as answer:
            for event in events(answer):
                watch.take(event)
    except ApiError as error:
        watch.failed(error.explanation)


def _parameters(
    source: Build | DockerfileBuild, names: Names, build_inputs: BuildInputs
) -> dict[str, str]:
    arguments = {**proxies(), **(source.args if isinstance(source, DockerfileBuild) else {})}
    labels = {
        n.PROJECT: names.scope.project,
        n.BUILD: source.digest,
        n.STEPS: build_text(source),
    }
    return {
        "version": "2",
        "t": names.image(source),
        "dockerfile": dockerfile_path(source),
        "labels": labels_text(labels),
        "buildargs": json.dumps(arguments),
        "target": source.target if isinstance(source, DockerfileBuild) else "",
        **({"platform": source.platform} if source.platform else {}),
        "rm": "1",
        "forcerm": "1",
        **({"networkmode": "none"} if build_inputs.offline else {}),
        **({"nocache": "1"} if build_inputs.fresh else {}),
    }


def _explained(
    registries: Registries, session: BuildSession | None, text: str
) -> tuple[str, str] | None:
    """The problem and the remedy, for failures of registries and of the session."""
    if _NO_SESSION.search(text) and (session is None or session.lost):
        return (
            "the engine needs credentials or secrets from envctl, but its connection to envctl was lost",
            "run the same command again; `docker info` shows the state of the engine",
        )
    if not refused(text):
        return None
    image = image_in(text)
    asked_registries = session.asked_registries if session is not None else ()
    host = registry_of(image) if image else asked_registries[-1] if asked_registries else ""
    if not host:
        return None
    return f"the registry {host} refuses {image or 'an image'}", registries.remedy(host)


def proxies() -> dict[str, str]:
    """The host's proxies, which the builder passes on without storing. Skips those on a loopback address."""
    variables = {name: os.environ.get(name, "") for name in _PROXIES}
    return {
        name: value for name, value in variables.items() if value and not _LOOPBACK.search(value)
    }
