"""Volumes that need more than the engine's own logic: shared ones with an owner, and those that images declare.

Both are prepared in a helper container that is created, never started, and removed. As long as a helper exists, its
volume is incomplete, and the next run starts over.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from threading import Lock
from typing import Any, Final

from envctl.backends.common.build_inputs import BROUGHT
from envctl.backends.common.capped import MAX_OUTPUT, capped_chunks
from envctl.backends.docker import names as n
from envctl.backends.docker.container_paths import look
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import NotFoundError
from envctl.backends.docker.images import Images, file_in
from envctl.backends.docker.names import Names
from envctl.errors import EnvctlError
from envctl.plan.image_volumes import called, unnamed
from envctl.plan.model import NewVolume, ReadyImage, Unit, Volume
from envctl.progress import Progress, Report, Stage

_NAMELESS: Final = re.compile(r"[0-9a-f]{64}")
_HEAD: Final = 1 << 20
"""How many bytes at the beginning of an archive certainly contain its first header."""
_PLACE: Final = BROUGHT
"""The second mount point of the volume in a helper."""


class Volumes:
    """The volumes of one environment's units."""

    def __init__(self, engine: Engine, names: Names, images: Images, report: Report) -> None:
        self._engine = engine
        self._names = names
        self._images = images
        self._report = report
        self._guard = Lock()

    def of_image(self, unit: Unit) -> tuple[Volume, ...] | None:
        """The volumes that the unit's image declares and the spec does not name; None if the image does not exist."""
        declared = self._images.volumes(self._names.image_of(unit))
        return None if declared is None else unnamed(unit, declared)

    # --- new volumes

    def begin(self, unit: Unit) -> None:
        """Create the unit's shared or owned volumes, unless they exist."""
        for volume in unit.run.volumes:
            if volume.new is not None:
                with self._guard:
                    self._begin(unit, volume.name, volume.new)

    def _begin(self, unit: Unit, volume: str, new: NewVolume) -> None:
        where = unit.origins.get(f"volumes.{volume}") or unit.where
        name = self._names.volume(volume)
        with self._engine.doing(f"create the volume {volume}", where=where) as api:
            if self._is_cut_off(api, name):
                remove_volume(api, name)
            if _is_there(api, name):
                return
            image = self._image(new, unit)
            mount = volume_mount(volume, new.target, self._names, copy=True)
            with self._helper(api, image, name, mount) as helper:
                if new.owner:
                    owner = _numbers(api, helper, new.owner)
                    if owner is None:
                        raise EnvctlError(
                            f"the volume {volume} cannot be owned by {new.owner}: the image of {new.unit} has no such user or group",
                            hint="use a number, or a user of the image",
                            where=where,
                        )
                    api.put_archive(helper, "/", _folder(owner, _mode(api, helper)))

    def _image(self, new: NewVolume, unit: Unit) -> str:
        """The image whose files a volume starts with; the unit's own image if that was removed."""
        image = self._names.image_of_source(new.source)
        if self._images.at_hand(image) is None:
            if not isinstance(new.source, ReadyImage):
                return self._names.image_of(unit)
            self._images.pull(image)
        return image

    # --- volumes of images

    def carry_over(self, unit: str, container: Mapping[str, Any]) -> bool:
        """Copy the data in a container's anonymous volumes into named volumes of the unit.

        Returns whether everything was copied, so that the anonymous volumes can be removed with the container.
        """
        whole = True
        for mount in nameless(container):
            path = str(mount["Destination"])
            try:
                whole &= self._carry_over(unit, path, container)
            except EnvctlError as error:
                text = f"the data of {path} stays in the volume {mount['Name']}, which is unused now: {error.brief}"
                self._report(Progress(unit, Stage.NOTE, text))
                whole = False
        return whole

    def _carry_over(self, unit: str, path: str, container: Mapping[str, Any]) -> bool:
        import tarfile

        volume = called(unit, path)
        name = self._names.volume(volume)
        with self._guard, self._engine.doing(f"keep the data of {path} of {unit}") as api:
            if self._is_cut_off(api, name):
                remove_volume(api, name)
            if _is_there(api, name):
                # The existing volume has its own data, which must not be mixed with the other.
                raise EnvctlError(f"the volume {name} already exists")
            self._report(Progress(unit, Stage.WORKING, f"keeping the data of {path}"))
            mount = volume_mount(volume, path, self._names, copy=False)
            with self._helper(api, str(container["ImageID"]), name, mount) as helper:
                with api.get_archive(container["Id"], f"{path.rstrip('/')}/.") as archive:
                    first = archive.read_at_least(_HEAD)
                    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
                        folder = tar.next()
                    api.put_archive(helper, _PLACE, chain([first], archive))
                if folder is not None:
                    owner = folder.uid, folder.gid
                    api.put_archive(helper, "/", _folder(owner, folder.mode))
        return True

    # --- the helper

    @contextmanager
    def _helper(
        self, api: EngineApi, image: str, volume: str, mount: Mapping[str, Any]
    ) -> Iterator[str]:
        """Create a container of the image with the volume, which the engine creates, too. On failure both are removed."""
        body = {
            "Image": image,
            "Cmd": ["-"],
            "Labels": dict(self._names.helper_labels),
            "HostConfig": {"NetworkMode": "none", "Mounts": [mount, _placed(mount)]},
        }
        container = api.create_container(body, self._names.helper(volume))
        try:
            yield container
        except BaseException:
            api.remove_container(container, force=True, v=True)
            remove_volume(api, volume)
            raise
        # Its other anonymous volumes contain no user data.
        api.remove_container(container, force=True, v=True)

    def _is_cut_off(self, api: EngineApi, volume: str) -> bool:
        """Whether a helper of an interrupted run existed. Removes it."""
        try:
            api.remove_container(self._names.helper(volume), force=True, v=True)
        except NotFoundError:
            return False
        return True

    def sweep(self, api: EngineApi) -> None:
        """Remove helpers of interrupted runs."""
        filters = {"label": [*self._names.filters["label"], n.HELPER]}
        for listed in api.containers(all=True, filters=filters):
            # A label alone proves nothing: `docker commit` copies labels into the image, and its containers inherit
            # them.
            named = any(self._names.is_helper(name.lstrip("/")) for name in listed["Names"])
            if named and (listed["Labels"] or {}).get(n.HELPER):
                api.remove_container(listed["Id"], force=True, v=True)


