"""`envctl export devcontainer`: the CLI of dev containers opens what it writes, and people work inside."""

from __future__ import annotations

import json

import pytest

from tests.support.devcontainer_cli import devcontainer
from tests.support.project import unique

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SECRET = {"GUESTBOOK_DB_PASSWORD": "in the container", "DB_PASSWORD": "in the container"}
PYTHON = "/opt/web/bin/python"
TESTS = """
      - copy: {from: examples/guestbook/requirements-test.txt, to: /srv/web/}
      - pip: {venv: /opt/web, requirements: /srv/web/requirements-test.txt}
"""
MOUNTS = "    mounts: {./examples/guestbook: /srv/web}\n"


def inside(root, *argv):
    """Run a command in the dev container; it has to succeed. Its output."""
    done = devcontainer(root, "exec", *argv, environ=SECRET)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def up(root):
    """Open the project; what the CLI says of the container."""
    done = devcontainer(root, "up", environ=SECRET)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def opened(engine):
    """A list of projects. Removes the containers, images, networks and volumes of those in it."""
    roots = []
    yield roots
    for root in roots:
        label = {"filters": {"label": f"devcontainer.local_folder={root}"}}
        projects = {
            container.labels["com.docker.compose.project"]
            for container in engine.containers.list(all=True, **label)
        }
        images = set()
        for project in projects:
            of_project = {"label": f"com.docker.compose.project={project}"}
            for container in engine.containers.list(all=True, filters=of_project):
                images.add(container.attrs["Config"]["Image"])
                container.remove(force=True, v=True)
            for kind in (engine.networks, engine.volumes):
                for item in kind.list(filters=of_project):
                    item.remove()
        # The CLI derives an image from that of the service.
        for name in sorted(images, key=lambda name: name.startswith("envctl/")):
            engine.api.remove_image(name, force=True)


def test_the_guestbook_is_opened_and_its_tests_run_inside(guestbook, opened, tmp_path):
    project = guestbook.project
    overlay = project.root / "environments/dev.yaml"
    before, mounts, after = overlay.read_text().partition(MOUNTS)
    overlay.write_text(before.rstrip() + TESTS + mounts + after)
    spec = project.root / "envctl.yaml"
    spec.write_text(spec.read_text().replace("http_port: 8080", f"http_port: {guestbook.port}"))
    exported = project.cli("export", "devcontainer", "dev", "-o", ".devcontainer", "--with-host-ca")
    assert exported.returncode == 0, exported.stderr
    # Another clone, elsewhere.
    clone = tmp_path / unique("clone")
    project.root.rename(clone)
    opened.append(clone)

    container = up(clone)

    assert (container["remoteUser"], container["remoteWorkspaceFolder"]) == ("web", "/srv/web")
    assert inside(clone, "sh", "-c", 'echo "$(id -un) $PWD $SHELL"') == "web /srv/web /bin/bash\n"
    inside(clone, PYTHON, "seed.py")
    tests = inside(clone, PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert " passed" in tests
    assert "failed" not in tests
    assert guestbook.post("from outside") == 201
    (clone / "examples/guestbook/new.txt").write_text("written on the host\n")
    assert inside(clone, "cat", "new.txt") == "written on the host\n"


def test_a_service_without_mounted_code_has_the_project_in_its_workspace(make_project, opened):
    project = make_project().spec(
        "web:\n"
        "  build: [{run: [touch, /greeting]}]\n"
        "  user: web\n"
        "  command: [sleep, infinity]\n"
        "other:\n"
        "  extends: web\n"
    )
    assert project.cli("export", "devcontainer", "dev", "-o", ".devcontainer").returncode == 0
    opened.append(project.root)

    container = up(project.root)

    assert container["remoteWorkspaceFolder"] == f"/workspaces/{project.name}"
    assert inside(project.root, "cat", "envctl.yaml") == (project.root / "envctl.yaml").read_text()
    assert inside(project.root, "ls", "/greeting") == "/greeting\n"


def test_the_cli_reads_the_settings_as_they_are(make_project):
    project = make_project().spec(
        'web:\n  user: web\n  command: [sleep, infinity]\n  ports: ["8000"]\n'
        "other:\n  extends: web\n"
    )
    assert project.cli("export", "devcontainer", "dev", "-o", ".devcontainer").returncode == 0

    read = devcontainer(project.root, "read-configuration")

    assert read.returncode == 0, read.stderr
    settings = json.loads((project.root / ".devcontainer/devcontainer.json").read_text())
    configuration = json.loads(read.stdout)["configuration"]
    assert {key: configuration[key] for key in settings} == settings
    assert json.loads(read.stdout)["workspace"]["workspaceFolder"] == settings["workspaceFolder"]
