"""lock: what the builds came to, kept and compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from envctl.cli.arguments import complete_target
from envctl.cli.declare import Argument, AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.cli.output import counted
from envctl.errors import Exit, UsageError

if TYPE_CHECKING:
    from envctl.lock.lock_differences import Difference

Names = Annotated[
    list[str] | None,
    Argument(
        "NAME",
        "Environments; all of them if none is named. With --update also services and bases.",
        complete_target,
    ),
]


def lock(
    invocation: Invocation,
    names: Names = None,
    *,
    check: Annotated[
        bool,
        Option(("--check",), "Write nothing; exit with 3 if the spec or what is built differs."),
    ] = False,
    update: Annotated[
        bool,
        Option(("--update",), "Build anew, with the versions that the mirrors have now."),
    ] = False,
    vendor: Annotated[
        bool,
        Option(
            ("--vendor",), "Keep the very packages in envctl.vendor, for builds without a network."
        ),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Write down in envctl.lock which versions are installed.

    It has all that is installed in what the environments are made from. What is not built yet is built, and keeps
    to the versions that are locked already where they can still be had. --update moves on: all, or the services
    and bases that are named. Says what moved.

    With --check the lock is compared with the spec and, where an engine answers, with the images that are at
    hand: the exit code is 3 if there is a difference.

    JSON: an object with `format`, `version` and `differences`, each with `kind` ("unit", "spec", "architecture",
    "image", "packages", "pip FOLDER" or "npm FOLDER"), `name`, `before`, `after` (null where there is none), `units`
    (ENVIRONMENT/SERVICE), `where` ("file:line:column" of what the spec asks for, or null), `said` (which files have
    changed, where only hashes are locked, or "") and `details` (what of them is not locked as it is asked for).
    """
    from envctl.lock.model import FILE

    if check and (update or vendor):
        raise UsageError("--check writes nothing; it goes with neither --update nor --vendor")
    environments, others = _sorted(invocation, names or (), update=update)
    if check:
        found = invocation.project.check_lock(environments)
        invocation.reporter.pause()
        _check(invocation, found, as_json=as_json)
        return Exit.DIFFERENT if found else Exit.OK
    from envctl.lock.messages import moved

    first = not (invocation.root / FILE).exists()
    lock, found = invocation.project.lock(
        environments, update=others if update else None, vendor=vendor
    )
    invocation.reporter.pause()
    count = sum(len(build.units) for build in lock.builds)
    nothing = f"{count} services locked" if first else "nothing moved"
    if as_json:
        _json(invocation, found)
    else:
        for one in found:
            invocation.out.line(invocation.out.safe(moved(one)))
        if not found:
            invocation.out.line(nothing)
    invocation.note("wrote envctl.lock")
    return Exit.OK


def _sorted(
    invocation: Invocation, names: Sequence[str], *, update: bool
) -> tuple[list[str], list[str]]:
    """The environments among the names, and the others."""
    from envctl.suggest import did_you_mean

    known = invocation.project.environments()
    others = [name for name in names if name not in known]
    if others and not update:
        raise UsageError(
            f"there is no environment {others[0]!r}", hint=did_you_mean(others[0], known)
        )
    return [name for name in names if name in known], others


def _check(invocation: Invocation, found: Sequence[Difference], *, as_json: bool) -> None:
    """What the lock and what there is differ in, and what to do next."""
    from envctl.lock.messages import compared, remedy
    from envctl.lock.model import FILE

    if as_json:
        _json(invocation, found)
    elif not found:
        invocation.out.line(f"{FILE} is what the spec asks for")
    elif invocation.options.quiet:
        invocation.out.line(f"{FILE}: {counted(len(found), 'difference', 'differences')}")
    else:
        for one in found:
            invocation.out.text(compared(one))
        invocation.note(remedy(found))


def _json(invocation: Invocation, found: Sequence[Difference]) -> None:
    differences = [
        {
            "kind": one.kind,
            "name": one.name,
            "before": one.before,
            "after": one.after,
            "units": list(one.units),
            "where": str(one.where) if one.where else None,
            "said": one.said,
            "details": list(one.details),
        }
        for one in found
    ]
    invocation.json({"format": "envctl lock differences", "version": 1, "differences": differences})