def volume_mount(volume: str, target: str, names: Names, *, copy: bool) -> dict[str, Any]:
    """The mount of a volume, which the engine creates if it does not exist; with `copy` it starts with the image's files."""
    options: dict[str, Any] = {"Labels": {**names.labels, n.VOLUME: volume}}
    return {
        "Type": "volume",
        "Source": names.volume(volume),
        "Target": target,
        "ReadOnly": False,
        "VolumeOptions": options if copy else {**options, "NoCopy": True},
    }


def nameless(container: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The anonymous volumes among a listed container's mounts. The engine names them with 64 hex digits."""
    return [
        mount
        for mount in container.get("Mounts") or ()
        if mount.get("Type") == "volume" and _NAMELESS.fullmatch(str(mount.get("Name", "")))
    ]


def remove_volume(api: EngineApi, name: str) -> None:
    """Remove a volume, if it exists."""
    with suppress(NotFoundError):
        api.remove_volume(name)


def _placed(mount: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same volume at a path without links, so that the folder itself can be changed."""
    return {**mount, "Target": _PLACE, "VolumeOptions": {**mount["VolumeOptions"], "NoCopy": True}}


def _is_there(api: EngineApi, name: str) -> bool:
    try:
        api.inspect_volume(name)
    except NotFoundError:
        return False
    return True


def _mode(api: EngineApi, helper: str) -> int:
    """The permissions of the volume's folder."""
    entry = look(api, helper, _PLACE)
    # Go stores the sticky, setuid and setgid bits at other positions.
    mode = 0o755 if entry is None else entry.mode
    special = ((1 << 20, 0o1000), (1 << 22, 0o2000), (1 << 23, 0o4000))
    return (mode & 0o777) | sum(bit for mark, bit in special if mode & mark)


def _folder(owner: tuple[int, int], mode: int) -> bytes:
    """An archive that changes the owner and mode of the volume's folder."""
    import tarfile

    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        entry = tarfile.TarInfo(_PLACE.lstrip("/"))
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        entry.uid, entry.gid = owner
        tar.addfile(entry)
    return target.getvalue()


def _numbers(api: EngineApi, container: str, owner: str) -> tuple[int, int] | None:
    """The numeric ids of a user and group in a container's image; None if a name is unknown."""
    user, _, group = owner.partition(":")
    known = _fields(api, container, "/etc/passwd", user)
    uid = known[2] if len(known) > 3 else user
    gid = group or (known[3] if len(known) > 3 else "0")
    if group and not group.isdigit():
        fields = _fields(api, container, "/etc/group", group)
        gid = fields[2] if len(fields) > 2 else group
    return (int(uid), int(gid)) if uid.isdigit() and gid.isdigit() else None


def _fields(api: EngineApi, container: str, path: str, name: str) -> list[str]:
    """The fields of a user or group, by name or id, in a file like /etc/passwd."""
    try:
        with api.get_archive(container, path) as archive:
            text = file_in(b"".join(capped_chunks(archive, MAX_OUTPUT, path))) or b""
    except NotFoundError:
        return []
    lines = (line.split(":") for line in text.decode("utf-8", "replace").splitlines())
    column = 2 if name.isdigit() else 0
    return next((fields for fields in lines if len(fields) > 2 and fields[column] == name), [])
