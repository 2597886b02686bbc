"""Classes of data behave as Python's own, though their methods are made later."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.lazy_dataclass import dataclass


def declared(make):
    """The same classes, made by `make`."""

    @make(frozen=True, slots=True)
    class Point:
        """A point."""

        x: int
        y: int = 2
        tags: list[str] = field(default_factory=list, compare=False)
        hidden: str = field(default="no", repr=False)

        kinds: ClassVar[int] = 3

        @property
        def total(self):
            return self.x + self.y

    @make(slots=True)
    class Box:
        name: str
        held: dict[str, int] = field(default_factory=dict)
        size: int = field(init=False, default=0)

        def __post_init__(self):
            self.size = len(self.name)

    @make(frozen=True, slots=True, order=True)
    class Version:
        major: int
        minor: int = 0

    return Point, Box, Version


OURS, THEIRS = declared(dataclass), declared(dataclasses.dataclass)
Point, Box, Version = OURS


@dataclass(frozen=True, slots=True)
class Stored:
    """One that can be found by its name, as pickle wants it."""

    a: int
    b: tuple[str, ...] = ()


@dataclass(frozen=True)
class Odd:
    """Equal to nothing."""

    a: int

    def __eq__(self, other):
        return False

    __hash__ = object.__hash__


CALLS = st.tuples(
    st.lists(st.integers(0, 3), max_size=4),
    st.dictionaries(st.sampled_from(["x", "y", "tags", "hidden", "z"]), st.integers(0, 3)),
)


@given(CALLS)
def test_they_take_the_same_arguments(call):
    arguments, options = call
    made = []
    for kind in (OURS[0], THEIRS[0]):
        try:
            made.append(repr(kind(*arguments, **options)))
        except TypeError as error:
            made.append(str(error))
    assert made[0] == made[1]


@given(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.integers(0, 2))
def test_they_compare_the_same(a, b, c, d):
    ours, theirs = (
        [kind(a, b) == kind(c, d), hash(kind(a, b)) == hash(kind(c, d)), kind(a, b, [1]) == kind(a, b, [2])]
        for kind in (OURS[0], THEIRS[0])
    )  # fmt: skip
    assert ours == theirs
    assert (Version(a, b) < Version(c, d)) == (THEIRS[2](a, b) < THEIRS[2](c, d))
    assert (Version(a, b) >= Version(c, d)) == (THEIRS[2](a, b) >= THEIRS[2](c, d))


def test_what_is_frozen_cannot_be_changed():
    point = Point(1)
    with pytest.raises(FrozenInstanceError, match="'x' of a frozen object"):
        point.x = 2
    with pytest.raises(FrozenInstanceError):
        del point.x
    assert not hasattr(point, "__dict__")


def test_what_is_not_frozen_is_made_again_each_time_and_cannot_be_hashed():
    first, second = Box("one"), Box("one")
    first.held["a"] = 1
    assert second.held == {}
    assert first.size == 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(first)


def test_pythons_own_functions_work_with_them():
    point = Point(1, tags=["a"])
    assert dataclasses.replace(point, y=5) == Point(1, 5)
    assert dataclasses.asdict(point) == {"x": 1, "y": 2, "tags": ["a"], "hidden": "no"}
    assert dataclasses.is_dataclass(Point)
    assert [one.name for one in dataclasses.fields(Box)] == ["name", "held", "size"]


def test_they_can_be_copied_and_stored():
    stored = Stored(1, ("b",))
    assert copy.deepcopy(stored) == pickle.loads(pickle.dumps(stored)) == stored


def test_methods_that_a_class_has_written_itself_stay():
    odd = Odd(1)
    assert odd != odd
    assert {odd: 1}[odd] == 1


def test_things_of_other_classes_are_not_equal():
    assert Stored(1) != Version(1)
    assert Version(1) != (1, 0)
