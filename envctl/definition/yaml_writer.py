"""The resolved spec as YAML: in long form and with literal values, so that it can be loaded again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from envctl.definition.form import Form, Tagged
from envctl.definition.keys.spec_file import SPEC
from envctl.definition.kinds import ListOf, MapOf, Scalar, ScalarOr
from envctl.definition.resolved import Resolved
from envctl.definition.value_origin import KeyPath, Origin
from envctl.plan.port_references import as_written

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_/+=@%.-]*\Z")
_WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))
_ESCAPED = re.compile(
    "[^ -\x7e\xa1-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def config_text(resolved: Resolved, *, origins: bool = False) -> str:
    """Return the resolved spec; with `origins`, a comment says where each value was set and what it replaced."""
    writer = YamlWriter(resolved.origins if origins else {})
    writer.mapping(authored(resolved.data), 0, ())
    return "\n".join(writer.lines) + "\n"


def authored(data: Mapping[str, Any]) -> Written:
    """Data as an author would write it in long form: a valid `envctl.yaml`."""
    result: Written = _form(SPEC, data)
    result["environments"] = Written({data["environment"]: Written()})
    return result


class Written(dict[str, Any]):
    """A mapping as it is written. `paths` has the paths in the data of keys that are called differently there."""

    def __init__(self, entries: Mapping[str, Any] | None = None) -> None:
        super().__init__(entries or {})
        self.paths: dict[str, KeyPath] = {}


def _form(form: Form, data: Mapping[str, Any]) -> Written:
    result = Written()
    for word, field in form.fields.items():
        if field.data is None or (field.tag and data[field.tag] != word):
            continue
        value = data[field.data]
        if field.key.write is not None:
            value = field.key.write(value)
        if value is not None:
            value = _written(field.key.kind, value)
        if value not in (None, "", [], {}):
            result[word] = value
            result.paths[word] = (field.data,)
    return result


def _written(kind: Any, value: Any) -> Any:
    """Return a value of the data as it is written."""
    match kind:
        case Tagged():
            word = value[kind.tag]
            result = Written({word: _form(kind.fields[word].key.kind, value)})  # type: ignore[arg-type]
            result.paths[word] = ()
            return result
        case Form():
            return _form(kind, value)
        case ListOf():
            return [_written(kind.item, item) for item in value]
        case MapOf() if kind.name_key:
            result = Written({item[kind.name_key]: _written(kind.value, item) for item in value})
            result.paths = {word: (index,) for index, word in enumerate(result)}
            return result
        case MapOf():
            return Written({key: _written(kind.value, item) for key, item in value.items()})
        case ScalarOr():
            return _written(kind.form if isinstance(value, dict) else kind.scalar, value)
        case Scalar() if kind.is_template:
            return value
        case _:
            return _literal(value)


def _literal(value: Any) -> Any:
    """Return the value with every `$` doubled that is not part of a reference to a port."""
    match value:
        case str():
            return as_written(value.replace("$", "$$"))
        case dict():
            return {key: _literal(item) for key, item in value.items()}
        case list():
            return [_literal(item) for item in value]
        case _:
            return value


class YamlWriter:
    """Writes data as block YAML, short lists of scalars on one line."""

    widest = 80
    """Characters of a list that is short."""

    def __init__(self, origins: Mapping[KeyPath, Origin]) -> None:
        self.lines: list[str] = []
        self.origins = origins

    def mapping(self, data: Mapping[str, Any], depth: int, path: KeyPath, lead: str = "") -> None:
        """Write a mapping at a path; `lead` comes before its first key."""
        indent = "  " * depth
        for key, value in data.items():
            head = f"{lead or indent}{scalar(key)}:"
            lead = ""
            place = data.paths.get(key, (key,)) if isinstance(data, Written) else (key,)
            self._entry(head, value, depth, (*path, *place))

    def _entry(self, head: str, value: Any, depth: int, path: KeyPath) -> None:
        comment = self.comment(path)
        if isinstance(value, dict) and value:
            self.lines.append(head + comment)
            self.mapping(value, depth + 1, path)
        elif isinstance(value, list) and value and not _is_short(value, self.widest):
            self.lines.append(head + comment)
            self._list(value, depth + 1, path)
        else:
            self.lines.append(f"{head} {_inline(value)}{comment}")

    def _list(self, data: list[Any], depth: int, path: KeyPath) -> None:
        lead = "  " * depth + "- "
        for index, value in enumerate(data):
            here = (*path, index)
            if isinstance(value, dict) and value:
                first = len(self.lines)
                self.mapping(value, depth + 1, here, lead)
                if "  # " not in self.lines[first]:
                    self.lines[first] += self.comment(here)
            else:
                self.lines.append(f"{lead}{_inline(value)}{self.comment(here)}")

    def comment(self, path: KeyPath) -> str:
        """Return the comment behind the value at a path, whose line is the next that is written."""
        if not self.origins:
            return ""
        origin = self.origins.get(path)
        if origin is None:
            return ""
        place = _place(origin.where)
        was = ", ".join(
            f"{_comment_safe(text)} at {_place(where)}" for where, text in origin.replaced
        )
        return f"  # {place} (was {was})" if was else f"  # {place}"


def _place(place: Any) -> str:
    """Return a place; for a variable from outside, its source."""
    outside = place.file.startswith(("--", "ENVCTL_"))
    return place.file if outside else str(place)


def _comment_safe(text: str) -> str:
    return _ESCAPED.sub(_escape, text)


def _is_short(value: list[Any], widest: int) -> bool:
    scalars = not any(isinstance(item, dict | list) for item in value)
    return scalars and sum(len(str(item)) + 4 for item in value) <= widest


def _inline(value: Any) -> str:
    match value:
        case dict():
            inner = ", ".join(f"{scalar(key)}: {_inline(item)}" for key, item in value.items())
            return f"{{{inner}}}"
        case list():
            return f"[{', '.join(map(_inline, value))}]"
        case _:
            return scalar(value)


def scalar(value: Any) -> str:
    """Return a scalar as YAML. Texts are quoted unless every YAML tool reads them as a text."""
    if isinstance(value, str):
        if _PLAIN.match(value) and value.lower() not in _WORDS:
            return value
        return '"' + _ESCAPED.sub(_escape, value.replace("\\", "\\\\").replace('"', '\\"')) + '"'
    if isinstance(value, float):
        text = f"{value:.17f}".rstrip("0") if "e" in repr(value) else repr(value)
        return f"{text}0" if text.endswith(".") else text
    return json.dumps(value)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    escape = {9: "\\t", 10: "\\n", 13: "\\r"}.get(code)
    return escape or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
