"""A Procfile or a `.env` to a spec: of the application that is beside it, as `init` recognizes it. Runs nothing from them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from envctl.conversion.conversion_report import ConversionReport, KeyOutcome
from envctl.definition import dotenv
from envctl.definition.entries import catalogues_of
from envctl.definition.names import ROOT_FILE, is_name
from envctl.definition.problems import Problems
from envctl.detect.application import detect, detect_processes
from envctl.detect.application_findings import Findings
from envctl.detect.backing_services import find_connections
from envctl.detect.env_file import is_env_file
from envctl.detect.folder_view import MAX_BYTES, FolderView
from envctl.detect.procfile import MOST, process_line, processes, service_name
from envctl.detect.spec_text import spec_text
from envctl.errors import EnvctlError
from envctl.host.safe_read import read_inside
from envctl.imports.imported_project import ImportChoices, ImportedProject
from envctl.imports.spec_writer import ReadyFile

PROCFILE: Final = "Procfile"
ENV_FILE: Final = ".env"
_NO_FORM: Final = "it is not `NAME: COMMAND`; remedy: correct it"


def import_procfile(root: Path, file: str, choices: ImportChoices) -> ImportedProject:
    """Import a Procfile, and the `.env` beside it. EnvctlError if it names no process `web`."""
    del choices  # nothing of a Procfile depends on them
    report, view = ConversionReport(), FolderView(root)
    text = _text(root, file)
    findings = detect_processes(view)
    if findings is None:
        raise EnvctlError(
            f"{file}:1:1: no process is called web",
            hint="the others get the image of `web`: call the main process so",
        )
    _report_processes(text, file, processes(view), report)
    return _imported(root, view, findings, report, file)


def import_env_file(root: Path, file: str, choices: ImportChoices) -> ImportedProject:
    """Import a `.env` with the application beside it. EnvctlError if no application is recognized."""
    del choices
    report, view = ConversionReport(), FolderView(root)
    _text(root, file)
    findings = detect(view)
    if findings is None:
        raise EnvctlError(
            f"{file} has only variables, and no application was recognized beside it",
            hint="write a spec with `env_file: [.env]` in a service; `envctl init` writes a first one",
        )
    return _imported(root, view, findings, report, file)


def _text(root: Path, file: str) -> str:
    """The text of a file. EnvctlError if it cannot be read, is too large or is no text."""
    data = read_inside(root, file)
    if len(data) > MAX_BYTES:
        raise EnvctlError(f"{file} is larger than {MAX_BYTES >> 10} KiB", hint="name another file")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EnvctlError(f"{file} is not UTF-8 text", hint="save it as UTF-8") from error


def _imported(
    root: Path, view: FolderView, findings: Findings, report: ConversionReport, file: str
) -> ImportedProject:
    connections = find_connections(
        view, findings.dependencies, catalogue=catalogues_of(None).names()
    )
    has_env_file = is_env_file(view)
    text = spec_text(_name(root), findings, connections, env_file=has_env_file)
    text = text.replace("`envctl init`", "`envctl import`", 1)
    _report_env_file(view, report, is_used=has_env_file)
    sources = dict.fromkeys((file, *([ENV_FILE] if view.has(ENV_FILE) else ())))
    return ImportedProject({ROOT_FILE: ReadyFile(text)}, report, tuple(sources))


def _name(root: Path) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", root.resolve().name.lower()).strip("-")[:40].strip("-")
    return name if is_name(name) else "app"


def _report_processes(text: str, file: str, imported: object, report: ConversionReport) -> None:
    assert isinstance(imported, dict)
    for number, line in _lines(text):
        parts = process_line(line)
        place = (file, number, 1)
        if parts is None:
            report.add(place, f"line {number}", KeyOutcome.DROPPED, _NO_FORM)
            continue
        name, command = parts
        service = service_name(name)
        if imported.get(service) != command:
            note = f"another line has the same name, or there are more than {MOST}"
            report.add(place, name, KeyOutcome.DROPPED, note)
        elif service == "release":
            note = "a task, which runs before the others start"
            report.add(place, name, KeyOutcome.TRANSLATED, note, ("services", service))
        else:
            path = ("services", service, "command")
            report.add(place, name, KeyOutcome.TRANSLATED, f"the service {service}", path)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def _report_env_file(view: FolderView, report: ConversionReport, *, is_used: bool) -> None:
    if not view.has(ENV_FILE):
        return
    problems = Problems()
    values = dotenv.parse(view.text(ENV_FILE), ENV_FILE, known=lambda _: None, problems=problems)
    path = ("environments", "dev", "services", "web", "env_file")
    for name in values:
        position = values.positions[name]
        if is_used:
            report.add(
                position, name, KeyOutcome.SAME, "env_file of dev; its value stays there", path
            )
        else:
            reason = "the file has lines that are no variables, or names that a service cannot have"
            report.add(position, name, KeyOutcome.DROPPED, f"{reason}; remedy: correct these")
    for problem in problems.entries:
        place = (problem.where.file, problem.where.line, problem.where.column)
        report.add(place, f"line {place[1]}", KeyOutcome.DROPPED, problem.message)
