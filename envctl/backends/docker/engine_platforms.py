"""Finds out which platforms an engine can run, before anything is built or started for one."""

from __future__ import annotations

import io
from contextlib import suppress
from functools import cached_property
from threading import Lock
from typing import Final

from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import ApiError
from envctl.backends.docker.images import Images
from envctl.errors import EnvctlError, Place
from envctl.host.emulation import program, remedy
from envctl.plan.platforms import architecture, of_image, processor
from envctl.progress import Progress, Report, Stage

_PROGRAM: Final = "/program"
_NAME: Final = "envctl/runs:{}"
_LABEL: Final = "dev.envctl.runs-image"
_TIMEOUT: Final = 30


class Platforms:
    """The platforms of one engine: its own, and those for which it has emulators."""

    def __init__(self, engine: Engine, images: Images, report: Report) -> None:
        self._engine = engine
        self._images = images
        self._report = report
        self._guard = Lock()
        self._known: dict[str, bool] = {}
        self._reported: set[str] = set()

    @cached_property
    def native(self) -> str:
        """The engine's own platform, in Docker's notation: "linux/amd64"."""
        with self._engine.doing("ask the engine for its platform") as api:
            version = api.version()
        return of_image(str(version.get("Os") or "linux"), str(version.get("Arch") or ""))

    def require(self, platform: str, where: Place | None = None) -> None:
        """EnvctlError, with the remedy, unless the engine can run programs of the platform; "" is its own."""
        if not platform or architecture(platform) == architecture(self.native):
            return
        with self._guard:
            if platform not in self._known:
                self._known[platform] = self._tried(platform)
        if not self._known[platform]:
            raise EnvctlError(
                f"the engine at {self._engine.endpoint} runs {self.native} and cannot run {platform} programs",
                hint=f"on the engine's host, {remedy(processor(platform).qemu)}; or leave `platform` out for this environment",
                where=where,
            )

    def look_at(self, work: str, image: str, platform: str) -> None:
        """Report once that an image has another platform than the engine, unless the spec asks for it."""
        actual = "" if platform else self._images.platform(image)
        if architecture(actual) in ("", architecture(self.native)) or image in self._reported:
            return
        self._reported.add(image)
        text = (
            f"{image} is for {actual}, and the engine is {self.native}: add `platform: {actual}` if that is intended,"
            f" or get the other one with `docker pull --platform {self.native} {image}`"
        )
        self._report(Progress(work, Stage.NOTE, text))

    def _tried(self, platform: str) -> bool:
        """Whether a container with a program for that platform exits with 0."""
        from envctl.backends.docker.single_layer_images import packed, write

        name = _NAME.format(platform.removeprefix("linux/").replace("/", "-"))
        layer = packed({_PROGRAM: (program(architecture(platform)), 0o755)})
        whole = io.BytesIO()
        config = {"Entrypoint": [_PROGRAM], "User": "65534:65534", "Labels": {_LABEL: "1"}}
        write(whole, io.BytesIO(layer), name, platform=platform, config=config)
        with self._engine.doing(f"test whether the engine runs {platform}") as api:
            for _ in api.load_image(whole.getvalue()):
                pass
            body = {"Image": name, "HostConfig": {"NetworkMode": "none"}}
            container = api.create_container(body, None, platform)
            try:
                return self._ends_well(api, container)
            finally:
                api.remove_container(container, force=True, v=True)
                with suppress(ApiError):
                    api.remove_image(name)

    def _ends_well(self, api: EngineApi, container: str) -> bool:
        try:
            api.start(container)
        except ApiError as error:
            if "exec format error" in str(error).lower():
                return False
            raise
        return api.wait(container, timeout=_TIMEOUT) == 0
