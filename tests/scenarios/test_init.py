"""After `init` in a folder with an application, the first `up` answers."""

from __future__ import annotations

import json
import time
import urllib.request

import pytest

from tests.support.applications import write_application

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def initialized(project, name):
    """The project with an application and the spec that `init` writes for it."""
    write_application(name, project.root)
    done = project.cli("init", "--yes", "--name", project.name)
    assert done.returncode == 0, done.stderr
    return project


def address(project, environment="dev"):
    """The URL of `web`."""
    (port,) = json.loads(project.cli("port", environment, "web", "--json").stdout)
    return f"http://{port['address']}/"


def get(url):
    with urllib.request.urlopen(url, timeout=20) as response:
        return response.read().decode()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("flask-redis", "visits: 1\n"),
        ("fastapi-postgresql", "hello from app\n"),
        ("express-mariadb", "visits: 1\n"),
        ("vite", '<script type="module" src="/@vite/client"></script>\n<p>hello'),
        ("php-mariadb", "visits: 1\n"),
        ("dockerfile", "hello from Python\n"),
        ("procfile", "hello from Python\n"),
        ("static", "<p>hello from a page\n"),
    ],
)
def test_an_application_answers_at_the_first_try(engine, make_project, name, answer):
    project = initialized(make_project(), name)

    done = project.cli("up", "dev")

    assert done.returncode == 0, done.stderr
    assert get(address(project)) == answer
    assert project.cli("down", "-v").returncode == 0


def test_a_worker_does_what_a_page_asks_for(engine, make_project):
    project = initialized(make_project(), "django-celery")

    done = project.cli("up", "dev")

    assert done.returncode == 0, done.stderr
    check_that_the_worker_adds_users(address(project))
    assert project.cli("down", "-v").returncode == 0


def check_that_the_worker_adds_users(url):
    assert get(url) == "users: 0\n"
    with urllib.request.urlopen(url, data=b"name=ada", timeout=20) as response:
        assert response.status == 202
    deadline = time.monotonic() + 60
    while get(url) != "users: 1\n":
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_an_empty_folder_gets_a_page(engine, make_project):
    project = make_project()
    assert project.cli("init", "--yes", "--name", project.name).returncode == 0

    done = project.cli("up", "dev", "--free-ports")

    assert done.returncode == 0, done.stderr
    assert get(address(project)) == "Hello from envctl, in development\n"
    assert project.cli("down", "dev", "-v").returncode == 0


@pytest.mark.machines
@pytest.mark.long
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("name", ["flask-redis", "fastapi-postgresql", "django-celery"])
def test_an_application_answers_on_machines(machines, make_project, name):
    project = initialized(make_project(backend="vagrant"), name)

    done = project.cli("up", "dev@vagrant", timeout=2000)

    assert done.returncode == 0, done.stderr
    url = address(project, "dev@vagrant")
    if name == "django-celery":
        check_that_the_worker_adds_users(url)
    else:
        assert get(url) in ("visits: 1\n", "hello from app\n")
    assert project.cli("down", "dev@vagrant", "-v").returncode == 0


def test_the_image_of_a_go_program_has_no_compiler(engine, make_project):
    project = initialized(make_project(), "go-files")

    done = project.cli("up", "prod")

    assert done.returncode == 0, done.stderr
    assert get(address(project, "prod")) == "hello from Go\n"
    files = "ls /srv/web /srv/web/templates; ! command -v go"
    listed = project.cli("exec", "prod", "web", "--", "sh", "-c", files).stdout.split()
    assert listed == ["/srv/web:", "templates", "/srv/web/templates:", "index.html"]
    (image,) = engine.images.list(name=f"envctl/{project.name}")
    assert image.attrs["Size"] <= 120_000_000
    assert project.cli("down", "prod", "-v").returncode == 0
