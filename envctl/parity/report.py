"""The outcome of a comparison as JSON (docs/schemas/parity-2.json) and as an HTML page (report.html.j2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from importlib.resources import files
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import PurePosixPath
from typing import Any, Final

from envctl.lazy_dataclass import dataclass
from envctl.parity.accepted import Acceptance
from envctl.parity.compare_facts import Comparison, FactDifference, Verdict
from envctl.parity.fact_format import UNKNOWN, Fact, Unknown, readable
from envctl.parity.result import Pair, Parity, Side
from envctl.plan.categories import Category

FORMAT: Final = "envctl parity"
VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class AcceptedRow:
    """The differences of one unit and category that one entry of `accept` declares."""

    unit: str
    category: str
    entry: Acceptance
    keys: Sequence[str]


def declared(comparison: Comparison) -> Sequence[AcceptedRow]:
    """The declared differences, grouped by reason, in the order of the units."""
    groups: dict[tuple[str, str, Acceptance], list[str]] = {}
    for finding in comparison.findings:
        if finding.accepted is not None:
            groups.setdefault((finding.unit, finding.category, finding.accepted), []).append(
                finding.key
            )
    return [AcceptedRow(*about, keys) for about, keys in groups.items()]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A difference. If it is a folder that one side lacks, `below` has the files in it."""

    top: FactDifference
    below: list[FactDifference] = field(default_factory=list)

    @property
    def before(self) -> str | None:
        """The first side's value, as text for people."""
        return self._readable(self.top.before)

    @property
    def after(self) -> str | None:
        """The second side's value."""
        return self._readable(self.top.after)

    def _readable(self, value: Fact) -> str | None:
        if value is None or isinstance(value, Unknown):
            return None if value is None else f"unknown: {value}"
        return readable(self.top.category, self.top.key, value)


@dataclass(frozen=True, slots=True)
class UnknownRow:
    """An unknown fact, with the reason for each side on which it is unknown."""

    finding: FactDifference
    reasons: Mapping[str, str]

    @property
    def message(self) -> str:
        """The reasons and their sides: "cannot be read (dev@docker)"."""
        sides: dict[str, list[str]] = {}
        for side, reason in self.reasons.items():
            sides.setdefault(reason, []).append(side)
        return "; ".join(f"{reason} ({', '.join(names)})" for reason, names in sides.items())


def unknown_rows(pair: Pair) -> Sequence[UnknownRow]:
    """The unknown facts of a pair without a declared reason, in order."""
    return [
        UnknownRow(
            finding,
            {
                side.name: value.reason
                for side, value in ((pair.before, finding.before), (pair.after, finding.after))
                if isinstance(value, Unknown)
            },
        )
        for finding in pair.comparison.unknown
    ]


def folded(findings: Sequence[FactDifference]) -> Sequence[ReportRow]:
    """The differences in order; files in a folder that one side lacks are folded into it."""
    rows: list[ReportRow] = []
    lacking: dict[tuple[str, str, bool], ReportRow] = {}
    for finding in findings:
        before = finding.before is None
        is_file = finding.category == Category.FILES and None in (finding.before, finding.after)
        above = PurePosixPath(finding.key).parents if is_file else ()
        folders = (lacking.get((finding.unit, str(folder), before)) for folder in above)
        if folder := next(filter(None, folders), None):
            folder.below.append(finding)
            continue
        row = ReportRow(finding)
        rows.append(row)
        if is_file:
            lacking[finding.unit, finding.key, before] = row
    return rows


def to_json(parity: Parity) -> dict[str, Any]:
    """The data that `parity --json` prints."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "comparisons": [_comparison(pair) for pair in parity.pairs],
        "stale": [_entry(entry) for entry in parity.stale],
    }


def _comparison(pair: Pair) -> dict[str, Any]:
    comparison = pair.comparison
    return {
        "before": _side(pair.before),
        "after": _side(pair.after),
        "facts": {str(verdict): comparison.total(verdict) for verdict in Verdict},
        "subjects": [
            {
                "unit": unit,
                "category": category,
                **_counts(comparison, unit, category),
            }
            for unit, category in comparison.subjects
        ],
        "findings": [_finding(finding) for finding in comparison.findings],
    }


def _side(side: Side) -> dict[str, Any]:
    facts = side.facts
    return {
        "target": facts.name,
        "project": facts.project,
        "environment": facts.environment,
        "backend": facts.backend,
        "file": side.file or None,
    }


def _finding(finding: FactDifference) -> dict[str, Any]:
    accepted = finding.accepted
    return {
        "unit": finding.unit,
        "category": finding.category,
        "key": finding.key,
        "before": _value(finding.before),
        "after": _value(finding.after),
        "verdict": str(finding.verdict),
        "reason": accepted.reason if accepted else None,
        "where": str(accepted.where) if accepted else None,
    }


def _value(value: Fact) -> str | dict[str, str] | None:
    return {UNKNOWN: value.reason} if isinstance(value, Unknown) else value


def _entry(entry: Acceptance) -> dict[str, str]:
    return {
        "where": str(entry.where),
        "unit": entry.unit,
        "category": entry.category,
        "key": entry.key,
        "reason": entry.reason,
    }


def to_html(parity: Parity, *, at: datetime, version: str) -> str:
    """The report as one self-contained page, created at `at` by this version of envctl.

    A project cannot replace the template: the report serves as evidence.
    """
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    source = (files("envctl.parity") / "report.html.j2").read_text("utf-8")
    return environment.from_string(source).render(
        parity=parity,
        pairs=[_shown(pair) for pair in parity.pairs],
        verdicts=[*map(str, Verdict)],
        at=at,
        version=version,
    )


def _shown(pair: Pair) -> Mapping[str, Any]:
    """The data of a pair for the template."""
    comparison = pair.comparison
    return {
        "before": pair.before,
        "after": pair.after,
        "totals": {str(verdict): comparison.total(verdict) for verdict in Verdict},
        "subjects": [
            (unit, [(category, _counts(comparison, unit, category)) for _, category in group])
            for unit, group in groupby(comparison.subjects, key=itemgetter(0))
        ],
        "undeclared": [
            (unit, category, folded(group))
            for unit, category, group in _by_subject(comparison.undeclared)
        ],
        "unknown": unknown_rows(pair),
        "declared": declared(comparison),
        "substrate": _by_subject(comparison.of(Verdict.SUBSTRATE)),
    }


def _counts(comparison: Comparison, unit: str, category: str) -> Mapping[str, int]:
    return {str(verdict): comparison.count(unit, category, verdict) for verdict in Verdict}


def _by_subject(
    findings: Sequence[FactDifference],
) -> Sequence[tuple[str, str, Sequence[FactDifference]]]:
    """Findings grouped by unit and category; they are sorted that way already."""
    groups = groupby(findings, key=attrgetter("unit", "category"))
    return [(unit, category, list(group)) for (unit, category), group in groups]


def _visible(value: object) -> object:
    r"""A text with control characters, and those that change the text direction, escaped: \x1b, \u202e."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in value
    )
