"""All rules for the keys of a dev container. The docs are generated from this table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from envctl.conversion.conversion_report import TABLE_WORDS
from envctl.imports.devcontainer.command_rules import COMMAND_RULES
from envctl.imports.devcontainer.container_import import ContainerRule
from envctl.imports.devcontainer.port_rules import PORT_RULES
from envctl.imports.devcontainer.process_rules import PROCESS_RULES
from envctl.imports.devcontainer.run_arguments import RUN_RULES
from envctl.imports.devcontainer.source_rules import SOURCE_RULES
from envctl.imports.devcontainer.storage_rules import STORAGE_RULES

_EDITOR: Final = "it is for an editor, which reads devcontainer.json itself; remedy: leave it there"
DROPPED: Final[Mapping[str, str]] = {
    "overrideFeatureInstallOrder": "features are not installed",
    "userEnvProbe": "a service has the variables of `env`, not those of a user's shell; remedy: write them there",
    "extensions": _EDITOR,
    "settings": _EDITOR,
    "devPort": _EDITOR,
}
_RULES: Final = (
    *SOURCE_RULES,
    *PROCESS_RULES,
    *STORAGE_RULES,
    *PORT_RULES,
    *RUN_RULES,
    *COMMAND_RULES,
    *(ContainerRule(key, reason) for key, reason in DROPPED.items()),
)
RULES: Final[Mapping[str, ContainerRule]] = {rule.key: rule for rule in _RULES}
"""The rules by key, in the order in which they are applied."""

BEGIN: Final = "<!-- the table of keys, made by `python docs/generate.py` -->"
END: Final = "<!-- the end of the table of keys -->"


def rules_table() -> str:
    """The rules as a table for the docs."""
    return "\n".join(_table_lines()) + "\n"


def _table_lines() -> Iterator[str]:
    yield "\n| key | usually | becomes, or why it is dropped |"
    yield "| --- | --- | --- |"
    for rule in sorted(RULES.values(), key=lambda rule: rule.key.lower()):
        yield f"| `{rule.key}` | {TABLE_WORDS[rule.outcome]} | {rule.note} |"
