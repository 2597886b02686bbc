"""How an overlay changes the base file, and a service the one it extends: one table of rules."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

from envctl.definition.keys.spec_file import SPEC, merge_rules
from envctl.definition.memo import memoized
from envctl.definition.problems import Problems, similar
from envctl.definition.tree import (
    ListExtension,
    ListNode,
    MapNode,
    Node,
    NullNode,
    Position,
    Replaced,
    ScalarNode,
    describe,
    quoted,
    summary,
    with_history,
    without,
)
from envctl.lazy_dataclass import dataclass

Path: TypeAlias = tuple[str, ...]


class Strategy(StrEnum):
    """What a new value does to the previous one."""

    MERGE = "merge by key"
    REPLACE = "replace"
    EXTEND = "extend"
    REMOVE = "remove"
    CHOICE = "merge by key; one of the choices drops the others"
    FIXED = "cannot be changed"


@dataclass(frozen=True, slots=True)
class MergeRule:
    """The strategy for a path; `*` is any service, stage or variable. `choices` are keys that exclude each other."""

    path: str
    strategy: Strategy
    note: str
    choices: tuple[str, ...] = ()


DEFAULTS: tuple[MergeRule, ...] = (
    MergeRule("any mapping", Strategy.MERGE, "keys that the overlay does not name stay"),
    MergeRule("any scalar", Strategy.REPLACE, ""),
    MergeRule("any list", Strategy.REPLACE, ""),
    MergeRule(
        "`!append [ … ]`",
        Strategy.EXTEND,
        "adds to the end of the list; the whole list if there is none",
    ),
    MergeRule("`!prepend [ … ]`", Strategy.EXTEND, "adds to the beginning"),
    MergeRule(
        "`!remove [ … ]`",
        Strategy.REMOVE,
        "items with this text, build steps with this `id`; an error if there is none",
    ),
    MergeRule(
        "`null`, or no value",
        Strategy.REMOVE,
        "the key, whatever it held; an error where nothing was set",
    ),
    MergeRule(
        "another form",
        Strategy.REPLACE,
        "a mapping over a list or a scalar, and the other way round",
    ),
)
"""The defaults, as the reference shows them; `merge` carries them out."""

RULES: tuple[MergeRule, ...] = tuple(
    MergeRule(path, Strategy[how.upper()], note, choices)
    for path, how, note, choices in merge_rules(SPEC)
)
"""The exceptions."""

_BY_PATH: dict[Path, MergeRule] = {tuple(rule.path.split(".")): rule for rule in RULES}


def rule_at(path: Path) -> MergeRule | None:
    """Return the rule for a path; None where the defaults apply."""
    if len(path) > 1 and path[0] == "services":
        path = ("services", "*", *path[2:])
        if len(path) > 3 and path[2] == "stages":
            path = (*path[:3], "*", *path[4:])
    return _BY_PATH.get(path) or _BY_PATH.get((*path[:-1], "*"))


def merge(base: Node, over: Node, *, path: Path = (), problems: Problems) -> Node:
    """`over` merged into `base`. Neither is changed; every value remembers what it replaced.

    Removed keys stay as NullNode until `normalize`, so that merging is associative and a removal also
    removes what a service inherits.
    """
    rule = rule_at(path)
    if rule is not None and rule.strategy is Strategy.FIXED:
        problems.add(over.position, f"{'.'.join(path)} {rule.strategy}: {rule.note}")
        return base
    match base, over:
        case MapNode(), MapNode() if not over.sealed and (
            rule is None or rule.strategy is not Strategy.REPLACE
        ):
            return _merged(base, over, path, rule.choices if rule else (), problems)
        case ListNode(), ListExtension():
            items = _without_removed(base, over.removed)
            _report_not_removed(over, items, [*base], path, problems)
            return ListNode(over.position, [*over.before, *items, *over.after], _history(base))
        case NullNode(), ListExtension():
            _report_not_removed(over, [], [], path, problems)
            return ListNode(over.position, [*over.before, *over.after], _history(base))
        case ListExtension(), ListExtension():
            return _extended(base, over)
        case ((ScalarNode() | MapNode()), ListExtension()):
            name = ".".join(path)
            problems.add(over.position, f"{name} is {describe(base)}; only a list can be extended")
            return base
        case _:
            result = with_history(over, over.replaced + _history(base))
            if isinstance(result, MapNode):
                result.sealed = True
            return result


def _extended(base: ListExtension, over: ListExtension) -> ListExtension:
    """Return both extensions in one: the second also removes items that the first adds."""
    before, after = (_without_removed(items, over.removed) for items in (base.before, base.after))
    matched = {name for item in [*base.before, *base.after] for name in _names(item)}
    removed = {name: None if name in matched else at for name, at in over.removed.items()}
    return ListExtension(
        over.position,
        [*over.before, *before],
        [*after, *over.after],
        removed={**removed, **base.removed},
        replaced=_history(base),
    )


def _without_removed(items: list[Node], removed: Mapping[str, Position | None]) -> list[Node]:
    return [item for item in items if removed.keys().isdisjoint(_names(item))]


def _names(item: Node) -> tuple[str, ...]:
    """Return the text or id by which an item can be removed."""
    name = item.get("id") if isinstance(item, MapNode) else item
    return (str(name),) if isinstance(name, ScalarNode) else ()


def _report_not_removed(
    over: ListExtension, items: list[Node], before: list[Node], path: Path, problems: Problems
) -> None:
    """Report the items that an extension should remove from a list that does not contain them."""
    if not over.removed:
        return
    known = {name for item in before for name in _names(item)}
    for name, position in over.removed.items():
        if position is not None and name not in known:
            others = sorted(other for item in items for other in _names(item))
            problems.add(
                position,
                f"{'.'.join(path) or 'the list'} has no item {quoted(name)} to remove",
                expected="the text of an item, or the id of a build step",
                hint=similar(name, others),
            )


def merge_maps(base: MapNode, over: MapNode, *, path: Path = (), problems: Problems) -> MapNode:
    """Merge two mappings, as `merge` does."""
    merged = merge(base, over, path=path, problems=problems)
    assert isinstance(merged, MapNode)
    return merged


def _history(base: Node) -> Replaced:
    """Return what a value replaces: the old value, and what the old value replaced."""
    if isinstance(base, NullNode):
        return base.replaced
    return ((base.position, summary(base)), *base.replaced)


def _merged(
    base: MapNode, over: MapNode, path: Path, choices: tuple[str, ...], problems: Problems
) -> MapNode:
    result = without(base)
    dropped: Replaced = ()
    before = [key for key in choices if not isinstance(base.get(key), NullNode | None)]
    chosen = [key for key in choices if not isinstance(over.get(key), NullNode | None)]
    if chosen:
        for key in choices:
            if key in result and key not in over:
                dropped += _history(result.pop(key))
                del result.positions[key]
    for key, node in over.items():
        if key in result:
            old = result[key]
            result[key] = merge(old, node, path=(*path, key), problems=problems)
            if not (isinstance(old, MapNode) and isinstance(node, MapNode)):
                result.positions[key] = over.positions[key]
            continue
        added = with_history(node, node.replaced + dropped) if key in chosen else node
        if before and key in chosen and isinstance(added, MapNode):
            # It replaces another choice, so nothing below it may be merged either.
            added.sealed = True
        result.put(key, added, over.positions[key])
    return result


def normalize(node: Node, *, path: Path = (), problems: Problems) -> Node:
    """Return the tree without removed keys and open extensions. Removing what was never set is a problem."""
    if isinstance(node, ListExtension):
        _report_not_removed(node, [], [], path, problems)
        items = ListNode(node.position, [*node.before, *node.after], node.replaced)
        return normalize(items, path=path, problems=problems)
    if isinstance(node, ListNode):
        if all(isinstance(item, ScalarNode) for item in node):
            return node
        normalized = [normalize(item, problems=problems) for item in node]
        return ListNode(node.position, normalized, node.replaced)
    if not isinstance(node, MapNode) or not _has_collections(node):
        return node
    return memoized(
        node, "normalized", lambda: _normalized(node, path, problems), problems=problems
    )


def _normalized(node: MapNode, path: Path, problems: Problems) -> MapNode:
    table = MapNode(node.position)
    table.replaced = node.replaced
    for key, item in node.items():
        if not isinstance(item, NullNode):
            table.put(
                key, normalize(item, path=(*path, key), problems=problems), node.positions[key]
            )
        elif not item.replaced:
            _report_nothing_to_remove(key, node, path, problems)
    return table


def _has_collections(table: MapNode) -> bool:
    return any(not isinstance(item, ScalarNode) for item in table.values())


def _report_nothing_to_remove(key: str, table: MapNode, path: Path, problems: Problems) -> None:
    others = [name for name, other in table.items() if not isinstance(other, NullNode)]
    problems.add(
        table.positions[key],
        f"{'.'.join((*path, key))} has no value",
        expected="a value; null only removes what the base file or an extended service set",
        hint=similar(key, others) or "indent what belongs to it deeper than the key",
    )
