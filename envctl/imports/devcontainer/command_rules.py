"""Rules for the commands of a container's life."""

from __future__ import annotations

from typing import Any, Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.definition.tree import ListNode, MapNode, Node, Position, ScalarNode, describe
from envctl.imports.compose.filled_text import spec_text
from envctl.imports.devcontainer.container_import import ContainerImport, ContainerRule
from envctl.imports.devcontainer.container_variables import UnknownVariable

_EACH_START: Final = "hooks.after_start"
_ONCE: Final = "hooks.after_start, which runs after each start: write it so that it can run again"
ORDER: Final = ("onCreateCommand", "updateContentCommand", "postCreateCommand", "postStartCommand")
"""The order in which they run."""


def _created(container: ContainerImport, key: str) -> None:
    _commands(container, key, _ONCE)


def _started(container: ContainerImport, key: str) -> None:
    _commands(container, key, _EACH_START)


def _commands(container: ContainerImport, key: str, note: str) -> None:
    node = container.source[key]
    if not isinstance(node, MapNode):
        _command(container, key, node, note, container.position(key))
        return
    if len(node) > 1:
        note += "; one after another, not at the same time"
    for name, command, at in container.entries(key, node):
        _command(container, f"{key}.{name}", command, note, at)


def _command(container: ContainerImport, key: str, node: Node, note: str, at: Position) -> None:
    if (isinstance(node, ScalarNode) and not node.strip()) or node == []:
        container.keep(key, note="nothing", at=at)
        return
    try:
        command = _written(container, node)
    except UnknownVariable as unknown:
        container.drop(key, str(unknown), at=at)
        container.project.report.claim(node)
        return
    if command is None:
        container.drop(key, f"a text or a list of texts was expected, got {describe(node)}", at=at)
    else:
        container.hooks.append(command)
        container.translate(key, note, "hooks", "after_start", len(container.hooks) - 1, at=at)
    container.project.report.claim(node)


def _written(container: ContainerImport, node: Node) -> Any:
    """A text, which a shell runs in both, or a list of arguments. None if it is neither."""
    fill = container.variables.fill
    if isinstance(node, ScalarNode):
        return spec_text(fill(node, in_shell=True))
    if not isinstance(node, ListNode) or not node[0]:
        return None
    words = [fill(word) for word in node if isinstance(word, ScalarNode)]
    return [spec_text(word) for word in words] if len(words) == len(node) else None


def write_hooks(container: ContainerImport) -> None:
    """Write the commands after those of the Compose file."""
    if container.hooks:
        existing = container.spec.get("hooks", {}).get("after_start", [])
        container.write([*existing, *container.hooks], "hooks", "after_start")


def _initialize(container: ContainerImport, key: str) -> None:
    reason = (
        "it would run on the host, which nothing of a spec does; remedy: run it before `envctl up`"
    )
    container.drop(key, reason)
    container.project.report.claim(container.source[key])


def _attached(container: ContainerImport, key: str) -> None:
    reason = "nothing attaches; remedy: add it to hooks.after_start, or run it with `envctl exec`"
    container.drop(key, reason)
    container.project.report.claim(container.source[key])


_FORMS: Final = "`hooks.after_start`, which runs after each start; several at the same time run one after another"
COMMAND_RULES: Final = (
    ContainerRule(
        "initializeCommand",
        "it would run on the host: run it before `envctl up`",
        KeyOutcome.DROPPED,
        _initialize,
    ),
    *(ContainerRule(key, _FORMS, KeyOutcome.TRANSLATED, _created) for key in ORDER[:3]),
    ContainerRule(ORDER[3], "`hooks.after_start`", KeyOutcome.TRANSLATED, _started),
    ContainerRule(
        "postAttachCommand",
        "nothing attaches: add it to `hooks.after_start`, or run it with `envctl exec`",
        KeyOutcome.DROPPED,
        _attached,
    ),
)
