"""A faster `dataclass` for short-lived programs: a class costs little until it is used.

Python's own `dataclass` compiles six methods per class when the module is imported. A command imports a hundred such
classes and creates instances of twenty. This one compiles `__init__` when the first instance is created, and all
classes share the other methods. Fields, defaults, `replace`, `fields`, `asdict`, slots, equality and hashes work the
same way. See docs/decisions/fast-start.md for the savings.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        *, frozen: bool = False, slots: bool = False, eq: bool = True, order: bool = False
    ) -> Callable[[type], type]:
        """Create a class from its annotations, like `dataclasses.dataclass`."""

        def decorate(cls: type) -> type:
            # Without a docstring, Python writes the signature into it, and imports half the standard library to do so.
            cls.__doc__ = cls.__doc__ or cls.__name__
            new_class = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
            # Python itself sets `__hash__` to None in a class with its own `__eq__`.
            written = {
                name for name in cls.__dict__ if name != "__hash__" or cls.__hash__ is not None
            }
            _add(new_class, written, "__init__", _lazy_init(new_class))
            _add(new_class, written, "__repr__", _repr)
            values = _values(new_class)
            if eq:
                # Equal instances must have the same hash, so a mutable class has none.
                _add(new_class, written, "__hash__", _hash(values) if frozen else None)
                _add(new_class, written, "__eq__", _compared(values, operator.eq))
            if order:
                for name in ("lt", "le", "gt", "ge"):
                    _add(
                        new_class,
                        written,
                        f"__{name}__",
                        _compared(values, getattr(operator, name)),
                    )
            if frozen:
                new_class.__setattr__, new_class.__delattr__ = _refuse, _refuse
                if slots:
                    new_class.__getstate__, new_class.__setstate__ = _state, _restore
            return new_class

        return decorate


def _add(cls: Any, written: set[str], name: str, method: object) -> None:
    """Add a method to a class, unless the class defines it itself."""
    if name not in written:
        setattr(cls, name, method)


def _lazy_init(cls: Any) -> Callable[..., None]:
    def __init__(self: object, *arguments: Any, **options: Any) -> None:  # noqa: N807
        cls.__init__ = _compiled_init(cls)
        cls.__init__(self, *arguments, **options)

    return __init__


def _compiled_init(cls: Any) -> Callable[..., None]:
    names: dict[str, Any] = {"_set": object.__setattr__, "_UNSET": object()}
    places, keywords, body = ["self"], ["*"], []
    for field in dataclasses.fields(cls):
        name, value, default = field.name, field.name, ""
        if field.default_factory is not dataclasses.MISSING:
            names[f"_new_{name}"], default = field.default_factory, "=_UNSET"
            new = f"_new_{name}()"
            value = f"{new} if {name} is _UNSET else {name}" if field.init else new
        elif field.default is not dataclasses.MISSING:
            names[f"_default_{name}"], default = field.default, f"=_default_{name}"
            value = name if field.init else f"_default_{name}"
        elif not field.init:
            continue
        if field.init:
            (keywords if field.kw_only else places).append(f"{name}{default}")
        slot = getattr(cls, name, None)
        if isinstance(slot, MemberDescriptorType):
            # Twice as fast, which matters where there are 20,000 instances.
            names[f"_set_{name}"] = slot.__set__
            body.append(f" _set_{name}(self, {value})")
        else:
            body.append(f" _set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        body.append(" self.__post_init__()")
    head = ", ".join([*places, *(keywords if keywords[1:] else ())])
    exec(f"def __init__({head}):\n" + "\n".join(body or [" pass"]), names)  # noqa: S102 - as Python's own does
    init: Callable[..., None] = names["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _values(cls: Any) -> Callable[[Any], Any]:
    """Return a function that returns the compared values of an instance."""
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    return operator.attrgetter(*names) if names else lambda _: ()


def _compared(
    values: Callable[[Any], Any], compare: Callable[[Any, Any], bool]
) -> Callable[[Any, Any], Any]:
    def method(self: object, other: object) -> Any:
        same = other.__class__ is self.__class__
        return compare(values(self), values(other)) if same else NotImplemented

    return method


def _hash(values: Callable[[Any], Any]) -> Callable[[Any], int]:
    return lambda self: hash(values(self))


def _repr(self: Any) -> str:
    shown = [field.name for field in dataclasses.fields(self) if field.repr]
    texts = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{self.__class__.__qualname__}({texts})"


def _refuse(_self: object, name: str, _value: object = None) -> None:
    raise dataclasses.FrozenInstanceError(f"{name!r} of a frozen object cannot be changed")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
