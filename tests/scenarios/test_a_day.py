"""A day with envctl, by the command line: clone, up, edit, test, seed, migrate, look, a second worktree, and home."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.scenarios.test_guestbook import left_of
from tests.support.apps import FOLDER
from tests.support.project import Project, unique
from tests.support.users import OTHER

pytestmark = [pytest.mark.engine, pytest.mark.slow]

NOTHING: dict[str, list[str]] = {"containers": [], "networks": [], "volumes": [], "secrets": []}
GROUP = OTHER + 1


def git(*words: str, folder: Path) -> str:
    """Run git, which root has to allow in a folder of somebody else; what it prints."""
    author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    argv = ("git", "-c", "safe.directory=*", *author, *words)
    return subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True).stdout


def hand_over(folder: Path) -> None:
    """Give a checkout to a developer who is not root."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, OTHER, GROUP, follow_symlinks=False)


def envctl(checkout: Project, *words: str, code: int = 0) -> str:
    """Run envctl in a checkout; its standard output. It ends with this exit code."""
    done = checkout.cli(*words)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def answer(checkout: Project) -> str:
    """What the application answers, at the address that envctl tells."""
    address = envctl(checkout, "port", "web", "8000").strip()
    assert re.fullmatch(r"127\.0\.0\.1:\d+", address)
    with urllib.request.urlopen(f"http://{address}/", timeout=20) as response:
        return str(response.read(), "utf-8")


def wait_for_answer(checkout: Project, text: str) -> None:
    """Ask until this is the answer; a server that starts anew may break a connection meanwhile."""
    deadline, last = time.monotonic() + 60, ""
    while time.monotonic() < deadline:
        try:
            last = answer(checkout)
        except OSError as error:
            last = str(error)
        if last == text:
            return
        time.sleep(0.2)
    pytest.fail(f"{text!r} never came, last was {last!r}")


def replace(file: Path, old: str, new: str) -> None:
    """Edit a file in place, as its owner's editor does."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.fixture
def checkout(tmp_path, make_project):
    """A clone of the application's repository that belongs to a developer who is not root."""
    project, origin = make_project("clone", name=unique("polls")), tmp_path / "origin"
    shutil.copytree(FOLDER / "polls", origin, ignore=shutil.ignore_patterns("__pycache__"))
    replace(origin / "envctl.yaml", "project: polls\n", f"project: {project.name}\n")
    git("init", "--quiet", "--initial-branch=main", folder=origin)
    git("add", "--all", folder=origin)
    git("commit", "--quiet", "--message=Begin", folder=origin)
    git("clone", "--quiet", str(origin), str(project.root), folder=origin)
    hand_over(project.root)
    return project


@pytest.fixture
def second(checkout, make_project):
    """A second worktree of the clone, beside it."""
    project = make_project("fix", name=checkout.name)
    git("worktree", "add", "--quiet", "-b", "fix", str(project.root), folder=checkout.root)
    hand_over(project.root)
    hand_over(checkout.root)
    return project


def test_a_day_of_a_developer(engine, checkout, second):
    # In the morning: a clone comes up at once, and answers at the address that is told.
    assert "web  http://127.0.0.1:" in envctl(checkout, "up")
    assert answer(checkout) == "0 questions\n"
    assert "no changes" in envctl(checkout, "up")
    _edit(checkout)
    _test(checkout)
    _seed(checkout)
    _migrate(checkout)
    _look(checkout)

    # A colleague asks for a fix: the second worktree is up beside the first, with ports and data of its own.
    envctl(second, "up")
    assert answer(second) == "0 questions\n"
    assert answer(checkout) == "2 questions!\n"
    assert envctl(second, "port", "web", "8000") != envctl(checkout, "port", "web", "8000")
    listed = envctl(checkout, "list")
    assert str(checkout.root) in listed
    assert str(second.root) in listed

    _restart(checkout)
    assert answer(second) == "0 questions\n"
    _go_home(engine, checkout, second)


