"""`extends`: each service merged into the one it extends."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import partial

from envctl.definition.memo import memoized
from envctl.definition.merge import merge
from envctl.definition.problems import Problems, suggestion
from envctl.definition.size import Size
from envctl.definition.tree import (
    MapNode,
    Node,
    NullNode,
    Position,
    ScalarNode,
    abbreviated,
    describe,
    quoted,
    without,
)


def extend_services(
    services: MapNode, problems: Problems, size: Size
) -> tuple[MapNode, AbstractSet[str]]:
    """All services with what they inherit, and the names of those that extend what cannot be extended."""
    extension = _Extension(services, problems, size)
    return extension.all_services(), extension.orphans


class _Extension:
    """Carries out `extends`, each service after the one it extends."""

    def __init__(self, services: MapNode, problems: Problems, size: Size) -> None:
        self.services = services
        self.problems = problems
        self.size = size
        self.done: dict[str, MapNode] = {}
        self.counted: set[str] = set()
        self.orphans: set[str] = set()
        """Services that extend something that cannot be extended, directly or through others."""

    def all_services(self) -> MapNode:
        result = without(self.services)
        for name, node in self.services.items():
            if isinstance(node, MapNode) and "extends" in node:
                result[name] = self._extended(name)
            else:
                self._count(name, node)
        return result

    def _count(self, name: str, node: Node) -> None:
        if name not in self.counted:
            self.counted.add(name)
            self.size.add(node, self.services.positions[name], f"services.{name}")

    def _extended(self, name: str) -> MapNode:
        """A service with what it inherits. Walks up first, without recursion, so no chain is too long."""
        chain: dict[str, None] = {}
        while name not in self.done:
            node = self._service(name)
            chain[name] = None
            parent = self._parent(name, node, chain)
            if parent is None:
                self.done[name] = memoized(node, "alone", partial(without, node, "extends"))
                self._count(name, node)
                if not isinstance(node.get("extends"), NullNode | None):
                    self.orphans.add(name)
                del chain[name]
                break
            name = parent
        result = self.done[name]
        if name in self.orphans:
            self.orphans.update(chain)
        for child in reversed(chain):
            node = self._service(child)
            merged = partial(self._merged, child, node, result)
            result = self.done[child] = memoized(
                node, "extended", merged, other=result, problems=self.problems
            )
            self._count(child, result)
        return result

    def _service(self, name: str) -> MapNode:
        node = self.services[name]
        assert isinstance(node, MapNode)  # `_parent` returns no others
        return node

    def _merged(self, name: str, node: MapNode, parent: MapNode) -> MapNode:
        """A service merged into the one that it extends."""
        path = ("services", name)
        merged = merge(parent, without(node, "extends"), path=path, problems=self.problems)
        assert isinstance(merged, MapNode)  # two mappings make one
        merged.position = node.position
        return merged

    def _parent(self, name: str, node: MapNode, chain: Mapping[str, None]) -> str | None:
        """The service that another one extends; None if it extends none, or if that is a mistake."""
        parent = node.get("extends")
        if parent is None or isinstance(parent, NullNode):
            return None
        if not isinstance(parent, ScalarNode):
            self._report(
                node.positions["extends"],
                f"services.{name}.extends: expected a service's name, got {describe(parent)}",
            )
            return None
        target = self.services.get(parent)
        if target is None:
            self._report(
                parent.position,
                f"services.{name}.extends: no such service: {quoted(parent)}",
                hint=suggestion(parent, [other for other in self.services if other != name]),
            )
            return None
        if parent in chain:
            self._report_circle(parent, list(chain))
            return None
        return str(parent) if isinstance(target, MapNode) else None

    def _report_circle(self, parent: ScalarNode, chain: list[str]) -> None:
        circle = chain[chain.index(parent) :]
        positions = [self._service(name)["extends"].position for name in circle]
        places = [":".join(map(str, position)) for position in positions]
        self._report(
            parent.position,
            f"services extend each other in a circle: {abbreviated([*circle, str(parent)], ' → ')}",
            hint=f"see {abbreviated(places, ', ')}",
        )

    def _report(self, position: Position, message: str, *, hint: str = "") -> None:
        self.problems.add(position, message, hint=hint)
