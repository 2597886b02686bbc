"""One form for what Compose allows in several: mappings for lists of `A=B`, lists for single texts."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Final

from envctl.definition.problems import Problems
from envctl.definition.tree import ListNode, MapNode, Node, NullNode, ScalarNode, describe, without
from envctl.imports.compose.filled_text import changed, parted, prefixed, spec_text

_EQUALS: Final = "="
PAIRS: Final[Mapping[str, str]] = {
    "environment": _EQUALS,
    "labels": _EQUALS,
    "annotations": _EQUALS,
    "sysctls": _EQUALS,
    "extra_hosts": "=:",
}
"""Keys of a service that may be lists of pairs, and what separates these."""
NAMES: Final = ("networks", "depends_on")
"""Keys of a service that may be lists of names."""
LISTS: Final = ("env_file", "dns", "dns_search", "tmpfs")
"""Keys of a service that may be a single text."""


def long_service(service: MapNode, problems: Problems) -> MapNode:
    """A service, with its keys in their long forms."""
    result = without(service)
    for key, separators in PAIRS.items():
        _change(result, key, lambda node, s=separators: pairs(node, s))  # type: ignore[misc]
    for key in NAMES:
        _change(result, key, _names)
    for key in LISTS:
        _change(result, key, _list)
    _change(result, "build", _build)
    _check_lists(result, problems)
    return result


def _check_lists(service: MapNode, problems: Problems) -> None:
    for key in ("ports", "volumes", "secrets", "configs", "cap_add", "cap_drop", "profiles"):
        node = service.get(key)
        if not isinstance(node, ListNode | NullNode | None):
            problems.add(service.positions[key], f"{key} is a list, got {describe(node)}")


def _change(service: MapNode, key: str, change: Callable[[Node], Node]) -> None:
    if key in service:
        service[key] = change(service[key])


def pairs(node: Node, separators: str = _EQUALS) -> Node:
    """A mapping for a list of pairs; a name alone has no value."""
    if not isinstance(node, ListNode):
        return node
    table = MapNode(node.position)
    for item in node:
        if isinstance(item, ScalarNode):
            name, value = parted(item, separators)
            table.put(
                str(name), value if value is not None else NullNode(item.position), item.position
            )
    return table


def _names(node: Node) -> Node:
    if not isinstance(node, ListNode):
        return node
    table = MapNode(node.position)
    for item in node:
        if isinstance(item, ScalarNode):
            table.put(str(item), NullNode(item.position), item.position)
    return table


def _list(node: Node) -> Node:
    return ListNode(node.position, [node]) if isinstance(node, ScalarNode) else node


def _build(node: Node) -> Node:
    if isinstance(node, ScalarNode):
        table = MapNode(node.position)
        table.put("context", node, node.position)
        return table
    if isinstance(node, MapNode) and "args" in node:
        table = without(node)
        table["args"] = pairs(node["args"])
        return table
    return node


# --- files of other folders: their paths are relative to those --------------------------------


def moved_service(service: MapNode, folder: str) -> MapNode:
    """A service of a file in a folder, in long form, with its paths relative to the project."""
    if folder in ("", "."):
        return service
    prefix = f"{folder}/"
    result = without(service)
    build = result.get("build")
    if isinstance(build, MapNode):
        result["build"] = _moved_keys(build, prefix, "context")
    if isinstance(files := result.get("env_file"), ListNode):
        result["env_file"] = ListNode(files.position, [_moved_file(item, prefix) for item in files])
    if isinstance(volumes := result.get("volumes"), ListNode):
        items = [_moved_volume(item, prefix) for item in volumes]
        result["volumes"] = ListNode(volumes.position, items)
    return result


def moved_source(entry: Node, folder: str) -> Node:
    """A top-level secret or config of a file in a folder."""
    if folder in ("", ".") or not isinstance(entry, MapNode):
        return entry
    return _moved_keys(entry, f"{folder}/", "file")


def _moved_keys(table: MapNode, prefix: str, *keys: str) -> MapNode:
    result = without(table)
    for key in keys:
        if key in result:
            result[key] = _moved(result[key], prefix)
    return result


def _moved(node: Node, prefix: str) -> Node:
    if isinstance(node, ScalarNode) and not node.startswith(("/", "~")) and "://" not in node:
        return prefixed(node, prefix)
    return node


def _moved_file(node: Node, prefix: str) -> Node:
    return _moved_keys(node, prefix, "path") if isinstance(node, MapNode) else _moved(node, prefix)


def _moved_volume(node: Node, prefix: str) -> Node:
    if isinstance(node, MapNode):
        return _moved_keys(node, prefix, "source") if node.get("type") == "bind" else node
    if isinstance(node, ScalarNode) and node.startswith("."):
        path = changed(node, node[2:], spec_text(node)[2:]) if node.startswith("./") else node
        return prefixed(path, f"./{prefix}")
    return node


def inside(folder: str, path: str) -> str | None:
    """A path that a file in a folder names, relative to the project; None if it leads outside."""
    if path.startswith(("/", "~")):
        return None
    tidy = posixpath.normpath(posixpath.join(folder, path))
    return None if f"{tidy}/".startswith("../") else tidy
