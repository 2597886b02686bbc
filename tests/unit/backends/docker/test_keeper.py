"""The container that keeps secrets."""

from __future__ import annotations

import io
import tarfile
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError, NotFound

from envctl.backends.docker import names as n
from envctl.backends.docker.keeper import Keeper
from envctl.errors import EnvctlError
from envctl.plan.model import Kind, Plan, Process, ReadyImage, Run, Secret, Unit
from tests.support.plans import SCOPE, build

from .conftest import CannedEngine

SECRETS = Run(Process(user="web"), secrets=(Secret("token", "/run/secrets/token", "d"),))
BARE = Unit("bare", "bare", ReadyImage("bare:1"), SECRETS)


class KeepingEngine(CannedEngine):
    """Runs containers of the images in `sleeping`; has those in `there`."""

    def __init__(self, *, sleeping=(), there=("bare:1",), passwd="") -> None:
        super().__init__()
        self.made: list[Any] = []
        self.removed: list[Any] = []
        self.given: list[Any] = []
        self._sleeping, self._there, self._passwd = sleeping, there, passwd
        api = self.api
        api.inspect_volume = self._no_volume
        api.create_container_from_config = self._create
        api.start = self._start
        api.remove_container = lambda identity, **_: self.removed.append(identity)
        api.put_archive = lambda *put: self.given.append(put)
        api.get_archive = self._archive

    def _no_volume(self, name):
        raise NotFound(name, response=SimpleNamespace(status_code=404, reason="", url=""))

    def _create(self, body, _name):
        if body["Image"] not in self._there:
            raise NotFound(
                "no such image", response=SimpleNamespace(status_code=404, reason="", url="")
            )
        self.made.append(body)
        return {"Id": body["Image"]}

    def _start(self, identity):
        if identity not in self._sleeping:
            text = 'exec: "sleep": executable file not found in $PATH'
            answer = SimpleNamespace(status_code=400, reason="", url="")
            raise APIError("error", response=answer, explanation=text)

    def _archive(self, _container, _path):
        target = io.BytesIO()
        with tarfile.open(fileobj=target, mode="w") as tar:
            entry = tarfile.TarInfo("passwd")
            entry.size = len(self._passwd)
            tar.addfile(entry, io.BytesIO(self._passwd.encode()))
        return [target.getvalue()], None


def give(engine, names, *units):
    keeper = Keeper(engine, names, lambda _: b"value")
    keeper.expect(Plan(SCOPE, "docker", (BARE, *units)))
    keeper.give(BARE, "container")
    return [body["Image"] for body in engine.made]


def test_it_is_made_from_an_image_with_a_base_sooner_than_from_the_units_own(names):
    job = Unit("job", "job", build(), Run(kind=Kind.TASK))
    image = names.image_of(job)
    there = ("bare:1", image, "debian:bookworm")
    assert give(KeepingEngine(sleeping=[image], there=there), names, job) == [image]
    # It is not built yet, but what it is built from is there.
    base = ["debian:bookworm"]
    assert give(KeepingEngine(sleeping=base, there=there[::2]), names, job) == base


def test_another_units_image_will_do(names):
    db = Unit("db", "db", ReadyImage("db:1"))
    engine = KeepingEngine(sleeping=["db:1"], there=["bare:1", "db:1"])
    assert give(engine, names, db) == ["bare:1", "db:1"]
    assert engine.removed == ["bare:1"]


def test_where_no_image_will_do_the_unit_is_named_and_nothing_stays(names):
    engine = KeepingEngine()
    with pytest.raises(EnvctlError, match="bare cannot have secrets: no image") as caught:
        give(engine, names)
    assert "a service with a `base`" in caught.value.hint
    assert engine.removed == ["bare:1"]
    assert engine.given == []


def test_it_is_no_unit_whatever_its_image_says(names):
    engine = KeepingEngine(sleeping=["bare:1"])
    give(engine, names)
    labels = engine.made[0]["Labels"]
    assert (labels[n.UNIT], labels[n.SERVICE], labels[n.KEEPER]) == ("", "", "secrets")


@pytest.mark.parametrize(
    ("passwd", "owner"),
    [("web:x:12:34::/:/bin/sh\n", (12, 34)), ("web:x:abc:²::/:\n", (0, 0)), ("odd\n", (0, 0))],
)
def test_files_are_the_users_and_an_odd_passwd_is_borne_with(names, passwd, owner):
    engine = KeepingEngine(sleeping=["bare:1"], passwd=passwd)
    give(engine, names)
    ((_, _, archive),) = engine.given
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        (file,) = tar
    assert (file.name, file.mode, (file.uid, file.gid)) == ("token", 0o400, owner)
