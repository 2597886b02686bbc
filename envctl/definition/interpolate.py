"""Variables: `${name}` is replaced by what `vars` declares. Nothing else in the process environment has any effect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from envctl.definition.memo import memoized
from envctl.definition.problems import Problems, similar, suggestion
from envctl.definition.size import MAX_CHARACTERS
from envctl.definition.tree import (
    ListExtension,
    ListNode,
    MapNode,
    Node,
    NullNode,
    Position,
    ScalarNode,
    abbreviated,
    children,
    describe,
    quoted,
    summary,
)
from envctl.errors import UsageError
from envctl.plan.port_references import port_mark

PREFIX = "ENVCTL_VAR_"
VAR_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")
MAX_LENGTH = 1024 * 1024
_NOTES = 3
_NONE: frozenset[str] = frozenset()
TEMPLATE = "template"
"""The key whose text may have secrets in it."""
_SECRET = re.compile(r"secret\.[a-z_][a-z0-9_]*\Z")
_PORT = re.compile(r"port\.([A-Za-z0-9_-]+)\.([0-9]{1,5})\Z")
_PORT_EXPECTED = "${port.SERVICE.NUMBER}, such as ${port.web.8000}"
_DOLLAR = re.compile(r"\$\$|\$\{([^}]*)(\}?)")


def escape(text: str) -> str:
    """Return the text with each `$` doubled, so that interpolation gives it back."""
    return text.replace("$", "$$")


class Interpolation:
    """Replaces `${name}` in a tree. A `$` followed by anything but `{` or `$` stands for itself."""

    def __init__(
        self,
        declared: MapNode,
        *,
        sets: Mapping[str, str],
        environ: Mapping[str, str],
        problems: Problems,
    ) -> None:
        """Evaluate every variable. Raises UsageError if `sets` names one that is not declared."""
        self.problems = problems
        self.declared = declared
        self.overrides: dict[str, ScalarNode] = {}
        for name, value in sets.items():
            if name not in declared:
                raise UsageError(
                    f"--set {name}: the spec declares no such variable",
                    hint=suggestion(name, declared) or "declare it under vars",
                )
            self._override(name, value, "--set")
        for name in declared:
            if PREFIX + name in environ and name not in self.overrides:
                self._override(name, environ[PREFIX + name], PREFIX + name)
        self.values: dict[str, ScalarNode] = {}
        self._characters_left = MAX_CHARACTERS
        self._in_vars = True
        for name in declared:
            self._evaluate(name)
        self._in_vars = False

    def _override(self, name: str, value: str, source: str) -> None:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{source}: the value of {name} is not UTF-8") from None
        if "\0" in value:
            raise UsageError(f"{source}: the value of {name} contains a NUL character")
        text = ScalarNode(value, (source, 1, 1))
        text.note = f"{name} is {quoted(value)}, from {source}"
        self.overrides[name] = text

    def _evaluate(self, start: str) -> None:
        """Evaluate a variable after those it refers to, without recursion: no chain is too long."""
        trail = {start: self._references(start)}
        while trail:
            name, references = next(reversed(trail.items()))
            needed = next(
                (reference for reference in references if reference not in self.values), None
            )
            if needed is None:
                del trail[name]
                self.values.setdefault(name, self._value(name))
            elif needed in trail:
                names = list(trail)
                circle = abbreviated([*names[names.index(needed) :], needed], " → ")
                position = self.declared[needed].position
                self.problems.add(position, f"variables refer to each other in a circle: {circle}")
                self.values[needed] = ScalarNode("", position)
            else:
                trail[needed] = self._references(needed)

    def _references(self, name: str) -> Iterator[str]:
        """Return the declared variables that a variable's text refers to."""
        node = self.declared[name]
        if name in self.overrides or not isinstance(node, ScalarNode) or name in self.values:
            return iter(())
        names = (match[1] for match in _DOLLAR.finditer(node))
        return iter([reference for reference in names if reference in self.declared])

    def _value(self, name: str) -> ScalarNode:
        """Return the value of a variable; those that it refers to are known already."""
        node = self.declared[name]
        if name in self.overrides:
            value = self.overrides[name]
            if not isinstance(node, NullNode):
                value.replaced = ((node.position, summary(node)), *node.replaced)
            return value
        if isinstance(node, ScalarNode):
            return self._text(node)
        self.problems.add(
            self.declared.positions[name],
            f"vars.{name}: expected a text or a number, got {describe(node)}",
        )
        return ScalarNode("", node.position)

    def node(self, node: Node) -> Node:
        """Return the node with all variables replaced; the same node if it has none."""
        match node:
            case ScalarNode():
                return self._text(node) if "$" in node else node
            case MapNode():
                names = _variables_in(node)
                return self._shared_table(node, names) if names else node
            case ListNode():
                nodes = [self.node(item) for item in node]
                if all(new is old for new, old in zip(nodes, node, strict=True)):
                    return node
                return ListNode(node.position, nodes, node.replaced)
            case ListExtension():
                before, after = map(self.node, node.before), map(self.node, node.after)
                return ListExtension(
                    node.position,
                    list(before),
                    list(after),
                    removed=node.removed,
                    replaced=node.replaced,
                )
            case NullNode():
                return node

    def _shared_table(self, node: MapNode, names: AbstractSet[str]) -> MapNode:
        """Return the mapping with its variables replaced, once for all environments that give them the same values."""
        values = [(name, self.values.get(name)) for name in sorted(names)]
        key = tuple(
            (name, value, value.note if value is not None else "") for name, value in values
        )

        def make() -> tuple[MapNode, int]:
            length_left = self._characters_left
            table = self._table(node)
            used, self._characters_left = length_left - self._characters_left, length_left
            return table, used

        table, used = memoized(node, key, make, problems=self.problems)
        if used > self._characters_left:
            return self._table(node)
        self._characters_left -= used
        return table

    def _table(self, node: MapNode) -> MapNode:
        table = MapNode(node.position)
        changed = False
        for key, item in node.items():
            if "${" in key:
                self.problems.add(
                    node.positions[key],
                    f"variables are not allowed in keys: {quoted(key)}",
                    hint="mounts have a list form: [{source: …, target: …}]",
                )
            is_template = key == TEMPLATE and isinstance(item, ScalarNode)
            new = self._text(item, template=True) if is_template else self.node(item)  # type: ignore[arg-type]
            changed = changed or new is not item
            table[key] = new
        if not changed:
            return node
        table.positions, table.replaced, table.sealed = node.positions, node.replaced, node.sealed
        return table

    def _text(self, node: ScalarNode, *, template: bool = False) -> ScalarNode:
        """Return the text with its variables replaced. Values are data: a `$` in them means nothing.

        A template stays one: `${secret.NAME}` is kept, and a literal `$` is still written `$$`.
        """
        if "$" not in node:
            return node
        notes: list[str] = []
        length_left = MAX_LENGTH
        known = True

        def value(match: re.Match[str]) -> str:
            if match[0] == "$$":
                return "$$" if template else "$"
            if template and match[2] and _SECRET.match(match[1]):
                return match[0]
            variable = self._lookup(match, node)
            nonlocal length_left, known
            if variable is None:
                known = False
                return match[0]
            length_left -= len(variable)
            if length_left < 0:
                self.problems.add(
                    node.position, f"variables make this longer than {MAX_LENGTH:,} characters"
                )
                return ""
            self._characters_left -= len(variable)
            if self._characters_left < 0:
                self._stop_too_long(node.position)
            if len(notes) < _NOTES:
                notes.append(variable.note or f"{match[1]} is {quoted(variable)}")
            return escape(variable) if template else str(variable)

        text = ScalarNode(_DOLLAR.sub(value, node), node.position, plain=node.plain and not notes)
        if not known:
            self.problems.suppress(node.position)
        text.replaced = node.replaced
        text.note = "; ".join(dict.fromkeys([*filter(None, [node.note]), *notes]))
        return text if notes or text != node else node

    def _stop_too_long(self, position: Position) -> None:
        self.problems.add(
            position,
            f"variables make the spec longer than {MAX_CHARACTERS:,} characters",
            hint="move long content into a file, and copy or mount it",
        )
        self.problems.stop()

    def uses_ports(self, tree: MapNode) -> bool:
        """Whether any value refers to a port of the host."""
        return any(name.startswith("port.") for name in _variables_in(tree))

    def _lookup(self, match: re.Match[str], node: ScalarNode) -> ScalarNode | None:
        name = match[1]
        position = _within(node, match.start())
        if match[2] and name.startswith("port."):
            return self._port(name, position)
        literal = "for a literal ${ write $${"
        if match[2] and _SECRET.match(name):
            self.problems.add(
                position,
                f"{quoted(match[0])}: a secret is only allowed in a template of env",
                expected=f'env: {{NAME: {{template: "…{match[0]}…"}}}}',
            )
            return None
        if not match[2] or not VAR_NAME.match(name):
            self.problems.add(
                position,
                f"{quoted(match[0])} is not a valid variable",
                expected="${name}, the name in lower-case letters, digits and _",
                hint=literal,
            )
            return None
        if name not in self.declared:
            self.problems.add(
                position,
                f"the variable {name!r} is not declared",
                expected="a name declared under vars",
                hint=similar(name, self.declared) or f"declare it: vars: {{{name}: …}}; {literal}",
            )
            return None
        return self.values[name]

    def _port(self, name: str, position: Position) -> ScalarNode | None:
        """Return the mark for a port of the host, which is chosen later."""
        if self._in_vars:
            self.problems.add(
                position,
                f"vars: ${{{name}}} is not known here",
                expected="a port of the host only in texts of env and in command of a service",
            )
            return None
        match = _PORT.match(name)
        if match is None:
            self.problems.add(
                position, f"{quoted(f'${{{name}}}')} is not a valid port", expected=_PORT_EXPECTED
            )
            return None
        mark = ScalarNode(port_mark(match[1], int(match[2])), position)
        mark.note = f"{name} is a port of this host"
        return mark


def _variables_in(node: Node) -> frozenset[str]:
    """Return the variables in a node, declared or not; "" for a `$$`, and for a mistake."""
    match node:
        case ScalarNode():
            if "$" not in node:
                return _NONE
            return frozenset(match[1] or "" for match in _DOLLAR.finditer(node))
        case MapNode():
            return memoized(node, "variables", lambda: _variables_in_table(node))
        case _:
            return _NONE.union(*map(_variables_in, children(node)))


def _variables_in_table(table: MapNode) -> frozenset[str]:
    wrong = frozenset(("",)) if any("${" in key for key in table) else _NONE
    return wrong.union(*map(_variables_in, table.values()))


def _within(node: ScalarNode, offset: int) -> Position:
    """Return the position of a character in a scalar; that of the scalar where quotes or folding make it uncertain."""
    file, line, column = node.position
    if node.plain and "\n" not in node:
        return (file, line, column + offset)
    return node.position
