"""The resolved spec as text: it loads again to the same data, whatever the values are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from envctl import definition
from envctl.definition.keys.spec_file import SpecData
from envctl.definition.yaml_writer import scalar
from tests.support.examples import examples
from tests.unit.definition.helpers import HEAD, WEB, load
from tests.unit.definition.test_robust import LOADER, VALID, folder

__all__ = ["folder"]


def again(root: Path, text: str, environment: str = "dev") -> tuple[SpecData, SpecData]:
    """The data of a spec, and of its own text loaded as a spec."""
    first = load(root, text, environment=environment)
    (root / "environments" / "dev.yaml").unlink()
    (root / "envctl.yaml").write_text(definition.config_text(first), "utf-8")
    return first.data, definition.load(root, environment, environ={}, cache=False).data


def test_a_spec_with_every_field_loads_again_from_its_text(folder: Path) -> None:
    first, second = again(folder, VALID.partition("environments:")[0])
    assert second == first


def test_the_text_says_the_same_when_it_is_made_again(folder: Path) -> None:
    text = VALID.partition("environments:")[0]
    once = definition.config_text(load(folder, text))
    (folder / "environments" / "dev.yaml").unlink()
    (folder / "envctl.yaml").write_text(once)
    assert definition.config_text(definition.load(folder, "dev", environ={}, cache=False)) == once


def test_the_text_is_written_in_long_form(tmp_path: Path) -> None:
    text = HEAD + (
        "services:\n"
        "  web:\n"
        "    command: echo $$HOME\n"
        "    ports: ['80:8000', {container: 53, protocol: udp, public: true}]\n"
        "    user: web\n"
        "    env: {EMPTY: '', NUMBER: 1, LINES: \"a\\nb\"}\n"
    )
    assert definition.config_text(load(tmp_path, text)) == (
        "project: shop\n"
        "backend: docker\n"
        "services:\n"
        "  web:\n"
        "    kind: service\n"
        "    base:\n"
        '      name: "debian:bookworm"\n'
        "    user:\n"
        "      name: web\n"
        "    env:\n"
        '      EMPTY: ""\n'
        '      NUMBER: "1"\n'
        '      LINES: "a\\nb"\n'
        '    command: [/bin/sh, "-ec", "echo $$HOME"]\n'
        "    ports:\n"
        "      - host: 80\n"
        "        container: 8000\n"
        "        protocol: tcp\n"
        "      - container: 53\n"
        "        public: true\n"
        "        protocol: udp\n"
        "    replicas: 1\n"
        '    restart: "no"\n'
        "environments:\n"
        "  dev: {}\n"
    )


def test_a_secret_is_described_and_never_looked_up(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("the value")
    text = WEB + "    secrets: [t]\nsecrets: {t: {file: token, env: TOKEN, generate: 24}}\n"
    shown = definition.config_text(load(tmp_path, text, environ={"TOKEN": "the value"}))
    assert "the value" not in shown
    assert "env: TOKEN" in shown


TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    st.text("$${}a'\"\\\n\t #:-,[]&*!|>%@`~", max_size=12),
    st.sampled_from(["yes", "null", "~", "1e3", "0x1", ".inf", "1_000", "12:30:00", "=", "<<"]),
)
FILLED = TEXTS.filter(lambda text: bool(text.strip()))
NUMBERS = st.one_of(st.integers(-(10**17), 10**17), st.floats(-1e6, 1e6).map(lambda f: round(f, 6)))
FREE = st.recursive(
    st.one_of(TEXTS, st.booleans(), NUMBERS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=5,
)
DURATIONS = st.one_of(
    st.floats(0.001, 86_000).map(lambda seconds: f"{seconds:.9f}"),
    st.floats(0.01, 1000).map(lambda minutes: f"{minutes:.9f}m"),
    st.integers(1, 10_000).map("{}ms".format),
)
SERVICES = st.fixed_dictionaries(
    {"command": st.lists(FILLED, min_size=1, max_size=4)},
    optional={
        "env": st.dictionaries(st.from_regex(r"[A-Za-z_]\w{0,8}", fullmatch=True).filter(str.isascii), TEXTS, max_size=4),
        "workdir": st.lists(FILLED.map(lambda text: text.replace("/", "")).filter(lambda text: text not in ("", ".", "..")), max_size=3).map(lambda parts: "/" + "/".join(parts)),
        "healthcheck": st.fixed_dictionaries({"tcp": st.integers(1, 65535), "interval": DURATIONS, "timeout": DURATIONS, "start_period": DURATIONS}),
        "resources": st.fixed_dictionaries({"cpus": st.floats(0.001, 1000).map(lambda f: f"{f:.9f}"), "memory": st.integers(6 * 1024**2, 1024**5)}),
        "options": st.dictionaries(st.sampled_from(["docker", "memory"]), st.dictionaries(st.sampled_from(["a", "b-c"]), FREE, max_size=3), max_size=2),
        "checks": st.dictionaries(st.sampled_from(["one", "two"]), FILLED, max_size=2),
        "hooks": st.fixed_dictionaries({"after_start": st.lists(FILLED, max_size=2)}),
        "build": st.lists(st.one_of(
            st.fixed_dictionaries({"run": FILLED}),
            st.fixed_dictionaries({"pip": st.fixed_dictionaries({"venv": st.just("/v"), "packages": st.lists(st.from_regex(r"[a-z]{1,5}(==[0-9.]{1,4})?", fullmatch=True), max_size=2)})}),
            st.fixed_dictionaries({"template": st.fixed_dictionaries({"from": st.just("app/t.j2"), "to": st.just("/t"), "values": st.dictionaries(st.sampled_from("abc"), FREE, max_size=3)})}),
        ), max_size=3),
    },
)  # fmt: skip
SPECS = st.fixed_dictionaries(
    {
        "project": st.just("shop"),
        "base": st.just("debian:bookworm"),
        "vars": st.dictionaries(st.sampled_from(["a", "b_c"]), TEXTS, max_size=2),
        "services": st.dictionaries(st.sampled_from(["web", "db"]), SERVICES, min_size=1),
    }
)


def dollars(value: Any) -> Any:
    """The data with every `$` written so that it stays one."""
    if isinstance(value, dict):
        return {key: dollars(item) for key, item in value.items()}
    if isinstance(value, list):
        return [dollars(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


@pytest.mark.slow
@settings(max_examples=examples(80))
@given(SPECS)
def test_any_spec_loads_again_from_its_text(folder: Path, data: Any) -> None:
    first, second = again(folder, yaml.safe_dump(dollars(data), sort_keys=False))
    assert json.dumps(second) == json.dumps(first)
    for name, service in data["services"].items():
        assert first["services"][name]["command"] == service["command"]
        assert first["services"][name]["env"] == service.get("env", {})


@settings(max_examples=examples(300))
@given(TEXTS)
def test_a_text_is_read_back_as_that_text_by_yaml_itself(text: str) -> None:
    line = f"{scalar(text)}: {scalar(text)}\n"
    assert yaml.load(line, Loader=LOADER) == {text: text}
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    ("number", "shown"),
    [(1e-05, "0.00001"), (1e17, "100000000000000000.0"), (0.5, "0.5"), (3, "3"), (True, "true")],
)
def test_a_number_is_written_without_an_exponent_and_keeps_its_kind(
    number: float, shown: str
) -> None:
    assert scalar(number) == shown


def test_a_duration_is_taken_to_the_millisecond(tmp_path: Path) -> None:
    text = WEB + "    healthcheck: {tcp: 80, interval: 1.15m, timeout: 0.00000000001h2s}\n"
    first, second = again(tmp_path, text)
    probe = first["services"]["web"]["healthcheck"]
    assert probe is not None
    assert (probe["interval"], probe["timeout"]) == (69.0, 2.0)
    assert second == first
