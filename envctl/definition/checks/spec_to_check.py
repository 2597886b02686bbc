"""A spec that is being checked: its data, and where each value was written."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from envctl.definition.keys.service import SERVICE
from envctl.definition.keys.spec_file import SpecData
from envctl.definition.origins import OriginsByService
from envctl.definition.problems import Problems, suggestion
from envctl.definition.tree import MapNode, Position

SOURCES = SERVICE.choices


class SpecToCheck:
    """The services that are valid by themselves, and the positions of all."""

    def __init__(
        self,
        root: Path,
        tree: MapNode,
        data: SpecData,
        problems: Problems,
        *,
        origins: OriginsByService,
        invalid: Mapping[str, AbstractSet[str]],
        added: AbstractSet[str],
    ) -> None:
        """`invalid` are each service's keys with mistakes in them, `added` the services of the overlay alone."""
        self.root = root
        self.data = data
        self.problems = problems
        self.origins = origins
        self.invalid = invalid
        self.added = added
        self.has_base = "base" in tree
        services = tree.get("services")
        secrets = tree.get("secrets")
        self.tree = services if isinstance(services, MapNode) else MapNode(tree.position)
        """All services as written, those with mistakes too: their names are known."""
        self.secrets = frozenset(secrets) if isinstance(secrets, MapNode) else frozenset()

    def position(self, service: str, *path: str | int) -> Position:
        """Where a value of a service was written, or the nearest value around it."""
        places = self.origins[service]
        while path not in places:
            path = path[:-1]
        return places[path][0]

    def position_of_name(self, service: str, key: str, name: str) -> Position:
        """Return where a name is written, which may be a list item or a key of a mapping."""
        table = self.tree[service]
        node = table[key] if isinstance(table, MapNode) else table
        if isinstance(node, MapNode):
            return node.positions[name]
        return self.position(service, key, name)

    def has(self, service: str, *path: str | int) -> bool:
        """Whether a value of a service is written, and valid."""
        return path in self.origins[service]

    def is_invalid(self, service: str, *keys: str) -> bool:
        """Whether one of these keys was left out because of a mistake in it: its value is unknown."""
        return not self.invalid.get(service, frozenset()).isdisjoint(keys)

    def hint_misplaced(self, name: str) -> str:
        """Return a hint for a service that lacks everything: its name may be a key, or a misspelt service of the base file."""
        if name in SERVICE.fields:
            return f"{name} is a key of a service: indent it deeper, to belong to the one above it"
        if name not in self.added:
            return ""
        others = [other for other in self.tree if other not in self.added]
        known = suggestion(name, others) if others else "it has no services"
        return f"envctl.yaml has no service {name!r}; {known}"


def see(position: Position) -> str:
    """Return a pointer to another position."""
    return f"see {':'.join(map(str, position))}"
