"""What the pages about backends list is all there is, and what they show is accepted."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from envctl.backends.base import Backend, Capabilities, Context
from envctl.backends.docker import names, options, quoting
from envctl.definition.keys.service import SERVICE

DOCS = Path(__file__).parents[2] / "docs"
DOCKER = (DOCS / "backends" / "docker.md").read_text()
WRITING = (DOCS / "writing-a-backend.md").read_text()


def table(page: str, head: str) -> dict[str, list[str]]:
    """The rows of the table whose first heading is `head`: cells by the first one, unquoted."""
    lines = iter(page.splitlines())
    for line in lines:
        if line.startswith(f"| {head} |"):
            next(lines)
            break
    rows = {}
    for line in lines:
        if not line.startswith("|"):
            break
        first, *others = (cell.strip() for cell in line.strip("|").split(" | "))
        rows[first.strip("`")] = others
    return rows


OPTIONS = {name: cells[-1].strip("`") for name, cells in table(DOCKER, "option").items()}


def test_the_docker_page_says_what_becomes_of_every_key() -> None:
    assert list(table(DOCKER, "key")) == list(SERVICE.fields)


def test_the_docker_page_lists_every_option() -> None:
    assert list(OPTIONS) == list(options._OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_s_example_is_accepted(name: str) -> None:
    assert options.problems({name: yaml.safe_load(OPTIONS[name])}) == []


def test_the_docker_page_names_every_option_that_is_refused() -> None:
    sentence = DOCKER[DOCKER.index("Not accepted") :].partition("\n\n")[0]

    assert re.findall("`(.*?)`", sentence) == list(options._REFUSED)


def test_the_page_on_templates_lists_every_quoting_function() -> None:
    cells = table((DOCS / "how-to" / "your-own-templates.md").read_text(), "function")

    assert set(re.findall(r"(\w+)\(", " ".join(cells))) == set(quoting.FUNCTIONS)


def test_the_docker_page_lists_every_label() -> None:
    known = {
        value
        for value in vars(names).values()
        if isinstance(value, str) and value.startswith(names.PREFIX) and value != names.PREFIX
    }

    assert set(table(DOCKER, "label")) == known


def test_the_page_for_authors_names_the_whole_protocol() -> None:
    members = {name.partition("(")[0] for name in table(WRITING, "member")}
    protocol = {name for name in {*vars(Backend), *Backend.__annotations__} if name[0] != "_"}

    assert members == protocol
    for field in (*fields(Capabilities), *fields(Context)):
        assert f"`{field.name}`" in WRITING
