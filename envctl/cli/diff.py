"""diff: compare the specs of two environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from envctl.cli.completions import complete_target
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
    second: Annotated[
        str, Argument("TARGET", "The environment to compare it with.", complete_target)
    ],
    *,
    as_json: AsJson = False,
) -> int:
    """Compare the specs of two environments, and show the lines behind each difference.

    Needs no engine. The exit code is 3 if they differ.

    Examples:
        envctl diff dev prod
        envctl diff dev prod --json

    JSON: an object with `before`, `after` (targets), `differences`, each with `path`, `before`, `after`
    (omitted on the side without the value), `before_where` and `after_where` ("file:line:column"
    or null), and `builds`, by unit: `same`, `before` and `after` (digests or null).
    """
    before, after = invocation.target(first), invocation.target(second)
    for environment in dict.fromkeys((before.environment, after.environment)):
        note_variables(invocation, environment)
    from envctl.verbs import diff as verb

    differences, builds = verb.diff(invocation.project, before, after)
    if as_json:
        invocation.json(
            {
                "before": first,
                "after": second,
                "differences": [_json(difference) for difference in differences],
                "builds": {
                    name: {"same": pair.same, "before": pair.before, "after": pair.after}
                    for name, pair in builds.items()
                },
            }
        )
    elif invocation.options.quiet:
        invocation.out.line(
            invocation.out.safe(f"{first} compared with {second}: {_verdict(differences, builds)}")
        )
    else:
        _show(invocation, differences)
        invocation.out.line(invocation.out.safe(f"builds: {_builds(builds) or 'none'}"))
    return (
        Exit.DIFFERENT if differences or not all(pair.same for pair in builds.values()) else Exit.OK
    )


def _json(difference: Difference) -> dict[str, Any]:
    from envctl.definition.differences import ABSENT

    values = {"before": difference.before, "after": difference.after}
    return {
        "path": difference.path,
        **{side: value for side, value in values.items() if value is not ABSENT},
        "before_where": str(difference.before_where) if difference.before_where else None,
        "after_where": str(difference.after_where) if difference.after_where else None,
    }


def _show(invocation: Invocation, differences: Sequence[Difference]) -> None:
    """Print each difference as its path and two sides, like a patch."""
    from envctl.definition.differences import ABSENT

    out = invocation.out
    if not differences:
        out.line("the specs are the same")
    for difference in differences:
        out.line(out.paint(difference.path, "bold"))
        for sign, color, value, where in (
            ("-", "red", difference.before, difference.before_where),
            ("+", "green", difference.after, difference.after_where),
        ):
            if value is not ABSENT:
                place = f"  ({where})" if where else ""
                text = _readable(difference.path, value)
                out.line(out.paint(f"  {sign} {text}", color) + out.safe(place))
            elif where:
                out.line(out.paint(f"  {sign} absent", color) + out.safe(f"  ({where})"))
    if differences:
        out.line()


def _verdict(differences: Sequence[Difference], builds: Mapping[str, BuildPair]) -> str:
    """The number of differences, on one line."""
    others = sum(not pair.same for pair in builds.values())
    if not differences and not others:
        return "no differences"
    spec = f"{counted(len(differences), 'difference', 'differences')} in the spec"
    builds_differ = (
        counted(others, "build differs", "builds differ") if others else "no build differs"
    )
    return f"{spec}, {builds_differ}"


def _readable(path: str, value: Any) -> str:
    """A value on one line; memory with its unit."""
    from envctl.plan.text import shown, size_text

    is_memory = path.endswith(".resources.memory") and isinstance(value, int)
    return size_text(value) if is_memory else shown(value)


def _builds(builds: Mapping[str, BuildPair]) -> str:
    words = {True: "the same", False: "different"}
    return ", ".join(f"{name} {pair.only or words[pair.same]}" for name, pair in builds.items())
