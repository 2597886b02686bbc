"""lock: record and compare installed versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from envctl.cli.completions import complete_target
from envctl.cli.declare import Argument, AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.cli.output import counted
from envctl.errors import Exit, UsageError

if TYPE_CHECKING:
    from envctl.lock.lock_differences import LockDifference

Names = Annotated[
    list[str] | None,
    Argument(
        "NAME",
        "Environments; all by default. With --update also services and bases.",
        complete_target,
    ),
]


def lock(
    invocation: Invocation,
    names: Names = None,
    *,
    check: Annotated[
        bool,
        Option(("--check",), "Write nothing; exit with 3 if the spec or an image differs."),
    ] = False,
    update: Annotated[
        bool,
        Option(("--update",), "Rebuild with the newest versions."),
    ] = False,
    vendor: Annotated[
        bool,
        Option(
            ("--vendor",), "Keep the package files in envctl.vendor, for builds without a network."
        ),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Record the installed versions in envctl.lock.

    Records every installed version. Builds what is missing; keeps locked versions while they are available.
    --update upgrades them: all, or those of the named services and bases. Prints what changed.

    --check compares the lock with the spec and, if an engine answers, with the existing images: the exit code is 3
    if there is a difference.

    Examples:
        envctl lock
        envctl lock --update web debian:bookworm

    JSON: an object with `format`, `version` and `differences`, each with `kind` ("unit", "spec", "architecture",
    "image", "packages", "pip FOLDER" or "npm FOLDER"), `name`, `before`, `after` (null if there is none), `units`
    (ENVIRONMENT/SERVICE), `where` ("file:line:column" in the spec, or null), `said` (which files have changed, if
    only hashes are locked, or "") and `details` (requested packages that are not locked in that version).
    """
    from envctl.lock.model import FILE
    from envctl.verbs import lock as verb

    if check and (update or vendor):
        raise UsageError("--check writes nothing; it goes with neither --update nor --vendor")
    environments, others = _split(invocation, names or (), update=update)
    if check:
        differences = verb.check_lock(invocation.project, environments)
        invocation.reporter.pause()
        _check(invocation, differences, as_json=as_json)
        return Exit.DIFFERENT if differences else Exit.OK
    from envctl.lock.messages import change_text

    first = not (invocation.root / FILE).exists()
    lock, changes = verb.lock(
        invocation.project, environments, update=others if update else None, vendor=vendor
    )
    invocation.reporter.pause()
    count = sum(len(build.units) for build in lock.builds)
    unchanged = f"{count} services locked" if first else "no changes"
    if as_json:
        _json(invocation, changes)
    else:
        for change in changes:
            invocation.out.line(invocation.out.safe(change_text(change)))
        if not changes:
            invocation.out.line(unchanged)
    invocation.note("wrote envctl.lock")
    return Exit.OK


def _split(
    invocation: Invocation, names: Sequence[str], *, update: bool
) -> tuple[list[str], list[str]]:
    """The environments among the names, and all other names."""
    from envctl.suggest import did_you_mean

    known = invocation.project.environments()
    others = [name for name in names if name not in known]
    if others and not update:
        raise UsageError(f"no such environment: {others[0]!r}", hint=did_you_mean(others[0], known))
    return [name for name in names if name in known], others


def _check(invocation: Invocation, differences: Sequence[LockDifference], *, as_json: bool) -> None:
    """Print the differences from the lock, and what to do next."""
    from envctl.lock.messages import difference_text, remedy
    from envctl.lock.model import FILE

    if as_json:
        _json(invocation, differences)
    elif not differences:
        invocation.out.line(f"{FILE} matches the spec")
    elif invocation.options.quiet:
        invocation.out.line(f"{FILE}: {counted(len(differences), 'difference', 'differences')}")
    else:
        for difference in differences:
            invocation.out.text(difference_text(difference))
        invocation.note(remedy(differences))


def _json(invocation: Invocation, differences: Sequence[LockDifference]) -> None:
    rows = [
        {
            "kind": difference.kind,
            "name": difference.name,
            "before": difference.before,
            "after": difference.after,
            "units": list(difference.units),
            "where": str(difference.where) if difference.where else None,
            "said": difference.summary,
            "details": list(difference.details),
        }
        for difference in differences
    ]
    invocation.json({"format": "envctl lock differences", "version": 1, "differences": rows})
