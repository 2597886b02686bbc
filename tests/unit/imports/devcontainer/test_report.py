"""Every key of a dev container has a line in the report."""

from __future__ import annotations

import pytest

from tests.support.devcontainers import DEV_CONTAINERS
from tests.unit.imports.devcontainer.conftest import Import, without_a_line

EVERY = sorted(DEV_CONTAINERS)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(
    "choices", [{}, {"keep_exposure": True, "harden": True, "move_secrets": True}]
)
def test_nothing_of_the_source_is_without_a_line(
    import_dev_container: Import, name: str, choices: dict[str, bool]
) -> None:
    assert without_a_line(import_dev_container(name, **choices)) == []


@pytest.mark.parametrize("name", EVERY)
def test_each_line_is_needed_or_the_walk_would_notice(
    import_dev_container: Import, name: str
) -> None:
    imported = import_dev_container(name)
    places = [(line["file"], line["line"], line["column"]) for line in imported.lines]
    noticed = 0
    for line in imported.lines:
        if places.count((line["file"], line["line"], line["column"])) == 1:
            others = [other for other in imported.lines if other is not line]
            noticed += bool(without_a_line(imported, others))

    assert noticed >= 5


@pytest.mark.parametrize("name", EVERY)
def test_lines_lead_to_the_new_lines(import_dev_container: Import, name: str) -> None:
    imported = import_dev_container(name)
    targets = [line for line in imported.lines if line["new_file"]]

    for line in targets:
        text = imported.texts[line["new_file"]].splitlines()[line["new_line"] - 1]
        assert text.strip()
        assert not text.startswith("#")
    assert targets


@pytest.mark.parametrize("name", EVERY)
def test_a_dropped_key_says_why(import_dev_container: Import, name: str) -> None:
    for line in import_dev_container(name).lines:
        if line["outcome"] == "dropped":
            assert len(line["note"]) > 10
            assert not line["note"].startswith("remedy")


@pytest.mark.parametrize("name", EVERY)
def test_importing_twice_gives_the_same(import_dev_container: Import, name: str) -> None:
    first, second = import_dev_container(name), import_dev_container(name)

    assert (first.texts, first.lines) == (second.texts, second.lines)


def test_each_feature_is_dropped_by_name_with_packages(import_dev_container: Import) -> None:
    imported = import_dev_container("image")

    node = imported.outcomes("features.ghcr.io/devcontainers/features/node:1")
    engine = imported.outcomes("features.ghcr.io/devcontainers/features/docker-in-docker:2")
    assert [outcome for outcome, _ in (*node, *engine)] == ["dropped", "dropped"]
    assert "packages: [nodejs, npm]" in node[0][1]
    assert "root on the host" in engine[0][1]


def test_a_line_names_the_place_of_its_key(import_text: Import) -> None:
    imported = import_text('{ // a comment\n\t"image": "a", /* b */ "remoteUser": "me"\n}\n')

    line = next(line for line in imported.lines if line["key"] == "remoteUser")
    assert (line["file"], line["line"], line["column"]) == (
        ".devcontainer/devcontainer.json",
        2,
        24,
    )
    assert imported.texts["envctl.yaml"].splitlines()[line["new_line"] - 1] == "    user: me"


def test_a_character_written_as_two_escapes_is_read(import_text: Import) -> None:
    imported = import_text('{"image": "a", "containerEnv": {"A": "\\ud83d\\ude80"}}')

    assert imported.spec["services"]["app"]["env"] == {"A": "🚀"}
