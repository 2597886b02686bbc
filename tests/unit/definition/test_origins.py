"""Where each value was set, and what it replaced: `config --origins`."""

from __future__ import annotations

from pathlib import Path

from envctl import definition
from envctl.definition.resolved import Resolved
from envctl.errors import Place
from tests.unit.definition.helpers import load, write

BASE = """\
project: shop
base: debian:bookworm
vars: {level: info}
services:
  web:
    command: [serve]
    packages: [curl]
    build:
      - run: make
    env: {LEVEL: "${level}", A: one}
    ports: ["80:80"]
    mounts: {./app: /srv}
    healthcheck: {http: "http://127.0.0.1/", interval: 5s}
    depends_on: [db]
  db: {image: "postgres:15"}
"""
DEV = """\
vars: {level: debug}
services:
  web:
    packages: !append [git]
    env: {A: two}
    healthcheck: {tcp: 80}
  db: {image: "postgres:16"}
"""


def resolved(root: Path, **options: dict[str, str]) -> Resolved:
    """The spec above."""
    return load(root, BASE, dev=DEV, **options)  # type: ignore[arg-type]


def lines(root: Path, **options: dict[str, str]) -> dict[str, str]:
    """The comments of the text with origins, by what stands before them."""
    text = definition.config_text(resolved(root, **options), origins=True)
    pairs = (line.strip().partition("  # ") for line in text.splitlines() if "  # " in line)
    return {head: comment for head, _, comment in pairs}


def test_each_value_shows_its_place_and_what_it_replaced(tmp_path: Path) -> None:
    found = lines(tmp_path)
    dev = "environments/dev.yaml"
    assert found["project: shop"] == "envctl.yaml:1:10"
    assert found["level: debug"] == f"{dev}:1:15 (was info at envctl.yaml:3:15)"
    assert found["LEVEL: debug"] == "envctl.yaml:10:18"
    assert found["A: two"] == f"{dev}:5:14 (was one at envctl.yaml:10:33)"
    assert found["packages: [curl, git]"] == f"{dev}:4:5 (was [curl] at envctl.yaml:7:15)"
    assert found['image: "postgres:16"'] == f"{dev}:7:15 (was postgres:15 at envctl.yaml:15:15)"
    assert found["interval: 5.0"] == "envctl.yaml:13:56"
    assert found["base:"] == "envctl.yaml:2:1"
    assert found['db: "started"'.replace('"', "")] == "envctl.yaml:14:18"


def test_one_choice_in_place_of_another_shows_what_it_replaced(tmp_path: Path) -> None:
    origin = resolved(tmp_path).origins["services", "web", "healthcheck", "test"]
    assert origin.where == Place("environments/dev.yaml", 6, 24)
    assert origin.replaced == ((Place("envctl.yaml", 13, 25), "http://127.0.0.1/"),)


def test_a_variable_from_outside_shows_who_gave_it_and_all_it_replaced(tmp_path: Path) -> None:
    was = "(was debug at environments/dev.yaml:1:15, info at envctl.yaml:3:15)"
    assert lines(tmp_path, sets={"level": "x"})["level: x"] == f"--set {was}"
    environ = {"ENVCTL_VAR_level": "xx"}
    assert lines(tmp_path, environ=environ)["level: xx"] == f"ENVCTL_VAR_level {was}"


def test_a_place_knows_which_variables_made_the_value_also_from_the_cache(tmp_path: Path) -> None:
    text = "project: shop\nbase: debian:bookworm\nvars: {a: '80', b: '${a}'}\n"
    text += "services:\n  web: {command: [x], ports: ['${b}:80', {host: '1${a}', container: 1}]}\n"
    write(tmp_path, text)
    environ = {"ENVCTL_VAR_a": "81"}
    said = "a is '81', from ENVCTL_VAR_a"
    for _ in range(2):
        found = definition.load(tmp_path, "dev", environ=environ)
        origins = found.origins
        assert origins["services", "web", "ports", 0].where.note == said
        assert origins["services", "web", "ports", 1, "host"].where.note == said
        assert origins["services", "web", "command"].where.note == ""
        assert str(found.where("services", "web", "ports", 0)) == "envctl.yaml:5:31"


def test_a_service_inherits_the_origins_too(tmp_path: Path) -> None:
    text = BASE + "  w: {extends: web, ports: null, env: {A: three}}\n"
    origins = load(tmp_path, text).origins
    assert origins["services", "w", "command"].where == Place("envctl.yaml", 6, 5)
    assert origins["services", "w", "env", "A"].replaced == ((Place("envctl.yaml", 10, 33), "one"),)


def test_a_default_has_the_origin_of_what_it_belongs_to(tmp_path: Path) -> None:
    found = resolved(tmp_path)
    assert found.where("services", "web", "restart") == Place("envctl.yaml", 5, 3)
    assert found.where("services", "web", "mounts", 0, "target") == Place("envctl.yaml", 12, 14)
    assert found.where("services", "web", "build", 0) == Place("envctl.yaml", 9, 9)
    assert found.where("nothing") is None


def test_a_replaced_value_cannot_break_out_of_its_comment(tmp_path: Path) -> None:
    text = BASE.replace("A: one", 'A: "x\\nservices: {}\\e"')
    found = load(tmp_path, text, dev=DEV)
    assert found.data["services"]["web"]["env"]["A"] == "two"
    comments = [
        line for line in definition.config_text(found, origins=True).splitlines() if "was x" in line
    ]
    assert len(comments) == 1
    assert comments[0].isprintable()


def test_options_of_the_whole_file_are_every_services_unless_it_says_otherwise(
    tmp_path: Path,
) -> None:
    text = (
        "project: shop\nbase: debian:bookworm\noptions: {vagrant: {memory: 300m, cpus: 1}}\n"
        "services:\n  web: {command: [serve]}\n"
        "  db: {command: [serve], options: {vagrant: {memory: 1g}}}\n  job: {extends: db}\n"
    )
    found = load(tmp_path, text, dev="options: {vagrant: {cpus: 2}}")
    services = found.data["services"]

    assert services["web"]["options"] == {"vagrant": {"memory": "300m", "cpus": 2}}
    assert services["db"]["options"] == services["job"]["options"]
    assert services["db"]["options"] == {"vagrant": {"memory": "1g", "cpus": 2}}
    assert found.where("services", "web", "options", "vagrant", "cpus") == Place(
        "environments/dev.yaml", 1, 27
    )
    origin = found.origins["services", "db", "options", "vagrant", "memory"]
    assert str(origin.where).startswith("envctl.yaml:6:")
