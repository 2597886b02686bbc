"""The form of the engine's answers, as far as envctl depends on it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from envctl.backends.docker.engine_errors import AnswerError

_Keys: TypeAlias = Mapping[str, type | tuple[type, ...]]
_TEXTS: Final = (dict, type(None))
_LIST: Final = (list, type(None))

_CONTAINER: Final[_Keys] = {"Id": str, "Names": _LIST, "Labels": _TEXTS, "State": str, "Ports": _LIST, "Mounts": _LIST}  # fmt: skip
_VOLUME: Final[_Keys] = {"Name": str, "Labels": _TEXTS, "Options": _TEXTS}
_CREATED: Final[_Keys] = {"Id": str}
_FORMS: Final[tuple[tuple[str, type, _Keys, str], ...]] = (
    # Method and path; type of the answer; its keys, or those of each list item; the key of the list, if it is not the answer itself.
    (r"GET /containers/json", list, _CONTAINER, ""),
    (r"GET /containers/[^/]+/json", dict, {"Id": str, "State": dict, "Config": dict, "HostConfig": dict, "Mounts": _LIST}, ""),
    (r"GET /containers/[^/]+/top", dict, {"Titles": list, "Processes": list}, ""),
    (r"GET /images/json", list, {"Id": str, "RepoTags": _LIST, "Labels": _TEXTS}, ""),
    (r"GET /images/.+/json", dict, {"Id": str, "Config": _TEXTS, "RepoDigests": _LIST}, ""),
    (r"GET /volumes", dict, _VOLUME, "Volumes"),
    (r"GET /volumes/.+", dict, _VOLUME, ""),
    (r"GET /networks", list, {"Id": str, "Name": str, "Labels": _TEXTS}, ""),
    (r"POST /(containers|networks)/create", dict, _CREATED, ""),
    (r"POST /containers/[^/]+/exec", dict, _CREATED, ""),
    (r"POST /containers/[^/]+/wait", dict, {"StatusCode": int}, ""),
    (r"GET /system/df", dict, {"Name": str, "Labels": _TEXTS, "UsageData": _TEXTS}, "Volumes"),
    (r"GET /version", dict, {}, ""),
    (r"GET /(info|exec/.+|networks/.+)", dict, {}, ""),
)  # fmt: skip
_PARTS: Final[Mapping[str, type]] = {"Labels": str, "Names": str, "RepoTags": str, "Ports": dict, "Mounts": dict}  # fmt: skip
"""The types of items in maps and lists."""


def fit(method: str, path: str, answer: Any, *, shown: str = "") -> Any:
    """Check an answer and return it, with empty maps and lists for null. AnswerError, with its path, if invalid."""
    request, url = f"{method} {path}", shown or path
    for pattern, kind, keys, part in _FORMS:
        if not re.fullmatch(pattern, request):
            continue
        if not isinstance(answer, kind):
            raise AnswerError(method, url, f"it is {_called(answer)}, not {_called(kind())}")
        for item in _items(method, url, answer, part):
            _fit(method, url, item, keys)
        return answer
    return answer


def _items(method: str, url: str, answer: Any, part: str) -> list[Any]:
    """The objects in an answer whose keys are checked."""
    if not part:
        return answer if isinstance(answer, list) else [answer]
    if part not in answer:
        raise AnswerError(method, url, f"it has no {part}")
    items = answer[part] or []
    if not isinstance(items, list):
        raise AnswerError(method, url, f"{part} is {_called(items)}, not a list")
    return items


def _fit(method: str, url: str, item: Any, keys: _Keys) -> None:
    if not isinstance(item, dict):
        raise AnswerError(method, url, f"it has {_called(item)} instead of an object")
    for key, kinds in keys.items():
        value = item.get(key)
        if not isinstance(value, kinds):
            problem = f"has no {key}" if key not in item else f"has {_called(value)} as {key}"
            raise AnswerError(method, url, f"an item {problem}")
        if value is None:
            item[key] = [] if kinds is _LIST else {}
        elif key in _PARTS:
            parts: Any = item[key].values() if isinstance(value, dict) else value
            if not all(isinstance(part, _PARTS[key]) for part in parts):
                raise AnswerError(method, url, f"{key} has an item of another type")


def _called(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", type(None): "null"}
    return names.get(type(value), f"{value!r}"[:40])
