"""The result of `parity` as text: counts, then differences, then unused `accept` entries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from envctl.cli.output import Stream, counted
from envctl.parity.compare_facts import Comparison, Verdict
from envctl.parity.report import ReportRow, UnknownRow, declared, folded, unknown_rows
from envctl.parity.result import Pair, Parity
from envctl.plan.text import shown

_WORDS: Final = {
    Verdict.EQUAL: "the same",
    Verdict.DECLARED: "declared",
    Verdict.SUBSTRATE: "substrate",
    Verdict.UNDECLARED: "different",
    Verdict.UNKNOWN: "unknown",
}
_HEADS: Final = {
    Verdict.EQUAL: "SAME",
    Verdict.DECLARED: "DECLARED",
    Verdict.SUBSTRATE: "SUBSTRATE",
    Verdict.UNDECLARED: "DIFFERENT",
    Verdict.UNKNOWN: "UNKNOWN",
}
_WORD: Final = re.compile(r"[A-Za-z/…][A-Za-z0-9/._…-]*")
"""Text that YAML reads as a string without quotes."""
_MISSING: Final = "absent"


def show(parity: Parity, out: Stream) -> None:
    """Print every comparison, then the `accept` entries that match nothing."""
    for number, pair in enumerate(parity.pairs):
        if number:
            out.line()
        _pair(pair, out)
    if parity.stale:
        out.line()
        out.line(out.paint("accepted, but no such difference", "yellow"))
        out.table([(f"  {entry.where}", entry.subject, entry.reason) for entry in parity.stale])


def show_verdicts(parity: Parity, out: Stream) -> None:
    """Print one line per comparison: whether undeclared differences remain."""
    for pair in parity.pairs:
        count = len(pair.comparison.open)
        verdict = _open(pair.comparison) if count else "no differences"
        out.line(
            out.safe(f"{pair.before.name} compared with {pair.after.name}: ")
            + out.paint(
                f"{verdict}, undeclared" if count else "no undeclared differences",
                "red" if count else "green",
            )
            + f", {_compared(pair.comparison)}"
        )


def _open(comparison: Comparison) -> str:
    """How many facts differ or are unknown, without a declared reason."""
    different, unknown = len(comparison.undeclared), len(comparison.unknown)
    parts = [counted(different, "difference", "differences")] if different or not unknown else []
    parts += [counted(unknown, "unknown fact", "unknown facts")] if unknown else []
    return " and ".join(parts)


def accepting(parity: Parity) -> str:
    """How to declare the first difference in the spec."""
    finding = next(finding for pair in parity.pairs for finding in pair.comparison.open)
    words = {
        "unit": finding.unit,
        "category": finding.category,
        "key": finding.key or "*",
        "reason": "…",
    }
    entry = ", ".join(
        f"{name}: {value if _WORD.fullmatch(value) else shown(value)}"
        for name, value in words.items()
    )
    return f"to accept a difference, declare it in the spec with a reason: accept: [{{{entry}}}]"


def _compared(comparison: Comparison) -> str:
    return f"{counted(sum(map(comparison.total, Verdict)), 'fact', 'facts')} compared"


def _pair(pair: Pair, out: Stream) -> None:
    comparison = pair.comparison
    out.line(out.paint(f"{pair.before.name} compared with {pair.after.name}", "bold"))
    _table(comparison, out)
    parts = [f"{comparison.total(verdict):,} {word}" for verdict, word in _WORDS.items()]
    out.line(out.safe(f"{_compared(comparison)}: {', '.join(parts)}"))
    _declared(comparison, out)
    if comparison.undeclared:
        out.line()
        signs = f"(- {pair.before.name}, + {pair.after.name})"
        out.line(out.paint("different", "red", "bold") + out.safe(f"  {signs}"))
        for row in folded(comparison.undeclared):
            _difference(row, out)
    if comparison.unknown:
        out.line()
        out.line(out.paint("unknown", "red", "bold"))
        for fact in unknown_rows(pair):
            _not_known(fact, out)


def _table(comparison: Comparison, out: Stream) -> None:
    """Print the counts by unit and category; columns of zeros are left out."""
    units = [unit for unit, _ in comparison.subjects]
    columns = [
        ["UNIT", *(unit if unit != last else "" for last, unit in pairwise(["", *units]))],
        ["CATEGORY", *(category for _, category in comparison.subjects)],
        *(
            _right(head, [comparison.count(*subject, verdict) for subject in comparison.subjects])
            for verdict, head in _HEADS.items()
        ),
    ]
    head, *rows = zip(*columns, strict=True)
    if rows:
        out.table(rows, head=head)


def _right(head: str, numbers: Sequence[int]) -> Sequence[str]:
    """A right-aligned column of numbers, its head first; zeros are left blank."""
    texts = [f"{number:,}" if number else "" for number in numbers]
    width = max(map(len, [head, *texts]))
    return [text and text.rjust(width) for text in [head, *texts]]


def _declared(comparison: Comparison, out: Stream) -> None:
    rows = declared(comparison)
    if not rows:
        return
    out.line()
    out.line(out.paint("declared", "bold"))
    for row in rows:
        more = f"  and {len(row.keys) - 1:,} more" if len(row.keys) > 1 else ""
        out.line(out.safe(f"  {row.unit} {row.category} {plain(row.keys[0])}{more}"))
        out.line(out.safe(f"    {row.entry.reason}  ({row.entry.where})"))


def _difference(row: ReportRow, out: Stream) -> None:
    finding = row.top
    more = f"  and {len(row.below):,} below it" if row.below else ""
    out.line(
        out.paint(f"  {finding.unit} {finding.category} {plain(finding.key)}", "bold")
        + out.safe(more)
    )
    for sign, color, value in (("-", "red", row.before), ("+", "green", row.after)):
        out.line(out.paint(f"    {sign} {_MISSING if value is None else plain(value)}", color))


def _not_known(fact: UnknownRow, out: Stream) -> None:
    finding = fact.finding
    key = plain(finding.key) if finding.key else "(all other keys)"
    head = out.paint(f"  {finding.unit} {finding.category} {key}", "bold")
    out.line(head + out.safe(f": {plain(fact.message)}"))


def plain(text: str) -> str:
    """The text itself, or its JSON form if it could be mistaken for something else."""
    fine = text.isprintable() and text == text.strip() and text not in ("", _MISSING)
    return text if fine else shown(text)
