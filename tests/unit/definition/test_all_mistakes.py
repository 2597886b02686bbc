"""All mistakes are told at once, and each once: what follows from a mistake is none of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.definition.helpers import HEAD, WEB, problems

TOKEN = HEAD + "secrets: {token: {env: T}}\n"

AT_ONCE = {
    "a misspelt key hides no bad dependency": (
        WEB + "    packges: [curl]\n    depends_on: [bd]\n  db: {command: [a]}\n",
        ["services.web has no key 'packges'", "services.web.depends_on: no such service: 'bd'"],
    ),
    "a bad value hides neither a clash of ports nor a circle": (
        HEAD + "services:\n"
        "  a: {command: [x], replicas: two, ports: ['80:80'], depends_on: [b]}\n"
        "  b: {command: [x], ports: ['80:81'], depends_on: [a]}\n",
        [
            "services.a.replicas: expected a whole number, got 'two'",
            "services.b: the host's port 80 is already used by services.a",
            "services depend on each other in a circle: a → b → a",
        ],
    ),
    "an undeclared variable hides no bad duration, no unknown secret, no missing file": (
        TOKEN + "services:\n"
        "  web:\n"
        "    command: ['${prt}']\n"
        "    healthcheck: {tcp: 80, interval: soon}\n"
        "    secrets: [tokn]\n"
        "    build: [{copy: {from: gone, to: /x}}]\n",
        [
            "the variable 'prt' is not declared",
            "services.web.healthcheck.interval: expected a duration, got 'soon'",
            "the secret 'tokn' is not declared",
            "services.web.build.0: 'gone' does not exist",
        ],
    ),
    "one bad item hides none of the others": (
        WEB + "    ports: [http, {container: 99999}, {hots: 1, container: 2}]\n"
        "    env: {A: yes, B-C: d}\n",
        [
            "services.web.ports.0: 'http' is not a valid port",
            "services.web.ports.1.container: 99999 is out of range",
            "services.web.ports.2 has no key 'hots'",
            "services.web.env.A: yes is a boolean in YAML, but this is a text",
            "services.web.env.B-C: 'B-C' is not allowed here",
        ],
    ),
    "a bad head hides no bad service": (
        "base: {name: debian:bookworm, imge: x}\nbackend: Docker\nservices: {web: {command: 5s, user: {id: 3}}}\n",
        [
            "the file lacks 'project'",
            "base has no key 'imge'",
            "backend: 'Docker' is not allowed here",
            "services.web.user has no key 'id'",
        ],
    ),
}  # fmt: skip

ONCE = {
    "a misspelt command is no missing command": (
        HEAD + "services: {web: {comand: [a]}}\n",
        ["services.web has no key 'comand'"],
    ),
    "a misspelt image is no service made from nothing": (
        "project: p\nservices: {web: {imge: redis}}\n",
        ["services.web has no key 'imge'"],
    ),
    "a misspelt project is no missing one": (
        "projct: p\nservices: {web: {image: redis}}\n",
        ["the file has no key 'projct'"],
    ),
    "a misspelt required key is no missing one": (
        WEB + "    build: [{copy: {from: app, too: /x}}]\n",
        ["services.web.build.0.copy has no key 'too'"],
    ),
    "a misspelt probe is no healthcheck without one": (
        WEB + "    healthcheck: {htp: 'http://127.0.0.1/'}\n",
        ["services.web.healthcheck has no key 'htp'"],
    ),
    "a misspelt source is no secret without one": (
        HEAD + "secrets: {token: {envv: T}}\nservices: {web: {command: [a], secrets: [token]}}\n",
        ["secrets.token has no key 'envv'"],
    ),
    "an undeclared variable is no bad port": (
        WEB + "    ports: ['${prt}:80']\n",
        ["the variable 'prt' is not declared"],
    ),
    "an undeclared variable is no bad number": (
        WEB + "    replicas: ${n}\n",
        ["the variable 'n' is not declared"],
    ),
    "a bad healthcheck is no reason that nobody can wait for health": (
        WEB + "    depends_on: {db: healthy}\n  db: {command: [a], healthcheck: {tcp: http}}\n",
        ["services.db.healthcheck.tcp: expected a port, got 'http'"],
    ),
    "a bad kind is no reason that nobody can wait for completion": (
        WEB + "    depends_on: {db: completed}\n  db: {command: [a], kind: tsk}\n",
        ["services.db.kind: 'tsk' is not a valid choice"],
    ),
    "a bad base is no service without one": (
        "project: p\nbase: [a]\nservices: {web: {packages: [a1]}}\n",
        ["base: expected a base (a name, or image and box), got a list"],
    ),
    "a bad image is no service made from nothing": (
        "project: p\nservices: {web: {image: 'A b'}}\n",
        ["services.web.image: 'A b' is not allowed here"],
    ),
    "an extended service that is not there is no reason for a missing command": (
        HEAD + "services: {web: {extends: gone}}\n",
        ["services.web.extends: no such service: 'gone'"],
    ),
    "a missing key is no reason to check what is below it": (
        WEB + "'': {ports: null}\n",
        ["a key is missing"],
    ),
    "a variable in a key is no unknown key": (
        WEB + "    '${a}': b\n",
        ["variables are not allowed in keys: '${a}'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), AT_ONCE.values(), ids=AT_ONCE)
def test_all_mistakes_are_reported_at_once(tmp_path: Path, text: str, expected: list[str]) -> None:
    (tmp_path / "app").mkdir()
    assert sorted(one.message for one in problems(tmp_path, text)) == sorted(expected)


@pytest.mark.parametrize(("text", "expected"), ONCE.values(), ids=ONCE)
def test_a_mistake_brings_no_other_with_it(tmp_path: Path, text: str, expected: list[str]) -> None:
    (tmp_path / "app").mkdir()
    assert [one.message for one in problems(tmp_path, text)] == expected
