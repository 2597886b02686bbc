"""Short forms in which the formats write their rules, and the table of them for the docs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from envctl.conversion.conversion_report import TABLE_WORDS, KeyOutcome
from envctl.exports.export_format import ExportFormat, KeyNote, KeyRule, SetKey

Notes = Callable[[SetKey], Iterable[KeyNote]]


def keep(key: str, note: str = "", notes: Notes | None = None) -> KeyRule:
    """The key means the same there."""
    return KeyRule(key, KeyOutcome.SAME, note, notes)


def translate(key: str, note: str, notes: Notes | None = None) -> KeyRule:
    """The key becomes something else."""
    return KeyRule(key, KeyOutcome.TRANSLATED, note, notes)


def drop(key: str, note: str, notes: Notes | None = None) -> KeyRule:
    """The format has nothing for it; the note says why, and what to do."""
    return KeyRule(key, KeyOutcome.DROPPED, note, notes)


def rules(*items: KeyRule) -> Mapping[str, KeyRule]:
    """The rules of a format, by key."""
    return {rule.key: rule for rule in items}


def other_backends(used: str) -> Notes:
    """Notes on `options`: those of backends other than `used` become nothing."""

    def notes(key: SetKey) -> Iterator[KeyNote]:
        for backend in key.value or {}:
            if backend != used:
                note = f"nothing: it is for the backend {backend}"
                yield KeyNote(KeyOutcome.TRANSLATED, note, (backend,))

    return notes


BEGIN: Final = "<!-- the tables of formats, made by `python docs/generate.py` -->"
END: Final = "<!-- the end of the tables of formats -->"


def format_tables(formats: Iterable[ExportFormat]) -> str:
    """The rules of formats as tables for the docs."""
    return "".join(f"{line}\n" for item in formats for line in _table_lines(item))


def _table_lines(export_format: ExportFormat) -> Iterator[str]:
    yield f"\n### `{export_format.name}`: {export_format.summary}\n"
    yield "| key of the spec | usually | becomes, or why it is dropped |"
    yield "| --- | --- | --- |"
    for rule in export_format.rules.values():
        yield f"| `{rule.key.removeprefix('top.')}` | {TABLE_WORDS[rule.outcome]} | {rule.note} |"
