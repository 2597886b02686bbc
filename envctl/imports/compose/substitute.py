"""Compose's interpolation: `$NAME` and `${NAME}` with all operators. Values come from files only, never from processes."""

from __future__ import annotations

import re
from typing import Final

from envctl.definition.interpolate import VAR_NAME, escape
from envctl.definition.problems import Problems
from envctl.definition.tree import (
    ListExtension,
    ListNode,
    MapNode,
    Node,
    NullNode,
    Position,
    ScalarNode,
    quoted,
)
from envctl.imports.compose.filled_text import FilledText
from envctl.imports.written_text import SpecText

MAX_CHARACTERS: Final = 8 * 1024 * 1024
"""All texts that variables are replaced in, together."""
_MAX_DEPTH: Final = 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+?])(.*))?\Z", re.DOTALL)
_BRACE = re.compile(r"\$\{|\}")


class _Mistake(Exception):  # noqa: N818 — control flow within this module
    """What is wrong with a reference, and a hint."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Variables:
    """The variables that a Compose file can use, and what the spec has to declare for them."""

    def __init__(self, values: MapNode, problems: Problems) -> None:
        """`values` are those of `.env`, which the spec reads itself if it can."""
        self.values = values
        self.problems = problems
        self.defaults: dict[str, str] = {}
        """Variables that the spec declares, as a spec writes them."""
        self.unset: dict[str, Position] = {}
        self.characters_left = MAX_CHARACTERS
        lowered = [name.lower() for name in values]
        is_valid = all(VAR_NAME.match(name) for name in lowered)
        self.spec_reads_file = is_valid and len({*lowered}) == len(lowered)

    def spec_default(self, word: str) -> SpecText:
        """The value of a variable that the spec declares, as a spec writes it."""
        return SpecText(self.defaults[word])

    def fill(self, node: Node) -> Node:
        """A tree with all its texts filled in. Keys stay as they are."""
        match node:
            case ScalarNode():
                return self._filled(node)
            case MapNode():
                table = MapNode(node.position)
                for key, item in node.items():
                    table.put(key, self.fill(item), node.positions[key])
                return table
            case ListNode():
                return ListNode(node.position, [self.fill(item) for item in node])
            case ListExtension():
                self.problems.add(
                    node.position, "this tag is not one of Compose", expected="!reset or !override"
                )
                return NullNode(node.position)
            case _:
                return node

    def _filled(self, node: ScalarNode) -> ScalarNode:
        if "$" not in node:
            return node
        names: list[str] = []
        try:
            value, spec = self._expand(node, node.position, names)
        except _Mistake as mistake:
            self.problems.add(node.position, mistake.message, hint=mistake.hint)
            return node
        return FilledText.of(value, spec, node.position, plain=node.plain, names=names)

    def _expand(
        self, text: str, position: Position, names: list[str], depth: int = 0
    ) -> tuple[str, str]:
        """The text with variables replaced, and as a spec writes it."""
        if depth > _MAX_DEPTH:
            raise _Mistake(f"variables are nested deeper than {_MAX_DEPTH} levels", "")
        values: list[str] = []
        specs: list[str] = []
        index = 0
        while (dollar := text.find("$", index)) >= 0:
            value, spec, end = self._reference(text, dollar, position, names, depth)
            values += (text[index:dollar], value)
            specs += (text[index:dollar], spec)
            self.characters_left -= len(value) + len(spec)
            if self.characters_left < 0:
                raise _Mistake(f"variables expand to more than {MAX_CHARACTERS:,} characters", "")
            index = end
        return "".join([*values, text[index:]]), "".join([*specs, text[index:]])

    def _reference(
        self, text: str, dollar: int, position: Position, names: list[str], depth: int
    ) -> tuple[str, str, int]:
        """What a `$` stands for, how a spec writes that, and where it ends."""
        after = text[dollar + 1 : dollar + 2]
        if after == "$":
            # Escaped only where it would mean something in a spec.
            is_reference = text[dollar + 2 : dollar + 3] in ("{", "$")
            return "$", "$$" if is_reference else "$", dollar + 2
        if after == "{":
            end = _closing(text, dollar)
            inner = text[dollar + 2 : end]
            return *self._braced(inner, position, names, depth), end + 1
        name = _NAME.match(text, dollar + 1)
        if name is None:
            raise _Mistake(
                f"{quoted(text[dollar : dollar + 20])} is not a valid variable",
                "for a literal $ write $$",
            )
        return *self._plain(name[0], position, names), name.end()

    def _braced(
        self, inner: str, position: Position, names: list[str], depth: int
    ) -> tuple[str, str]:
        match = _BRACED.match(inner)
        if match is None:
            raise _Mistake(
                f"{quoted('${' + inner + '}')} is not a valid variable",
                "write ${NAME}, ${NAME:-default}, ${NAME:+other} or ${NAME:?message}",
            )
        name, operator, word = match[1], match[2] or "", match[3] or ""
        value = self.values.get(name)
        is_set = isinstance(value, ScalarNode) and bool(value or not operator.startswith(":"))
        if operator.endswith("+"):
            names.append(name)
            return self._expand(word, position, names, depth + 1) if is_set else ("", "")
        if is_set or not operator:
            return self._plain(name, position, names)
        other, spec = self._expand(word, position, names, depth + 1)
        if operator.endswith("?"):
            reason = f": {other}" if other else ""
            raise _Mistake(
                f"the variable {name} is required{reason}", f"set it in .env: {name}=value"
            )
        return other, self._declared(name, other, spec, names)

    def _plain(self, name: str, position: Position, names: list[str]) -> tuple[str, str]:
        value = self.values.get(name)
        if isinstance(value, ScalarNode):
            return str(value), self._declared(name, str(value), escape(value), names)
        self.unset.setdefault(name, position)
        return "", self._declared(name, "", "", names)

    def _declared(self, name: str, value: str, spec: str, names: list[str]) -> str:
        """The reference to a variable of the spec; its value where another default has the name."""
        names.append(name)
        word = name.lower()
        if not VAR_NAME.match(word):
            return escape(value)
        in_file = self.values.get(name)
        if self.spec_reads_file and in_file is not None and in_file.position[0] == ".env":
            is_default = str(in_file) != value
            return escape(value) if is_default else f"${{{word}}}"
        if self.defaults.setdefault(word, spec) != spec:
            return spec
        return f"${{{word}}}"


def _closing(text: str, dollar: int) -> int:
    """Where the brace of a reference is closed."""
    depth = 0
    for match in _BRACE.finditer(text, dollar):
        depth += 1 if match[0] == "${" else -1
        if depth == 0:
            return match.start()
    raise _Mistake(
        f"{quoted(text[dollar:])}: the closing brace is missing", "for a literal $ write $$"
    )
