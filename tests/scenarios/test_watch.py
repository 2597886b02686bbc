"""`envctl watch` as a process: what a developer's tools do to files reaches the running unit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.project import Project, ProjectMaker

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SPEC = """
web:
  command: [sleep, infinity]
  build:
    - copy: {from: app/, to: /srv/app}
    - copy: {from: linked/, to: /srv/linked}
"""
FILES = 500


class Watch:
    """A running `envctl watch`, or `up --watch`."""

    def __init__(self, project: Project, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "envctl", *words],
            cwd=project.root,
            env=os.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        seen = []
        for line in self.process.stderr:
            seen.append(line)
            if "waiting for changes" in line:
                return
        raise AssertionError("".join(seen))

    def outcome(self) -> dict[str, object]:
        """What it did with the next batch of changes."""
        assert self.process.stdout is not None
        outcome: dict[str, object] = json.loads(self.process.stdout.readline())
        return outcome

    def interrupt(self) -> tuple[int, str]:
        """Press Ctrl-C; return the exit code and the rest of the output."""
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=30)
        return self.process.returncode, rest


@pytest.fixture
def project(make_project: ProjectMaker) -> Project:
    """A repository with two branches, in which all files differ, and a folder that is a link."""
    project = make_project().spec(SPEC)
    (project.root / "real").mkdir()
    (project.root / "linked").symlink_to("real")
    project.write("real/page.txt", "one")
    for branch in ("first", "second"):
        for number in range(FILES):
            project.write(f"app/d{number % 20}/f{number}.txt", f"{branch} {number}\n")
        project.write(f"app/only-{branch}.txt", branch)
        _git(project, "init", "-q", "-b", branch) if branch == "first" else _git(
            project, "checkout", "-q", "-b", branch
        )
        _git(project, "add", "app")
        _git(project, "commit", "-q", "-m", branch)
        (project.root / f"app/only-{branch}.txt").unlink()
        _git(project, "checkout", "-q", "--", "app")
    _git(project, "checkout", "-q", "first")
    return project


def _git(project: Project, *words: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *who, *words], cwd=project.root, check=True, capture_output=True)


def _inside(project: Project, script: str) -> list[str]:
    return project.run("web", "sh", "-c", script, user="root")[1].split("\n")[:-1]


def test_a_switch_of_branches_and_a_file_behind_a_link_reach_the_unit(engine, project):
    project.up()
    before = project.ids()
    watch = Watch(project, "watch", "dev", "--json")

    _git(project, "checkout", "-q", "second")
    outcome = watch.outcome()

    assert (outcome["unit"], outcome["what"]) == ("web", "synced")
    assert _inside(project, "cat /srv/app/d*/f*.txt | cut -d' ' -f1 | sort | uniq -c") == [
        f"    {FILES} second"
    ]

    project.write("real/page.txt", "two")
    outcome = watch.outcome()

    assert (outcome["unit"], outcome["what"]) == ("web", "synced")
    assert _inside(project, "cat /srv/linked/page.txt; echo") == ["two"]
    # The switch was one batch: nothing else was said of it.
    assert watch.interrupt() == (0, "")
    assert project.ids() == before
    assert project.cli("verify", "dev").returncode == 0


def test_up_goes_on_with_watching_until_it_is_interrupted(engine, project):
    watch = Watch(project, "up", "dev", "--watch")

    project.write("real/page.txt", "two")
    deadline = time.monotonic() + 30
    while _inside(project, "cat /srv/linked/page.txt; echo") != ["two"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)

    code, _ = watch.interrupt()
    assert code == 0
    assert project.states() == {"web": "running"}
