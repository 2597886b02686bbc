"""Compares a lock with the spec, and with the images built here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from envctl.backends.base import ImageEngine
from envctl.errors import EnvctlError
from envctl.lock.inspect import ImageContent, inspect_images
from envctl.lock.lock_builder import LockBuilder
from envctl.lock.lock_differences import LockDifference, merged, package_differences
from envctl.lock.model import Lock, LockedBuild
from envctl.lock.requests import BuildRequest
from envctl.lock.unmet_requirements import unmet
from envctl.plan.model import Build
from envctl.plan.platforms import plain_name
from envctl.progress import Progress, Stage

_STAGE: Final = r"(?:stage \S+ )?"
_PACKAGES: Final = re.compile(rf"({_STAGE})packages (.+)")
_NAMED_INPUT: Final = re.compile(rf"({_STAGE}(?:base|image|platform)) (.+)")
_HASHED_INPUT: Final = re.compile(
    rf"(?!{_STAGE}(?:base|image|package|platform) )(.+) ([0-9a-f]{{12}})"
)


def compare_with_lock(
    lock: Lock, requests: Sequence[BuildRequest], builder: LockBuilder, *, complete: bool
) -> tuple[LockDifference, ...]:
    """All differences between the lock, the spec, and the images and bases built here.

    `complete` says that these are the requests of all environments: entries for any other unit are reported.
    """
    differences = list(spec_differences(lock, requests))
    if complete:
        names = {request.name for request in requests}
        differences += [
            LockDifference("unit", unit, "locked", None, (unit,))
            for build in lock.builds
            for unit in build.units
            if unit not in names
        ]
    engine = _running_engine(builder)
    if engine is None:
        note = "no container engine answers: built images were not compared"
        builder.report(Progress("lock", Stage.NOTE, note))
    else:
        changed = {unit for difference in differences for unit in difference.units}
        unchanged = [request for request in requests if request.name not in changed]
        differences += _image_differences(lock, unchanged, engine)
    return merged(differences)


# --- the spec


def spec_differences(lock: Lock, requests: Iterable[BuildRequest]) -> tuple[LockDifference, ...]:
    """The differences between the lock and the spec's requests. Needs no engine."""
    return merged(
        difference for request in requests for difference in _input_differences(lock, request)
    )


def _input_differences(lock: Lock, request: BuildRequest) -> Iterator[LockDifference]:
    units, locked = (request.name,), lock.of(request.name)
    if locked is None:
        yield LockDifference("unit", request.name, None, "in the spec", units, request.where)
        return
    before = [line for text in locked.inputs for line in _by_package(text)]
    after = [(line, item) for item in request.inputs for line in _by_package(item.line)]
    lines = {line for line, _ in after}
    removed = [line for line in before if line not in lines]
    added = [(line, item) for line, item in after if line not in before]
    same_lines = locked.inputs == tuple(item.line for item in request.inputs)
    if not removed and not added and not same_lines:
        yield LockDifference(
            "spec", "steps", "in another order", "in this one", units, request.where
        )
    for line, item in added:
        name, value = _name_and_value(line)
        old = next((text for text in removed if value and _name_and_value(text)[0] == name), None)
        if old is None:
            yield LockDifference("spec", _without_hash(line), None, line, units, item.where)
        else:
            removed.remove(old)
            before_value, details = _name_and_value(old)[1], unmet(item, locked.manifest)
            yield LockDifference(
                "spec", name, before_value, value, units, item.where, item.summary, details
            )
    yield from (LockDifference("spec", _without_hash(line), line, None, units) for line in removed)


def _by_package(text: str) -> Iterator[str]:
    """A line of inputs. A line of packages becomes one line per package."""
    if match := _PACKAGES.fullmatch(text):
        yield from (f"{match[1]}package {name}" for name in match[2].split())
    else:
        yield text


def _name_and_value(line: str) -> tuple[str, str]:
    """The part of a line that names the input, and its value or hash, or ""."""
    match = _HASHED_INPUT.fullmatch(line) or _NAMED_INPUT.fullmatch(line)
    return (match[1], match[2]) if match else (line, "")


def _without_hash(line: str) -> str:
    match = _HASHED_INPUT.fullmatch(line)
    return match[1] if match else line


# --- images


def _running_engine(builder: LockBuilder) -> ImageEngine | None:
    try:
        engine = builder.engine
        engine.check()
    except EnvctlError:
        return None
    return engine


def _image_differences(
    lock: Lock, requests: Sequence[BuildRequest], engine: ImageEngine
) -> Iterator[LockDifference]:
    bases = {request.source.base.image for request in requests if isinstance(request.source, Build)}
    locked_bases = bases & {*lock.bases}
    names = {engine.name_of(request.source) for request in requests} | locked_bases
    images = inspect_images(
        engine, {name for name in names if engine.images.find(name) is not None}
    )
    for architecture in sorted(_other_architectures(lock, requests, images, engine)):
        yield LockDifference("architecture", "architecture", lock.architecture, architecture)
    for name in sorted(locked_bases & {*images}):
        base = lock.bases[name].manifest
        yield from package_differences(base, images[name].manifest, [f"base {name}"])
    for request in requests:
        image, locked = images.get(engine.name_of(request.source)), lock.of(request.name)
        if image is not None and locked is not None:
            yield from _unit_differences(locked, image, request.name)


def _other_architectures(
    lock: Lock,
    requests: Sequence[BuildRequest],
    images: Mapping[str, ImageContent],
    engine: ImageEngine,
) -> set[str]:
    """The architectures of images that differ from the lock's. A service with a platform may have its own."""
    without_platform = {
        engine.name_of(request.source) for request in requests if not request.source.platform
    }
    without_platform |= {name for name in images if name in lock.bases and not plain_name(name)[1]}
    return {images[name].architecture for name in without_platform if name in images} - {
        lock.architecture,
        "",
    }


def _unit_differences(
    locked: LockedBuild, image: ImageContent, unit: str
) -> Iterator[LockDifference]:
    if locked.image and locked.image != image.identity:
        yield LockDifference("image", "image", locked.image, image.identity, (unit,))
    yield from package_differences(locked.manifest, image.manifest, [unit])
