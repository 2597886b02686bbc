"""A value that does not show itself."""

from __future__ import annotations

from typing import Final

MASK: Final = "‹secret {name}›"


class Secret:
    """A secret's value; text forms of it show only its name."""

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: bytes) -> None:
        self.name = name
        self._value = value

    def reveal(self) -> bytes:
        """The value itself: for whoever hands it to a unit."""
        return self._value

    def __repr__(self) -> str:
        return MASK.format(name=self.name)

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")
