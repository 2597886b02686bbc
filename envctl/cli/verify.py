"""verify: check that the running environment still matches the spec."""

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
    """Check that the running environment still matches the spec, and run its `checks`.

    The exit code is 3 if anything differs from the spec, cannot be checked, or a check fails. The number of facts
    checked depends on the spec alone.

    Examples:
        envctl verify dev
        envctl verify dev@vagrant --json

    JSON: an object with `format`, `version`, `target`, `units` (each with `unit`, `claims`, the number of facts
    checked, and `holding`, the number of those that hold), `findings`, each with `unit`, `category`, `key`, `expected`, `found`, `where`
    ("file:line:column" or null), `hint` and `unchecked` (why it cannot be checked, or null), and `checks`, each with `unit`, `check`, `exit_code` (null if it
    was terminated or could not run), `cause`, `seconds` and `output` (its last lines).
    """
    from envctl.parity.drift.verification import to_json
    from envctl.verbs import verify as verb

    result = verb.verify(invocation.project, invocation.target(target))
    invocation.reporter.pause()
    if as_json:
        invocation.json(to_json(result))
    elif invocation.options.quiet:
        invocation.out.line(
            invocation.out.safe(f"{result.target}: ") + _summary(invocation, result)
        )
    else:
        _show(invocation, result)
    for unit, count in result.synced.items():
        files = counted(count, "file or folder was", "files and folders were")
        invocation.note(f"note: {unit}: {files} put in place by `watch` since it was created")
    for text in result.lost:
        invocation.note(f"note: {text}")
    if result.simulated:
        invocation.note(f"{result.target} is simulated: nothing runs that could be checked")
    return Exit.DIFFERENT if result.findings else Exit.OK


def _show(invocation: Invocation, result: Verification) -> None:
    out = invocation.out
    outputs = {(finding.unit, finding.check.name): finding.output for finding in result.checks}
    for finding in _without_repetition(result.findings):
        subject = " ".join(filter(None, (finding.unit, finding.category, finding.key)))
        place = f"  ({finding.where})" if finding.where else ""
        out.line(out.paint(subject, "bold") + out.safe(f": {finding.message}{place}"))
        for line in (
            outputs.get((finding.unit, finding.key), ()) if finding.category == "checks" else ()
        ):
            out.line(out.safe(f"    {line}"))
        if finding.hint:
            out.line(out.safe(f"    hint: {finding.hint}"))
    out.line(_summary(invocation, result))
    if result.findings and not result.lost:
        invocation.note(remedy(result))


def _without_repetition(findings: Sequence[Expectation]) -> Iterator[Expectation]:
    """The findings, with those of a unit that cannot be checked for the same reason merged."""
    groups: dict[tuple[str, str], list[Expectation]] = {}
    for finding in findings:
        groups.setdefault((finding.unit, finding.unchecked), []).append(finding)
    for finding in findings:
        group = groups[finding.unit, finding.unchecked]
        if not finding.unchecked or len(group) == 1:
            yield finding
        elif finding is group[0]:
            facts = counted(len(group), "fact", "facts")
            yield replace(finding, category=facts, key="")


def _summary(invocation: Invocation, result: Verification) -> str:
    failing = sum(not finding.expectation.passed for finding in result.checks)
    unchecked = sum(bool(finding.unchecked) for finding in result.findings)
    drifted = len(result.findings) - failing - unchecked
    units = counted(len(result.units), "unit", "units")
    passed_counts = counted(sum(result.passed_counts.values()), "fact holds", "facts hold")
    wrong = [
        *([f"{drifted:,} drifted"] if drifted else []),
        *([f"{unchecked:,} cannot be checked"] if unchecked else []),
        *([counted(failing, "check fails", "checks fail")] if failing else []),
    ]
    shown = f"; {invocation.out.paint(', '.join(wrong), 'red')}" if wrong else ""
    return f"{units}, {passed_counts}{shown}"


def remedy(result: Verification) -> str:
    """What to do about the findings."""
    from envctl.parity.drift.expectation import CHECKS, UNITS
    from envctl.plan.categories import Category

    kinds = {finding.category for finding in result.findings if not finding.unchecked}
    if not kinds or all(
        finding.category == UNITS or finding.unchecked for finding in result.findings
    ):
        return f"`envctl up {result.target}` restores it, or shows why it cannot"
    if kinds <= {Category.SOCKETS, Category.NAMES}:
        units = " ".join(dict.fromkeys(finding.unit for finding in result.findings))
        return (
            f"`envctl logs {result.target} {units}` may show why; "
            "with a `healthcheck`, `up` waits for a service that starts slowly"
        )
    if kinds - {CHECKS, UNITS}:
        return f"`envctl down {result.target}` and `envctl up {result.target}` recreate it from the spec"
    if UNITS in kinds:
        return f"`envctl up {result.target}` restores it, or shows why it cannot"
    return "see the output of the failing checks"
