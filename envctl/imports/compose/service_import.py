"""One service on its way from Compose to the spec: what the rules read, write and report."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from envctl.backends.docker.options import problems as option_problems
from envctl.conversion.conversion_report import ConversionReport, KeyOutcome, SpecPath
from envctl.definition.problems import Problems
from envctl.definition.tree import (
    ListNode,
    MapNode,
    Node,
    NullNode,
    Position,
    ScalarNode,
    describe,
)
from envctl.definition.value_readers import InvalidValue
from envctl.imports.compose.filled_text import spec_text, variables_of
from envctl.imports.imported_project import ImportChoices
from envctl.imports.written_text import SpecText, literal
from envctl.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of a key. Without `apply` it is dropped, and `note` says why and what to do."""

    key: str
    note: str
    outcome: KeyOutcome = KeyOutcome.DROPPED
    apply: Callable[[ServiceImport, str], None] | None = None


@dataclass(slots=True)
class ProjectImport:
    """What all services of a spec share."""

    choices: ImportChoices
    report: ConversionReport
    problems: Problems
    names: Mapping[str, str]
    """The services' names in the spec, by those in the source."""
    model: MapNode
    secrets: dict[str, Any]
    secret_names: Mapping[str, str]
    tasks: frozenset[str]
    """Services that others wait for until they are completed."""
    moved: dict[str, str]
    """The secrets that were made of values, by value."""


