"""After `init` in a folder with an application, the first `up` answers."""

from __future__ import annotations

import json
import urllib.request

import pytest

from tests.support.applications import write_application

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("flask-redis", "visits: 1\n"),
        ("procfile", "hello from Python\n"),
        ("static", "<p>hello from a page\n"),
    ],
)
def test_an_application_answers_at_the_first_try(engine, make_project, name, answer):
    project = make_project()
    write_application(name, project.root)

    assert project.cli("init", "--yes", "--name", project.name).returncode == 0
    done = project.cli("up", "dev")

    assert done.returncode == 0, done.stderr
    (port,) = json.loads(project.cli("port", "web", "--json").stdout)
    with urllib.request.urlopen(f"http://{port['address']}/", timeout=20) as response:
        assert response.read().decode() == answer
    assert project.cli("down", "-v").returncode == 0


def test_the_image_of_a_go_program_has_no_compiler(engine, make_project):
    project = make_project()
    write_application("go-files", project.root)

    assert project.cli("init", "--yes", "--name", project.name).returncode == 0
    done = project.cli("up", "prod")

    assert done.returncode == 0, done.stderr
    (port,) = json.loads(project.cli("port", "prod", "web", "--json").stdout)
    with urllib.request.urlopen(f"http://{port['address']}/", timeout=20) as response:
        assert response.read().decode() == "hello from Go\n"
    files = "ls /srv/web /srv/web/templates; ! command -v go"
    listed = project.cli("exec", "prod", "web", "--", "sh", "-c", files).stdout.split()
    assert listed == ["/srv/web:", "templates", "/srv/web/templates:", "index.html"]
    (image,) = engine.images.list(name=f"envctl/{project.name}")
    assert image.attrs["Size"] <= 120_000_000
    assert project.cli("down", "prod", "-v").returncode == 0
