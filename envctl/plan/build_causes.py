"""The causes of rebuilding an image: what differs between the recorded build and the planned one. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from envctl.errors import Place
from envctl.plan.changes import Cause
from envctl.plan.digest import canonical, digest
from envctl.plan.model import Build, CopyFromStage, DockerfileBuild, RunCommand, Step
from envctl.plan.platforms import UNSET, plain_name
from envctl.plan.text import step_text
from envctl.plan.values import changed

_BASE: Final = "base "
_TEMPLATES: Final = "the project's templates"
_PACKAGES: Final = "packages "
_PLATFORM: Final = "platform "
_NOT_STEPS: Final = (
    _BASE,
    _TEMPLATES,
    _PLATFORM,
    "Dockerfile ",
    "files of ",
    "target ",
    "argument ",
)
"""The first words of parts that are not steps; no step begins with them."""


class _Part(NamedTuple):
    """One part of a build, or of one of its stages. Its text names it; parts are equal if their digests are."""

    text: str
    digest: str
    where: Place | None = None
    stage: str = ""


def build_text(build: Build | DockerfileBuild) -> str:
    """Return all parts of a build, which are stored with the image, so that a later comparison can name what changed."""
    return canonical(
        [
            {
                "text": part.text,
                "digest": part.digest,
                **({"stage": part.stage} if part.stage else {}),
            }
            for part in _parts(build)
        ]
    )


def build_causes(
    build: Build | DockerfileBuild, recorded: str, *, platform_at: Place | None = None
) -> tuple[Cause, ...]:
    """Return all differences between a build and the one with the `build_text` `recorded`; empty if they are unknown.

    `platform_at` is the place that sets the platform.
    """
    old = _read(recorded)
    if not old:
        return ()
    new = list(_parts(build))
    stages = dict.fromkeys(part.stage for part in (*new, *old) if part.stage)
    of_stages = [
        cause
        for stage in stages
        for cause in _stage_causes(stage, old, new, _stage_place(build, stage))
    ]
    old, new = ([part for part in parts if not part.stage] for parts in (old, new))
    return (*of_stages, *_own_causes(old, new, build.where, platform_at))


def _stage_causes(
    name: str, old: Sequence[_Part], new: Sequence[_Part], where: Place | None
) -> Iterator[Cause]:
    """Yield the changes in a stage."""
    was, now = ([part for part in parts if part.stage == name] for parts in (old, new))
    if not was or not now:
        yield Cause(f"stage {name} {'added' if now else 'removed'}", where)
        return
    for cause in _own_causes(was, now, where, where):
        yield Cause(f"stage {name}: {cause.text}", cause.where, cause.warning)


def _stage_place(build: Build | DockerfileBuild, name: str) -> Place | None:
    stages = build.stages if isinstance(build, Build) else ()
    return next((stage.build.where for stage in stages if stage.name == name), build.where)


def _own_causes(
    old: Sequence[_Part], new: Sequence[_Part], where: Place | None, platform_at: Place | None
) -> Iterator[Cause]:
    """Yield the changes of a build or stage itself, without those of the stages that it copies from."""
    # An image made by an earlier version does not record its base.
    words = {part.text.partition(" ")[0] for part in old}
    if "base" not in words and "Dockerfile" not in words:
        new = [part for part in new if not part.text.startswith((_BASE, _TEMPLATES))]
    yield from _platform_causes(old, new, platform_at or where)
    yield from _package_causes(old, new)
    old, new = (
        [part for part in parts if not part.text.startswith((_PACKAGES, _PLATFORM))]
        for parts in (old, new)
    )
    yield from (_placed(cause, where) for cause in _causes(old, new))


def _parts(build: Build | DockerfileBuild) -> Iterator[_Part]:
    yield from _own_parts(build)
    if isinstance(build, Build):
        # The stages that a stage copies from are stages of this build, too.
        for stage in build.stages:
            for part in _own_parts(stage.build):
                yield part._replace(stage=stage.name)


def _own_parts(build: Build | DockerfileBuild) -> Iterator[_Part]:
    """Yield the parts of a build without those of its stages."""
    if build.platform:
        yield _Part(f"{_PLATFORM}{build.platform}", digest(build.platform))
    if isinstance(build, DockerfileBuild):
        yield _Part(
            f"Dockerfile {build.dockerfile}", digest([build.dockerfile, build.dockerfile_digest])
        )
        yield _Part(f"files of {build.context}", digest([build.context, build.content]))
        if build.target:
            yield _Part(f"target {build.target}", digest(build.target))
        for name, value in sorted(build.args.items()):
            yield _Part(f"argument {name}", digest([name, value]))
        return
    # A base has another image name on each platform, but is the same base.
    image, _ = plain_name(build.base.image)
    base = replace(build.base, image=image, platform="")
    dated = f" at {base.snapshot}" if base.snapshot else ""
    yield _Part(f"{_BASE}{base.name or base.image or base.box}{dated}", digest(base), base.where)
    if build.template_digest:
        yield _Part(_TEMPLATES, digest(build.template_digest))
    for name, value in build.args:
        yield _Part(f"argument {name}", digest([name, value]))
    for step in build.steps:
        yield _Part(step_text(step), _step_digest(step, build.args), step.where)


def _step_digest(step: Step, args: Collection[tuple[str, str]]) -> str:
    """Return a digest of a step without build arguments and the content of stages, which are parts themselves."""
    if isinstance(step, RunCommand) and args:
        env = {name: value for name, value in step.env.items() if (name, value) not in args}
        return digest(replace(step, env=env))
    return digest(replace(step, digest="") if isinstance(step, CopyFromStage) else step)


def _read(recorded: str) -> list[_Part]:
    """Return the recorded parts; none if the record is not envctl's."""
    try:
        return [
            _Part(str(part["text"]), str(part["digest"]), stage=str(part.get("stage", "")))
            for part in json.loads(recorded)
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _placed(cause: Cause, where: Place | None) -> Cause:
    return cause if cause.where else Cause(cause.text, where, cause.warning)


def _platform_causes(
    old: Sequence[_Part], new: Sequence[_Part], where: Place | None
) -> Iterator[Cause]:
    was, now = (
        next(
            (
                part.text.removeprefix(_PLATFORM)
                for part in parts
                if part.text.startswith(_PLATFORM)
            ),
            UNSET,
        )
        for parts in (old, new)
    )
    if was != now:
        yield Cause(changed("platform", was, now), where)


# --- packages: how they are spread over install steps is no difference ----------------------


def _package_causes(old: Sequence[_Part], new: Sequence[_Part]) -> Iterator[Cause]:
    before, after = _packages(old), _packages(new)
    for name in sorted(after.keys() - before.keys()):
        yield Cause(f"package {name} added", after[name])
    where = next(iter(after.values()), None)
    for name in sorted(before.keys() - after.keys()):
        yield Cause(f"package {name} removed", where)


def _packages(parts: Sequence[_Part]) -> Mapping[str, Place | None]:
    return {
        name: part.where
        for part in parts
        if part.text.startswith(_PACKAGES)
        for name in part.text.removeprefix(_PACKAGES).split()
    }


# --- all else, in order ---------------------------------------------------------------------


def _causes(old: Sequence[_Part], new: Sequence[_Part]) -> Iterator[Cause]:
    gone, come = _unequal(old, new)
    moved = {part.digest for part in gone} & {part.digest for part in come}
    fresh = [part for part in come if part.digest not in moved]
    left = [part for part in gone if part.digest not in moved]
    before = iter(_counterparts(fresh, left))
    for part in come:
        if part.digest in moved:
            yield Cause(_part_change("moved", part), part.where)
        elif (was := next(before)) is None:
            yield Cause(_part_change("added", part), part.where)
        else:
            yield Cause(_change(was, part), part.where)
    for part in left:
        yield Cause(_part_change("removed", part))


def _unequal(old: Sequence[_Part], new: Sequence[_Part]) -> tuple[list[_Part], list[_Part]]:
    """Return the parts that the two do not have in common, in the same order."""
    from difflib import SequenceMatcher

    gone: list[_Part] = []
    come: list[_Part] = []
    digests = [part.digest for part in old], [part.digest for part in new]
    for tag, *ends in SequenceMatcher(None, *digests, autojunk=False).get_opcodes():
        if tag != "equal":
            gone += old[ends[0] : ends[1]]
            come += new[ends[2] : ends[3]]
    return gone, come


def _counterparts(come: Sequence[_Part], gone: list[_Part]) -> list[_Part | None]:
    """Find the former version of each part: one with the same text, or else the first of its kind. Each is removed from `gone`."""
    counterparts: list[_Part | None] = [None] * len(come)
    for alike in (_same_text, _same_kind):
        for index, part in enumerate(come):
            was = next((other for other in gone if alike(other, part)), None)
            if counterparts[index] is None and was is not None:
                counterparts[index] = was
                gone.remove(was)
    return counterparts


def _same_text(part: _Part, other: _Part) -> bool:
    return part.text == other.text


def _same_kind(part: _Part, other: _Part) -> bool:
    return part.text.partition(" ")[0] == other.text.partition(" ")[0]


def _change(was: _Part, part: _Part) -> str:
    if was.text == part.text:
        return _part_change("changed", part)
    if _is_step(part):
        return f"{_part_change('changed', part)} (was: {was.text})"
    return f"{_shown(was)} → {part.text.partition(' ')[2]}"


def _part_change(what: str, part: _Part) -> str:
    return f"build step {what}: {part.text}" if _is_step(part) else f"{_shown(part)} {what}"


def _shown(part: _Part) -> str:
    """Return the text of a part that is not a step. For a base the record has only the word "base"."""
    return part.text.replace(_BASE, "base image ", 1) if part.text.startswith(_BASE) else part.text


def _is_step(part: _Part) -> bool:
    return not part.text.startswith(_NOT_STEPS)
