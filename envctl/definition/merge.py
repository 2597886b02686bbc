"""How an overlay changes the base file, and a service the one it extends: one table of rules."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from envctl.definition.keys.spec_file import SPEC, merge_rules
from envctl.definition.problems import Problems, near
from envctl.definition.remember import remembered
from envctl.definition.tree import (
    Extend,
    Items,
    Node,
    Null,
    Replaced,
    Table,
    Text,
    brief,
    copied,
    what,
)
from envctl.lazy_dataclass import dataclass

Path: TypeAlias = tuple[str, ...]


class How(StrEnum):
    """What setting a value does to the one that was there."""

    MERGE = "merge by key"
    REPLACE = "replace"
    EXTEND = "extend"
    REMOVE = "remove"
    CHOICE = "merge by key; one of the choices drops the others"
    FIXED = "cannot be changed"


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens at a path; `*` stands for any service. `choices` are keys that exclude each other."""

    path: str
    how: How
    note: str
    choices: tuple[str, ...] = ()


DEFAULTS: tuple[Rule, ...] = (
    Rule("any mapping", How.MERGE, "keys that the overlay does not name stay"),
    Rule("any scalar", How.REPLACE, ""),
    Rule("any list", How.REPLACE, ""),
    Rule(
        "`!append [ … ]`",
        How.EXTEND,
        "adds to the end of the list; the whole list if there is none",
    ),
    Rule("`!prepend [ … ]`", How.EXTEND, "adds to the beginning"),
    Rule(
        "`null`, or no value",
        How.REMOVE,
        "the key, whatever it held; an error where nothing was set",
    ),
    Rule("another form", How.REPLACE, "a mapping over a list or a scalar, and the other way round"),
)
"""What holds everywhere; written for people, carried out by `merge`."""

RULES: tuple[Rule, ...] = tuple(
    Rule(path, How[how.upper()], note, choices) for path, how, note, choices in merge_rules(SPEC)
)
"""Where something else holds."""

_BY_PATH: dict[Path, Rule] = {tuple(rule.path.split(".")): rule for rule in RULES}


def rule_at(path: Path) -> Rule | None:
    """The rule for a path, None where the defaults hold."""
    if len(path) > 1 and path[0] == "services":
        path = ("services", "*", *path[2:])
    return _BY_PATH.get(path)


def merge(base: Node, over: Node, *, path: Path = (), problems: Problems) -> Node:
    """What `over` makes of `base`. Neither is changed; every value remembers what it replaced.

    Removed keys stay as Null until `settled`, so that merging is associative and a removal also
    holds against what a service inherits.
    """
    rule = rule_at(path)
    if rule is not None and rule.how is How.FIXED:
        problems.add(over.spot, f"{'.'.join(path)} {rule.how}: {rule.note}")
        return base
    match base, over:
        case Table(), Table() if not over.sealed and (rule is None or rule.how is not How.REPLACE):
            return _merged(base, over, path, rule.choices if rule else (), problems)
        case Items(), Extend():
            items = Items(over.spot, [*over.before, *base, *over.after])
            items.replaced = _replaced(base)
            return items
        case Extend(), Extend():
            both = Extend(over.spot, [*over.before, *base.before], [*base.after, *over.after])
            both.replaced = _replaced(base)
            return both
        case ((Text() | Table()), Extend()):
            name = ".".join(path)
            problems.add(over.spot, f"{name} is {what(base)}; only a list can be extended")
            return base
        case Null(), Extend():
            items = Items(over.spot, [*over.before, *over.after])
            items.replaced = _replaced(base)
            return items
        case _:
            result = copied(over, over.replaced + _replaced(base))
            if isinstance(result, Table):
                result.sealed = True
            return result


def _replaced(base: Node) -> Replaced:
    return base.replaced if isinstance(base, Null) else ((base.spot, brief(base)), *base.replaced)


def _merged(
    base: Table, over: Table, path: Path, choices: tuple[str, ...], problems: Problems
) -> Table:
    result = copied(base, base.replaced)
    assert isinstance(result, Table)
    dropped: Replaced = ()
    before = [key for key in choices if not isinstance(base.get(key), Null | None)]
    chosen = [key for key in choices if not isinstance(over.get(key), Null | None)]
    if chosen:
        for key in choices:
            if key in result and key not in over:
                dropped += _replaced(result.pop(key))
                del result.spots[key]
    for key, node in over.items():
        if key in result:
            old = result[key]
            result[key] = merge(old, node, path=(*path, key), problems=problems)
            if not (isinstance(old, Table) and isinstance(node, Table)):
                result.spots[key] = over.spots[key]
        else:
            added = copied(node, node.replaced + dropped) if dropped and key in chosen else node
            if before and key in chosen and isinstance(added, Table):
                # It takes another's place: of one of its name further down nothing is left either.
                added = copied(added, added.replaced)
                added.sealed = True  # type: ignore[union-attr]
            result.put(key, added, over.spots[key])
    return result


def settled(node: Node, *, path: Path = (), problems: Problems) -> Node:
    """The tree without removed keys and unfinished extensions; a removal of nothing is a problem."""
    if isinstance(node, Extend):
        items = Items(node.spot, [*node.before, *node.after])
        items.replaced = node.replaced
        return settled(items, path=path, problems=problems)
    if isinstance(node, Items):
        if any(not isinstance(item, Text) for item in node):
            result = Items(node.spot, [settled(item, problems=problems) for item in node])
            result.replaced = node.replaced
            return result
        return node
    if not isinstance(node, Table) or not _unsettled(node):
        return node
    return remembered(node, "settled", lambda: _settled(node, path, problems), problems=problems)


def _settled(node: Table, path: Path, problems: Problems) -> Table:
    table = Table(node.spot)
    table.replaced = node.replaced
    for key, item in node.items():
        if not isinstance(item, Null):
            table.put(key, settled(item, path=(*path, key), problems=problems), node.spots[key])
        elif not item.replaced:
            _nothing_there(key, node, path, problems)
    return table


def _unsettled(table: Table) -> bool:
    return any(not isinstance(item, Text) for item in table.values())


def _nothing_there(key: str, table: Table, path: Path, problems: Problems) -> None:
    others = [name for name, other in table.items() if not isinstance(other, Null)]
    suggestion = near(key, others) if others else ""
    problems.add(
        table.spots[key],
        f"{'.'.join((*path, key))} has no value",
        expected="a value; null removes what the base file or an extended service set, and here is nothing",
        hint=suggestion
        if "did you mean" in suggestion
        else "what belongs to it is indented deeper than it is",
    )
