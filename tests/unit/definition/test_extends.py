"""Services that are like another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl.definition.keys.service import ServiceData
from tests.unit.definition.helpers import HEAD, load, problems

SPEC = HEAD + (
    "services:\n"
    "  web:\n"
    "    command: [serve]\n"
    "    packages: [curl]\n"
    "    env: {A: one, B: two}\n"
    "    ports: ['80:80']\n"
    "    healthcheck: {http: 'http://127.0.0.1/'}\n"
)


def services(root: Path, more: str, overlay: str = "") -> dict[str, ServiceData]:
    """The services of the spec above with more of them."""
    return load(root, SPEC + more, dev=overlay).data["services"]


def test_a_service_takes_over_what_it_does_not_set(tmp_path: Path) -> None:
    found = services(tmp_path, "  worker: {extends: web, ports: null, env: {B: three, C: four}}\n")
    worker = found["worker"]
    assert worker["env"] == {"A": "one", "B": "three", "C": "four"}
    assert worker["command"] == ["serve"]
    assert worker["ports"] == []
    assert worker["healthcheck"] == found["web"]["healthcheck"]


def test_a_chain_is_followed_to_its_end_in_whatever_order_it_is_written(tmp_path: Path) -> None:
    more = (
        (
            "  c: {extends: b, packages: !append [c]}\n"
            "  b: {extends: a, packages: !append [b]}\n"
            "  a: {extends: web, packages: !append [a], ports: null}\n"
        )
        .replace("[a]", "[aa]")
        .replace("[b]", "[bb]")
        .replace("[c]", "[cc]")
    )
    found = services(tmp_path, more)
    assert [found[name]["packages"] for name in "abc"] == [
        ["curl", "aa"],
        ["curl", "aa", "bb"],
        ["curl", "aa", "bb", "cc"],
    ]
    assert list(found) == ["web", "c", "b", "a"]


def test_a_list_replaces_the_inherited_one(tmp_path: Path) -> None:
    found = services(tmp_path, "  w: {extends: web, packages: [git], command: [w], ports: []}\n")
    assert found["w"]["packages"] == ["git"]
    assert found["w"]["command"] == ["w"]


def test_what_an_overlay_changes_is_inherited_too(tmp_path: Path) -> None:
    overlay = "services: {web: {env: {A: over}}, w: {env: {B: null}}}\n"
    found = services(tmp_path, "  w: {extends: web, ports: null}\n", overlay)
    assert found["w"]["env"] == {"A": "over"}


def test_another_way_to_be_made_drops_the_inherited_one(tmp_path: Path) -> None:
    more = "  db: {image: 'pg:16'}\n  own: {extends: db, image: null, base: debian:trixie, command: [x]}\n"
    base = services(tmp_path, more)["own"]["base"]
    assert base is not None
    assert base["name"] == "debian:trixie"


def test_a_null_takes_the_extension_back(tmp_path: Path) -> None:
    found = services(
        tmp_path, "  w: {extends: web, command: [w]}\n", "services: {w: {extends: null}}\n"
    )
    assert found["w"]["env"] == {}


def test_a_null_for_what_was_not_inherited_is_a_mistake(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, SPEC + "  w: {extends: web, ports: null, volumes: null}\n")
    assert found.message == "services.w.volumes has no value"


def test_a_circle_is_reported_with_the_places_of_all_in_it(tmp_path: Path) -> None:
    more = "  a: {extends: b}\n  b: {extends: c}\n  c: {extends: a}\n"
    (found,) = [one for one in problems(tmp_path, SPEC + more) if "circle" in one.message]
    assert found.message == "services extend each other in a circle: a → b → c → a"
    assert found.hint == "see envctl.yaml:10:16, envctl.yaml:11:16, envctl.yaml:12:16"


def test_a_service_that_extends_itself_is_a_circle(tmp_path: Path) -> None:
    found = problems(tmp_path, SPEC + "  a: {extends: a, command: [x]}\n")
    assert [one.message for one in found] == ["services extend each other in a circle: a → a"]


def test_an_unknown_service_is_reported_with_the_nearest(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, SPEC + "  w: {extends: wbe, command: [x]}\n")
    assert str(found.where) == "envctl.yaml:10:16"
    assert found.hint == "did you mean 'web'?"


def test_an_inherited_mistake_is_reported_where_it_stands(tmp_path: Path) -> None:
    found = problems(tmp_path, SPEC.replace("[curl]", "[-x]") + "  w: {extends: web, ports: []}\n")
    assert {str(one.where) for one in found} == {"envctl.yaml:6:16"}


def test_a_service_with_the_name_of_a_replica_is_refused(tmp_path: Path) -> None:
    text = HEAD + "services:\n  web: {command: [a], replicas: 3}\n  web-2: {command: [a]}\n"
    (found,) = problems(tmp_path, text)
    assert str(found.where) == "envctl.yaml:5:3"
    assert found.message == "services.web-2 has the name of a replica of 'web'"
    assert problems(tmp_path, text.replace("web-2", "web-4")) == ()
    assert problems(tmp_path, text.replace("web-2", "web-1")) == ()


def test_a_key_for_anchors_is_a_mistake_in_a_service_whether_it_extends_another_or_not(
    tmp_path: Path,
) -> None:
    # Only the top level has keys that are left alone.
    more = (
        "  worker: {extends: web, ports: null, x-note: one}\n  other: {image: redis, x-note: one}\n"
    )

    messages = [problem.message for problem in problems(tmp_path, SPEC + more)]

    assert messages == ["services.worker has no key 'x-note'", "services.other has no key 'x-note'"]


@pytest.mark.parametrize(
    ("service", "message", "column"),
    [
        ("{extends: [web], command: [x]}", "extends: expected a service's name, got a list", 7),
        ("{extends: {a: b}, command: [x]}", "extends: expected a service's name, got a mapping", 7),
        ("{extends: web, ports: [], with: text}", "with: expected a mapping, got 'text'", 32),
        ("{command: [x], with: text}", "with: expected a mapping, got 'text'", 21),
        ("{command: [x], with: null}", "with has no value", 21),
        ("{extends: web, ports: [], with: null}", "with: expected a mapping, got nothing", 32),
    ],
)
def test_what_is_no_name_and_what_is_no_parameters_is_told_once(
    tmp_path: Path, service: str, message: str, column: int
) -> None:
    (found,) = problems(tmp_path, f"{SPEC}  w: {service}\n")
    assert found.message == f"services.w.{message}"
    assert str(found.where) == f"envctl.yaml:10:{column}"


@pytest.mark.parametrize("parameters", ["text", "[one]"])
def test_an_overlay_replaces_parameters_by_others_or_by_none_and_by_nothing_else(
    tmp_path: Path, parameters: str
) -> None:
    spec = SPEC + "  w: {command: [x], with: {mode: fast}}\n"
    assert problems(tmp_path, spec, dev="services: {w: {with: null}}\n") == ()
    (found,) = problems(tmp_path, spec, dev=f"services: {{w: {{with: {parameters}}}}}\n")
    assert found.message.startswith("services.w.with: expected a mapping, got ")


def test_what_extends_a_service_that_extends_nothing_known_is_not_told_of_besides(
    tmp_path: Path,
) -> None:
    found = problems(
        tmp_path, "project: shop\nservices:\n  a: {extends: nope}\n  b: {extends: a}\n"
    )
    assert [one.message for one in found] == ["services.a.extends: no such service: 'nope'"]


def test_a_service_is_not_taken_to_mean_itself(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, SPEC + "  worker1: {extends: worker2, command: [x]}\n")
    assert "worker1" not in found.hint


def test_a_service_that_another_extends_counts_once_against_the_bound(tmp_path: Path) -> None:
    texts = ", ".join(f"A{number}: *long" for number in range(5))
    large = f"x-long: &long {'x' * 1_000_000}\n" + SPEC
    large += f"  large: {{command: [x], env: {{{texts}}}}}\n"
    nothing = ", ".join(f"A{number}: y" for number in range(5))
    small = f"  small: {{extends: large, env: {{{nothing}}}}}\n"
    assert problems(tmp_path, large + small) == ()
