"""verify: whether what is up is as the spec has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from envctl.cli.arguments import Target
from envctl.cli.declare import AsJson
from envctl.cli.invocation import Invocation
from envctl.cli.output import counted
from envctl.errors import Exit

if TYPE_CHECKING:
    from envctl.parity.drift.expectation import Expectation
    from envctl.parity.drift.verification import Verification


def verify(invocation: Invocation, target: Target = None, *, as_json: AsJson = False) -> int:
    """Hold what is up against the spec: what was changed inside since, and whether the spec's `checks` pass.

    The exit code is 3 if anything is not as the spec has it, or a check fails.

    What cannot be checked is a finding, too: how many claims there are of a unit hangs on the spec alone.

    JSON: an object with `format`, `version`, `target`, `units` (each with `unit`, `claims`, how many there are of it,
    and `holding`, how many of them hold), `findings`, each with `unit`, `category`, `key`, `expected`, `found`, `where`
    ("file:line:column" or null), `hint` and `unchecked` (why it cannot be checked, or null), and `checks`, each with `unit`, `check`, `exit_code` (null if it was
    ended, or could not run), `cause`, `seconds` and `output` (its last lines).
    """
    from envctl.parity.drift.verification import to_json

    found = invocation.project.verify(invocation.target(target))
    invocation.reporter.pause()
    if as_json:
        invocation.json(to_json(found))
    elif invocation.options.quiet:
        invocation.out.line(invocation.out.safe(f"{found.target}: ") + _summary(invocation, found))
    else:
        _show(invocation, found)
    for text in found.lost:
        invocation.note(f"note: {text}")
    if found.simulated:
        invocation.note(f"{found.target} is on paper only: nothing runs that could be looked into")
    return Exit.DIFFERENT if found.findings else Exit.OK


def _show(invocation: Invocation, found: Verification) -> None:
    out = invocation.out
    outputs = {(one.unit, one.check.name): one.output for one in found.checks}
    for one in _without_repetition(found.findings):
        subject = " ".join(filter(None, (one.unit, one.category, one.key)))
        place = f"  ({one.where})" if one.where else ""
        out.line(out.paint(subject, "bold") + out.safe(f": {one.message}{place}"))
        for line in outputs.get((one.unit, one.key), ()) if one.category == "checks" else ():
            out.line(out.safe(f"    {line}"))
        if one.hint:
            out.line(out.safe(f"    hint: {one.hint}"))
    out.line(_summary(invocation, found))
    if found.findings and not found.lost:
        invocation.note(remedy(found))


def _without_repetition(findings: Sequence[Expectation]) -> Iterator[Expectation]:
    """The findings, those that cannot be checked for one reason told once for each unit."""
    alike: dict[tuple[str, str], list[Expectation]] = {}
    for one in findings:
        alike.setdefault((one.unit, one.unchecked), []).append(one)
    for one in findings:
        same = alike[one.unit, one.unchecked]
        if not one.unchecked or len(same) == 1:
            yield one
        elif one is same[0]:
            facts = counted(len(same), "fact", "facts")
            yield replace(one, category=facts, key="")


def _summary(invocation: Invocation, found: Verification) -> str:
    failing = sum(not one.expectation.passed for one in found.checks)
    unchecked = sum(bool(one.unchecked) for one in found.findings)
    drifted = len(found.findings) - failing - unchecked
    units = counted(len(found.units), "unit", "units")
    passed_counts = counted(sum(found.passed_counts.values()), "fact holds", "facts hold")
    wrong = [
        *([f"{drifted:,} drifted"] if drifted else []),
        *([f"{unchecked:,} cannot be checked"] if unchecked else []),
        *([counted(failing, "check fails", "checks fail")] if failing else []),
    ]
    shown = f"; {invocation.out.paint(', '.join(wrong), 'red')}" if wrong else ""
    return f"{units}, {passed_counts}{shown}"


def remedy(found: Verification) -> str:
    """What mends it."""
    from envctl.parity.drift.expectation import CHECKS, UNITS
    from envctl.plan.categories import Category

    kinds = {one.category for one in found.findings if not one.unchecked}
    if not kinds or all(one.category == UNITS or one.unchecked for one in found.findings):
        return f"`envctl up {found.target}` brings it to what the spec has, or shows why it cannot"
    if kinds <= {Category.SOCKETS, Category.NAMES}:
        units = " ".join(dict.fromkeys(one.unit for one in found.findings))
        return (
            f"`envctl logs {found.target} {units}` tells what keeps them; "
            "with a `healthcheck` `up` waits for a service that starts slowly"
        )
    if kinds - {CHECKS, UNITS}:
        return f"`envctl down {found.target}` and `envctl up {found.target}` make it anew, as the spec has it"
    if UNITS in kinds:
        return f"`envctl up {found.target}` brings it to what the spec has, or shows why it cannot"
    return "what a check prints says what it misses"
