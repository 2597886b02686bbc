"""export: a target as another tool takes it, with a report on every key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from envctl.cli.arguments import Target
from envctl.cli.declare import Argument, AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.cli.notes import note_builds, note_variables
from envctl.errors import Exit, UsageError

if TYPE_CHECKING:
    from envctl.conversion.conversion_report import ReportLine
    from envctl.exports.export_format import Export, ExportFormat
    from envctl.plan.target import Target as PlanTarget
    from envctl.verbs.export_running import RunningFormat


def export(
    invocation: Invocation,
    name: Annotated[str, Argument("FORMAT", "The format, such as compose or kubernetes.")],
    target: Target = None,
    *,
    output: Annotated[
        Path | None,
        Option(("--output", "-o"), "The folder to write: new, empty, or from an earlier export."),
    ] = None,
    dry_run: Annotated[
        bool, Option(("--dry-run",), "Print the files instead of writing them.")
    ] = False,
    service: Annotated[
        str, Option(("--service",), "The service to work in, for devcontainer.")
    ] = "",
    with_host_ca: Annotated[
        bool,
        Option(("--with-host-ca",), "Let builds trust the CA certificates of this host."),
    ] = False,
    report: Annotated[Path | None, Option(("--report",), "Write the report to this file.")] = None,
    as_json: AsJson = False,
) -> int:
    """Write an environment as another tool takes it.

    The report has a line for every key of the spec: kept, translated, or dropped with the reason. The exit code is 3 if
    anything was dropped. The same spec gives the same files. Secrets are never written, only their names.
    `ssh-config` describes the machines that run, as the command of that name does.

    Examples:
        envctl export compose prod --output shop
        envctl export devcontainer dev --output .devcontainer

    JSON: an object with `format`, `folder`, `files` (paths), `counts` (the number of keys by outcome) and `report`: for
    each key `file`, `line`, `column`, `key`, `outcome` (kept, translated or dropped), `note`, `new_file` and `environment`.
    """
    from envctl.host.atomic_write import write_user_file
    from envctl.verbs import export_target as verb

    chosen = _format(name)
    if (output is None) is not dry_run:
        raise UsageError("write either --output FOLDER or --dry-run")
    result = _export(invocation, chosen, target, service=service, host_ca=with_host_ca)
    if output is not None:
        for note in verb.write_export(invocation.project, result, output):
            invocation.note(f"note: {note}")
    lines = _report_lines(result)
    if report is not None:
        write_user_file(report, "\n".join(lines) + "\n")
    if as_json:
        invocation.json(_as_json(chosen, result, output))
    else:
        _show(invocation, chosen, result, output, lines)
    return int(Exit.DIFFERENT if result.report.has_dropped else Exit.OK)


def _format(name: str) -> ExportFormat | RunningFormat:
    from envctl.exports.formats import FORMATS
    from envctl.verbs.export_running import RUNNING_FORMATS

    formats: Mapping[str, ExportFormat | RunningFormat] = {**FORMATS, **RUNNING_FORMATS}
    if name not in formats:
        raise UsageError(
            f"{name!r} is not an export format", hint=f"write one of: {', '.join(formats)}"
        )
    return formats[name]


def _export(
    invocation: Invocation,
    chosen: ExportFormat | RunningFormat,
    target: str | None,
    *,
    service: str,
    host_ca: bool,
) -> Export:
    from envctl.verbs.export_running import RunningFormat, export_running
    from envctl.verbs.export_target import export

    if service and not chosen.takes_service:
        raise UsageError(f"--service is not for {chosen.name}", hint="leave --service out")
    if isinstance(chosen, RunningFormat):
        if host_ca:
            raise UsageError(
                f"--with-host-ca is not for {chosen.name}: it builds nothing",
                hint="leave --with-host-ca out",
            )
        return export_running(invocation.project, chosen, invocation.target(target))
    return export(
        invocation.project,
        chosen,
        _targets(invocation, chosen, target),
        planned=lambda plan: note_builds(invocation, plan.units),
        service=service,
        host_ca=host_ca,
    )


def _targets(
    invocation: Invocation, export_format: ExportFormat, target: str | None
) -> Sequence[PlanTarget]:
    from envctl.plan.target import Target as PlanTarget

    if export_format.has_overlays and target is None:
        targets = [PlanTarget(name) for name in invocation.project.environments()]
    else:
        targets = [invocation.target(target)]
    for goal in targets:
        note_variables(invocation, goal.environment)
    return targets


def _new_file(line: ReportLine) -> str:
    return str(line.new_path[0]) if line.new_path else ""


def _report_lines(result: Export) -> list[str]:
    from envctl.conversion.conversion_report import line_text

    lines = []
    for line in result.report.lines:
        environment = f" ({line.environment})" if line.environment else ""
        lines.append(line_text(line, _new_file(line)) + environment)
    counts = result.report.counts()
    return [*lines, ", ".join(f"{number} {name}" for name, number in counts.items() if number)]


def _as_json(
    export_format: ExportFormat | RunningFormat, result: Export, output: Path | None
) -> Mapping[str, Any]:
    from envctl.conversion.conversion_report import line_json

    return {
        "format": export_format.name,
        "folder": str(output) if output else "",
        "files": sorted(result.written.files),
        "counts": result.report.counts(),
        "report": [
            {**line_json(line, (_new_file(line), 0)), "environment": line.environment}
            for line in result.report.lines
        ],
    }


def _show(
    invocation: Invocation,
    export_format: ExportFormat | RunningFormat,
    result: Export,
    output: Path | None,
    lines: Sequence[str],
) -> None:
    out = invocation.out
    for path, content in sorted(result.written.files.items()):
        if output is not None:
            out.line(out.safe(f"wrote {output}/{path}"))
        elif isinstance(content, bytes):
            out.text(f"# {path}\n{content.decode('utf-8', 'replace')}\n")
        else:
            out.line(out.safe(f"# {path}: a copy of {content.source}"))
    for line in lines:
        out.line(out.safe(line))
    if output is not None and export_format.next_commands:
        commands = "".join(f"  {command}\n" for command in export_format.next_commands)
        invocation.note(f"\nNext:\n{commands}")
