"""The resolved spec as YAML: long forms, every value literal, so that it loads again as a spec."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from envctl.definition.canonical import (
    CanonicalService,
    CanonicalSpec,
    CanonicalStep,
)
from envctl.definition.resolved import Resolved
from envctl.definition.value_origin import KeyPath, Origin

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_/+=@%.-]*\Z")
_WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))
_ESCAPED = re.compile(
    "[^ -\x7e\xa1-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_RENAMED: Mapping[str, Mapping[str, str]] = {"build": {"from": "source", "to": "target"}}


def config_text(resolved: Resolved, *, origins: bool = False) -> str:
    """The resolved spec; with `origins`, each value's place, and what it replaced, as a comment."""
    found = resolved.origins if origins else {}
    writer = _Writer(found)
    writer.mapping(authored(resolved.data), 0, ())
    return "\n".join(writer.lines) + "\n"


def authored(data: CanonicalSpec) -> dict[str, Any]:
    """Canonical data as an author would write it in long form: a valid `envctl.yaml`."""
    return _filled(
        {
            "project": data["project"],
            "backend": data["backend"],
            "vars": _literal(data["vars"]),
            "secrets": {
                name: _filled(_literal(secret)) for name, secret in data["secrets"].items()
            },
            "services": {name: _service(one) for name, one in data["services"].items()},
            "accept": _literal(data["accept"]),
            "environments": {data["environment"]: {}},
        }
    ) | {"environments": {data["environment"]: {}}}


def _filled(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping without what is not set."""
    return {key: value for key, value in mapping.items() if value not in (None, "", [], {})}


def _literal(value: Any) -> Any:
    """The value with every `$` written so that it stays one."""
    match value:
        case str():
            return value.replace("$", "$$")
        case dict():
            return {key: _literal(item) for key, item in value.items()}
        case list():
            return [_literal(item) for item in value]
        case _:
            return value


def _service(one: CanonicalService) -> dict[str, Any]:
    probe = one["healthcheck"]
    fields: dict[str, Any] = {
        "kind": one["kind"],
        "base": _filled(one["base"]) if one["base"] else None,
        "image": one["image"],
        "dockerfile": _filled(one["dockerfile"]) if one["dockerfile"] else None,
        "platform": one["platform"],
        "packages": one["packages"],
        "build": [_step(step) for step in one["build"]],
        "user": _filled(one["user"]) if one["user"] else None,
        "workdir": one["workdir"],
        "env": one["env"],
        "command": one["command"],
        "ports": [_port(port) for port in one["ports"]],
        "mounts": one["mounts"],
        "volumes": {name: _filled(volume) for name, volume in one["volumes"].items()},
        "secrets": one["secrets"],
        "healthcheck": _probe(probe) if probe else None,
        "depends_on": one["depends_on"],
        "replicas": one["replicas"],
        "resources": _filled(one["resources"]),
        "restart": one["restart"],
        "checks": {
            check["name"]: {"command": check["command"], "timeout": check["timeout"]}
            for check in one["checks"]
        },
        "hooks": _filled(one["hooks"]),
        "capabilities": one["capabilities"],
        "options": one["options"],
    }
    result = _literal(_filled(fields))
    assert isinstance(result, dict)  # it was one
    return result


def _step(step: CanonicalStep) -> dict[str, Any]:
    body: dict[str, Any] = dict(step)
    kind = body.pop("step")
    if kind in ("copy", "template"):
        body = {"from": body.pop("source"), "to": body.pop("target"), **body}
    return {kind: {key: value for key, value in _filled(body).items() if value is not False}}


def _port(port: Mapping[str, Any]) -> dict[str, Any]:
    public = port["address"] != "127.0.0.1"
    host = {"host": port["host"]} if port["host"] else {}
    shown = {"public": True} if public else {}
    return {**host, "container": port["container"], **shown, "protocol": port["protocol"]}


def _probe(probe: Mapping[str, Any]) -> dict[str, Any]:
    kind, test = probe["kind"], probe["test"]
    value = {"http": test[0], "tcp": ":".join(test), "command": test}[kind]
    timing = {key: value for key, value in probe.items() if key not in ("kind", "test")}
    return {kind: value, **timing}


class _Writer:
    """Writes data as block YAML, short lists of scalars on one line."""

    def __init__(self, origins: Mapping[KeyPath, Origin]) -> None:
        self.lines: list[str] = []
        self.origins = origins

    def mapping(self, data: Mapping[str, Any], depth: int, path: KeyPath, lead: str = "") -> None:
        indent = "  " * depth
        for key, value in data.items():
            head = f"{lead or indent}{scalar(key)}:"
            lead = ""
            self._entry(head, value, depth, (*path, key))

    def _entry(self, head: str, value: Any, depth: int, path: KeyPath) -> None:
        comment = self._comment(path)
        if isinstance(value, dict) and value:
            self.lines.append(head + comment)
            self.mapping(value, depth + 1, path)
        elif isinstance(value, list) and value and not _short(value):
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
                    self.lines[first] += self._comment(here)
            else:
                self.lines.append(f"{lead}{_inline(value)}{self._comment(here)}")

    def _comment(self, path: KeyPath) -> str:
        if not self.origins:
            return ""
        origin = next(filter(None, map(self.origins.get, _canonical_paths(path))), None)
        if origin is None:
            return ""
        place = _place(origin.where)
        was = ", ".join(
            f"{_comment_safe(text)} at {_place(where)}" for where, text in origin.replaced
        )
        return f"  # {place} (was {was})" if was else f"  # {place}"


def _place(place: Any) -> str:
    """A place; a variable given from outside has a source instead."""
    outside = place.file.startswith(("--", "ENVCTL_"))
    return place.file if outside else str(place)


def _comment_safe(text: str) -> str:
    return _ESCAPED.sub(_escape, text)


def _canonical_paths(path: KeyPath) -> Iterator[KeyPath]:
    """The canonical paths that a path of the authored form may stand for."""
    yield path
    if len(path) > 3 and path[0] == "services":
        head, key, rest = path[:2], path[2], path[3:]
        if key == "healthcheck" and rest[0] in ("http", "tcp", "command"):
            yield (*head, key, "test")
        elif key == "build" and len(rest) == 3:
            renamed = {"from": "source", "to": "target"}.get(str(rest[2]), rest[2])
            yield (*head, key, rest[0], renamed)
        elif key == "ports" and rest[1:] == ("public",):
            yield (*head, key, rest[0], "address")


def _short(value: list[Any]) -> bool:
    scalars = not any(isinstance(item, dict | list) for item in value)
    return scalars and sum(len(str(item)) + 4 for item in value) <= 80


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
    """One scalar as YAML; texts are quoted unless every YAML reader takes them for a text."""
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
    short = {9: "\\t", 10: "\\n", 13: "\\r"}.get(code)
    return short or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