class ServiceImport:
    """A service: its source, and the spec as far as it is written."""

    def __init__(self, project: ProjectImport, name: str, source: MapNode) -> None:
        self.project = project
        self.name = name
        self.source = source
        self.spec: dict[str, Any] = {}
        self.image_lines: list[str] = []
        """Lines of a Dockerfile on top of the image, for what a spec cannot say of an image."""
        self.added: list[str] = []
        self.removed: list[str] = []
        """Capabilities."""

    @property
    def spec_name(self) -> str:
        """The service's name in the spec."""
        return self.project.names[self.name]

    @property
    def is_built(self) -> bool:
        """Whether it is built."""
        return isinstance(self.source.get("build"), MapNode)

    def path(self, key: str) -> str:
        """A key's path in the source."""
        return f"services.{self.name}.{key}"

    def position(self, key: str) -> Position:
        """Where a key of the service is."""
        return self.source.positions[key]

    # --- reporting

    def keep(self, key: str, *new: str | int, note: str = "", at: Position | None = None) -> None:
        """The key means the same in the spec."""
        self._add(key, at, KeyOutcome.SAME, note, new)

    def translate(self, key: str, note: str, *new: str | int, at: Position | None = None) -> None:
        """The key became something else."""
        self._add(key, at, KeyOutcome.TRANSLATED, note, new)

    def drop(self, key: str, reason: str, *, at: Position | None = None) -> None:
        """The key is not in the spec."""
        self._add(key, at, KeyOutcome.DROPPED, reason, ())

    def drop_item(self, key: str, reason: str, item: Node) -> None:
        """An item of a list, with all that is in it, is not in the spec."""
        self.drop(key, reason, at=item.position)
        self.project.report.claim(item)

    def _add(
        self, key: str, at: Position | None, outcome: KeyOutcome, note: str, new: SpecPath
    ) -> None:
        path = ("services", self.spec_name, *new) if new else ()
        position = self.position(key) if at is None else at
        self.project.report.add(position, self.path(key), outcome, note, path)

    # --- writing

    def write(self, value: Any, *path: str) -> None:
        """Set a value of the spec."""
        table = self.spec
        for key in path[:-1]:
            table = table.setdefault(key, {})
        table[path[-1]] = value

    def option(
        self, key: str, name: str, value: Any, *, note: str = "", at: Position | None = None
    ) -> None:
        """Set an option of the Docker backend, if it accepts the value."""
        invalid = option_problems({name: value})
        if invalid:
            expected = f", it takes {invalid[0].expected}" if invalid[0].expected else ""
            self.drop(key, f"{invalid[0].message}{expected}; remedy: correct the value", at=at)
            return
        options = self.spec.setdefault("options", {}).setdefault("docker", {})
        if isinstance(value, dict) and isinstance(options.get(name), dict):
            options[name] |= value
        else:
            options[name] = value
        self._add(key, at, KeyOutcome.OPTION, note, ("options", "docker", name))

    def text_option(self, key: str, name: str) -> None:
        """Set an option of the Docker backend to the text of a key."""
        node = self.source[key]
        if isinstance(node, ScalarNode):
            self.option(key, name, str(node))
        else:
            self.drop(key, f"a text was expected, got {describe(node)}")

    def text(
        self, key: str, node: Node, read: Callable[[Any], Any], *, at: Position | None = None
    ) -> SpecText | None:
        """A text as the spec writes it, if the spec's own reader accepts it; reported as dropped otherwise."""
        if not isinstance(node, ScalarNode):
            self.drop(key, f"a text was expected, got {describe(node)}", at=at)
            return None
        try:
            read(ScalarNode(str(node), node.position))
        except InvalidValue as error:
            expected = f" (expected: {error.expected})" if error.expected else ""
            self.drop(key, f"{error.message}{expected}", at=at)
            return None
        return spec_text(node)

    def items(self, key: str, node: Node | None) -> Iterable[ScalarNode]:
        """The texts of a list, or a single text; others are reported."""
        for item in node if isinstance(node, ListNode) else [node]:
            if isinstance(item, ScalarNode):
                yield item
            elif item is not None and not isinstance(item, NullNode):
                self.drop_item(key, f"a text was expected, got {describe(item)}", item)

    def entries(self, key: str, node: Node) -> Iterable[tuple[str, Node, Position]]:
        """The entries of a mapping, with their places."""
        if isinstance(node, MapNode):
            for name, item in node.items():
                yield name, item, node.positions[name]
        elif not isinstance(node, NullNode):
            self.drop_item(key, f"a mapping was expected, got {describe(node)}", node)

    def words(self, key: str, node: Node, *, at: Position | None = None) -> list[SpecText] | None:
        """A command as a list of arguments; Compose splits a text as a shell does, and runs no shell."""
        if isinstance(node, ListNode):
            return [spec_text(item) for item in self.items(key, node)]
        if not isinstance(node, ScalarNode):
            self.drop(key, f"a command was expected, got {describe(node)}", at=at)
            return None
        import shlex

        try:
            arguments = [str(literal(word)) for word in shlex.split(node)]
            if len(as_spec := shlex.split(spec_text(node))) == len(arguments):
                arguments = as_spec
        except ValueError as error:
            self.drop(key, f"{' '.join(str(error).lower().split())} in the command", at=at)
            return None
        return [SpecText(argument) for argument in arguments]


_REFERENCE: Final = re.compile(r"\$\{([a-z0-9_]+)\}")


def variable_note(node: Node) -> str:
    """Which variables of the spec a text uses now."""
    names = variables_of(node)
    return f"uses {', '.join(f'${{{name.lower()}}}' for name in names)}" if names else ""


def flag(node: Node | None) -> bool | None:
    """A boolean; None if the node is none."""
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    return words.get(str(node).lower()) if isinstance(node, ScalarNode) else None


def whole(node: Node | None) -> int | None:
    """A whole number; None if the node is none."""
    if isinstance(node, ScalarNode) and re.fullmatch(r"-?[0-9]{1,15}", node):
        return int(node)
    return None


def slug(text: str, *, longest: int = 40, also: str = "") -> str:
    """A name of the spec for a name of the source."""
    name = re.sub(rf"[^a-z0-9{also}-]+", "-", text.lower()).strip("-_")
    name = name if name[:1].isalpha() else f"s-{name}".strip("-")
    return name[:longest].strip("-_")


def quoted_path(text: str) -> SpecText:
    """A path in which no `$` means anything."""
    return literal(text)
