"""Whatever a spec holds, the outcome is a resolved spec or problems with places; never a traceback."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from envctl import definition
from envctl.definition.resolved import Resolved
from envctl.errors import SpecError, UsageError
from tests.support.examples import examples
from tests.unit.definition.helpers import load, write

pytestmark = pytest.mark.slow

VALID = """\
project: shop
base: {name: debian:bookworm, snapshot: "http://snapshots.example/debian/20260801T000000Z/"}
vars: {port: 8080, url: "http://web:${port}"}
secrets:
  token: {env: TOKEN, file: secrets/token, command: [pass, show], generate: 24}
services:
  web:
    packages: [python3, curl=1.2]
    build:
      - copy: {from: app, to: /srv/, owner: web, mode: "0755", exclude: ["*.pyc"]}
      - run: {command: make, user: web, workdir: /srv, env: {A: b}}
      - pip: {venv: /opt/v, requirements: /srv/r.txt, packages: [flask]}
      - npm: {directory: /srv, production: true}
      - template: {from: app/t.j2, to: /etc/t, values: {n: [1, 2.5, true, x]}}
    user: {name: web, uid: 1000}
    workdir: /srv
    env: {URL: "${url}", N: 3}
    command: [serve, "$$HOME"]
    ports: ["${port}:8000", 9000, {container: 53, host: 5353, protocol: udp, public: true}]
    mounts: {./app: /mnt/app, ./b: {target: /mnt/b, read_only: true}}
    volumes: {data: /var/data, more: {target: /var/more}}
    secrets: [token]
    healthcheck: {http: "http://127.0.0.1:8000/", interval: 5s, timeout: 1m30s, retries: 2, start_period: 0}
    depends_on: {db: healthy, setup: completed}
    replicas: 1
    resources: {cpus: 0.5, memory: 512M}
    restart: no
    checks: {ok: "true", long: {command: [a, b], timeout: 5m}}
    hooks: {after_start: [touch /a, [touch, /b]], before_stop: echo}
    capabilities: [CAP_CHOWN, kill]
    options: {docker: {shm_size: 64m, init: false, list: [1]}}
  db: {image: "postgres:16", healthcheck: {tcp: 5432}}
  setup: {extends: web, kind: task, depends_on: [db], ports: null, healthcheck: null, hooks: null, packages: !append [git]}
  own: {dockerfile: {file: app/Dockerfile, context: ., args: {V: 1}}}
accept:
  - {unit: web*, category: packages, key: "vim*", reason: "costs $$5; for ${port}"}
  - {category: units, reason: "one more"}
environments:
  inline: {vars: {port: 80}, services: {own: null, web: {packages: !prepend [vim]}}}
"""
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ODD: list[Any] = [
    None, True, False, 0, -1, 10**30, 1.5, "", " ", "null", "a", "${", "${port}", "${nope}", "$$", "/", "..",
    "../..", "~", "a\nb", "é\U0001f600", "x" * 300, [], {}, [[]], [None], {"": None}, {"a": {}}, ["a", {}], "-",
    {"from": None}, {"<<": 1}, "0:0:0", "22:22", "\u2028", "\x85", "1e9", "0x1f", "٣",
]  # fmt: skip
THOROUGH = settings(
    max_examples=examples(600),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "app").mkdir()
    for name in ("t.j2", "Dockerfile"):
        (root / "app" / name).write_text("FROM scratch\n")
    return root


def outcome(root: Path, text: str | bytes, **overlays: str) -> Resolved | None:
    """The resolved spec, or None if there are problems, each of which has a place in a file."""
    write(root, text, **overlays)
    try:
        resolved = definition.load(root, "dev", environ={}, cache=False)
    except SpecError as error:
        told = error.problems
    else:
        assert json.loads(json.dumps(resolved.data)) == resolved.data
        assert all(origin.where.line >= 1 for origin in resolved.origins.values())
        yaml.load(definition.config_text(resolved, origins=True), Loader=LOADER)
        return resolved
    assert told
    for problem in told:
        assert problem.where.line >= 1
        assert problem.where.column >= 1
        assert problem.where.file in ("envctl.yaml", "environments/dev.yaml")
        assert "\x1b" not in str(problem)
    return None


def test_the_spec_that_is_mutated_is_valid(folder: Path) -> None:
    resolved = outcome(folder, VALID)
    assert resolved is not None
    assert set(resolved.data["services"]) == {"web", "db", "setup", "own"}


class _Untagged(yaml.SafeLoader):
    """Reads !append and !prepend as plain lists."""


_untagged: Any = _Untagged
for tag in ("!append", "!prepend"):
    _untagged.add_constructor(tag, yaml.SafeLoader.construct_yaml_seq)
DATA: Any = yaml.load(VALID, Loader=_Untagged) | {"environments": {}}
DATA["services"]["web"]["restart"] = "no"


def slots(node: Any) -> list[tuple[Any, Any]]:
    """Every (collection, key) in the data."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    found: list[tuple[Any, Any]] = []
    for key, value in list(pairs) if isinstance(node, dict | list) else ():
        found += [(node, key), *(slots(value) if isinstance(value, dict | list) else ())]
    return found


