"""Builds, bases and ready images from a registry that wants tokens, for images of everyone and for private ones."""

from __future__ import annotations

import base64
import io
import json
import signal
import tarfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.project import wait_for
from tests.support.registry import PASSWORD, USER, Registry

pytestmark = [pytest.mark.engine, pytest.mark.slow]

OWN = "web: {dockerfile: Dockerfile, command: [sleep, infinity]}\n"


@pytest.fixture(params=["tokens for all", "strict"])
def registry(request, engine):
    yield from served(engine, strict=request.param == "strict")


@pytest.fixture
def one_registry(engine):
    yield from served(engine, strict=False)


def served(engine, *, strict):
    made = Registry(strict=strict)
    made.put("private/app", {"/hello": "private\n"})
    made.put("public/app", {"/hello": "public\n"})
    yield made
    made.close()
    for image in engine.api.images():
        for name in image["RepoTags"] or ():
            if name.startswith(f"{made.host}/"):
                engine.api.remove_image(name, force=True)


@pytest.fixture
def project(make_project, tmp_path):
    """A project of somebody who has never logged in anywhere."""
    made = make_project()
    (tmp_path / "docker").mkdir()
    made.environ = {**made.environ, "DOCKER_CONFIG": str(tmp_path / "docker")}
    return made


def log_in(project, registry, **options):
    """What `docker login` would do; the configuration's file."""
    return registry.docker_config(Path(project.environ["DOCKER_CONFIG"]), **options) / "config.json"


RECIPES = {
    "stage": "FROM {app} AS from\nFROM debian:bookworm\nCOPY --from=from /hello /hello\n",
    "image": "FROM debian:bookworm\nCOPY --from={app} /hello /hello\n",
}


def test_dockerfiles_build_on_images_of_a_registry_that_wants_tokens(project, registry):
    services = {f"{kind}-{recipe}": kind for kind in ("public", "private") for recipe in RECIPES}
    spec = ""
    for name, kind in services.items():
        spec += f"{name}: {{dockerfile: {name}/Dockerfile, command: [sleep, infinity]}}\n"
        app = f"{registry.host}/{kind}/app:1"
        project.write(f"{name}/Dockerfile", RECIPES[name.partition("-")[2]].format(app=app))
    project.spec(spec)
    log_in(project, registry)
    done = project.cli("up", "dev")

    assert done.returncode == 0, done.stderr
    for name, kind in services.items():
        assert project.cli("exec", "dev", name, "cat", "/hello").stdout == f"{kind}\n"


def test_images_for_everyone_need_no_login(project, one_registry):
    text = RECIPES["stage"].format(app=f"{one_registry.host}/public/app:1")
    project.spec(OWN).write("Dockerfile", text)
    done = project.cli("up", "dev")

    assert done.returncode == 0, done.stderr
    assert set(one_registry.users) == {""}


@pytest.mark.parametrize("recipe", [*RECIPES, "syntax"])
@pytest.mark.parametrize("login", ["none", "wrong"])
def test_a_refusal_says_where_which_registry_and_what_to_do(project, registry, recipe, login):
    recipes = {**RECIPES, "syntax": "# syntax={app}\nFROM debian:bookworm\n"}
    app = f"{registry.host}/private/app:1"
    project.spec(OWN).write("Dockerfile", recipes[recipe].format(app=app))
    if login == "wrong":
        log_in(project, registry, password="canary-wrong")
    done = project.cli("up", "dev")
    told = done.stdout + done.stderr

    assert done.returncode == 1
    assert (
        f"error: envctl.yaml:4:21: cannot build web: the registry {registry.host} refuses {app}"
        in told
    )
    assert f"`docker login {registry.host}`" in told
    assert ("rejects the credentials in" in told) == (login == "wrong")
    assert "canary" not in told
    assert "Traceback" not in told


def test_a_frontend_is_fetched_with_credentials_too(project, one_registry):
    # A name of its own in it, since what the builder has already it does not fetch.
    app = one_registry.put("private/frontend", {"/hello": f"{project.name}\n"})
    project.spec(OWN).write("Dockerfile", f"# syntax={app}\nFROM debian:bookworm\n")
    log_in(project, one_registry)
    done = project.cli("up", "dev")

    # It was fetched; a text file is no program that could read a Dockerfile.
    assert USER in one_registry.users
    assert any("/private/frontend/blobs/" in one for one in one_registry.asked)
    assert done.returncode == 1
    assert "refuses" not in done.stderr


def test_a_ready_image_and_a_base_come_from_a_private_registry(project, one_registry, engine):
    saved = io.BytesIO(b"".join(engine.api.get_image("debian:bookworm")))
    with tarfile.open(fileobj=saved) as tar:
        (name,) = [one for one in tar.getnames() if one.endswith("layer.tar")]
        root = tar.extractfile(name).read()
    base = one_registry.put("private/base", {"/from": "the registry\n"}, on=root)
    project.spec(
        f"""
        web: {{image: "{base}", command: [sleep, infinity]}}
        app: {{base: {{image: "{base}"}}, build: [{{run: "cp /from /seen"}}], command: [sleep, infinity]}}
        """
    )
    refused = project.cli("up", "dev")
    log_in(project, one_registry)
    done = project.cli("up", "dev")

    assert refused.returncode == 1
    assert f"`docker login {one_registry.host}`" in refused.stderr
    assert "envctl.yaml:" in refused.stderr
    assert done.returncode == 0, done.stderr
    assert project.cli("exec", "dev", "web", "cat", "/from").stdout == "the registry\n"
    assert project.cli("exec", "dev", "app", "cat", "/seen").stdout == "the registry\n"
    assert PASSWORD not in refused.stdout + refused.stderr + done.stdout + done.stderr


