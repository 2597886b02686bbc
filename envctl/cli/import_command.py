"""import: a spec from other tools' files, with a report on every key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from envctl.cli.declare import Argument, AsJson, Option, without_spec
from envctl.cli.invocation import Invocation
from envctl.errors import Exit

if TYPE_CHECKING:
    from envctl.imports.imported_project import ImportedProject


@without_spec
def import_spec(
    invocation: Invocation,
    path: Annotated[
        Path | None,
        Argument("PATH", "A file, or a folder with one. Default: the current folder."),
    ] = None,
    *,
    force: Annotated[bool, Option(("--force",), "Overwrite files that differ.")] = False,
    dry_run: Annotated[
        bool, Option(("--dry-run",), "Print the files instead of writing them.")
    ] = False,
    keep_exposure: Annotated[
        bool, Option(("--keep-exposure",), "Leave ports open to other machines that are open now.")
    ] = False,
    harden: Annotated[
        bool, Option(("--harden",), "Give services no capabilities but those that they list.")
    ] = False,
    move_secrets: Annotated[
        bool,
        Option(
            ("--move-secrets",),
            "Make secrets of variables that look like passwords; their values are not written.",
        ),
    ] = False,
    run_vagrantfile: Annotated[
        bool,
        Option(("--run-vagrantfile",), "Let Vagrant execute a Vagrantfile, to know its machines."),
    ] = False,
    translate: Annotated[
        bool,
        Option(
            ("--translate",),
            "Turn a Dockerfile into packages and steps, if it starts from a base of the catalogue.",
        ),
    ] = False,
    report: Annotated[Path | None, Option(("--report",), "Write the report to this file.")] = None,
    as_json: AsJson = False,
) -> int:
    """Write a spec for a project that has files of other tools.

    Reads a Compose file with all that it includes and extends, `.env`, and files beside it such as `compose.prod.yaml`,
    which become environments; or the devcontainer.json of a dev container, with the Compose files that it names; or a
    Procfile or `.env` with the application beside it; or a Dockerfile; or a Vagrantfile, which Vagrant executes if --run-vagrantfile allows it. Runs nothing else.
    Writes `envctl.yaml` and `environments/`, and says of every key of the source what became of it. The exit code is 3 if anything was dropped.

    Examples:
        envctl import
        envctl import Dockerfile --translate

    JSON: an object with `files` (the text of each file by path, and whether it was written), `counts` (the number of
    keys by outcome) and `report`: for each key `file`, `line`, `column`, `key`, `outcome` (kept, translated,
    options.docker or dropped), `note`, `new_file` and `new_line`.
    """
    from envctl.host.atomic_write import write_user_file
    from envctl.imports.imported_project import ImportChoices
    from envctl.verbs.import_spec import import_source, write_imported

    source = (invocation.options.directory or Path()) / (path or Path())
    choices = ImportChoices(keep_exposure, harden, move_secrets, run_vagrantfile, translate)
    root, imported = import_source(source, choices)
    texts = {file: written.text for file, written in imported.files.items()}
    lines = _report_lines(imported)
    written = dict.fromkeys(texts, False)
    if not dry_run:
        written |= write_imported(root, texts, force=force)
    if report is not None:
        write_user_file(report, "\n".join(lines) + "\n")
    if as_json:
        invocation.json(_as_json(imported, texts, written))
    else:
        _show(invocation, root, texts, written, lines, dry_run=dry_run)
    return int(Exit.DIFFERENT if imported.report.has_dropped else Exit.OK)


def _report_lines(imported: ImportedProject) -> list[str]:
    from envctl.conversion.conversion_report import line_text

    lines = []
    for line in imported.report.lines:
        place = imported.new_place(line)
        lines.append(line_text(line, f"{place[0]}:{place[1]}" if place else ""))
    counts = imported.report.counts()
    summary = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    return [*lines, summary]


def _as_json(
    imported: ImportedProject, texts: Mapping[str, str], written: Mapping[str, bool]
) -> Mapping[str, Any]:
    from envctl.conversion.conversion_report import line_json

    return {
        "files": {file: {"text": text, "written": written[file]} for file, text in texts.items()},
        "counts": imported.report.counts(),
        "report": [line_json(line, imported.new_place(line)) for line in imported.report.lines],
    }


def _show(
    invocation: Invocation,
    root: Path,
    texts: Mapping[str, str],
    written: Mapping[str, bool],
    lines: list[str],
    *,
    dry_run: bool,
) -> None:
    out = invocation.out
    for file, text in texts.items():
        if dry_run:
            out.text(f"# {file}\n{text}\n")
        else:
            state = "wrote" if written[file] else "unchanged:"
            out.line(out.safe(f"{state} {root / file}"))
    for line in lines:
        out.line(out.safe(line))
    if not dry_run:
        invocation.note(
            "\nNext:\n  envctl validate   # check the spec\n  envctl up dev   # start it\n"
        )
