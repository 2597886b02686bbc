"""`extends`: each service merged into the one it extends, or into an entry of a catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import partial

from envctl.definition.entries import PREFIX, Catalogues, entry_name
from envctl.definition.memo import memoized
from envctl.definition.merge import merge_maps
from envctl.definition.parameters import parameter_values, service_of
from envctl.definition.problems import Problems, suggestion
from envctl.definition.size import Size
from envctl.definition.tree import (
    MapNode,
    Node,
    NullNode,
    ScalarNode,
    abbreviated,
    describe,
    quoted,
    without,
)


def extend_services(
    services: MapNode, catalogues: Catalogues, problems: Problems, size: Size
) -> tuple[MapNode, AbstractSet[str]]:
    """Return all services with what they inherit, and the names of those that extend what cannot be extended."""
    extension = _Extension(services, catalogues, problems, size)
    return extension.all_services(), extension.orphans


class _Extension:
    """Carries out `extends`, each service after the one it extends."""

    def __init__(
        self, services: MapNode, catalogues: Catalogues, problems: Problems, size: Size
    ) -> None:
        self.services = services
        self.catalogues = catalogues
        self.problems = problems
        self.size = size
        self.done: dict[str, MapNode] = {}
        self.counted: set[str] = set()
        self.orphans: set[str] = set()
        """Services that extend something that cannot be extended, directly or through others."""

    def all_services(self) -> MapNode:
        result = without(self.services)
        for name, node in self.services.items():
            if isinstance(node, MapNode):
                self._check_parameters(name, node)
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
        """Return a service with what it inherits. Walks up first, without recursion, so no chain is too long."""
        chain: dict[str, None] = {}
        while name not in self.done:
            node = self._service(name)
            chain[name] = None
            parent = self._parent(name, node, chain)
            if parent is None:
                self.done[name] = self._first(name, node)
                del chain[name]
            else:
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

    def _first(self, name: str, node: MapNode) -> MapNode:
        """Return a service that extends no other: alone, or merged into an entry of a catalogue."""
        extends = node.get("extends")
        entry = entry_name(extends)
        service = self._entry_service(name, entry, node) if entry is not None else None
        if service is None:
            if not isinstance(extends, NullNode | None):
                self.orphans.add(name)
            result = memoized(node, "alone", partial(without, node, "extends", "with"))
        else:
            result = self._merged(name, node, service)
        self._count(name, result)
        return result

    def _entry_service(self, name: str, entry_name: str, node: MapNode) -> MapNode | None:
        """Return the service of an entry with the values of its parameters; None if that is a mistake."""
        extends, arguments = node["extends"], node.get("with")
        assert isinstance(extends, ScalarNode)  # it has a name
        try:
            entry = self.catalogues.entry(entry_name)
        except KeyError:
            names = self.catalogues.names()
            self.problems.add(
                extends.position,
                f"services.{name}.extends: there is no entry {quoted(entry_name)} in the catalogue",
                hint=suggestion(entry_name, names),
            )
            return None
        if entry is None or not isinstance(arguments, MapNode | NullNode | None):
            return None
        arguments = arguments if isinstance(arguments, MapNode) else MapNode(node.position)
        values = parameter_values(entry, arguments, name, start=extends, problems=self.problems)
        return service_of(entry, values, self.problems) if values is not None else None

    def _check_parameters(self, name: str, node: MapNode) -> None:
        """Report a `with` that is not a mapping, or of a service that extends no entry."""
        arguments = node.get("with")
        if arguments is None or (isinstance(arguments, NullNode) and arguments.replaced):
            return
        if isinstance(arguments, NullNode) and "extends" not in node:
            return  # it stays in the service, so its missing value is reported later
        position = node.positions["with"]
        if not isinstance(arguments, MapNode):
            self.problems.add(
                position, f"services.{name}.with: expected a mapping, got {describe(arguments)}"
            )
            self.problems.suppress(arguments.position)  # where it stays, it is read further on
        elif entry_name(node.get("extends")) is None:
            self.problems.add(
                position,
                f"services.{name}.with: only entries of a catalogue have parameters",
                hint=f"write extends: {PREFIX}NAME; `envctl catalogue list` shows the entries",
            )

    def _service(self, name: str) -> MapNode:
        node = self.services[name]
        assert isinstance(node, MapNode)  # `_parent` returns no others
        return node

    def _merged(self, name: str, node: MapNode, parent: MapNode) -> MapNode:
        """Return a service merged into the one that it extends."""
        path = ("services", name)
        over = without(node, "extends", "with")
        merged = merge_maps(parent, over, path=path, problems=self.problems)
        merged.position = node.position
        return merged

    def _parent(self, name: str, node: MapNode, chain: Mapping[str, None]) -> str | None:
        """Return the service that another one extends; None if it extends none, or if that is a mistake."""
        parent = node.get("extends")
        if parent is None or isinstance(parent, NullNode) or entry_name(parent) is not None:
            return None
        if not isinstance(parent, ScalarNode):
            self.problems.add(
                node.positions["extends"],
                f"services.{name}.extends: expected a service's name, got {describe(parent)}",
            )
            return None
        target = self.services.get(parent)
        if target is None:
            self.problems.add(
                parent.position,
                f"services.{name}.extends: no such service: {quoted(parent)}",
                hint=self._meant(name, parent),
            )
            return None
        if parent in chain:
            self._report_circle(parent, list(chain))
            return None
        return str(parent) if isinstance(target, MapNode) else None

    def _meant(self, name: str, parent: str) -> str:
        """Suggest what a service that extends an unknown service may have meant."""
        if parent in self.catalogues.names():
            return f"did you mean {PREFIX + parent!r}?"
        return suggestion(parent, [other for other in self.services if other != name])

    def _report_circle(self, parent: ScalarNode, chain: list[str]) -> None:
        circle = chain[chain.index(parent) :]
        positions = [self._service(name)["extends"].position for name in circle]
        places = [":".join(map(str, position)) for position in positions]
        self.problems.add(
            parent.position,
            f"services extend each other in a circle: {abbreviated([*circle, str(parent)], ' → ')}",
            hint=f"see {abbreviated(places, ', ')}",
        )