def test_a_helper_that_is_gone_keeps_nobody_from_what_is_everyone_s(project, one_registry):
    config = log_in(project, one_registry)
    config.write_text(json.dumps({"credsStore": "desktop"}))
    app = f"{one_registry.host}/private/app:1"
    project.spec(f"web: {{image: '{app}', command: [/x]}}\n")
    ready = project.cli("up", "dev")
    project.spec(OWN).write("Dockerfile", RECIPES["stage"].format(app=app))
    private = project.cli("up", "dev")
    project.write("Dockerfile", RECIPES["stage"].format(app=app.replace("private", "public")))
    public = project.cli("up", "dev")

    for refused in (ready, private):
        assert refused.returncode == 1
        assert "docker-credential-desktop is not installed" in refused.stderr
        assert f"`credsStore` in {config}" in refused.stderr
        assert f"`docker login {one_registry.host}`" in refused.stderr
    assert public.returncode == 0, public.stderr
    told = "".join(one.stdout + one.stderr for one in (ready, private, public))
    assert "UserWarning" not in told
    assert "mmdebstrap" not in told


def test_credentials_are_in_nothing_that_a_build_leaves(project, one_registry, engine):
    from tests.scenarios import test_canary as canary

    app = f"{one_registry.host}/private/app:1"
    project.spec(OWN).write("Dockerfile", RECIPES["stage"].format(app=app))
    log_in(project, one_registry)
    with canary.watched_command_lines() as seen:
        done = project.cli("--debug", "up", "dev")
    assert done.returncode == 0, done.stderr
    encoded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    images = engine.api.images(filters={"label": f"dev.envctl.project={project.name}"})
    left = [done.stdout, done.stderr, *(line.decode("utf-8", "replace") for line in seen)]
    for image in images:
        left += [str(engine.api.inspect_image(image["Id"])), str(engine.api.history(image["Id"]))]

    assert images
    assert not [text for text in left if PASSWORD in text or encoded in text]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_ended_run_leaves_no_session_that_holds_up_the_next(project, engine, end):
    project.spec(OWN).write(
        "Dockerfile", "FROM debian:bookworm\nRUN echo begun; test -e /never || sleep 300\n"
    )
    run = project.start("up", "dev")
    wait_for(run, "begun")
    run.send_signal(end)
    told, _ = run.communicate(timeout=60)
    project.write("Dockerfile", "FROM debian:bookworm\n")
    began = time.monotonic()

    assert "Traceback" not in told
    assert project.cli("up", "dev").returncode == 0
    assert time.monotonic() - began < 60
    with suppress(ProcessLookupError):
        run.kill()


def test_a_base_without_what_builds_call_is_refused_before_they_begin(
    project, one_registry, engine
):
    app = f"{one_registry.host}/public/app:1"
    project.spec(f"web: {{base: {{image: '{app}'}}, packages: [curl], command: [x]}}\n")
    packages = project.cli("up", "dev")
    project.spec(f"web: {{base: {{image: '{app}'}}, user: web, command: [x]}}\n")
    user = project.cli("up", "dev")

    for done, path, where in (
        (packages, "/usr/bin/apt-get", "4:"),
        (user, "/usr/sbin/useradd", "4:"),
    ):
        assert done.returncode == 1
        assert f"the base {app} cannot be built on" in done.stderr
        assert path in done.stderr
        assert f"envctl.yaml:{where}" in done.stderr
        assert "envctl base list" in done.stderr
        assert "step 1/" not in done.stdout
    assert not [one for one in engine.api.containers(all=True) if one["Image"] == app]


def test_a_newer_image_under_the_tag_of_a_base_that_is_at_hand_does_not_replace_it(
    project, one_registry
):
    files = {"/etc/release": f"first {project.name}\n", "/bin/none": ""}
    base = one_registry.put("public/base", files)
    spec = "web: {{base: {{image: '{base}'}}, build: [{{copy: {{from: page, to: /{to}}}}}], user: root, command: [x]}}\n"
    (project.root / "page").write_text("page")
    project.spec(spec.format(base=base, to="one"))
    first = made_of(project)
    before = len(one_registry.asked)

    one_registry.put("public/base", {"/etc/release": f"second {project.name}\n"})
    project.spec(spec.format(base=base, to="two"))
    second = made_of(project)

    assert first == second == f"first {project.name}\n"
    assert len(one_registry.asked) == before


def made_of(project):
    """Build the service's image; what the base says of itself in it."""
    session = project.workspace().open(project.target)
    source = session.plan.unit("web").source
    session.have_base(source.base)
    name = session.backend.have("web", source)
    try:
        return session.backend.images.read_file(name, "/etc/release").decode()
    finally:
        session.backend.close()
