"""`!remove`: single items of a list are taken out, build steps by their id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl import definition
from envctl.definition.merge import merge, normalize
from envctl.definition.problems import Problems
from envctl.definition.tree import ListExtension, ListNode, Node, ScalarNode
from tests.unit.definition.helpers import HEAD, load, problems

SPEC = (
    HEAD
    + """\
services:
  web:
    command: [serve]
    packages: [curl, vim]
    build:
      - {id: code, copy: {from: envctl.yaml, to: /srv/}}
      - run: make
      - {id: code, run: chmod -R a+r /srv}
  worker:
    extends: web
"""
)


def web(**lists: str) -> str:
    """An overlay for the service web."""
    entries = "".join(f"    {key}: {value}\n" for key, value in lists.items())
    return f"services:\n  web:\n{entries}"


def steps(root: Path, overlay: str, service: str = "web") -> list[str]:
    """The kinds of a service's build steps."""
    data = load(root, SPEC, dev=overlay).data
    return [step["step"] for step in data["services"][service]["build"]]


def test_an_item_is_removed_by_its_text(tmp_path: Path) -> None:
    data = load(tmp_path, SPEC, dev=web(packages="!remove [vim]")).data
    assert data["services"]["web"]["packages"] == ["curl"]


def test_build_steps_are_removed_by_their_id(tmp_path: Path) -> None:
    assert steps(tmp_path, "") == ["copy", "run", "run"]
    assert steps(tmp_path, web(build="!remove [code]")) == ["run"]


def test_a_service_that_extends_another_removes_what_it_inherits(tmp_path: Path) -> None:
    overlay = "services: {worker: {build: !remove [code]}}\n"
    assert steps(tmp_path, overlay, "worker") == ["run"]
    assert steps(tmp_path, overlay) == ["copy", "run", "run"]


def test_an_id_is_no_part_of_the_result(tmp_path: Path) -> None:
    with_ids = load(tmp_path, SPEC).data["services"]["web"]["build"]
    without_ids = load(tmp_path, SPEC.replace("id: code, ", "")).data["services"]["web"]["build"]
    assert with_ids == without_ids


def test_origins_of_the_rest_stay(tmp_path: Path) -> None:
    resolved = load(tmp_path, SPEC, dev=web(packages="!remove [curl]"))
    assert str(resolved.where("services", "web", "packages", 0)) == "envctl.yaml:6:22"
    origin = resolved.origins["services", "web", "packages"]
    assert str(origin.where) == "environments/dev.yaml:3:5"
    assert [text for _, text in origin.replaced] == ["[curl, vim]"]


@pytest.mark.parametrize(
    ("lists", "place", "message"),
    [
        ({"packages": "!remove [curl, vmi]"}, "3:30", "services.web.packages has no item 'vmi' to remove"),
        ({"build": "!remove [make]"}, "3:21", "services.web.build has no item 'make' to remove"),
        ({"ports": "!remove ['80:80']"}, "3:21", "services.web.ports has no item '80:80' to remove"),
        ({"build": "!remove [{run: make}]"}, "3:21", "!remove takes texts and ids of items, got a mapping"),
        ({"command": "!remove serve"}, "3:14", "!remove is only allowed before a list"),
        ({"env": "!remove [A]"}, "3:10", "services.web.env: expected a mapping, got a list"),
    ],
)  # fmt: skip
def test_mistakes_have_their_place(
    tmp_path: Path, lists: dict[str, str], place: str, message: str
) -> None:
    first = problems(tmp_path, SPEC, dev=web(**lists))[0]
    assert message in first.message
    assert str(first.where) == f"environments/dev.yaml:{place}"


def test_a_misspelt_item_is_suggested(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, SPEC, dev=web(packages="!remove [vmi]"))
    assert problem.hint == "did you mean 'vim'?"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{id: code}", "a build step has exactly one kind, this one has none"),
        ("{id: a, run: x, copy: {}}", "a build step has exactly one kind, this one has run, copy"),
        ("{id: [a], run: x}", "services.web.build.0.id: expected"),
    ],
)
def test_a_step_has_one_kind_and_a_name(tmp_path: Path, step: str, message: str) -> None:
    found = problems(tmp_path, HEAD + f"services: {{web: {{command: [x], build: [{step}]}}}}\n")
    assert message in found[0].message


@pytest.mark.parametrize(
    ("step", "is_valid"),
    [
        ({"id": "code", "run": "make"}, True),
        ({"run": "make"}, True),
        ({"id": "code"}, False),
        ({"run": "make", "npm": {"directory": "/srv"}}, False),
    ],
)
def test_editors_know_it(step: dict[str, Any], is_valid: bool) -> None:
    schema = jsonschema.Draft202012Validator(definition.json_schema())
    spec = {"project": "p", "services": {"web": {"build": [step]}}}
    assert schema.is_valid(spec) == is_valid


def scalars(words: list[str]) -> list[Node]:
    return [ScalarNode(word, ("f", 1, 1)) for word in words]


WORDS = st.lists(st.sampled_from("abc"), max_size=4)


@st.composite
def extensions(draw: st.DrawFn) -> ListExtension:
    """A list with one of the tags."""
    tag, words = draw(st.sampled_from(["append", "prepend", "remove"])), draw(WORDS)
    if tag == "remove":
        return ListExtension(("f", 1, 1), [], [], removed=dict.fromkeys(words, ("f", 1, 1)))
    items = scalars(words)
    before, after = ([], items) if tag == "append" else (items, [])
    return ListExtension(("f", 1, 1), before, after)


@given(WORDS, extensions(), extensions(), extensions())
def test_merging_is_associative(
    words: list[str], first: ListExtension, second: ListExtension, third: ListExtension
) -> None:
    base: Node = ListNode(("f", 1, 1), scalars(words))
    found = Problems()

    def both(left: Node, right: Node) -> Node:
        return merge(left, right, problems=found)

    one = both(both(both(base, first), second), third)
    two = both(base, both(first, both(second, third)))
    three = both(both(base, both(first, second)), third)
    texts = [normalize(node, problems=found) for node in (one, two, three)]
    assert texts[0] == texts[1] == texts[2]
