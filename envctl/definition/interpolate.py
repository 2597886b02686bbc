"""`${name}`: variables declared in `vars`, and nothing else of the outside world."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from envctl.definition.problems import Problems, near
from envctl.definition.remember import remembered
from envctl.definition.size import MOST_CHARACTERS
from envctl.definition.tree import (
    Extend,
    Items,
    Node,
    Null,
    Spot,
    Table,
    Text,
    brief,
    listed,
    shown,
    what,
)
from envctl.errors import UsageError
from envctl.lazy_dataclass import dataclass

PREFIX = "ENVCTL_VAR_"
VAR_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")
MAX_LENGTH = 1024 * 1024
_NOTES = 3
_NONE: frozenset[str] = frozenset()
_DOLLAR = re.compile(r"\$\$|\$\{([^}]*)(\}?)")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable's value, and where it was set: a place in a file, or ("--set", 1, 1)."""

    value: Text
    source: str = ""


def escape(text: str) -> str:
    """The text, written so that interpolation gives it back."""
    return text.replace("$", "$$")


class Interpolation:
    """Replaces `${name}` in a tree. A `$` followed by anything but `{` or `$` stands for itself."""

    def __init__(
        self,
        declared: Table,
        *,
        sets: Mapping[str, str],
        environ: Mapping[str, str],
        problems: Problems,
    ) -> None:
        """Work out every variable; UsageError if `sets` names one that is not declared."""
        self.problems = problems
        self.declared = declared
        self.given: dict[str, Text] = {}
        for name, value in sets.items():
            if name not in declared:
                raise UsageError(
                    f"--set {name}: the spec declares no such variable",
                    hint=near(name, declared) or "declare it under vars",
                )
            self._give(name, value, "--set")
        for name in declared:
            if PREFIX + name in environ and name not in self.given:
                self._give(name, environ[PREFIX + name], PREFIX + name)
        self.values: dict[str, Text] = {}
        self._room_in_all = MOST_CHARACTERS
        for name in declared:
            self._work_out(name)

    def _give(self, name: str, value: str, source: str) -> None:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{source}: the value of {name} is not UTF-8") from None
        if "\0" in value:
            raise UsageError(f"{source}: the value of {name} contains a NUL character")
        text = Text(value, (source, 1, 1))
        text.note = f"{name} is {shown(value)}, from {source}"
        self.given[name] = text

    def _work_out(self, start: str) -> None:
        """A variable's value, after those it refers to; no chain of them is too long."""
        trail = {start: self._referred(start)}
        while trail:
            name, rest = next(reversed(trail.items()))
            needed = next((one for one in rest if one not in self.values), None)
            if needed is None:
                del trail[name]
                self.values.setdefault(name, self._value(name))
            elif needed in trail:
                names = list(trail)
                circle = listed([*names[names.index(needed) :], needed], " → ")
                spot = self.declared[needed].spot
                self.problems.add(spot, f"variables refer to each other in a circle: {circle}")
                self.values[needed] = Text("", spot)
            else:
                trail[needed] = self._referred(needed)

    def _referred(self, name: str) -> Iterator[str]:
        """The declared variables that a variable's own text refers to."""
        node = self.declared[name]
        if name in self.given or not isinstance(node, Text) or name in self.values:
            return iter(())
        names = (match[1] for match in _DOLLAR.finditer(node) if match[1])
        return iter([one for one in names if one in self.declared])

    def _value(self, name: str) -> Text:
        """A variable's value; those it refers to are known."""
        node = self.declared[name]
        if name in self.given:
            value = self.given[name]
            if not isinstance(node, Null):
                value.replaced = ((node.spot, brief(node)), *node.replaced)
            return value
        if isinstance(node, Text):
            return self._text(node)
        self.problems.add(
            self.declared.spots[name],
            f"vars.{name}: expected a text or a number, got {what(node)}",
        )
        return Text("", node.spot)

    def node(self, node: Node) -> Node:
        """The node with all of its scalars interpolated; the very node if there is nothing to do."""
        match node:
            case Text():
                return self._text(node) if "$" in node else node
            case Table():
                names = _variables_in(node)
                return self._shared_table(node, names) if names else node
            case Items():
                nodes = [self.node(item) for item in node]
                if all(new is old for new, old in zip(nodes, node, strict=True)):
                    return node
                items = Items(node.spot, nodes)
                items.replaced = node.replaced
                return items
            case Extend():
                extend = Extend(
                    node.spot, list(map(self.node, node.before)), list(map(self.node, node.after))
                )
                extend.replaced = node.replaced
                return extend
            case Null():
                return node

    def _shared_table(self, node: Table, names: AbstractSet[str]) -> Table:
        """The table, made once for all environments in which its variables have the same values."""
        values = [(name, self.values.get(name)) for name in sorted(names)]
        key = tuple(
            (name, value, value.note if value is not None else "") for name, value in values
        )

        def made() -> tuple[Table, int]:
            room = self._room_in_all
            table = self._table(node)
            used, self._room_in_all = room - self._room_in_all, room
            return table, used

        table, used = remembered(node, key, made, problems=self.problems)
        if used > self._room_in_all:
            return self._table(node)
        self._room_in_all -= used
        return table

    def _table(self, node: Table) -> Table:
        table = Table(node.spot)
        changed = False
        for key, item in node.items():
            if "${" in key:
                self.problems.add(
                    node.spots[key],
                    f"variables do not work in keys: {shown(key)}",
                    hint="mounts have a list form: [{source: …, target: …}]",
                )
            new = self.node(item)
            changed = changed or new is not item
            table[key] = new
        if not changed:
            return node
        table.spots, table.replaced, table.sealed = node.spots, node.replaced, node.sealed
        return table

    def _text(self, node: Text) -> Text:
        """The text with its variables' values, which are data: not looked into again."""
        if "$" not in node:
            return node
        notes: list[str] = []
        room = MAX_LENGTH
        known = True

        def value(match: re.Match[str]) -> str:
            if match[0] == "$$":
                return "$"
            found = self._lookup(match, node)
            nonlocal room, known
            if found is None:
                known = False
                return match[0]
            room -= len(found)
            if room < 0:
                self.problems.add(
                    node.spot, f"variables make this longer than {MAX_LENGTH:,} characters"
                )
                return ""
            self._room_in_all -= len(found)
            if self._room_in_all < 0:
                self._too_much(node.spot)
            if len(notes) < _NOTES:
                notes.append(found.note or f"{match[1]} is {shown(found)}")
            return str(found)

        text = Text(_DOLLAR.sub(value, node), node.spot, plain=node.plain and not notes)
        if not known:
            self.problems.enough_of(node.spot)
        text.replaced = node.replaced
        text.note = "; ".join(dict.fromkeys([*filter(None, [node.note]), *notes]))
        return text if notes or text != node else node

    def _too_much(self, spot: Spot) -> None:
        self.problems.add(
            spot,
            f"here variables have made the spec longer than {MOST_CHARACTERS:,} characters",
            hint="put what is long into a file, and copy or mount that",
        )
        self.problems.stop()

    def _lookup(self, match: re.Match[str], node: Text) -> Text | None:
        name = match[1]
        spot = _within(node, match.start())
        literal = "for a literal ${ write $${"
        if not match[2] or not VAR_NAME.match(name):
            self.problems.add(
                spot,
                f"{shown(match[0])} is no variable",
                expected="${name}, the name in small letters, digits and _",
                hint=literal,
            )
            return None
        if name not in self.declared:
            near_one = near(name, self.declared)
            self.problems.add(
                spot,
                f"the variable {name!r} is not declared",
                expected="a name declared under vars",
                hint=near_one
                if "did you mean" in near_one
                else f"declare it: vars: {{{name}: …}}; {literal}",
            )
            return None
        return self.values[name]


def _variables_in(node: Node) -> frozenset[str]:
    """What may be replaced in a node: the names of variables, declared or not; "" for a `$$`, and for what is a mistake."""
    match node:
        case Text():
            if "$" not in node:
                return _NONE
            return frozenset(match[1] or "" for match in _DOLLAR.finditer(node))
        case Table():
            return remembered(node, "variables", lambda: _union(node, node.values()))
        case Items():
            return _union((), node)
        case Extend():
            return _union((), [*node.before, *node.after])
        case Null():
            return _NONE


def _union(keys: Iterable[str], nodes: Iterable[Node]) -> frozenset[str]:
    wrong = frozenset(("",)) if any("${" in key for key in keys) else _NONE
    return wrong.union(*map(_variables_in, nodes))


def _within(node: Text, offset: int) -> Spot:
    """The place of a character of a scalar, as well as it can be told."""
    file, line, column = node.spot
    if node.plain and "\n" not in node:
        return (file, line, column + offset)
    return node.spot
