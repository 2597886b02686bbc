"""What two environments differ in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from envctl.cli.arguments import complete_target
from envctl.cli.declare import Argument, AsJson
from envctl.cli.invocation import Invocation
from envctl.cli.notes import note_variables
from envctl.cli.output import counted
from envctl.errors import Exit

if TYPE_CHECKING:
    from envctl.definition.differences import Difference
    from envctl.verbs.results import BuildPair


def diff(
    invocation: Invocation,
    first: Annotated[str, Argument("TARGET", "ENV or ENV@BACKEND.", complete_target)],
    second: Annotated[str, Argument("TARGET", "The one to compare it with.", complete_target)],
    *,
    as_json: AsJson = False,
) -> int:
    """Show what two environments differ in, and which lines of the spec make the difference.

    No engine is asked. Exits with 3 if they differ.

    JSON: an object with `before`, `after` (targets), `differences`, each with `path`, `before`, `after`
    (left out on the side that has no such value), `before_where` and `after_where` ("file:line:column"
    or null), and `builds`, by unit: `same`, `before` and `after` (digests or null).
    """
    before, after = invocation.target(first), invocation.target(second)
    for goal in dict.fromkeys((before.environment, after.environment)):
        note_variables(invocation, goal)
    found, builds = invocation.project.diff(before, after)
    if as_json:
        invocation.json(
            {
                "before": first,
                "after": second,
                "differences": [_json(one) for one in found],
                "builds": {
                    name: {"same": pair.same, "before": pair.before, "after": pair.after}
                    for name, pair in builds.items()
                },
            }
        )
    elif invocation.options.quiet:
        invocation.out.line(
            invocation.out.safe(f"{first} against {second}: {_verdict(found, builds)}")
        )
    else:
        _show(invocation, found)
        invocation.out.line(invocation.out.safe(f"builds: {_builds(builds) or 'none'}"))
    return Exit.DIFFERENT if found or not all(pair.same for pair in builds.values()) else Exit.OK


def _json(one: Difference) -> dict[str, Any]:
    from envctl.definition.differences import ABSENT

    values = {"before": one.before, "after": one.after}
    return {
        "path": one.path,
        **{side: value for side, value in values.items() if value is not ABSENT},
        "before_where": str(one.before_where) if one.before_where else None,
        "after_where": str(one.after_where) if one.after_where else None,
    }


def _show(invocation: Invocation, found: Sequence[Difference]) -> None:
    """Each difference as its path and its two sides, as a patch shows them."""
    from envctl.definition.differences import ABSENT

    out = invocation.out
    if not found:
        out.line("the specs say the same")
    for one in found:
        out.line(out.paint(one.path, "bold"))
        for sign, color, value, where in (
            ("-", "red", one.before, one.before_where),
            ("+", "green", one.after, one.after_where),
        ):
            if value is not ABSENT:
                place = f"  ({where})" if where else ""
                told = _readable(one.path, value)
                out.line(out.paint(f"  {sign} {told}", color) + out.safe(place))
            elif where:
                out.line(out.paint(f"  {sign} not there", color) + out.safe(f"  ({where})"))
    if found:
        out.line()


def _verdict(found: Sequence[Difference], builds: Mapping[str, BuildPair]) -> str:
    """How much differs, in a line."""
    others = sum(not pair.same for pair in builds.values())
    if not found and not others:
        return "no difference"
    spec = f"{counted(len(found), 'difference', 'differences')} in the spec"
    builds_differ = (
        counted(others, "build differs", "builds differ") if others else "no build differs"
    )
    return f"{spec}, {builds_differ}"


def _readable(path: str, value: Any) -> str:
    """A value on one line; of memory in words."""
    from envctl.plan.text import shown, size_text

    is_memory = path.endswith(".resources.memory") and isinstance(value, int)
    return size_text(value) if is_memory else shown(value)


def _builds(builds: Mapping[str, BuildPair]) -> str:
    words = {True: "the same", False: "another"}
    return ", ".join(f"{name} {pair.only or words[pair.same]}" for name, pair in builds.items())
