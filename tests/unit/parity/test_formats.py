"""What is kept and read by others: the JSON of facts and of comparisons is what docs/schemas says, whole."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from envctl.errors import EnvctlError, Place
from envctl.parity.accepted import Acceptance
from envctl.parity.fact_format import (
    SUBSTRATE,
    Category,
    Facts,
    Unknown,
    fact,
    from_file,
    from_json,
    to_json,
)
from envctl.parity.report import to_json as parity_to_json
from envctl.parity.result import Parity, Side, compare_sides
from envctl.plan.categories import UNITS
from tests.unit.parity.test_compare_facts import told_by_units

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"
FIRST = Path(__file__).parent / "data" / "facts-2.json"
"""A file of facts as this version first wrote it."""


@cache
def schema(name: str, *, closed: bool = False) -> Any:
    """A schema; closed, it refuses keys that it does not tell of."""
    found = json.loads((SCHEMAS / name).read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(_closed(found) if closed else found)


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {key: _closed(item) for key, item in node.items()}
    if "properties" in result and "type" in result:
        result["additionalProperties"] = False
    return result


def parity() -> Parity:
    """A comparison in which there is everything: all verdicts, values missing, a file, a stale entry."""
    first = from_file(str(FIRST))
    changed = copy.deepcopy(to_json(first))
    changed["backend"] = "docker"
    web = changed["units"]["web"]
    for category in (SUBSTRATE, "names"):
        del web[category]
    del web["packages"]["openssh-server"], web["users"]["sshd"]
    web["os"]["id"] = "other"
    web["environment"]["NEW"] = ""
    del changed["units"]["db"]
    other = from_json(json.dumps(changed), name="other.json")
    entries = [
        Acceptance("*", category, "*", "because", Place("envctl.yaml", line, 5))
        for line, category in enumerate(("os", "npm"), start=1)
    ]
    return compare_sides(Side(first, entries, "facts-2.json"), Side(other), Side(first))


@pytest.mark.parametrize("closed", [False, True])
def test_a_file_of_this_version_is_what_its_schema_says_and_is_read(closed: bool) -> None:
    schema("facts-2.json", closed=closed).validate(json.loads(FIRST.read_text()))

    found = from_file(str(FIRST))

    assert (found.project, found.name) == ("guestbook", "prod@vagrant")
    assert found.units["web"]["environment"]["LOG_LEVEL"] == "warning"
    assert isinstance(fact(found.units["web"], "files", "/srv/web/app.key"), Unknown)
    assert found.units["db"]["substrate"] == {"packages\topenssh-server": "", "users\tsshd": ""}


@given(told_by_units)
def test_facts_are_written_as_their_schema_says(known: Any) -> None:
    written = json.loads(json.dumps(to_json(Facts("shop", "dev", "docker", known))))

    schema("facts-2.json", closed=True).validate(written)


def test_the_schema_of_facts_tells_of_every_category() -> None:
    told = schema("facts-2.json").schema["$defs"]["unit"]["properties"]

    assert list(told) == [*map(str, Category), UNITS, SUBSTRATE]


def test_a_comparison_is_written_as_its_schema_says_and_has_all_that_it_tells_of() -> None:
    written = json.loads(json.dumps(parity_to_json(parity())))

    schema("parity-2.json", closed=True).validate(written)
    one, same = written["comparisons"]
    assert {found["verdict"] for found in one["findings"]} == {
        "declared",
        "substrate",
        "undeclared",
        "unknown",
    }
    assert one["before"]["file"] == "facts-2.json"
    assert one["after"]["file"] is None
    # What a side does not know is not even equal to itself.
    assert [found["key"] for found in same["findings"]] == ["/srv/web/app.key"]
    assert [entry["category"] for entry in written["stale"]] == ["npm"]


def test_a_comparison_s_counts_are_of_its_findings() -> None:
    one = parity_to_json(parity())["comparisons"][0]

    for verdict in ("declared", "substrate", "undeclared", "unknown"):
        found = [each for each in one["findings"] if each["verdict"] == verdict]
        assert one["facts"][verdict] == len(found)
        assert sum(subject[verdict] for subject in one["subjects"]) == len(found)
    assert sum(subject["equal"] for subject in one["subjects"]) == one["facts"]["equal"] > 0


@pytest.mark.parametrize(
    "change",
    [
        {"format": "envctl facts"},
        {"version": 1},
        {"comparisons": []},
        {"stale": [{"where": "envctl.yaml:1:5"}]},
    ],
)
def test_the_schema_refuses_what_is_not_a_comparison(change: Any) -> None:
    written = {**parity_to_json(parity()), **change}

    assert list(schema("parity-2.json").iter_errors(written))


def test_a_file_of_the_first_version_is_refused_since_it_called_equal_what_it_did_not_see():
    first = {**json.loads(FIRST.read_text()), "version": 1}

    with pytest.raises(EnvctlError, match="has facts of version 1") as caught:
        from_json(json.dumps(first), name="old.json")

    assert "envctl facts ENV --json" in caught.value.hint
