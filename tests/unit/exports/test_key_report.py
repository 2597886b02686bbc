"""The report of an export: every key that the spec sets has a line, in every format."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest

from envctl.conversion.conversion_report import KeyOutcome
from envctl.definition.keys.service import ServiceData
from envctl.exports.export_format import TOP_KEYS, ExportFormat
from envctl.exports.formats import FORMATS
from envctl.plan.target import Target
from envctl.project import Project
from envctl.verbs.export_target import export

FORMAT = pytest.mark.parametrize("export_format", FORMATS.values(), ids=list(FORMATS))


@FORMAT
def test_each_key_of_the_spec_has_a_rule(export_format: ExportFormat) -> None:
    keys = {*typing.get_type_hints(ServiceData), *(f"top.{key}" for key in TOP_KEYS)}

    assert {*export_format.rules} == keys


@FORMAT
def test_what_is_dropped_or_translated_has_a_note(export_format: ExportFormat) -> None:
    needs_note = [
        rule.key
        for rule in export_format.rules.values()
        if rule.outcome is not KeyOutcome.SAME and not rule.note
    ]

    assert needs_note == []


@FORMAT
@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_every_value_of_the_spec_is_part_of_a_line(
    full: Path, export_format: ExportFormat, environment: str
) -> None:
    project = Project(full, environ={})

    made = export(project, export_format, [Target(environment)])

    reported = [line.path for line in made.report.lines]
    silent = [
        path
        for path in project.resolved(environment).origins
        if path[0] != "services" or len(path) > 2
        if not any(_text(path[:end]) in reported for end in range(1, len(path) + 1))
    ]
    assert silent == []


@FORMAT
def test_lines_name_existing_places(full: Path, export_format: ExportFormat) -> None:
    made = export(Project(full, environ={}), export_format, [Target("prod")])

    for line in made.report.lines:
        file, number, column = line.position
        text = (full / file).read_text().splitlines()[number - 1]
        assert len(text) >= column
        key = line.path.split("[")[0].rpartition(".")[2]
        assert key in text or key in ("docker", "vagrant", "base", "kind"), (line.path, text)


@FORMAT
@pytest.mark.slow
def test_an_export_is_the_same_each_time(full: Path, export_format: ExportFormat) -> None:
    first, second = (
        export(Project(full, environ={}), export_format, [Target("dev")]) for _ in range(2)
    )

    assert first.written == second.written
    assert first.report.lines == second.report.lines


@FORMAT
@pytest.mark.slow
def test_no_value_of_a_secret_is_written(full: Path, export_format: ExportFormat) -> None:
    environ = {"SHOP_PASSWORD": "canary-8412"}

    made = export(Project(full, environ=environ), export_format, [Target("dev")])

    texts = [text for text in made.written.files.values() if isinstance(text, bytes)]
    assert texts
    assert not any(b"canary-8412" in text for text in texts)


def _text(path: tuple[str | int, ...]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")
