"""Rules for how a service is probed."""

from __future__ import annotations

from typing import Any, Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.definition.tree import ListNode, MapNode, Node, ScalarNode, describe
from envctl.definition.value_readers import InvalidValue, duration
from envctl.imports.compose.filled_text import spec_text
from envctl.imports.compose.service_import import Rule, ServiceImport, flag, variable_note, whole
from envctl.imports.written_text import SpecText

_PROBE_TIMES: Final = {
    "interval": "30s",
    "timeout": "30s",
    "start_period": "0s",
    "start_interval": "5s",
}
"""The defaults of Compose, which are not envctl's."""


def _healthcheck(service: ServiceImport, key: str) -> None:
    node = service.source[key]
    if not isinstance(node, MapNode):
        service.drop(key, f"a mapping was expected, got {describe(node)}")
        return
    if service.name in service.project.tasks:
        service.drop(key, "others wait until this service is completed: a task is never probed")
        return
    test = node.get("test")
    if flag(node.get("disable")) or (isinstance(test, ListNode) and [*map(str, test)] == ["NONE"]):
        service.keep(key, note="no healthcheck: that of the image is not used either")
        return
    command = _probe_command(service, f"{key}.test", test, node)
    if command is None:
        return
    probe: dict[str, Any] = {"command": command}
    for word in ("disable", *_PROBE_TIMES, "retries"):
        if word in node:
            _probe_value(service, f"{key}.{word}", word, node, probe)
    for word, default in _PROBE_TIMES.items():
        probe.setdefault(word, default)
    service.write(probe, "healthcheck")


def _probe_command(
    service: ServiceImport, key: str, test: Node | None, node: MapNode
) -> list[SpecText] | None:
    if test is None:
        service.drop(
            "healthcheck",
            "it has no test: that of the image is unknown; remedy: write the command of the image here",
        )
        return None
    at = node.positions["test"]
    if isinstance(test, ScalarNode):
        service.translate(key, "a command for /bin/sh", "healthcheck", "command", at=at)
        return [SpecText("/bin/sh"), SpecText("-c"), spec_text(test)]
    words = [spec_text(item) for item in service.items(key, test)]
    if len(words) < 2 or words[0] not in ("CMD", "CMD-SHELL"):
        service.drop(key, "it begins with neither CMD nor CMD-SHELL", at=at)
        return None
    shell = [SpecText("/bin/sh"), SpecText("-c")] if words[0] == "CMD-SHELL" else []
    service.translate(key, "command", "healthcheck", "command", at=at)
    return [*shell, *words[1:]]


def _probe_value(
    service: ServiceImport, key: str, word: str, node: MapNode, probe: dict[str, Any]
) -> None:
    value, at = node[word], node.positions[word]
    if word == "disable":
        service.keep(key, at=at)
        return
    if word == "retries":
        retries = whole(value)
        if retries is None or not 1 <= retries <= 100:
            service.drop(key, f"{describe(value)} is not between 1 and 100", at=at)
            return
        probe[word] = retries
    else:
        text = service.text(key, value, _probe_time if word != "start_period" else duration, at=at)
        if text is None:
            return
        probe[word] = text
    service.keep(key, "healthcheck", word, note=variable_note(value), at=at)


def _probe_time(value: Any) -> float:
    seconds = duration(value)
    if seconds <= 0:
        raise InvalidValue("a duration of 0 is not allowed")
    return seconds


HEALTH_RULES: Final = (
    Rule(
        "healthcheck",
        "`healthcheck: {command: …}`, with the times that are Compose's defaults written out",
        KeyOutcome.TRANSLATED,
        _healthcheck,
    ),
)
