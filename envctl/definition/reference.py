"""The spec as a Markdown page, made from the models that validate it: `python docs/generate.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from envctl.definition import reader, size, words
from envctl.definition import running as run
from envctl.definition import schema as form
from envctl.definition.fields import Form, Reads, Short
from envctl.definition.interpolate import PREFIX
from envctl.definition.merge import DEFAULTS, RULES, Rule
from envctl.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a form, in words; `example` is YAML (`key: value`), or "" if there is none."""

    name: str
    value: str
    default: str
    meaning: str
    example: str


def page() -> str:
    """The whole page."""
    about = words.ABOUT.format(
        example=words.EXAMPLE,
        megabytes=reader.MAX_BYTES // 1024**2,
        most_values=f"{size.MOST_VALUES:,}",
        characters=size.MOST_CHARACTERS // 1024**2,
        depth=reader.MAX_DEPTH,
        prefix=PREFIX,
        defaults=_merge_table(DEFAULTS, "where"),
        rules=_merge_table(RULES, "at"),
        values=_table(
            ("value", "what may be written"), [*words.VALUES.values(), *words.OTHERS.values()]
        ),
    )
    return about + "".join("\n" + "\n".join(_section(one)) + "\n" for one in reached())


def reached() -> list[type[Form]]:
    """All forms that can be written, each after one that leads to it."""
    found: dict[type[Form], None] = {form.SpecForm: None, form.OverlayForm: None}
    todo: list[type[Form]] = [form.SpecForm]
    while todo:
        for field in todo.pop(0).model_fields.values():
            for one in _forms(field.annotation):
                if one not in found or one is form.OverlayForm:
                    todo += [] if one in found else [one]
                    found[one] = None
    return list(found)


def keys(of: type[Form]) -> Iterator[Key]:
    """The keys of a form."""
    for name, field in of.model_fields.items():
        key = field.alias or name
        yield Key(
            key,
            _value(field.annotation, field.metadata),
            _default(field),
            field.description or "",
            _yaml(key, field.examples[0]) if field.examples else "",
        )


# --- parts of the page


def _section(of: type[Form]) -> Iterator[str]:
    yield f"## {_title(of)}\n"
    yield " ".join((of.__doc__ or "").split())
    if of in words.SHORT:
        yield f"\n{words.SHORT[of]}"
    if of in words.NOTES:
        names = ", ".join(f"`{key.name}`" for key in keys(of))
        yield "\n" + words.NOTES[of].format(keys=names)
    if of is form.OverlayForm:
        return
    yield ""
    rows = [
        (f"`{key.name}`", key.value, key.default, key.meaning, _code(key.example))
        for key in keys(of)
    ]
    yield _table(("key", "value", "default", "meaning", "example"), rows)


def _merge_table(rules: Sequence[Rule], where: str) -> str:
    rows = []
    for rule in rules:
        choices = f" (`{'`, `'.join(rule.choices)}`)" if rule.choices else ""
        path = f"`{rule.path}`" if re.fullmatch(r"[a-z.*]+", rule.path) else rule.path
        rows.append((path, f"{rule.how}{choices}", rule.note))
    return _table((where, "what happens", "note"), rows)


def _table(head: Sequence[str], rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _title(of: type[Form]) -> str:
    return words.TITLES.get(of) or of.__name__.removesuffix("Form")


def _link(of: type[Form]) -> str:
    title = _title(of)
    anchor = re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
    return f"[{title.lower()}](#{anchor})"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


# --- fields in words


def _forms(annotation: Any) -> Iterator[type[Form]]:
    if isinstance(annotation, type) and issubclass(annotation, Form):
        yield annotation
    for part in get_args(annotation):
        yield from _forms(part)


def _value(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """What may be written for an annotation, in words."""
    if hasattr(annotation, "__metadata__"):
        return _value(annotation.__origin__, annotation.__metadata__)
    for one in metadata:
        if isinstance(one, Reads):
            other, _ = words.OTHERS.get(one.read, ("", ""))
            return words.KINDS.get(id(one)) or other or _described(one.schema)
    inner = _plain(annotation)
    if any(isinstance(one, Short) for one in metadata):
        return _shortened(annotation, inner)
    return inner


def _plain(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, Form):
        return _link(annotation)
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join(_value(part) for part in parts if part is not NoneType)
    if origin is list:
        return f"list of {_value(parts[0])}"
    if origin is dict:
        return f"mapping of {_value(parts[0])} to {_value(parts[1])}"
    raise TypeError(f"no words for {annotation!r}")


def _shortened(annotation: Any, inner: str) -> str:
    """A value that has a short form: a form tells of its own, the others are told here."""
    if annotation == get_args(run.Depends)[0]:
        return f"list of names, or {inner}"
    for one in _forms(annotation):
        if one not in words.SHORT:
            raise TypeError(f"no words for the short form of {one.__name__}")
    return inner


def _described(schema: Mapping[str, Any]) -> str:
    """A scalar in words, from its JSON Schema."""
    if "enum" in schema:
        return " or ".join(f"`{word}`" for word in schema["enum"])
    for one in schema.get("anyOf", ()):
        if "minimum" in one:
            return f"{one['minimum']} to {one['maximum']}"
    return "number or text" if "integer" in schema["type"] else "text"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{value:g}s`"
    return f"`{value}`" if isinstance(value, int) or (value and isinstance(value, str)) else ""


def _yaml(key: str, value: Any) -> str:
    """`key: value` in one line."""
    import yaml

    text = yaml.safe_dump(
        {key: value}, default_flow_style=True, width=10_000, sort_keys=False, allow_unicode=True
    )
    return str(text).strip()[1:-1]
