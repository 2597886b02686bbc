"""Every key of a source has a line in the report."""

from __future__ import annotations

import pytest

from tests.support.compose_projects import PROJECTS
from tests.support.compose_report import unreported
from tests.unit.imports.compose.conftest import Import

EVERY = sorted(PROJECTS)


def yaml_files(name: str) -> list[str]:
    return [path for path in PROJECTS[name] if path.endswith((".yaml", ".yml"))]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(
    "choices", [{}, {"keep_exposure": True, "harden": True, "move_secrets": True}]
)
def test_nothing_of_the_source_is_without_a_line(
    import_project: Import, name: str, choices: dict[str, bool]
) -> None:
    imported = import_project(name, **choices)

    assert unreported(imported.folder, yaml_files(name), imported.lines) == []


@pytest.mark.parametrize("name", EVERY)
def test_each_line_is_needed_or_the_walk_would_notice(import_project: Import, name: str) -> None:
    """The walk is no formality: without the line about a dropped or kept key it finds that key."""
    imported = import_project(name)
    places = [(line["file"], line["line"], line["column"]) for line in imported.lines]
    noticed = 0
    for line in imported.lines:
        place = (line["file"], line["line"], line["column"])
        if places.count(place) == 1 and line["file"].endswith((".yaml", ".yml")):
            others = [other for other in imported.lines if other is not line]
            noticed += bool(unreported(imported.folder, yaml_files(name), others))

    assert noticed >= 5


@pytest.mark.parametrize("name", EVERY)
def test_lines_lead_to_the_new_lines(import_project: Import, name: str) -> None:
    imported = import_project(name)
    targets = [line for line in imported.lines if line["new_file"]]

    for line in targets:
        text = imported.texts[line["new_file"]].splitlines()[line["new_line"] - 1]
        assert text.strip()
        assert not text.startswith("#")
    assert targets


def test_the_line_of_a_value_is_its_own(import_files: Import) -> None:
    imported = import_files("services:\n  web:\n    image: web:1\n    restart: always\n")

    line = next(line for line in imported.lines if line["key"] == "services.web.restart")
    assert (
        imported.texts["envctl.yaml"].splitlines()[line["new_line"] - 1].strip()
        == "restart: always"
    )
    assert (line["file"], line["line"], line["column"]) == ("compose.yaml", 4, 5)


def test_an_unknown_key_is_dropped_by_name_wherever_it_is(import_project: Import) -> None:
    imported = import_project("refused")

    for key in ("unknown_top", "services.web.unknown_key", "services.web.healthcheck.unknown"):
        assert [outcome for outcome, _ in imported.outcomes(key)] == ["dropped"]


@pytest.mark.parametrize("name", EVERY)
def test_a_dropped_key_says_why(import_project: Import, name: str) -> None:
    for line in import_project(name).lines:
        if line["outcome"] == "dropped":
            assert len(line["note"]) > 10
            assert not line["note"].startswith("remedy")


@pytest.mark.parametrize("name", EVERY)
def test_importing_twice_gives_the_same(import_project: Import, name: str) -> None:
    first, second = import_project(name), import_project(name)

    assert (first.texts, first.lines) == (second.texts, second.lines)
