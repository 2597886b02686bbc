"""The JSON Schema that editors get: it takes what envctl takes, and refuses plain mistakes."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema
import pytest
import yaml

from envctl import definition
from tests.unit.definition.test_robust import DATA, _untagged

SCHEMA = jsonschema.Draft202012Validator(definition.json_schema())
OVERLAY = jsonschema.Draft202012Validator(definition.json_schema("environment"))


def messages(validator: jsonschema.Draft202012Validator, data: Any) -> list[str]:
    """What the schema finds wrong."""
    return [error.message for error in validator.iter_errors(data)]


@pytest.mark.parametrize("which", ["envctl", "environment"])
def test_it_is_a_schema(which: Any) -> None:
    schema = definition.json_schema(which)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_a_spec_with_every_field_is_valid() -> None:
    data = copy.deepcopy(DATA)
    data["services"]["web"]["capabilities"] = ["CAP_CHOWN", "KILL"]
    assert messages(SCHEMA, data) == []


def test_an_overlay_needs_nothing_and_may_remove() -> None:
    text = """\
    backend: memory
    vars: {port: 80}
    services:
      web:
        env: {A: null}
        ports: null
        packages: !append [vim]
        restart: no
        healthcheck: {interval: 9s}
        user: {uid: 1000}
        checks: {ok: {timeout: 5s}}
      db: null
    """
    assert messages(OVERLAY, yaml.load(text, Loader=_untagged)) == []
    assert messages(OVERLAY, {}) == []


@pytest.mark.parametrize(
    "change",
    [
        {"project": "Not A Name"},
        {"project": None},
        {"project": "${name}"},
        {"services": {"my_web": {}}},
        {"sevices": {}},
        {"services": {"web": {"packges": ["a"]}}},
        {"services": {"web": {"packages": "curl"}}},
        {"services": {"web": {"kind": "job"}}},
        {"services": {"web": {"restart": "sometimes"}}},
        {"services": {"web": {"replicas": 0}}},
        {"services": {"web": {"ports": [{"host": 80}]}}},
        {"services": {"web": {"build": [{"copy": {"from": "a"}}]}}},
        {"services": {"web": {"build": [{"apt": ["a"]}]}}},
        {"services": {"web": {"env": ["A=b"]}}},
        {"services": {"web": {"capabilities": ["NOT_ONE"]}}},
        {"services": {"web": {"depends_on": {"db": "ready"}}}},
        {"services": {"web": {"workdir": "relative"}}},
        {"secrets": {"token": {"generate": 1000}}},
        {"accept": [{"category": "package", "reason": "a"}]},
        {"accept": [{"category": "packages"}]},
        {"accept": [{"category": "packages", "reason": "a", "keys": "b"}]},
        {"accept": {"category": "packages", "reason": "a"}},
        {"base": {"snapshot": "yesterday", "name": "debian:bookworm"}},
    ],
)
def test_a_plain_mistake_is_refused(change: dict[str, Any]) -> None:
    assert messages(SCHEMA, {**copy.deepcopy(DATA), **change})


def test_a_variable_may_stand_for_a_word_and_for_a_name() -> None:
    web = {
        "kind": "${kind}",
        "image": "redis:${version}",
        "packages": ["${p}"],
        "workdir": "${dir}",
        "user": "${user}",
    }
    assert messages(SCHEMA, {"project": "p", "services": {"web": web}}) == []


def test_a_file_without_a_project_is_refused() -> None:
    assert messages(SCHEMA, {"services": {}}) == ["'project' is a required property"]


def test_every_field_is_described_and_has_an_example() -> None:
    schema = definition.json_schema()
    forms = [schema, *schema["$defs"].values()]
    fields = [(name, field) for form in forms for name, field in form.get("properties", {}).items()]
    assert len(fields) > 60
    assert [name for name, field in fields if not field.get("description")] == []
    assert [name for name, field in fields if not field.get("examples")] == []
