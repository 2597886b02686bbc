"""The service of a dev container on its way to the spec: what the rules read, write and report.

What a dev container says in other words than Compose goes through the rules for Compose, under its own name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.definition.tree import ListNode, MapNode, Node, NullNode, Position, ScalarNode
from envctl.imports.compose.long_form import long_service
from envctl.imports.compose.rule_table import RULES as COMPOSE_RULES
from envctl.imports.compose.service_import import ProjectImport, ServiceImport
from envctl.imports.devcontainer.container_variables import ContainerVariables, UnknownVariable
from envctl.lazy_dataclass import dataclass

NO_PATHS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class ContainerPlace:
    """Where the files of a dev container are."""

    folder: str
    """That of devcontainer.json, relative to the project's."""
    workspace: str
    """The workspace folder, in the container."""


class ContainerImport(ServiceImport):
    """The service that is the dev container. `services` are all of the spec, by name."""

    def __init__(
        self,
        project: ProjectImport,
        name: str,
        source: MapNode,
        *,
        place: ContainerPlace,
        variables: ContainerVariables,
        services: dict[str, Any],
    ) -> None:
        super().__init__(project, name, source)
        self.place = place
        self.variables = variables
        self.services = services
        self.spec = services.setdefault(self.spec_name, {})
        self.workspace_mount: Any = None
        """The mount of the project's folder, which only dev has."""
        self.hooks: list[Any] = []

    @property
    def is_compose(self) -> bool:
        """Whether Compose files say what it is made from."""
        return "dockerComposeFile" in self.source

    @property
    def is_built(self) -> bool:
        """Whether it is built."""
        return "dockerfile" in self.spec

    def path(self, key: str) -> str:
        """A key's path in the source."""
        return key

    # --- variables

    def filled(
        self, key: str, node: Node, at: Position, *, folder: str | None = None
    ) -> ScalarNode | None:
        """A text with its variables replaced; None, which is reported, if it is none or has an unknown variable."""
        if not isinstance(node, ScalarNode):
            self.drop(key, "a text was expected", at=at)
            self.project.report.claim(node)
            return None
        try:
            return self.variables.fill(node, folder=folder)
        except UnknownVariable as unknown:
            self.drop(key, str(unknown), at=at)
            return None

    def filled_map(self, key: str, node: Node) -> MapNode:
        """A mapping of texts with their variables replaced; entries without a value are reported."""
        table = MapNode(node.position)
        for name, value, at in self.entries(key, node):
            if isinstance(value, NullNode):
                reason = "nothing removes a variable of an image; remedy: set it to an empty text"
                self.drop(f"{key}.{name}", reason, at=at)
            elif (text := self.filled(f"{key}.{name}", value, at)) is not None:
                table.put(name, text, at)
        return table

    def texts(self, key: str) -> list[tuple[str, ScalarNode]]:
        """The texts of a list, or a single one, each with its path and with variables replaced."""
        node = self.source[key]
        texts = []
        for index, item in enumerate(node if isinstance(node, ListNode) else [node]):
            path = f"{key}[{index}]" if isinstance(node, ListNode) else key
            at = item.position if isinstance(node, ListNode) else self.position(key)
            if (text := self.filled(path, item, at)) is not None:
                texts.append((path, text))
        return texts

    # --- rules for Compose

    def apply_compose(
        self,
        key: str,
        node: Node,
        at: Position,
        paths: Mapping[str, str] = NO_PATHS,
        *,
        service: str = "",
    ) -> ComposePart:
        """Apply the rule for a key of Compose. `paths` are those of the source, by those in Compose."""
        part = ComposePart(self, key, node, at, paths=paths, service=service or self.spec_name)
        apply = COMPOSE_RULES[key].apply
        assert apply is not None
        apply(part, key)
        return part


class ComposePart(ServiceImport):
    """One key of Compose that says what the dev container says."""

    def __init__(
        self,
        container: ContainerImport,
        key: str,
        node: Node,
        at: Position,
        *,
        paths: Mapping[str, str],
        service: str,
    ) -> None:
        source = MapNode(at)
        source.put(key, node, at)
        source = long_service(source, container.project.problems)
        super().__init__(container.project, container.name, source)
        self.paths = paths or {key: key}
        self.dropped: set[Position] = set()
        """Where what has been dropped is."""
        self._container = container
        self.spec = container.services[service]
        self.service = service
        self.image_lines = container.image_lines
        self.added = container.added
        self.removed = container.removed

    @property
    def spec_name(self) -> str:
        """The service's name in the spec."""
        return self.service

    @property
    def is_built(self) -> bool:
        """Whether it is built."""
        return self._container.is_built

    def path(self, key: str) -> str:
        """A key's path in the source: that of the longest part of it that has one."""
        end = len(key)
        while end > 0:
            if (known := self.paths.get(key[:end])) is not None:
                return known + key[end:]
            end = max(key.rfind(".", 0, end), key.rfind("[", 0, end))
        return key

    def drop(self, key: str, reason: str, *, at: Position | None = None) -> None:
        """The key is not in the spec."""
        self.dropped.add(self.position(key) if at is None else at)
        super().drop(key, reason, at=at)


@dataclass(frozen=True, slots=True)
class ContainerRule:
    """What becomes of a key. Without `apply` it is dropped, and `note` says why and what to do."""

    key: str
    note: str
    outcome: KeyOutcome = KeyOutcome.DROPPED
    apply: Callable[[ContainerImport, str], None] | None = None
