"""validate, config and schema: commands that need only the spec."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from envctl.cli.arguments import Target
from envctl.cli.completions import complete_target
from envctl.cli.declare import Argument, AsJson, Option, without_spec
from envctl.cli.invocation import Invocation
from envctl.cli.notes import build_notes, note_all, note_variables
from envctl.errors import SpecError, UsageError

_SCHEMAS: Mapping[str, Literal["envctl", "environment"]] = {
    "envctl": "envctl",
    "environment": "environment",
}

if TYPE_CHECKING:
    from envctl.definition.resolved import Resolved


def validate(
    invocation: Invocation,
    environments: Annotated[
        list[str] | None,
        Argument("TARGET", "ENV or ENV@BACKEND. Default: all environments.", complete_target),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Check the spec and report all mistakes at once.

    Examples:
        envctl validate
        envctl validate dev prod@vagrant

    JSON: an object with `valid`, `environments` (names) and `problems`, each with `file`, `line`,
    `column`, `message`, `expected` and `hint`.
    """
    notes: dict[str, str] = {}
    try:
        looked_at: set[str] = set()
        from envctl.verbs import validate as verb

        names = verb.validate(
            invocation.project,
            environments or (),
            planned=lambda plan: notes.update(
                {**build_notes(plan.units, invocation.root, looked_at), **notes}
            ),
        )
    except SpecError as error:
        if as_json:
            from envctl.cli.failure import problem_json

            problems = [problem_json(problem) for problem in error.problems]
            invocation.json({"valid": False, "environments": [], "problems": problems})
        raise
    note_all(invocation, notes)
    if as_json:
        invocation.json({"valid": True, "environments": list(names), "problems": []})
    elif not invocation.options.quiet:
        invocation.out.line(invocation.out.safe(f"valid: {', '.join(names)}"))


def config(
    invocation: Invocation,
    target: Target = None,
    *,
    origins: Annotated[
        bool, Option(("--origins",), "Show which file and line set each value.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the resolved spec of an environment.

    The overlay is merged, and variables are replaced. Secrets are shown by name and source, never by value.

    Examples:
        envctl config dev
        envctl config dev --origins

    JSON: an object with `project`, `environment`, `backend`, `vars`, `secrets` and `services`. With --origins also
    `origins`: for each value's path its `where` and what it `replaced`.
    """
    from envctl import definition
    from envctl.backends import require_backend
    from envctl.plan.port_references import data_as_written

    backend = None
    if target and "@" in target:
        goal = invocation.target(target)
        target, backend = goal.environment, goal.backend
        require_backend(str(backend))
    environment = invocation.environment(target)
    note_variables(invocation, environment)
    resolved = definition.load(
        invocation.root, environment, sets=invocation.sets, environ=os.environ
    )
    resolved = resolved.on_backend(backend)
    if as_json:
        extra = {"origins": _origins(resolved)} if origins else {}
        invocation.json({**data_as_written(resolved.data), **extra})
    else:
        invocation.out.text(definition.config_text(resolved, origins=origins))


def _origins(resolved: Resolved) -> dict[str, Any]:
    return {
        ".".join(str(part) for part in path): {
            "where": str(origin.where),
            "replaced": [{"where": str(place), "value": value} for place, value in origin.replaced],
        }
        for path, origin in resolved.origins.items()
    }


@without_spec
def schema(
    invocation: Invocation,
    which: Annotated[
        str, Option(("--for",), "The file to describe: envctl or environment.")
    ] = "envctl",
    output: Annotated[
        Path | None,
        Option(
            (
                "--output",
                "-o",
            ),
            "Write the schema to this file.",
        ),
    ] = None,
) -> None:
    """Print the JSON Schema of the spec, for editors.

    `--for envctl` describes envctl.yaml, `--for environment` a file in environments/.

    Examples:
        envctl schema --output envctl.schema.json
        envctl schema --for environment
    """
    from envctl.cli.output import json_text
    from envctl.definition import json_schema

    if which not in _SCHEMAS:
        raise UsageError(f"no such schema: {which!r}", hint="--for takes envctl or environment")
    text = json_text(json_schema(_SCHEMAS[which]))
    if output is None:
        invocation.out.text(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
        invocation.note(f"wrote {output}")
