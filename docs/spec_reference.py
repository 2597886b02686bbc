"""The spec as a Markdown page, made from the declarations that it is read by: `python docs/generate.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import spec_words as words

from envctl.definition import size, yaml_reader
from envctl.definition.form import Field, Form
from envctl.definition.interpolate import PREFIX
from envctl.definition.key import REQUIRED, ValueKind
from envctl.definition.keys.service import RUN_PATHS
from envctl.definition.keys.spec_file import OVERLAY, SPEC
from envctl.definition.kinds import ListOf, MapOf, Scalar, ScalarOr
from envctl.definition.merge import DEFAULTS, RULES, MergeRule


@dataclass(frozen=True, slots=True)
class Row:
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
        megabytes=yaml_reader.MAX_BYTES // 1024**2,
        most_values=f"{size.MAX_VALUES:,}",
        characters=size.MAX_CHARACTERS // 1024**2,
        depth=yaml_reader.MAX_DEPTH,
        prefix=PREFIX,
        defaults=_merge_table(DEFAULTS, "where"),
        rules=_merge_table(RULES, "at"),
        values=_table(("value", "what may be written"), words.VALUES.items()),
    )
    return about + "".join("\n" + "\n".join(_section(form)) + "\n" for form in reached())


def reached() -> list[Form]:
    """All forms that can be written, each after one that leads to it."""
    found: dict[Form, None] = {SPEC: None, OVERLAY: None}
    todo: list[Form] = [SPEC]
    while todo:
        for field in todo.pop(0).fields.values():
            for form in _forms(field.key.kind):
                if form not in found:
                    todo.append(form)
                    found[form] = None
    return list(found)


def rows(form: Form) -> Iterator[Row]:
    """The keys of a form."""
    for name, field in form.fields.items():
        key = field.key
        yield Row(
            name,
            _value(key.kind),
            _default(field),
            key.doc,
            "" if key.example is None else _yaml(name, key.example),
        )


# --- parts of the page


def _section(form: Form) -> Iterator[str]:
    yield f"## {form.title}\n"
    yield form.doc
    if short := _short(form):
        yield f"\n{short}"
    if form in words.NOTES:
        names = ", ".join(f"`{row.name}`" for row in rows(form))
        run_keys = ", ".join(f"`{name}`" for name in RUN_PATHS)
        yield "\n" + words.NOTES[form].format(keys=names, run_keys=run_keys)
    if form is OVERLAY:
        return
    yield ""
    cells = [
        (f"`{row.name}`", row.value, row.default, row.meaning, _code(row.example))
        for row in rows(form)
    ]
    yield _table(("key", "value", "default", "meaning", "example"), cells)


def _short(form: Form) -> str:
    """What the short form means."""
    if form in words.SHORT:
        return words.SHORT[form]
    if form.shorthand is None:
        return ""
    if list in form.shorthand.types:
        return "Short form: a command."
    return f"Short form: a text is its `{form.shorthand.key}`."


def _merge_table(rules: Sequence[MergeRule], where: str) -> str:
    rows = []
    for rule in rules:
        choices = f" (`{'`, `'.join(rule.choices)}`)" if rule.choices else ""
        path = f"`{rule.path}`" if re.fullmatch(r"[a-z.*]+", rule.path) else rule.path
        rows.append((path, f"{rule.strategy}{choices}", rule.note))
    return _table((where, "what happens", "note"), rows)


def _table(head: Sequence[str], rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _link(form: Form) -> str:
    anchor = re.sub(r"[^a-z0-9 -]", "", form.title.lower()).replace(" ", "-")
    return f"[{form.title.lower()}](#{anchor})"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


# --- keys in words


def _forms(kind: ValueKind) -> Iterator[Form]:
    match kind:
        case Form():
            yield kind
        case ListOf():
            yield from _forms(kind.item)
        case MapOf():
            yield from _forms(kind.value)
        case ScalarOr():
            yield kind.form


def _value(kind: ValueKind) -> str:
    """What may be written, in words."""
    match kind:
        case Form():
            return _link(kind)
        case ListOf():
            listed = f"list of {_value(kind.item)}"
            return f"{_value(kind.item)}, or {listed}" if kind.takes_one else listed
        case MapOf():
            mapping = f"mapping of {_value(kind.key)} to {_value(kind.value)}"
            return f"list of names, or {mapping}" if kind.list_value else mapping
        case Scalar():
            return kind.title
        case ScalarOr():
            return f"{_value(kind.scalar)} or {_value(kind.form)}"
    raise TypeError(f"no words for {kind!r}")


def _default(field: Field) -> str:
    value = field.key.default
    if value is REQUIRED:
        return "" if field.tag else "required"
    if isinstance(field.key.kind, Scalar) and field.key.kind.title == "boolean":
        # The data may have another form of it.
        is_true = value if field.key.write is None else field.key.write(value)
        return f"`{str(bool(is_true)).lower()}`"
    if isinstance(value, float):
        return f"`{value:g}s`"
    return f"`{value}`" if value and isinstance(value, int | str) else ""


def _yaml(key: str, value: Any) -> str:
    """`key: value` in one line."""
    import yaml

    text = yaml.safe_dump(
        {key: value}, default_flow_style=True, width=10_000, sort_keys=False, allow_unicode=True
    )
    return str(text).strip()[1:-1]