def _edit(checkout: Project) -> None:
    before = checkout.ids()
    replace(checkout.root / "polls/views.py", '}\\n"', '}!\\n"')
    wait_for_answer(checkout, "0 questions!\n")
    assert checkout.ids() == before


def _test(checkout: Project) -> None:
    envctl(checkout, "run", "web", "--", "python3", "-m", "unittest")
    replace(checkout.root / "polls/titles.py", "count == 1", "count < 0")
    done = checkout.cli("run", "web", "--", "python3", "-m", "unittest")
    assert done.returncode == 1
    assert "AssertionError: '1 questions' != '1 question'" in done.stdout + done.stderr
    replace(checkout.root / "polls/titles.py", "count < 0", "count == 1")
    wait_for_answer(checkout, "0 questions!\n")


def _seed(checkout: Project) -> None:
    assert envctl(checkout, "run", "seed") == "2 questions\n"
    assert answer(checkout) == "2 questions!\n"
    (row,) = json.loads(envctl(checkout, "status", "seed", "--json"))
    assert (row["kind"], row["state"], row["cause"]) == ("task", "completed", "")


def _migrate(checkout: Project) -> None:
    replace(
        checkout.root / "polls/models.py",
        "max_length=200)\n",
        "max_length=200)\n    open = models.BooleanField(default=True)\n",
    )
    done = envctl(checkout, "run", "web", "--", "python3", "manage.py", "makemigrations", "polls")
    file = checkout.root / "polls/migrations/0002_question_open.py"
    assert "migrations/0002_question_open.py" in done
    assert "migrations.AddField" in file.read_text()
    assert "polls.0002_question_open... OK" in envctl(checkout, "run", "migrate")
    wait_for_answer(checkout, "2 questions!\n")

    # All that is in the checkout belongs to the developer, and git knows of nothing else that is new.
    owner = checkout.root.stat()
    for path in checkout.root.rglob("*"):
        status = path.lstat()
        assert (status.st_uid, status.st_gid) == (owner.st_uid, owner.st_gid), path
    assert git("status", "--short", folder=checkout.root).splitlines() == [
        " M polls/models.py",
        " M polls/views.py",
        "?? polls/migrations/0002_question_open.py",
    ]
    assert "no changes" in envctl(checkout, "up")


def _look(checkout: Project) -> None:
    address = envctl(checkout, "port", "web", "8000").strip()
    shown = envctl(checkout, "describe")
    assert re.search(
        rf"^  web +running +healthy +{re.escape(address)} .*python3-django 3", shown, re.MULTILINE
    )
    assert re.search(r"^  db +running +healthy .*postgresql 15", shown, re.MULTILINE)
    assert re.search(r"^  seed +completed +on debian:bookworm", shown, re.MULTILINE)
    assert re.search(r"^Volumes\n  db +\d\S* MB +db$", shown, re.MULTILINE)
    assert re.search(r"^  db_password +generated +db migrate .*\bseed\b", shown, re.MULTILINE)
    assert "envctl shell dev web" in shown


def _restart(checkout: Project) -> None:
    before = checkout.ids()
    moment = datetime.now(UTC).isoformat()
    assert "> restart web" in envctl(checkout, "restart", "web")
    assert answer(checkout) == "2 questions!\n"
    assert checkout.ids() == before

    recent = envctl(checkout, "logs", "web", "--since", moment)
    everything = envctl(checkout, "logs", "web")
    assert recent.count("Starting development server") == 1
    assert everything.count("Starting development server") >= 2
    assert recent in everything


def _go_home(engine, checkout: Project, second: Project) -> None:
    for project in (checkout, second):
        assert "data stays: db" in project.cli("down").stderr
    left = left_of(engine, checkout)
    assert len(left["volumes"]) == 2
    assert {**left, "volumes": [], "secrets": []} == NOTHING

    # In the morning all is as it was.
    envctl(checkout, "up")
    assert answer(checkout) == "2 questions!\n"

    for project in (checkout, second):
        envctl(project, "down", "--volumes")
    for project in (checkout, second):
        assert left_of(engine, project) == NOTHING
