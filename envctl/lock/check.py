"""Locks compared with specs, and with what is at hand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from envctl.backends.base import ImageEngine
from envctl.errors import EnvctlError
from envctl.lock.inspect import Look, looks
from envctl.lock.lock_differences import Difference, differences, merged
from envctl.lock.model import Lock, LockedBuild, Manifest
from envctl.lock.requests import Asked, asked
from envctl.lock.unmet_requirements import unmet
from envctl.plan.model import Build
from envctl.plan.platforms import plain_name
from envctl.progress import Progress, Stage
from envctl.session import Session

_MADE_FROM: Final = re.compile(r"(base|image|platform) (.+)")
_HASHED: Final = re.compile(r"(?!base |image |package |platform )(.+) ([0-9a-f]{12})")


def spec_differences(lock: Lock, wanted: Iterable[Asked]) -> tuple[Difference, ...]:
    """What some services ask for and the lock was not made for. No engine is asked."""
    return merged(difference for one in wanted for difference in _asked_differences(lock, one))


def _asked_differences(lock: Lock, one: Asked) -> Iterator[Difference]:
    units, known = (one.name,), lock.of(one.name)
    if known is None:
        yield Difference("unit", one.name, None, "in the spec", units, one.where)
        return
    before = [line for text in known.inputs for line in _told_apart(text)]
    after = [(line, wanted) for wanted in one.inputs for line in _told_apart(wanted.line)]
    kept = {line for line, _ in after}
    gone = [line for line in before if line not in kept]
    fresh = [(line, wanted) for line, wanted in after if line not in before]
    if not gone and not fresh and known.inputs != tuple(wanted.line for wanted in one.inputs):
        yield Difference("spec", "steps", "in another order", "in this one", units, one.where)
    for line, wanted in fresh:
        name, value = _name_and_value(line)
        old = next((text for text in gone if value and _name_and_value(text)[0] == name), None)
        if old is None:
            yield Difference("spec", _shown(line), None, line, units, wanted.where)
        else:
            gone.remove(old)
            was, details = _name_and_value(old)[1], unmet(wanted, known.manifest)
            yield Difference("spec", name, was, value, units, wanted.where, wanted.said, details)
    yield from (Difference("spec", _shown(line), line, None, units) for line in gone)


def _told_apart(text: str) -> Iterator[str]:
    """What is asked for, package by package."""
    kind, _, rest = text.partition(" ")
    if kind == "packages":
        yield from (f"package {name}" for name in rest.split())
    else:
        yield text


def _name_and_value(line: str) -> tuple[str, str]:
    """What of a line stays the same if another value is asked for, and the value, or ""."""
    match = _HASHED.fullmatch(line) or _MADE_FROM.fullmatch(line)
    return (match[1], match[2]) if match else (line, "")


def _shown(line: str) -> str:
    """A line without the hash that it may end with."""
    match = _HASHED.fullmatch(line)
    return match[1] if match else line


def check(lock: Lock, session: Sequence[Session], *, whole: bool) -> tuple[Difference, ...]:
    """All that the spec, or an image or base that is at hand, differs in from the lock.

    `whole` says that these are all environments: what is locked of others is told, too.
    """
    wanted = asked(session)
    found = list(spec_differences(lock, wanted))
    if whole:
        names = {one.name for one in wanted}
        found += [
            Difference("unit", unit, "locked", None, (unit,))
            for build in lock.builds
            for unit in build.units
            if unit not in names
        ]
    engine = _answering(session)
    if engine is None:
        note = "no container engine answers: what is built was not looked at"
        session[0].report(Progress("lock", Stage.NOTE, note))
    else:
        others = {unit for one in found for unit in one.units}
        same = [one for one in wanted if one.name not in others]
        found += _image_differences(lock, same, engine)
    return merged(found)


def _answering(session: Sequence[Session]) -> ImageEngine | None:
    """The engine, if there is one to ask."""
    try:
        engine: ImageEngine = session[0].engine
        engine.check()
    except EnvctlError:
        return None
    return engine


def _image_differences(
    lock: Lock, wanted: Sequence[Asked], engine: ImageEngine
) -> Iterator[Difference]:
    bases = {one.source.base.image for one in wanted if isinstance(one.source, Build)}
    here = {engine.name_of(one.source) for one in wanted} | (bases & {*lock.bases})
    found = looks(engine, {name for name in here if engine.images.find(name) is not None})
    for other in sorted(_other_architectures(lock, wanted, found, engine)):
        yield Difference("architecture", "architecture", lock.architecture, other)
    for name in sorted(bases & {*lock.bases} & {*found}):
        base = Manifest(lock.bases[name].packages)
        yield from differences(base, found[name].manifest, [f"base {name}"])
    for one in wanted:
        seen, known = found.get(engine.name_of(one.source)), lock.of(one.name)
        if seen is not None and known is not None:
            yield from unit_differences(known, seen, one.name)


def _other_architectures(
    lock: Lock, wanted: Sequence[Asked], found: Mapping[str, Look], engine: ImageEngine
) -> set[str]:
    """What images are of that the lock is not of; a service that has a platform is of that, whatever the lock is."""
    own = {engine.name_of(one.source) for one in wanted if not one.source.platform}
    own |= {name for name in found if name in lock.bases and not plain_name(name)[1]}
    return {found[name].architecture for name in own if name in found} - {lock.architecture, ""}


def unit_differences(known: LockedBuild, seen: Look, unit: str) -> Iterator[Difference]:
    """What an image differs in from what is locked."""
    if known.image and known.image != seen.identity:
        yield Difference("image", "image", known.image, seen.identity, (unit,))
    yield from differences(known.manifest, seen.manifest, [unit])
