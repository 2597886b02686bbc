"""What an import makes: the files of a spec, and the report on every key of the source."""

from __future__ import annotations

from collections.abc import Mapping

from envctl.conversion.conversion_report import ConversionReport, ReportLine
from envctl.definition.names import ROOT_FILE, overlay_file
from envctl.imports.spec_writer import WrittenFile
from envctl.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class ImportChoices:
    """What the user chose. The defaults are envctl's own."""

    keep_exposure: bool = False
    harden: bool = False
    move_secrets: bool = False
    run_vagrantfile: bool = False
    translate: bool = False


@dataclass(frozen=True, slots=True)
class ImportedProject:
    """The files of the spec, and the report."""

    files: Mapping[str, WrittenFile]
    report: ConversionReport
    sources: tuple[str, ...]
    """The files that were read."""

    def new_place(self, line: ReportLine) -> tuple[str, int] | None:
        """The file and line of the spec that a line is about; None if there is none."""
        if not line.new_path:
            return None
        overlay = self.files.get(overlay_file(line.environment)) if line.environment else None
        if overlay is not None and (number := overlay.line_of(line.new_path)):
            return overlay_file(line.environment), number
        number = self.files[ROOT_FILE].line_of(line.new_path)
        return (ROOT_FILE, number) if number else None
