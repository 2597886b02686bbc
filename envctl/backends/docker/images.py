"""The engine's images, including bases."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from envctl.backends.common.capped import MAX_OUTPUT, capped_chunks
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import ApiError, NotFoundError
from envctl.backends.docker.engine_requests import events
from envctl.backends.docker.export_images import stopped_container
from envctl.errors import AccessError, EnvctlError
from envctl.plan.digest import digest
from envctl.plan.platforms import of_image, plain_name, runs
from envctl.progress import Progress, Report, Stage, no_progress

PULL_TIMEOUT = 60.0
"""After how many seconds without progress a pull is cancelled."""
LOAD_TIMEOUT = 3600.0
"""How many seconds the engine may take to load an image."""
LONGEST_PULL = 3 * 3600.0
_CHUNK = 1 << 20
_RUN = ("Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Shell", "StopSignal", "User", "Volumes", "WorkingDir")  # fmt: skip
"""The keys of an image's configuration that affect how it runs."""


class Images:
    """Find, pull, load and inspect images."""

    def __init__(self, engine: Engine, report: Report = no_progress) -> None:
        self._engine = engine
        self._report = report
        self._asks_registries: bool | None = None
        self._all = Lock()
        self._guards: dict[str, Lock] = {}

    def find(self, name: str) -> str | None:
        """The id of the image with that name; None if it does not exist."""
        inspected = self.inspect(name)
        return str(inspected["Id"]) if inspected else None

    def inspect(self, name: str) -> Mapping[str, Any] | None:
        """The details of an image; None if it does not exist."""
        with self._engine.doing(f"look for the image {name}") as api:
            try:
                return api.inspect_image(name)
            except NotFoundError:
                return None

    def at_hand(self, name: str) -> str | None:
        """The id of an image; None if it does not exist. Tags the plain name, if that has the right platform."""
        image, platform = plain_name(name)
        if not platform:
            return self.find(name)
        for candidate in (name, image):
            inspected = self.inspect(candidate)
            if inspected is not None and runs(platform, _platform(inspected)):
                if candidate != name:
                    self._tag(str(inspected["Id"]), name)
                return str(inspected["Id"])
        return None

    def platform(self, name: str) -> str:
        """The platform of an image, "" if the image does not exist."""
        inspected = self.inspect(name)
        return _platform(inspected) if inspected else ""

    def content(self, name: str) -> str:
        """A digest of an image's layers and configuration, "" if the image does not exist.

        It is the same for the same build in every project. An image's id is not: it also covers labels and the creation time.
        """
        inspected = self.inspect(name)
        if inspected is None:
            return ""
        configured = inspected.get("Config") or {}
        layers = (inspected.get("RootFS") or {}).get("Layers") or []
        return digest(
            [inspected.get("Architecture"), layers, {key: configured.get(key) for key in _RUN}]
        )

    def info(self, name: str) -> Mapping[str, Any] | None:
        """`id`, `size` in bytes, `created` (RFC 3339), `labels` and registries' `digests` of an image, or None."""
        inspected = self.inspect(name)
        if inspected is None:
            return None
        return {
            "id": inspected["Id"],
            "size": inspected.get("Size", 0),
            "created": inspected.get("Created", ""),
            "labels": (inspected.get("Config") or {}).get("Labels") or {},
            "digests": inspected.get("RepoDigests") or [],
        }

    def volumes(self, name: str) -> tuple[str, ...] | None:
        """The paths that an image declares as volumes; None if the image does not exist."""
        inspected = self.inspect(name)
        if inspected is None:
            return None
        return tuple(sorted((inspected.get("Config") or {}).get("Volumes") or ()))

    def pull(self, name: str) -> None:
        """Pull an image. EnvctlError, without long waiting, if the registry cannot be reached or refuses it.

        A name with a platform pulls that platform; the plain name keeps its image.
        """
        image, platform = plain_name(name)
        with self._guard(image):
            before = self.find(image) if platform else None
            try:
                self._pull(image, platform)
                if platform:
                    self._insist_on(image, platform)
                    self._tag(str(self.find(image)), name)
            finally:
                if platform and "@" not in image:
                    self._give_back(image, before)

    def _pull(self, name: str, platform: str) -> None:
        from envctl.backends.docker.registries import Registries, refused, registry_of

        registries, registry = Registries(), registry_of(name)
        login = registries.login(registry)
        if trouble := registries.trouble(registry):
            note = f"using {registry} without credentials: {trouble}"
            self._report(Progress(f"base {name}", Stage.NOTE, note))
        try:
            self._fetch(name, {"X-Registry-Auth": login.header} if login else {}, platform)
        except EnvctlError as error:
            message = "\n".join(part for part in (error.brief, error.details) if part)
            if not trouble and not refused(message):
                raise
            brief = f"cannot pull {name} from {registry}" if trouble else f"the registry {registry} refuses {name}"  # fmt: skip
            raise AccessError(brief, details=message, hint=registries.remedy(registry)) from error

    def _insist_on(self, image: str, platform: str) -> None:
        """EnvctlError if the registry returned another platform: a registry with a single platform ignores the request."""
        actual = self.platform(image)
        if not runs(platform, actual):
            raise EnvctlError(
                f"{image} has the platform {actual or '(unknown)'}, not {platform}",
                hint=f"use an image for {platform}, or remove `platform`",
            )

    def _give_back(self, image: str, before: str | None) -> None:
        """Give a name back to the image that had it."""
        now = self.find(image)
        if now is None or now == before:
            return
        if before is not None:
            self._tag(before, image)
            return
        with self._engine.doing(f"remove the name {image}") as api:
            # `noprune` keeps the image if it has other names.
            api.remove_image(image, noprune=True)

    def _tag(self, identity: str, name: str) -> None:
        repository, tag = _parted(name)
        with self._engine.doing(f"name {name}") as api:
            api.tag(identity, repository, tag)

    def _guard(self, image: str) -> Lock:
        """A lock for a name, because the name moves to another image while a platform is pulled."""
        with self._all:
            return self._guards.setdefault(image, Lock())

    def _fetch(self, name: str, headers: Mapping[str, str], platform: str) -> None:
        repository, tag = _parted(name)
        parameters = {"fromImage": repository, "tag": tag, "platform": platform or None}
        with self._engine.doing(f"pull {name}") as api:
            try:
                with api.request(
                    "POST",
                    "/images/create",
                    params=parameters,
                    headers=headers,
                    timeout=PULL_TIMEOUT,
                    after_head=api.patience(LONGEST_PULL, silence=PULL_TIMEOUT),
                ) as answer:
                    for event in events(answer):
                        self._pulled(name, event)
            except ApiError as error:
                raise _not_pulled(name, error.explanation) from error

    def load(
        self,
        tar: BinaryIO,
        *,
        name: str,
        labels: Mapping[str, str],
        changes: Sequence[str] = (),
        platform: str = "",
    ) -> str:
        """Create an image with one layer from a root filesystem; return its id.

        `changes` are Dockerfile instructions for its configuration. If reading `tar` fails, no image is created and the
        original error is raised. With `platform` the image is for that platform.
        """
        if platform:
            return self._load_for(platform, tar, name, labels=labels, changes=changes)
        repository, tag = _parted(name)
        marks = [f"LABEL {json.dumps(key)}={json.dumps(value)}" for key, value in labels.items()]
        source = _Watched(tar)
        parameters = {
            "fromSrc": "-",
            "repo": repository,
            "tag": tag,
            "changes": [*changes, *marks],
        }
        try:
            with (
                self._engine.doing(f"load {name}") as api,
                api.request(
                    "POST",
                    "/images/create",
                    params=parameters,
                    headers={"Content-Type": "application/x-tar"},
                    body=source.chunks(),
                    timeout=LOAD_TIMEOUT,
                ) as answer,
            ):
                failure = next((str(e["error"]) for e in events(answer) if e.get("error")), "")
        except EnvctlError:
            if source.failure is not None:
                raise source.failure from None
            raise
        image_id = None if failure else self.find(name)
        if image_id is None:
            raise EnvctlError(f"cannot load {name}: {failure or 'the engine did not store it'}")
        return image_id

    def _load_for(
        self,
        platform: str,
        layer: BinaryIO,
        name: str,
        *,
        labels: Mapping[str, str],
        changes: Sequence[str],
    ) -> str:
        """Like `load`. Engines before 23 ignore the platform of an imported root filesystem, so this writes an image."""
        import shutil
        import tempfile
        from datetime import UTC, datetime

        from envctl.backends.docker.single_layer_images import configured, write

        with tempfile.TemporaryFile() as spooled, tempfile.TemporaryFile() as whole:
            shutil.copyfileobj(layer, spooled, _CHUNK)
            config = {**configured(changes), "Labels": dict(labels)}
            write(whole, spooled, name, platform=platform, config=config, created=datetime.now(UTC))
            whole.seek(0)
            with self._engine.doing(f"load {name}") as api:
                for event in api.load_image(whole, quiet=True):
                    if event.get("error"):
                        raise EnvctlError(f"cannot load {name}: {event['error']}")
        image_id = self.find(name)
        if image_id is None:
            raise EnvctlError(f"cannot load {name}: the engine did not store it")
        return image_id

    def lacks(self, image: str, paths: Iterable[str]) -> tuple[str, ...]:
        """The paths that an image lacks. EnvctlError if the image does not exist."""
        with (
            self._engine.doing(f"inspect {image}") as api,
            stopped_container(api, image) as container,
        ):
            return tuple(path for path in paths if _lacks(api, container, path))

    def pinned(self, name: str) -> str:
        """The name that a Dockerfile must use for an image, so that the build uses exactly this image.

        An engine with the containerd image store asks the registry first and uses the image that has the name there
        now, unless a digest pins it. The image ids of such an engine are these digests. Other engines use the local
        image.
        """
        if self._asks_registries is None:
            with self._engine.doing("ask the engine how it stores images") as api:
                status = api.info().get("DriverStatus") or ()
            self._asks_registries = any("io.containerd.snapshotter" in str(item) for item in status)
        if not self._asks_registries or "@" in name:
            return name
        image_id = self.find(name)
        return f"{name}@{image_id}" if image_id else name

    def read_file(self, image: str, path: str) -> bytes:
        """The content of a file in an image. EnvctlError if it does not exist or is too large."""
        with (
            self._engine.doing(f"read {path} in {image}") as api,
            stopped_container(api, image) as container,
            api.get_archive(container, path) as archive,
        ):
            data = b"".join(capped_chunks(archive, MAX_OUTPUT, f"{path} in {image}"))
        content = file_in(data)
        if content is None:
            raise EnvctlError(f"{path} in {image} is not a file")
        return content

    def restore(self, file: Path, *, name: str, identity: str = "") -> None:
        """Load an image that `save` wrote, under this name only.

        EnvctlError, before anything is loaded, if the archive contains names, or is not the image with that id.
        """
        from envctl.backends.docker.image_archive import identities

        repository, tag = _parted(name)
        with file.open("rb") as source:
            known = identities(source, name)
            if identity and identity not in known:
                raise EnvctlError(
                    f"the archive of {name} contains another image",
                    details=f"expected {identity}, found {known[0]}",
                )
            source.seek(0)
            with self._engine.doing(f"load {name}") as api:
                for event in api.load_image(source, quiet=True):
                    if event.get("error"):
                        raise EnvctlError(f"the engine could not load {name}: {event['error']}")
        image_id = next(filter(self.find, (identity,) if identity else known), None)
        if image_id is None:
            raise EnvctlError(f"the engine did not load {name}")
        with self._engine.doing(f"name {name}") as api:
            api.tag(image_id, repository.partition("@")[0], None if "@" in name else tag)

    # --- parts

    def _pulled(self, name: str, event: Mapping[str, Any]) -> None:
        if "error" in event:
            raise _not_pulled(name, str(event["error"]))
        text = " ".join(str(event[key]) for key in ("status", "id", "progress") if event.get(key))
        if text:
            self._report(Progress(f"base {name}", Stage.WORKING, text))


