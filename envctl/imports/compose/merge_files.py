"""Merges Compose files by Compose's rules, in long form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from envctl.definition.tree import ListNode, MapNode, Node, NullNode, Position, ScalarNode, without

RESET: Final = "!reset"
OVERRIDE: Final = "!override"
_REPLACED: Final = frozenset(("command", "entrypoint", "test"))
"""Lists that a later file replaces; it adds to all others."""
_TARGETS: Final = frozenset(("volumes", "secrets", "configs"))
"""Lists in which an item replaces another one with the same target."""

Tags = Mapping[Position, str]


def merged(base: Node, over: Node, tags: Tags, key: str = "") -> Node:
    """A value, with that of a later file merged into it."""
    if tags.get(over.position) == OVERRIDE:
        return over
    if isinstance(base, MapNode) and isinstance(over, MapNode):
        return _merged_maps(base, over, tags)
    if isinstance(base, ListNode) and isinstance(over, ListNode) and key not in _REPLACED:
        return _merged_lists(base, over, key)
    if isinstance(over, NullNode) and isinstance(base, MapNode):
        return base  # `depends_on: {db: }` adds nothing
    return over


def _merged_maps(base: MapNode, over: MapNode, tags: Tags) -> MapNode:
    result = without(base)
    for key, node in over.items():
        if tags.get(node.position) == RESET:
            result.pop(key, None)
            result.positions.pop(key, None)
        elif key in result:
            result.put(key, merged(result[key], node, tags, key), over.positions[key])
        else:
            result.put(key, node, over.positions[key])
    return result


def without_resets(node: Node, tags: Tags) -> Node:
    """A tree without the keys that a `!reset` removes, which only matters in files merged into others."""
    if not isinstance(node, MapNode) or RESET not in tags.values():
        return node
    result = MapNode(node.position)
    for key, item in node.items():
        if tags.get(item.position) != RESET:
            result.put(key, without_resets(item, tags), node.positions[key])
    return result


def _merged_lists(base: ListNode, over: ListNode, key: str) -> ListNode:
    if key in _TARGETS:
        replaced = {_target(item) for item in over}
        before = [item for item in base if _target(item) not in replaced]
    else:
        texts = {str(item) for item in over if isinstance(item, ScalarNode)}
        before = [item for item in base if not isinstance(item, ScalarNode) or item not in texts]
    return ListNode(over.position, [*before, *over])


def _target(item: Node) -> str:
    if isinstance(item, MapNode):
        return str(item.get("target") or item.get("source"))
    words = str(item).split(":")
    return words[1] if len(words) > 1 else words[0]
