"""Environment variables that are made of secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl import definition
from tests.unit.definition.helpers import HEAD, load, problems

SPEC = HEAD + (
    "vars: {host: 'd$b'}\n"
    "secrets: {password: {generate: 24}}\n"
    "services:\n"
    "  web:\n"
    "    command: [serve]\n"
    "    env:\n"
    "      PASSWORD: {secret: password}\n"
    "      URL: {template: 'postgres://app:${secret.password}@${host}/$$x'}\n"
    "      PLAIN: text\n"
)


def test_a_variable_is_a_secret_or_a_template(tmp_path: Path) -> None:
    assert load(tmp_path, SPEC).data["services"]["web"]["env"] == {
        "PASSWORD": {"kind": "secret", "value": "password"},
        # A template stays one: what is no secret is doubled.
        "URL": {"kind": "template", "value": "postgres://app:${secret.password}@d$$b/$$x"},
        "PLAIN": "text",
    }


def test_what_config_shows_is_read_again_as_the_same(tmp_path: Path) -> None:
    first = load(tmp_path / "a", SPEC)
    second = tmp_path / "b"
    second.mkdir()
    (second / "envctl.yaml").write_text(definition.config_text(first), "utf-8")
    data = definition.load(second, "dev", environ={}, cache=False).data
    assert data["services"] == first.data["services"]


def test_each_remembers_the_line_that_set_it(tmp_path: Path) -> None:
    resolved = load(tmp_path, SPEC, dev="services: {web: {env: {PLAIN: {secret: password}}}}")
    assert str(resolved.where("services", "web", "env", "URL")) == "envctl.yaml:10:7"
    assert str(resolved.where("services", "web", "env", "PLAIN")).startswith("environments/dev")


def test_an_overlay_sets_a_variable_again(tmp_path: Path) -> None:
    overlay = "services: {web: {env: {PASSWORD: {template: '<${secret.password}>'}, URL: text}}}"
    env = load(tmp_path, SPEC, dev=overlay).data["services"]["web"]["env"]
    assert env["PASSWORD"] == {"kind": "template", "value": "<${secret.password}>"}
    assert env["URL"] == "text"


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("{secret: pasword}", "the secret 'pasword' is not declared", "password"),
        ("{template: '${secret.pasword}'}", "the secret 'pasword' is not declared", "password"),
        ("{template: text}", "'text' has no secret in it", "needs no template"),
        ("{template: '${secrets.password}'}", "'${secrets.password}' is not a valid", ""),
        ("{template: '${nothing}'}", "the variable 'nothing' is not declared", ""),
        ("'<${secret.password}>'", "a secret is only allowed in a template of env", ""),
        ("{secret: password, template: '${secret.password}'}", "has secret and template", ""),
        ("{}", "has none of secret, template", ""),
        ("{secrets: password}", "has no key 'secrets'", "secret"),
        ("[password]", "expected a text", ""),
    ],
)
def test_a_mistake_shows_its_line(tmp_path: Path, value: str, message: str, hint: str) -> None:
    found = problems(tmp_path, SPEC.replace("PLAIN: text", f"PLAIN: {value}"))
    assert [problem.where.line for problem in found][:1] == [11]
    assert message in found[0].message
    assert hint in found[0].hint


def test_a_secret_is_allowed_nowhere_else(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, SPEC.replace("[serve]", "[serve, '${secret.password}']"))
    assert "only allowed in a template of env" in problem.message
