"""`accept`: what parity may find, in the spec. It merges like any list, and nothing that runs depends on it."""

from __future__ import annotations

from pathlib import Path

from envctl import definition
from envctl.definition.differences import differences
from envctl.definition.keys.spec_file import SpecData
from tests.support.project import Project
from tests.unit.definition.helpers import WEB, load

ONE = "accept:\n  - {category: packages, key: vim, reason: as ever}\n"
ANOTHER = 'accept: {tag}[{{category: os, unit: "web*", reason: "port ${{port}}"}}]\n'


def keys(data: SpecData) -> list[str]:
    return [one["category"] for one in data["accept"]]


def test_without_it_nothing_is_accepted(tmp_path: Path) -> None:
    assert load(tmp_path, WEB).data["accept"] == []


def test_an_entry_is_for_all_units_and_keys_unless_it_says(tmp_path: Path) -> None:
    text = WEB + "accept:\n  - category: os\n    reason: >\n      two lines\n      of text\n"
    assert load(tmp_path, text).data["accept"] == [
        {"unit": "*", "category": "os", "key": "*", "reason": "two lines of text"}
    ]


def test_an_overlay_replaces_appends_or_removes(tmp_path: Path) -> None:
    port = "vars: {port: 80}\n"
    for overlay, expected in (
        (port + ANOTHER.format(tag=""), ["os"]),
        (port + ANOTHER.format(tag="!append "), ["packages", "os"]),
        (port + ANOTHER.format(tag="!prepend "), ["os", "packages"]),
        ("accept: null\n", []),
    ):
        assert keys(load(tmp_path, WEB + ONE, dev=overlay).data) == expected


def test_an_entry_has_variables_and_a_place_of_its_own(tmp_path: Path) -> None:
    overlay = "vars: {port: 80}\n" + ANOTHER.format(tag="!append ")
    resolved = load(tmp_path, WEB + ONE, dev=overlay)
    assert resolved.data["accept"][1]["reason"] == "port 80"
    assert str(resolved.where("accept", 0)) == "envctl.yaml:7:5"
    assert str(resolved.where("accept", 1)) == "environments/dev.yaml:2:18"
    text = definition.config_text(resolved, origins=True)
    assert "    key: vim  # envctl.yaml:7:31" in text
    assert '    reason: "port 80"  # environments/dev.yaml:2:55' in text


def test_two_environments_differ_in_what_they_accept(tmp_path: Path) -> None:
    dev = load(tmp_path, WEB + ONE)
    test = load(tmp_path, WEB + ONE, environment="test", test="accept: null\n")
    (found,) = differences(dev, test)
    assert (found.path, str(found.before_where)) == ("accept[0]", "envctl.yaml:7:5")


def test_up_changes_nothing_for_what_is_accepted(tmp_path: Path) -> None:
    project = Project(tmp_path, backend="memory", environ={}).spec("""
        web: {command: [a], packages: [curl]}
        db: {image: x}
    """)
    before = project.workspace().up(project.target)
    assert before.changes
    file = tmp_path / "envctl.yaml"
    file.write_text(file.read_text() + ONE)
    plan, changes = project.workspace().changes(project.target)
    assert keys(project.workspace().resolved("dev").data) == ["packages"]
    assert changes == ()
    assert plan.units == before.plan.units
