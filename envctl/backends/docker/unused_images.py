"""Finds unused images that envctl created: images of builds, and bootstrapped bases."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from envctl.backends.base import Garbage
from envctl.backends.docker import names as n
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.engine_api import EngineApi
from envctl.backends.docker.engine_errors import ApiError, NotFoundError, is_conflict
from envctl.plan.image_names import base_image
from envctl.plan.platforms import image_name

_BUILD: Final = re.compile(r"envctl/[a-z0-9_.-]+:([0-9a-f]{24})")
"""The name of a build's image; the tag is the build's digest."""
_BASE_LABEL: Final = "dev.envctl.base"


def unused_images(engine: Engine, needed: Collection[str]) -> Sequence[Garbage]:
    """The images that no container uses, running or not, and that no other remaining image is based on.

    Skips images with other names: an image that a user has tagged belongs to the user.
    """
    with engine.doing("find unused images") as api:
        images = api.images(filters={"label": [n.BUILD]})
        bases = api.images(filters={"label": [_BASE_LABEL]})
        used = {str(container.get("ImageID")) for container in api.containers(all=True)}
        built = [image for image in images if image["Id"] not in used]
        unused = list(_builds(built, needed))
        going = {garbage.id for garbage in unused}
        free = [base for base in bases if base["Id"] not in used and _is_base(base)]
        # An image that a user built on a base has inherited the base's label, so the base is needed.
        staying = [image for image in (*images, *bases) if image["Id"] not in going]
        others = [image for image in staying if image not in free]
        return [*unused, *_bases(api, free, needed=needed, layers=_layers(api, others))]


def _builds(images: Sequence[Mapping[str, Any]], needed: Collection[str]) -> Iterator[Garbage]:
    for image in images:
        names = [name for name in image["RepoTags"] or () if name != "<none>:<none>"]
        digests = [match[1] for name in names if (match := _BUILD.fullmatch(name))]
        is_own = len(digests) == len(names) and image["Labels"].get(n.BUILD)
        if is_own and not set(digests) & set(needed):
            name = names[0] if names else f"an older image of build {image['Labels'][n.BUILD]}"
            yield Garbage("image", name, str(image["Id"]), _size(image))


def _is_base(image: Mapping[str, Any]) -> bool:
    """Whether an image is a base that envctl created, without any other name."""
    labels = image["Labels"]
    name, snapshot, platform = (
        str(labels.get(f"{_BASE_LABEL}{key}") or "") for key in ("", ".snapshot", ".platform")
    )
    return bool(name) and image["RepoTags"] == [image_name(base_image(name, snapshot), platform)]


def _bases(
    api: EngineApi,
    bases: Sequence[Mapping[str, Any]],
    *,
    needed: Collection[str],
    layers: Collection[str],
) -> Iterator[Garbage]:
    for base in bases:
        name = str(base["RepoTags"][0])
        if name not in needed and not set(_layers(api, [base])) & set(layers):
            yield Garbage("base", name, str(base["Id"]), _size(base))


def _layers(api: EngineApi, images: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    layers: list[str] = []
    for image in images:
        try:
            inspected = api.inspect_image(image["Id"])
        except NotFoundError:
            continue
        layers += (inspected.get("RootFS") or {}).get("Layers") or ()
    return layers


def _size(image: Mapping[str, Any]) -> int | None:
    size = image.get("Size")
    return size if isinstance(size, int) else None


def remove_image(engine: Engine, garbage: Garbage) -> bool:
    """Remove an image with its names; False if a container uses it now, or another image is based on it."""
    with engine.doing(f"remove {garbage.name}") as api:
        try:
            names = api.inspect_image(garbage.id).get("RepoTags") or [garbage.id]
            for name in names:
                # Without force, the engine refuses to remove an image in use.
                api.remove_image(name)
        except NotFoundError:
            return True
        except ApiError as error:
            if not is_conflict(error):
                raise
            return False
    return True
