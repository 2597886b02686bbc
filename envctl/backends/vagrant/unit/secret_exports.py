"""Shell commands, for root in a machine, that export a unit's variables with secrets. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from envctl.backends.common.secret_wrapper import export_script, recorded_variables
from envctl.backends.vagrant.unit.unit_paths import UnitPaths, file_name

_NONE: Final[Collection[str]] = ()


def secret_exports(
    run: Mapping[str, Any], paths: UnitPaths, *, without: Collection[str] = _NONE
) -> str:
    """The commands for a run that is recorded in a machine's stamp, `without` some variables; "" if none remain."""
    variables = {
        name: template for name, template in recorded_variables(run).items() if name not in without
    }
    if not variables:
        return ""
    files = {
        secret["name"]: f"{paths.secrets}/{file_name(secret['name'], secret['target'])}"
        for secret in run["secrets"]
    }
    return export_script(variables, files)


def variable_names(run: Mapping[str, Any], without: Collection[str] = _NONE) -> list[str]:
    """The names of these variables."""
    return sorted(name for name in recorded_variables(run) if name not in without)