def mutated(seed: int) -> Any:
    """The valid data with one to three nodes removed, replaced, retyped, moved or renamed."""
    choose = random.Random(seed)
    data = copy.deepcopy(DATA)
    for _ in range(choose.randint(1, 3)):
        every = slots(data)
        if not every:
            return data
        holder, key = choose.choice(every)
        match choose.randrange(5):
            case 0:
                del holder[key]
            case 1:
                holder[key] = choose.choice(ODD)
            case 2:
                holder[key] = choose.choice([[holder[key]], {"x": holder[key]}, str(holder[key])])
            case 3:
                other, source = choose.choice(every)
                holder[key] = copy.deepcopy(
                    other[source] if source in range_or_keys(other) else None
                )
            case _:
                if isinstance(holder, dict):
                    holder[str(choose.choice(ODD))] = holder.pop(key)
    return data


def range_or_keys(holder: Any) -> Any:
    return holder if isinstance(holder, dict) else range(len(holder))


@THOROUGH
@example(seed=3494)
@given(seed=st.integers(0, 2**63))
def test_a_spec_with_nodes_changed_gives_a_result_or_places(folder: Path, seed: int) -> None:
    outcome(folder, json.dumps(mutated(seed)))


@THOROUGH
@example(seed=60786)
@given(seed=st.integers(0, 2**63))
def test_an_overlay_with_nodes_changed_gives_a_result_or_places(folder: Path, seed: int) -> None:
    overlay = mutated(seed)
    if isinstance(overlay, dict):
        overlay.pop("environments", None)
        overlay.pop("project", None)
    outcome(folder, VALID, dev=json.dumps(overlay))


@THOROUGH
@given(
    cut=st.lists(
        st.tuples(
            st.integers(0, len(VALID)), st.integers(0, 30), st.text(alphabet=" \n\t-:[]{}'\"&*!#|>%@`?,$\\~a0é\0\x1b", max_size=4)
        ),
        min_size=1,
        max_size=3,
    )
)  # fmt: skip
def test_a_spec_with_characters_changed_gives_a_result_or_places(
    folder: Path, cut: list[tuple[int, int, str]]
) -> None:
    text = VALID
    for start, length, replacement in cut:
        text = text[:start] + replacement + text[start + length :]
    outcome(folder, text)


@settings(THOROUGH, max_examples=examples(300))
@given(data=st.binary(max_size=200))
def test_any_bytes_give_a_result_or_places(folder: Path, data: bytes) -> None:
    outcome(folder, data)


@settings(THOROUGH, max_examples=examples(300))
@given(
    text=st.text(max_size=200), key=st.sampled_from(["user", "env", "ports", "build", "command"])
)
def test_any_text_as_a_value_gives_a_result_or_places(folder: Path, text: str, key: str) -> None:
    head = "project: p\nbase: debian:bookworm\nservices:\n  web:\n    command: [a]\n"
    outcome(folder, f"{head}    {key}: {json.dumps(text)}\n")
    outcome(folder, f"{head}    {key}: {text}\n".encode("utf-8", "replace"))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "{a: " * 200_000,
        "- " * 200_000,
        "? " * 200_000,
        "a:\n" + "".join(f"{' ' * depth}a:\n" for depth in range(1, 3000)),
        "a: &a [x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12)),
        "a: &a {b: *a}",
        "a: &a [*a]",
        "<<: &a {<<: *a}",
        "vars: {a0: xxxxxxxxxx, " + ", ".join(f"a{n + 1}: '{f'${{a{n}}}' * 10}'" for n in range(12)) + "}",
        "vars: {" + ", ".join(f"a{n}: '${{a{n + 1}}}'" for n in range(3000)) + "}",
        "x: " + "9" * 100_000,
        "#" * (5 * 1024 * 1024),
    ],
    ids=["brackets", "braces", "dashes", "question marks", "depth", "alias bomb", "alias circle", "alias loop",
         "merge loop", "variable bomb", "variable chain", "long number", "large file"],
)  # fmt: skip
def test_a_bomb_is_refused_at_its_place(folder: Path, text: str) -> None:
    assert outcome(folder, text) is None


def test_a_long_chain_of_services_is_no_problem(folder: Path) -> None:
    head = "project: p\nbase: debian:bookworm\nservices:\n  s0: {command: [a]}\n"
    chain = "".join(
        f"  s{n}: {{extends: s{n - 1}, depends_on: [s{n - 1}]}}\n" for n in range(1, 1500)
    )
    resolved = load(folder, head + chain)
    assert list(resolved.data["services"]["s1499"]["depends_on"]) == ["s1498"]
    assert len(resolved.origins["services", "s1499", "command"].replaced) == 0


def test_a_folder_in_the_place_of_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "envctl.yaml").mkdir()
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "dev.yaml").write_text("")
    with pytest.raises(SpecError, match="is a folder"):
        definition.load(tmp_path, "dev", environ={}, cache=False)


def test_names_that_are_no_environments_are_wrong_usage(folder: Path) -> None:
    write(folder, VALID)
    for name in ("", "..", "../x", "dev\0", "dv", "a" * 1000, "inlin"):
        with pytest.raises(UsageError, match="there is no environment"):
            definition.load(folder, name, environ={}, cache=False)
