"""What services are made from: npm packages, a project's own Dockerfile, a ready image."""

from __future__ import annotations

import io
import json
import time

import pytest

from envctl.backends import open_backend
from envctl.backends.base import Context

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SPEC = """
node:
  packages: [nodejs, npm]
  build:
    - copy: {from: app/, to: /srv/app/}
    - npm: {directory: /srv/app}
  workdir: /srv/app
  command: [node, -e, "console.log(require('is-number')(5)); setInterval(() => {}, 1000)"]
own: {dockerfile: {file: own/Dockerfile, args: {V: "it's $5"}}}
ready: {image: "debian:bookworm", command: [sleep, infinity]}
"""


def test_npm_packages_an_own_dockerfile_and_a_ready_image_come_up(engine, make_project):
    project = make_project().spec(SPEC)
    package = {"name": "app", "version": "1.0.0", "dependencies": {"is-number": "7.0.0"}}
    project.write("app/package.json", json.dumps(package))
    project.write(
        "own/Dockerfile",
        'FROM debian:bookworm\nARG V\nRUN echo "$V" > /v\nCMD ["sleep", "infinity"]\n',
    )
    project.up()

    assert set(project.states().values()) == {"running"}
    # A process runs some time before it prints.
    until = time.monotonic() + 60
    while not (lines := list(project.workspace().logs(project.target, ["node"]))):
        assert time.monotonic() < until
        time.sleep(0.2)
    assert [line.text for line in lines] == ["true"]
    assert project.run("own", "cat", "/v")[1] == "it's $5\n"
    assert project.up() == []


def test_a_ready_image_is_replaced_when_its_name_means_another_and_not_when_it_is_pruned(
    engine, make_project
):
    project = make_project()
    name = f"envctl/{project.name}-ready:1"

    def release(version):
        recipe = f"FROM debian:bookworm\nRUN echo {version} >/version\nCMD sleep infinity\n"
        engine.images.build(fileobj=io.BytesIO(recipe.encode()), tag=name, rm=True)

    try:
        release(1)
        project.spec(f"web: {{image: '{name}'}}").up()
        assert project.up() == []

        release(2)
        told = project.cli("up", "dev").stdout
        assert f"replace web  {name} now names another image" in " ".join(told.split(" "))
        assert project.run("web", "cat", "/version")[1] == "2\n"

        engine.api.remove_image(name, force=True)
        assert project.up() == []
    finally:
        project.cli("down", "dev", "--volumes")
        if engine.api.images(name):
            engine.api.remove_image(name, force=True)


def test_equal_builds_have_equal_content_in_every_project(engine, make_project):
    one, other = make_project("one"), make_project("other")

    (first, content), (second, same) = built(one, "echo a >/kind"), built(other, "echo a >/kind")

    assert first != second
    assert content == same != built(other, "echo b >/kind")[1]


def built(project, step):
    """The id and the content of the image of a build, which is up."""
    project.spec(f"web: {{command: [sleep, infinity], build: [run: {step}]}}").up()
    plan = project.workspace().plan(project.target)
    backend = open_backend("docker", Context(plan.scope))
    try:
        name = backend.name_of(plan.units[0].source)
        return backend.images.find(name), backend.images.content(name)
    finally:
        backend.close()
