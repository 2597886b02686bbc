"""The variables that a written spec declares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from envctl.conversion.conversion_report import ConversionReport, KeyOutcome
from envctl.definition.tree import MapNode
from envctl.imports.compose.substitute import Variables

ENV_FILE: Final = ".env"
_REFERENCE: Final = re.compile(r"\$\{([a-z_][a-z0-9_]*)\}")


def with_variables(spec: dict[str, Any], variables: Variables, dotenv: MapNode) -> dict[str, Any]:
    """The spec with the variables that it uses: the file that has them, and defaults."""
    used = {*_references(spec)}
    defaults: dict[str, str] = {}
    pending = [*used]
    while pending:
        word = pending.pop()
        if word in variables.defaults and word not in defaults:
            defaults[word] = variables.defaults[word]
            pending += _REFERENCE.findall(defaults[word])
            used.update(_REFERENCE.findall(defaults[word]))
    in_file = {key.lower() for key in dotenv}
    head = {key: spec.pop(key) for key in ("project", "default")}
    if variables.spec_reads_file and used & in_file:
        head["vars_file"] = [ENV_FILE]
    if defaults:
        head["vars"] = {word: variables.spec_default(word) for word in sorted(defaults)}
    return {**head, **spec}


def report_variables(report: ConversionReport, variables: Variables, dotenv: MapNode) -> None:
    """Report the file with variables, and the variables that nothing sets."""
    if dotenv and variables.spec_reads_file:
        report.add((ENV_FILE, 1, 1), ENV_FILE, KeyOutcome.SAME, "vars_file", ("vars_file",))
    elif dotenv:
        note = "vars: a spec cannot have some of the names"
        report.add((ENV_FILE, 1, 1), ENV_FILE, KeyOutcome.TRANSLATED, note, ("vars",))
    for name, position in variables.unset.items():
        note = f"an empty text: it is set nowhere; `--set {name.lower()}=…` or ENVCTL_VAR_{name.lower()} sets it"
        report.add(
            position,
            f"${{{name}}}",
            KeyOutcome.TRANSLATED,
            note,
            ("vars", name.lower()),
            is_claim=False,
        )


def _references(value: Any) -> Iterator[str]:
    """The variables in all texts of a spec."""
    match value:
        case str():
            yield from _REFERENCE.findall(value.replace("$$", ""))
        case dict():
            for item in value.values():
                yield from _references(item)
        case list():
            for item in value:
                yield from _references(item)
