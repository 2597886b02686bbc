"""Credentials as `docker login` and credentials helpers keep them; the helpers are programs of the test's own."""

from __future__ import annotations

import base64
import json
import os
import threading
import time

import pytest

from envctl.backends.docker.registries import Registries, image_in, refused, registry_of

HELPER = """#!/bin/sh
read -r host || [ -n "$host" ]
echo "$1 $host" >> {log}
{does}
"""
KNOWS = """case $host in
    https://index.docker.io/v1/|registry.example) printf '{"Username": "me", "Secret": "hush"}';;
    token.example) printf '{"Username": "<token>", "Secret": "hush"}';;
    *) echo "credentials not found in native keychain"; exit 1;;
esac"""


@pytest.fixture
def configure(tmp_path, monkeypatch):
    """Write a configuration, and a helper `docker-credential-test` that does something."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def write(config, does=""):
        (tmp_path / "config.json").write_text(
            config if isinstance(config, str) else json.dumps(config)
        )
        if does:
            helper = tmp_path / "docker-credential-test"
            helper.write_text(HELPER.format(log=tmp_path / "log", does=does))
            helper.chmod(0o755)
        return Registries()

    return write


def auth(text="me:hush"):
    return {"auth": base64.b64encode(text.encode()).decode()}


def test_what_docker_login_wrote_is_found_by_registry(configure):
    registries = configure({"auths": {"registry.example": auth(), "https://index.docker.io/v1/": auth("hub:hush")}})  # fmt: skip

    assert registries.login("registry.example").username == "me"
    assert registries.login("registry.example").secret == "hush"
    assert registries.login("elsewhere.example") is None
    for name in ("docker.io", "index.docker.io", "registry-1.docker.io"):
        assert registries.login(name).username == "hub"


def test_an_identity_token_has_no_user(configure):
    registries = configure({"auths": {"registry.example": {"identitytoken": "hush"}}})
    login = registries.login("registry.example")
    assert (login.username, login.secret) == ("", "hush")
    assert json.loads(base64.urlsafe_b64decode(login.header)) == {"IdentityToken": "hush"}


def test_a_helper_is_asked_for_the_one_registry(configure, tmp_path):
    registries = configure({"credsStore": "test"}, KNOWS)

    assert registries.login("registry.example").secret == "hush"
    assert registries.login("registry-1.docker.io").secret == "hush"
    assert registries.login("token.example").username == ""
    assert registries.login("elsewhere.example") is None
    assert registries.trouble("elsewhere.example") == ""
    hosts = [
        "registry.example",
        "https://index.docker.io/v1/",
        "token.example",
        "elsewhere.example",
    ]
    assert (tmp_path / "log").read_text().splitlines() == [f"get {host}" for host in hosts]


def test_a_helper_that_is_not_installed_is_named_with_the_file_that_names_it(configure, tmp_path):
    registries = configure({"credsStore": "nowhere"})

    assert registries.login("registry.example") is None
    remedy = registries.remedy("registry.example")
    assert "docker-credential-nowhere is not installed" in remedy
    assert f"`credsStore` in {tmp_path}/config.json" in remedy
    assert "`docker login registry.example`" in remedy


def test_what_is_written_down_is_taken_where_the_helper_is_missing(configure):
    registries = configure({"credsStore": "nowhere", "auths": {"registry.example": auth()}})
    assert registries.login("registry.example").username == "me"
    assert registries.trouble("registry.example") == ""


@pytest.mark.parametrize(
    "does",
    [
        "echo hush; exit 3",
        "echo hush",
        "echo '[\"hush\"]'",
        "echo '{\"hush\": 1}'",
        "printf hush >&2; exit 1",
    ],
)
def test_nothing_that_a_broken_helper_says_is_reported(configure, capfd, does):
    registries = configure({"credHelpers": {"registry.example": "test"}}, does)

    assert registries.login("registry.example") is None
    assert registries.trouble("registry.example")
    assert "hush" not in registries.remedy("registry.example")
    assert "hush" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "config",
    [
        "{",
        "[]",
        '{"auths": {"registry.example": {"auth": "%%%"}}}',
        '{"auths": {"registry.example": 3}}',
        '{"auths": {"registry.example": {"auth": "bm9jb2xvbg=="}}}',
    ],
)
def test_a_configuration_of_another_form_gives_none_and_is_not_a_crash(configure, config):
    assert configure(config).login("registry.example") is None


def test_a_helper_that_thinks_is_ended_with_the_build(configure):
    registries = configure({"credsStore": "test"}, "exec sleep 60")
    found = []
    asking = threading.Thread(target=lambda: found.append(registries.login("registry.example")))
    began = time.monotonic()
    asking.start()
    while not registries._helpers and time.monotonic() < began + 5:
        time.sleep(0.01)
    registries.close()
    asking.join(5)

    assert found == [None]
    assert time.monotonic() - began < 10


def test_no_credential_is_in_what_a_login_looks_like(configure):
    login = configure({"auths": {"registry.example": auth()}}).login("registry.example")
    assert "hush" not in repr(login)
    assert login.header not in repr(login)


def test_what_is_not_accepted_says_where_it_came_from(configure, tmp_path):
    remedy = configure({"auths": {"registry.example": auth()}}).remedy("registry.example")
    assert (
        remedy
        == f"it rejects the credentials in {tmp_path}/config.json: `docker login registry.example`"
    )
    assert configure({}).remedy("docker.io") == "log in: `docker login`"


@pytest.mark.parametrize(
    "text",
    [
        "pull access denied for x, repository does not exist or may require 'docker login'",
        "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized",
        "failed to authorize: failed to fetch oauth token: unexpected status: 404 Not Found",
        "server message: insufficient_scope: authorization failed",
        "unauthorized: incorrect username or password",
        "denied: requested access to the resource is denied",
        "Head https://r/v2/x/manifests/1: no basic auth credentials",
    ],
)
def test_a_registry_s_refusal_is_known(text):
    assert refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "manifest unknown",
        "dial tcp: lookup r.example: no such host",
        "failed to authorize: failed to fetch anonymous token: Get http://r/token: connection refused",
        "sh: 1: cannot create /x: Permission denied",
        "exit code: 401",
    ],
)
def test_what_is_no_refusal_is_not_taken_for_one(text):
    assert not refused(text)


@pytest.mark.parametrize(
    ("text", "image", "registry"),
    [
        (
            "[internal] load metadata for r.example:5000/a/b:1",
            "r.example:5000/a/b:1",
            "r.example:5000",
        ),
        ("resolve image config for docker-image://r.example/f:1", "r.example/f:1", "r.example"),
        ("[a 1/1] FROM localhost:5000/a:1@sha256:00", "localhost:5000/a:1", "localhost:5000"),
        ("load metadata for docker.io/library/x:1", "docker.io/library/x:1", "docker.io"),
        ("pull access denied for x, repository", "x", "docker.io"),
    ],
)
def test_the_image_that_was_refused_is_named(text, image, registry):
    assert image_in(text) == image
    assert registry_of(image) == registry