class _Watched:
    """A stream that is sent in chunks, and remembers a read error."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.failure: Exception | None = None

    def chunks(self) -> Iterator[bytes]:
        try:
            while chunk := self._stream.read(_CHUNK):
                yield chunk
        except Exception as error:
            self.failure = error
            # Any error must abort the transfer like a failing connection; otherwise the engine would keep half an
            # image.
            raise OSError(str(error)) from error


def file_in(archive: bytes) -> bytes | None:
    """The content of the first member of a tar, if it is a file."""
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        member = tar.next()
        file = tar.extractfile(member) if member is not None and member.isfile() else None
        return file.read() if file else None


def _platform(inspected: Mapping[str, Any]) -> str:
    words = (str(inspected.get(key) or "") for key in ("Os", "Architecture", "Variant"))
    return of_image(*words)


def _parted(name: str) -> tuple[str, str]:
    repository, at, digest = name.partition("@")
    if at:
        return repository, digest
    head, colon, tag = name.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (name, "latest")


def _not_pulled(name: str, text: str) -> EnvctlError:
    return EnvctlError(
        f"cannot pull {name}",
        details=text,
        hint="check the name and the network, or load the image from a file: `docker load`",
    )


def _lacks(api: EngineApi, container: str, path: str) -> bool:
    """Whether a path is missing. If that is unknown, it counts as present, and the step fails with its own error."""
    try:
        return api.path_stat(container, path) is None
    except ApiError:
        return False
