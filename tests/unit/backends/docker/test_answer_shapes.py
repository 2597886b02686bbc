"""What may stand in an engine's answers: what is relied on is there and of its kind, null is nothing, the rest is its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from envctl.backends.docker.answer_shapes import fit as fit_answer
from envctl.backends.docker.engine_errors import AnswerError

CONTAINER = {"Id": "a", "Names": ["/x"], "Labels": {"a": "b"}, "State": "running", "Ports": [{}], "Mounts": [{}]}  # fmt: skip
INSPECTED = {"Id": "a", "State": {}, "Config": {}, "HostConfig": {}, "Mounts": [{}]}
VOLUME = {"Name": "a", "Labels": {"a": "b"}, "Options": {}}
NETWORK = {"Id": "a", "Name": "b", "Labels": {"a": "b"}}
USAGE = {"Name": "a", "Labels": {"a": "b"}, "UsageData": {}}
OBJECTS: list[tuple[str, str, dict[str, Any], Callable[[Any], Any]]] = [
    ("GET", "/containers/json", CONTAINER, lambda one: [one]),
    ("GET", "/containers/abc/json", INSPECTED, lambda one: one),
    ("GET", "/images/a/b:c/json", {"Id": "a", "Config": {}, "RepoDigests": ["x"]}, lambda one: one),
    ("GET", "/volumes", VOLUME, lambda one: {"Volumes": [one]}),
    ("GET", "/volumes/abc", VOLUME, lambda one: one),
    ("GET", "/networks", NETWORK, lambda one: [one]),
    ("POST", "/containers/create", {"Id": "a"}, lambda one: one),
    ("POST", "/networks/create", {"Id": "a"}, lambda one: one),
    ("POST", "/containers/abc/exec", {"Id": "a"}, lambda one: one),
    ("POST", "/containers/abc/wait", {"StatusCode": 0}, lambda one: one),
    ("GET", "/system/df", USAGE, lambda one: {"Volumes": [one]}),
]
KEYS = [(*one, key) for one in OBJECTS for key in one[2]]
NAMES = [f"{method} {path} {key}" for method, path, _, _, key in KEYS]
NEEDED = {"Id", "Name", "State", "StatusCode", "HostConfig"}
"""The others may be null, and so may be missing."""


def fit(path, data, *, method="GET"):
    return fit_answer(method, path, data)


@pytest.mark.parametrize(("method", "path", "one", "around"), OBJECTS)
def test_what_an_engine_answers_is_given_as_it_is(method, path, one, around):
    answer = around(dict(one))
    assert fit(path, answer, method=method) == around(one)


@pytest.mark.parametrize(("method", "path", "one", "around", "key"), KEYS, ids=NAMES)
def test_what_is_relied_on_and_of_another_kind_is_reported_by_its_name(
    method, path, one, around, key
):
    with pytest.raises(AnswerError, match=f"an item has 1.5 as {key}$"):
        fit(path, around({**one, key: 1.5}), method=method)


@pytest.mark.parametrize(
    ("method", "path", "one", "around", "key"), [one for one in KEYS if one[-1] in NEEDED]
)
def test_what_is_relied_on_and_missing_is_reported_by_its_name(method, path, one, around, key):
    less = {name: value for name, value in one.items() if name != key}
    with pytest.raises(AnswerError, match=f"an item has no {key}$"):
        fit(path, around(less), method=method)


@pytest.mark.parametrize(
    ("key", "nothing"), [("Names", []), ("Labels", {}), ("Ports", []), ("Mounts", [])]
)
def test_null_and_what_is_missing_are_nothing(key, nothing):
    null = {**CONTAINER, key: None}
    missing = {name: value for name, value in CONTAINER.items() if name != key}
    assert fit("/containers/json", [null, missing]) == [{**CONTAINER, key: nothing}] * 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Labels", {"a": "b", "c": 1}),
        ("Names", ["a", None]),
        ("Ports", [{}, "80"]),
        ("Mounts", [{}, []]),
    ],
)
def test_one_part_of_another_kind_among_good_ones_is_reported(key, value):
    with pytest.raises(AnswerError, match=f"{key} has an item of another type$"):
        fit("/containers/json", [{**CONTAINER, key: value}])


def test_a_name_that_is_no_text_is_reported():
    with pytest.raises(AnswerError, match=r"Names has an item of another type$"):
        fit("/containers/json", [{**CONTAINER, "Names": ["/x", 5]}])


@pytest.mark.parametrize("answer", [{}, {"other": []}])
def test_an_answer_without_its_list_is_reported(answer):
    with pytest.raises(AnswerError, match=r"it has no Volumes$"):
        fit("/volumes", answer)


def test_a_wrong_answer_is_reported_with_the_request_as_it_was_sent():
    for shown, told in (("", "/volumes"), ("/v1.44/volumes?a=1", r"/v1\.44/volumes\?a=1")):
        with pytest.raises(AnswerError, match=rf"answer to GET {told}: "):
            fit_answer("GET", "/volumes", [], shown=shown)


def test_a_list_that_is_null_is_empty():
    assert fit("/volumes", {"Volumes": None}) == {"Volumes": None}


@pytest.mark.parametrize(
    ("path", "answer", "told"),
    [
        ("/containers/json", {}, "it is an object, not a list"),
        ("/containers/json", "x", "it is a text, not a list"),
        ("/containers/json", None, "it is null, not a list"),
        ("/containers/json", [[]], "it has a list instead of an object"),
        ("/containers/json", [12], "it has 12 instead of an object"),
        ("/volumes", {"Volumes": {"a": 1}}, "Volumes is an object, not a list"),
        ("/info", [], "it is a list, not an object"),
        ("/version", "x", "it is a text, not an object"),
        ("/exec/abc/json", [], "it is a list, not an object"),
        ("/networks/abc", [], "it is a list, not an object"),
    ],
)
def test_another_kind_of_answer_is_reported_with_the_request(path, answer, told):
    with pytest.raises(AnswerError) as caught:
        fit(path, answer)
    assert str(caught.value) == f"unexpected answer to GET {path}: {told}"


def test_nothing_is_asked_of_an_answer_that_nobody_looks_into():
    assert fit("/containers/abc/logs", "text") == "text"
    assert fit("/containers/abc/json/more", 5) == 5
    assert fit("/containers/json", 5, method="PUT") == 5


def test_a_value_that_is_long_is_cut_where_it_is_reported():
    with pytest.raises(AnswerError, match=f"has {'1' * 40} as Id$"):
        fit("/containers/json", [{**CONTAINER, "Id": int("1" * 90)}])
