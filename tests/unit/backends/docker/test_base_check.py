"""Which image a build is done on, and whether it can be: what the engine is asked, and what it is told."""

from __future__ import annotations

import io
import tarfile
from contextlib import nullcontext

import pytest

from envctl.backends.docker.base_check import insist_on_fit
from envctl.backends.docker.buildcontext import Sender
from envctl.backends.docker.engine import Engine
from envctl.backends.docker.images import Images
from envctl.errors import EnvctlError
from envctl.plan.model import Base, CreateUser
from envctl.render.templates import Templates
from tests.support.engines import answer
from tests.support.engines import engine as played
from tests.support.plans import BASE, build, packages, script

DIGEST = f"sha256:{'a' * 64}"
CONTAINERD = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
CLASSIC = {"DriverStatus": [["Backing Filesystem", "extfs"]]}


def store(info, *, has=()):
    def says(handler, path):
        if path == "/info":
            return answer(handler, info)
        if path.startswith("/images/"):
            known = "known" in path
            return answer(
                handler,
                {"Id": DIGEST} if known else {"message": "none"},
                status=200 if known else 404,
            )
        if path.endswith("/archive"):
            there = any(one.replace("/", "%2F") in handler.path for one in has)
            return answer(handler, b"", status=200 if there else 404)
        if path == "/containers/create":
            return answer(handler, {"Id": "c", "Warnings": []}, status=201)
        return answer(handler, {"ApiVersion": "1.41"} if path == "/version" else b"")

    return played(says)


@pytest.mark.parametrize(
    ("info", "name", "told"),
    [
        (CONTAINERD, "known:1", f"known:1@{DIGEST}"),
        (CONTAINERD, f"known@{DIGEST}", f"known@{DIGEST}"),
        (CONTAINERD, "elsewhere:1", "elsewhere:1"),
        (CLASSIC, "known:1", "known:1"),
        ({}, "known:1", "known:1"),
    ],
)
def test_an_engine_that_asks_registries_first_is_told_which_image_it_has_to_be(info, name, told):
    with store(info) as endpoint:
        engine = Engine(endpoint)
        assert Images(engine).pinned(name) == told
        engine.close()


def test_the_dockerfile_that_is_sent_names_it(tmp_path):
    sent = io.BytesIO()
    Sender(tmp_path, Templates(None).render, bases={BASE.image: f"known:1@{DIGEST}"}).write(
        build(script("x")), sent
    )
    sent.seek(0)
    with tarfile.open(fileobj=sent) as tar:
        (file,) = tar
        assert f"\nFROM known:1@{DIGEST}\n" in tar.extractfile(file).read().decode()


KNOWN = Base("", "known:1")
USER = CreateUser("web", 1000, "/home/web")


@pytest.mark.parametrize(
    ("steps", "has", "lacks"),
    [
        ((packages("curl"),), (), "/usr/bin/apt-get"),
        ((packages("curl"), USER), ("/usr/bin/apt-get",), "/usr/sbin/useradd"),
        ((packages("curl"), USER), ("/usr/bin/apt-get", "/usr/sbin/useradd"), ""),
        ((script("apk add curl"),), (), ""),
    ],
)
def test_a_base_is_looked_into_for_what_steps_call(steps, has, lacks):
    refused = pytest.raises(EnvctlError, match=f"but it has no {lacks}") if lacks else nullcontext()
    with store(CLASSIC, has=has) as endpoint:
        engine = Engine(endpoint)
        with refused as caught:
            insist_on_fit(build(*steps, base=KNOWN), Images(engine))
        engine.close()
    assert not lacks or caught.value.where is not None


def test_bases_of_the_catalogue_and_those_that_are_not_at_hand_are_not_looked_into():
    with store(CLASSIC) as endpoint:
        engine = Engine(endpoint)
        insist_on_fit(build(packages("curl")), Images(engine))
        insist_on_fit(build(packages("curl"), base=Base("", "elsewhere:1")), Images(engine))
        engine.close()
