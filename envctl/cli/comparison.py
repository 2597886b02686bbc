"""Targets compared, for people: what was compared, then what differs, then what is accepted for no use."""

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
"""What stands in YAML without quotes."""
_MISSING: Final = "not there"


def show(parity: Parity, out: Stream) -> None:
    """Print every comparison, then the entries of `accept` that match nothing."""
    for number, pair in enumerate(parity.pairs):
        if number:
            out.line()
        _pair(pair, out)
    if parity.stale:
        out.line()
        out.line(out.paint("accepted, but no difference here", "yellow"))
        out.table([(f"  {one.where}", one.subject, one.reason) for one in parity.stale])


def show_verdicts(parity: Parity, out: Stream) -> None:
    """Print a line a comparison: whether there are differences that nobody gave a reason for."""
    for pair in parity.pairs:
        count = len(pair.found.open)
        verdict = _open(pair.found) if count else "no difference"
        out.line(
            out.safe(f"{pair.before.name} against {pair.after.name}: ")
            + out.paint(f"{verdict} without a reason", "red" if count else "green")
            + f", {_compared(pair.found)}"
        )


def _open(found: Comparison) -> str:
    """How many facts differ or are unknown, and nobody has given a reason."""
    different, unknown = len(found.undeclared), len(found.unknown)
    parts = [counted(different, "difference", "differences")] if different or not unknown else []
    parts += [counted(unknown, "unknown fact", "unknown facts")] if unknown else []
    return " and ".join(parts)


def accepting(parity: Parity) -> str:
    """How the first difference would be accepted, if it is meant."""
    one = next(one for pair in parity.pairs for one in pair.found.open)
    words = {"unit": one.unit, "category": one.category, "key": one.key or "*", "reason": "…"}
    entry = ", ".join(
        f"{name}: {value if _WORD.fullmatch(value) else shown(value)}"
        for name, value in words.items()
    )
    return f"if that is meant, say so in the spec, with the reason: accept: [{{{entry}}}]"


def _compared(found: Comparison) -> str:
    return f"{counted(sum(map(found.total, Verdict)), 'fact', 'facts')} compared"


def _pair(pair: Pair, out: Stream) -> None:
    found = pair.found
    out.line(out.paint(f"{pair.before.name} against {pair.after.name}", "bold"))
    _table(found, out)
    parts = [f"{found.total(verdict):,} {word}" for verdict, word in _WORDS.items()]
    out.line(out.safe(f"{_compared(found)}: {', '.join(parts)}"))
    _declared(found, out)
    if found.undeclared:
        out.line()
        signs = f"(- {pair.before.name}, + {pair.after.name})"
        out.line(out.paint("different", "red", "bold") + out.safe(f"  {signs}"))
        for told in folded(found.undeclared):
            _difference(told, out)
    if found.unknown:
        out.line()
        out.line(out.paint("unknown", "red", "bold"))
        for one in unknown_rows(pair):
            _not_known(one, out)


def _table(found: Comparison, out: Stream) -> None:
    """How many facts are so, by unit and category; a column of nothing but zeros is left out."""
    units = [unit for unit, _ in found.subjects]
    columns = [
        ["UNIT", *(unit if unit != last else "" for last, unit in pairwise(["", *units]))],
        ["CATEGORY", *(category for _, category in found.subjects)],
        *(
            _right(head, [found.count(*one, verdict) for one in found.subjects])
            for verdict, head in _HEADS.items()
        ),
    ]
    head, *rows = zip(*columns, strict=True)
    if rows:
        out.table(rows, head=head)


def _right(head: str, numbers: Sequence[int]) -> Sequence[str]:
    """A column of numbers, its head first; nothing where there is none."""
    texts = [f"{number:,}" if number else "" for number in numbers]
    width = max(map(len, [head, *texts]))
    return [text and text.rjust(width) for text in [head, *texts]]


def _declared(found: Comparison, out: Stream) -> None:
    every = declared(found)
    if not every:
        return
    out.line()
    out.line(out.paint("declared", "bold"))
    for one in every:
        more = f"  and {len(one.keys) - 1:,} more" if len(one.keys) > 1 else ""
        out.line(out.safe(f"  {one.unit} {one.category} {plain(one.keys[0])}{more}"))
        out.line(out.safe(f"    {one.entry.reason}  ({one.entry.where})"))


def _difference(told: ReportRow, out: Stream) -> None:
    one = told.top
    more = f"  and {len(told.below):,} below it" if told.below else ""
    out.line(out.paint(f"  {one.unit} {one.category} {plain(one.key)}", "bold") + out.safe(more))
    for sign, color, value in (("-", "red", told.before), ("+", "green", told.after)):
        out.line(out.paint(f"    {sign} {_MISSING if value is None else plain(value)}", color))


def _not_known(one: UnknownRow, out: Stream) -> None:
    finding = one.finding
    what = plain(finding.key) if finding.key else "(all the others)"
    head = out.paint(f"  {finding.unit} {finding.category} {what}", "bold")
    out.line(head + out.safe(f": {plain(one.message)}"))


def plain(text: str) -> str:
    """A text as it is, or as JSON where it would be mistaken for something else."""
    fine = text.isprintable() and text == text.strip() and text not in ("", _MISSING)
    return text if fine else shown(text)
