"""The report of an export: a line for every key of the spec that is set, by the rules of the format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envctl.conversion.conversion_report import ConversionReport, KeyOutcome
from envctl.definition.names import ROOT_FILE
from envctl.definition.value_origin import KeyPath
from envctl.errors import Place
from envctl.exports.export_format import (
    TOP_KEYS,
    ExportedFiles,
    ExportedTarget,
    ExportFormat,
    KeyNote,
    KeyRule,
    SetKey,
)


def key_report(
    export_format: ExportFormat, targets: Sequence[ExportedTarget], written: ExportedFiles
) -> ConversionReport:
    """Report what became of every key of all targets. A key without a rule is reported as dropped."""
    report = ConversionReport(by_service=True)
    for target in targets:
        report.environment = target.environment if len(targets) > 1 else ""
        for path, rule in _set_keys(target, export_format.rules):
            _add_key(report, target, path, rule, written.places)
    return report


def _set_keys(
    target: ExportedTarget, rules: Mapping[str, KeyRule]
) -> Iterator[tuple[KeyPath, KeyRule]]:
    """The keys that the spec sets, and the rule of each."""
    origins = target.resolved.origins
    for key in TOP_KEYS:
        if any(path[:1] == (key,) for path in origins.of_service("")):
            yield (key,), _rule(rules, f"top.{key}")
    planned = {unit.service for unit in target.plan.units}
    for service in target.resolved.data["services"]:
        keys = dict.fromkeys(path[0] for path in origins.of_service(service) if path)
        for key in map(str, keys):
            if service in planned:
                yield ("services", service, key), _rule(rules, key)
            else:
                reason = "the service is not part of the target: its profiles were not chosen"
                yield ("services", service, key), KeyRule(key, KeyOutcome.DROPPED, reason)


def _rule(rules: Mapping[str, KeyRule], key: str) -> KeyRule:
    missing = KeyRule(key, KeyOutcome.DROPPED, "the format has no rule for it")
    return rules.get(key, missing)


def _add_key(
    report: ConversionReport,
    target: ExportedTarget,
    path: KeyPath,
    rule: KeyRule,
    places: Mapping[str, str],
) -> None:
    is_in_service = path[0] == "services"
    service = str(path[1]) if is_in_service else ""
    value: Any = target.resolved.data
    for part in path:
        value = value.get(part)
    notes = [*rule.notes(SetKey(target.plan, service, value))] if rule.notes else []
    if not any(note.path == () for note in notes):
        notes = [KeyNote(rule.outcome, rule.note), *notes]
    for note in notes:
        where = _place(target, (*path, *note.path))
        text = "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in (*path, *note.path)
        )
        place = places.get(f"{target.environment}/{service}", places.get(service, ""))
        new_place = place if note.outcome is not KeyOutcome.DROPPED else ""
        report.add(
            (where.file, where.line, where.column),
            text.removeprefix("."),
            note.outcome,
            note.note,
            (new_place,) if new_place else (),
        )


def _place(target: ExportedTarget, path: KeyPath) -> Place:
    """The place that sets a value: its own, that of its first part, or that of what it is in."""
    origins = target.resolved.origins
    parts = [(path,), (part for part in origins if part[: len(path)] == path)]
    set_path = next((part for group in parts for part in group if part in origins), None)
    place = origins.place(set_path) if set_path else target.resolved.where(*path)
    return place or Place(ROOT_FILE, 1, 1)
