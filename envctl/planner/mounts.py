"""The folders and files of the host that a unit mounts, and their problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from envctl import files
from envctl.errors import Place, Problem, SpecError
from envctl.host.git_folders import git_below
from envctl.host.links import followed, ignores_case
from envctl.host.private_state import hidden_below, is_private
from envctl.plan.model import Mount
from envctl.planner.overlaps import is_within
from envctl.planner.service_context import ServiceContext


def mounts(context: ServiceContext) -> Iterator[Mount]:
    """Yield the mounts of a service whose sources exist; `mount_problems` reports the others."""
    for mount in context.service["mounts"]:
        source = context.root / mount["source"]
        if source.exists():
            hidden = tuple(hidden_below(source, context.root))
            target, read_only = mount["target"], mount["read_only"]
            git = () if read_only else git_below(source, context.root)
            protected = tuple(folder for folder in git if not _is_other(context, target, folder))
            yield Mount(str(followed(source)), target, read_only, hidden, protected)


def _is_other(context: ServiceContext, target: str, path: str) -> bool:
    """Whether the spec mounts something else at a path below a mount."""
    service = context.service
    in_memory = service["options"].get(context.backend, {}).get("tmpfs")
    others = [
        *(thing["target"] for thing in service["mounts"] if thing["target"] != target),
        *(thing["target"] for thing in service["volumes"].values()),
        *(in_memory if isinstance(in_memory, Mapping) else ()),
    ]
    place = f"{target.rstrip('/')}/{path}"
    return any(is_within(place, thing) and is_within(thing, target) for thing in others)


def mount_problems(context: ServiceContext) -> Iterator[Problem]:
    """Problems of sources: missing, private, or spelled differently."""
    for index, mount in enumerate(context.service["mounts"]):
        source, where = context.root / mount["source"], context.where("mounts", index)
        if not source.exists():
            yield from files.problem(
                f"cannot mount {mount['source']!r}: it does not exist", where
            ).problems
        elif is_private(source, context.root):
            message = f"{mount['source']!r} cannot be mounted: envctl keeps secrets and keys in it"
            yield from files.problem(message, where, hint="mount another folder").problems
        else:
            yield from _misspelt(context, mount["source"], where)
            yield from _unhidden(context, source, where)


def _misspelt(context: ServiceContext, source: str, where: Place | None) -> Iterator[Problem]:
    try:
        files.require_spelling(context.root, source, where)
    except SpecError as error:
        yield from error.problems


def _unhidden(context: ServiceContext, source: Path, where: Place | None) -> Iterator[Problem]:
    """If the disk ignores case, a mount over a private folder hides only one spelling of its name."""
    for hidden in hidden_below(source, context.root):
        if ignores_case(source / hidden):
            yield from files.problem(
                f"{hidden} in what is mounted may have secrets and keys in it, and cannot be hidden: its disk takes"
                f" {hidden.swapcase()} for the same",
                where,
                hint="mount a folder without it, or remove it; what an earlier envctl kept in the project"
                " `envctl trust --state` takes over",
            ).problems
