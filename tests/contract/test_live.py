"""Files of the project that reach a unit that runs as they are saved, where processes really run."""

from __future__ import annotations

import shutil

import pytest

from envctl.verbs.watcher import Watcher
from tests.support.project import Project

pytestmark = pytest.mark.executes

SPEC = """
web:
  command: [sh, -c, 'echo x >> /tmp/starts; exec sleep infinity']
  user: web
  restart_on: [app/conf]
  build:
    - copy: {from: app/, to: /srv/web, owner: web}
    - copy: {from: tool, to: /usr/local/bin/, mode: "0700"}
"""


def test_saved_files_reach_the_unit_with_owner_and_mode_and_it_is_still_as_declared(project):
    for path in ("app/main.py", "app/sub/old.py", "app/conf/app.ini", "app/gone.py", "tool"):
        project.write(path, "one")
    project.spec(SPEC).up()
    before = project.ids()
    watcher = Watcher(project.workspace().project, project.target)
    assert list(watcher.react([])) == []

    project.write("app/main.py", "two").write("app/new/n.py", "new").write("tool", "three")
    (project.root / "app/gone.py").unlink()
    shutil.move(project.root / "app/sub", project.root / "app/renamed")
    (outcome,) = watcher.react(["app/main.py"])

    assert (outcome.unit, outcome.what, outcome.cause) == ("web", "synced", "")
    assert _lines(project, "cd /srv/web; find . -type f | sort") == [
        "./conf/app.ini",
        "./main.py",
        "./new/n.py",
        "./renamed/old.py",
    ]
    assert _lines(project, "cd /srv/web; stat -c '%U %G %a' main.py new new/n.py; cat main.py") == [
        "web web 644",
        "web web 755",
        "web web 644",
        "two",
    ]
    assert _lines(project, "stat -c '%U %a' /usr/local/bin/tool") == ["root 700"]
    assert project.ids() == before
    assert project.workspace().verify(project.target).synced == {"web": 9}
    assert _findings(project) == []
    assert project.up() == []

    project.write("app/conf/app.ini", "four")
    assert [one.what for one in watcher.react(["app/conf/app.ini"])] == ["synced", "restarted"]
    assert _lines(project, "cat /srv/web/conf/app.ini /tmp/starts") == ["fourx", "x"]
    assert project.ids() == before

    project.run("web", "sh", "-c", "echo drift > /srv/web/main.py")
    assert _findings(project) == [("web", "files", "/srv/web/main.py")]


def _lines(project: Project, script: str) -> list[str]:
    return project.run("web", "sh", "-c", script, user="root")[1].splitlines()


def _findings(project: Project) -> list[tuple[str, str, str]]:
    findings = project.workspace().verify(project.target).findings
    return [(one.unit, str(one.category), one.key) for one in findings]
