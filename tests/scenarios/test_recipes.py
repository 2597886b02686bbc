"""Each recipe of the documentation comes up on a real engine, and does what it is for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.slow]

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "recipes.md"
FILE = re.compile(r"^<!-- file: (\S+) -->\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)

PROOF = {
    "Redis": ("cache", ("redis-cli", "ping"), "PONG"),
    "PostgreSQL with seed data": (
        "db",
        ("sh", "-c", "PGPASSWORD=$(cat /run/secrets/db_password) psql -h 127.0.0.1 -U app -Atc 'SELECT count(*) FROM fruit' app"),
        "2",
    ),
    "A worker, and a job every hour": ("worker-2", ("id", "-un"), "app"),
    "A debugger": (
        "web",
        ("python3", "-c", "import socket; print(socket.create_connection(('127.0.0.1', 5678), 5).recv(1) != b'')"),
        "True",
    ),
    "Personal values": ("web", ("cat", "/run/secrets/api_token"), "not-a-real-token"),
    "Two worktrees": (
        "web",
        ("python3", "-c", "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000').status)"),
        "200",
    ),
}  # fmt: skip
"""By recipe, a command in one of its units, and what it prints."""


def recipes() -> Iterator[tuple[str, dict[str, str]]]:
    """The title and the files of each recipe that has a spec; the overlay of the page's head is all's."""
    head, *sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    overlay = dict(FILE.findall(head))
    for section in sections:
        files = dict(FILE.findall(section))
        if "envctl.yaml" in files:
            yield section.partition("\n")[0], {**overlay, **files}


RECIPES = dict(recipes())


def test_every_recipe_is_proven():
    assert RECIPES.keys() == PROOF.keys()


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_comes_up_and_does_what_it_is_for(engine, make_project, title):
    project = make_project()
    for path, text in RECIPES[title].items():
        project.write(path, text.replace("project: recipes", f"project: {project.name}"))
    unit, command, output = PROOF[title]

    done = project.cli("up", "--yes")

    assert done.returncode == 0, done.stderr
    assert project.cli("exec", unit, "--", *command).stdout.strip() == output
    if title == "PostgreSQL with seed data":
        assert project.cli("run", "seed").returncode == 0
    assert project.cli("down", "-v").returncode == 0
