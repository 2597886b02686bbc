"""The rule for arguments of `docker run`: what a flag says goes through the rule for the same key of Compose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.definition.tree import ListNode, MapNode, Node, Position, ScalarNode, describe
from envctl.imports.compose.filled_text import FilledText, changed, parted, spec_text, variables_of
from envctl.imports.compose.long_form import PAIRS
from envctl.imports.compose.rule_table import RULES as COMPOSE_RULES
from envctl.imports.devcontainer.container_import import ContainerImport, ContainerRule
from envctl.imports.devcontainer.storage_rules import read_mount, write_mount
from envctl.lazy_dataclass import dataclass

_LISTS: Final[Mapping[str, str]] = {
    "--add-host": "extra_hosts",
    "--cap-add": "cap_add",
    "--cap-drop": "cap_drop",
    "--device": "devices",
    "--dns": "dns",
    "--dns-option": "dns_opt",
    "--dns-search": "dns_search",
    "--env": "environment",
    "--env-file": "env_file",
    "--expose": "expose",
    "--group-add": "group_add",
    "--label": "labels",
    "--publish": "ports",
    "--security-opt": "security_opt",
    "--sysctl": "sysctls",
    "--tmpfs": "tmpfs",
    "--ulimit": "ulimits",
    "--volume": "volumes",
}
_TEXTS: Final[Mapping[str, str]] = {
    "--cgroupns": "cgroup",
    "--cpus": "cpus",
    "--cpu-shares": "cpu_shares",
    "--cpuset-cpus": "cpuset",
    "--domainname": "domainname",
    "--entrypoint": "entrypoint",
    "--gpus": "gpus",
    "--hostname": "hostname",
    "--ipc": "ipc",
    "--memory": "mem_limit",
    "--memory-swap": "memswap_limit",
    "--name": "container_name",
    "--network": "network_mode",
    "--pid": "pid",
    "--pids-limit": "pids_limit",
    "--platform": "platform",
    "--restart": "restart",
    "--runtime": "runtime",
    "--shm-size": "shm_size",
    "--stop-signal": "stop_signal",
    "--user": "user",
    "--userns": "userns_mode",
    "--uts": "uts",
    "--workdir": "working_dir",
}
_SWITCHES: Final[Mapping[str, str]] = {
    "--init": "init",
    "--interactive": "stdin_open",
    "--privileged": "privileged",
    "--read-only": "read_only",
    "--tty": "tty",
}
_SHORT_FLAGS: Final[Mapping[str, str]] = {
    "-e": "--env",
    "-h": "--hostname",
    "-i": "--interactive",
    "-l": "--label",
    "-m": "--memory",
    "-p": "--publish",
    "-t": "--tty",
    "-u": "--user",
    "-v": "--volume",
    "-w": "--workdir",
    "--net": "--network",
}
_MOUNT: Final = "--mount"
FLAGS: Final = {**_LISTS, **_TEXTS, **_SWITCHES}
"""The key of Compose for each flag."""


@dataclass(frozen=True, slots=True)
class _Argument:
    """A flag and its value; `value_path` is that of the value, if it is an item of its own."""

    flag: str
    path: str
    position: Position
    value: ScalarNode | None
    value_path: str = ""
    value_position: Position = ("", 0, 0)


def _run_args(container: ContainerImport, key: str) -> None:
    node = container.source[key]
    if not isinstance(node, ListNode):
        container.drop(key, f"a list was expected, got {describe(node)}")
        container.project.report.claim(node)
        return
    groups: dict[str, list[_Argument]] = {}
    for argument in _arguments(container.texts(key)):
        groups.setdefault(argument.flag, []).append(argument)
    for flag, arguments in groups.items():
        _report_values(container, arguments, _apply(container, flag, arguments))


def _arguments(texts: list[tuple[str, ScalarNode]]) -> Iterator[_Argument]:
    pending = iter([*texts, None])
    current = next(pending)
    while current is not None:
        path, text = current
        current = next(pending)
        name, value = _parts(text)
        if value is not None or name in _SWITCHES or current is None or current[1][:1] == "-":
            yield _Argument(name, path, text.position, value)
        elif text[:1] != "-":
            yield _Argument("", path, text.position, text)
        else:
            at = text.position
            moved = FilledText.of(
                str(current[1]),
                spec_text(current[1]),
                at,
                plain=False,
                names=variables_of(current[1]),
            )
            yield _Argument(name, path, at, moved, current[0], current[1].position)
            current = next(pending)


def _parts(text: ScalarNode) -> tuple[str, ScalarNode | None]:
    """The flag in its long form, and the value that is in the same argument."""
    if re.match(r"-[a-zA-Z]", text) and text[:2] in _SHORT_FLAGS and len(text) > 2:
        value = changed(text, text[2:].removeprefix("="), spec_text(text)[2:].removeprefix("="))
        return _SHORT_FLAGS[text[:2]], value
    name, after = parted(text, "=")
    if text[:1] != "-":
        return "", None
    return _SHORT_FLAGS.get(str(name), str(name)), after


def _apply(container: ContainerImport, flag: str, arguments: list[_Argument]) -> set[Position]:
    """Write what the arguments of a flag say; the places of those that are dropped."""
    if flag == _MOUNT:
        for argument in arguments:
            _mount(container, argument)
        return set()
    key = FLAGS.get(flag, "")
    if not key or COMPOSE_RULES[key].apply is None:
        reason = COMPOSE_RULES[key].note if key else "nothing of a spec says the same"
        for argument in arguments:
            container.drop(argument.path, reason, at=argument.position)
        return {argument.position for argument in arguments}
    valued = [each for each in arguments if each.value is not None or flag in _SWITCHES]
    dropped = {each.position for each in arguments if each not in valued}
    for argument in arguments:
        if argument.position in dropped:
            container.drop(argument.path, "it has no value", at=argument.position)
    if flag in _LISTS:
        return dropped | _apply_list(container, key, valued)
    for argument in valued:
        at = argument.position
        node = argument.value if argument.value is not None else ScalarNode("true", at)
        dropped |= container.apply_compose(key, node, at, {key: argument.path}).dropped
    return dropped


def _apply_list(container: ContainerImport, key: str, arguments: list[_Argument]) -> set[Position]:
    """Several arguments of a flag are one list in Compose."""
    if not arguments:
        return set()
    values = [argument.value for argument in arguments if argument.value is not None]
    at = arguments[0].position
    node: Node = ListNode(at, values)
    paths = {f"{key}[{index}]": argument.path for index, argument in enumerate(arguments)}
    if key in PAIRS or key == "ulimits":
        paths = {
            f"{key}.{re.split('[=:]' if key == 'extra_hosts' else '=', value)[0]}": argument.path
            for argument, value in zip(arguments, values, strict=True)
        }
    if key == "ulimits":
        node = _ulimits(values, at)
    if key == "expose":
        paths = {key: arguments[0].path}
    part = container.apply_compose(key, node, at, paths)
    for argument in arguments:
        _report_unwritten(container, argument)
    return part.dropped


def _report_unwritten(container: ContainerImport, argument: _Argument) -> None:
    """A rule for a whole list, or a value that a later one replaces, leaves no line of its own."""
    container.project.report.add_if_unclaimed(
        argument.position, argument.path, KeyOutcome.TRANSLATED, "what other arguments say"
    )


def _ulimits(values: list[ScalarNode], at: Position) -> MapNode:
    table = MapNode(at)
    for value in values:
        name, _, limits = value.partition("=")
        soft, colon, hard = limits.partition(":")
        if not colon:
            table.put(name, ScalarNode(soft, value.position), value.position)
            continue
        both = MapNode(value.position)
        both.put("soft", ScalarNode(soft, value.position), value.position)
        both.put("hard", ScalarNode(hard, value.position), value.position)
        table.put(name, both, value.position)
    return table


def _mount(container: ContainerImport, argument: _Argument) -> None:
    if argument.value is None:
        container.drop(argument.path, "it has no value", at=argument.position)
        return
    mount = read_mount(container, argument.path, argument.value)
    if mount is not None:
        write_mount(container, argument.path, mount, argument.position)


def _report_values(
    container: ContainerImport, arguments: list[_Argument], dropped: set[Position]
) -> None:
    """A value that is an item of its own has a line, too."""
    for argument in arguments:
        if not argument.value_path:
            continue
        is_dropped = argument.position in dropped
        outcome = KeyOutcome.DROPPED if is_dropped else KeyOutcome.TRANSLATED
        note = f"it belongs to {argument.path}" if is_dropped else f"what {argument.path} says"
        container.project.report.add(argument.value_position, argument.value_path, outcome, note)


RUN_RULES: Final = (
    ContainerRule(
        "runArgs",
        "what the same key of Compose becomes, for "
        + ", ".join(f"`{flag}`" for flag in sorted({*_LISTS, *_SWITCHES}))
        + " and others;"
        " a flag without a counterpart is dropped",
        KeyOutcome.TRANSLATED,
        _run_args,
    ),
)
