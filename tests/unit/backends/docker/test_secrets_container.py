"""The container that keeps secrets, and what is looked at before anything is put into a container."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from envctl.backends.docker import container_paths, pause_image
from envctl.backends.docker import names as n
from envctl.backends.docker.engine_errors import NotFoundError
from envctl.backends.docker.secrets_container import SecretsContainer
from envctl.errors import EnvctlError
from envctl.plan.model import Plan, Process, ReadyImage, Run, Secret, Unit
from tests.support.plans import SCOPE

from .conftest import CannedEngine

SECRETS = Run(Process(user="web"), secrets=(Secret("token", "/run/secrets/token", "d"),))
BARE = Unit("bare", "bare", ReadyImage("bare:1"), SECRETS)
FILE, FOLDER, PIPE, LINK = 0o644, 1 << 31 | 0o755, 1 << 25 | 0o644, 1 << 27 | 0o777
SETUID = 1 << 23 | 0o755
"""Go's modes."""


class KeepingEngine(CannedEngine):
    """Has envctl's own image; `found` is what is at paths of containers: (mode, size, where a link leads)."""

    def __init__(self, *, passwd="", found=None, mounts=()) -> None:
        super().__init__()
        self.made: list[Any] = []
        self.removed: list[Any] = []
        self.given: list[Any] = []
        self.loaded: list[bytes] = []
        self.read: list[str] = []
        self._passwd = passwd
        self._found = {"/etc/passwd": (FILE, len(passwd), ""), **(found or {})}
        api = self.api
        api.inspect_volume = self._no_volume
        api.inspect_container = lambda _: {"Mounts": [{"Destination": one} for one in mounts]}
        api.create_container = self._create
        api.start = lambda _: None
        api.remove_container = lambda identity, **_: self.removed.append(identity)
        api.put_archive = lambda *put: self.given.append(put)
        api.get_archive = self._archive
        api.path_stat = self._path_stat
        api.version = lambda: {"Arch": "amd64"}
        api.load_image = self._load
        api.inspect_image = lambda _: {
            "Id": "own",
            "RootFS": {"Layers": [pause_image.image("amd64")[1]]},
        }

    def _no_volume(self, name):
        raise NotFoundError(404, name)

    def _create(self, body, _name):
        self.made.append(body)
        return "keeper"

    def _load(self, data):
        self.loaded.append(data)
        return iter(())

    def _path_stat(self, _container, path):
        if path not in self._found:
            return None
        mode, size, link = self._found[path]
        told = {"mode": mode, "size": size, "linkTarget": link}
        return base64.b64encode(json.dumps(told).encode()).decode()

    def _archive(self, _container, path):
        self.read.append(path)
        target = io.BytesIO()
        with tarfile.open(fileobj=target, mode="w") as tar:
            entry = tarfile.TarInfo("passwd")
            entry.size = len(self._passwd)
            tar.addfile(entry, io.BytesIO(self._passwd.encode()))
        return nullcontext([target.getvalue()])


def give(engine, names, unit=BARE):
    keeper = SecretsContainer(engine, names, lambda _: b"value")
    keeper.expect(Plan(SCOPE, "docker", (unit,)))
    keeper.give(unit, "container")
    return [body["Image"] for body in engine.made]


def elsewhere(target: str) -> Unit:
    run = Run(Process(user="0"), secrets=(Secret("token", target, "d"),))
    return Unit("web", "web", ReadyImage("web:1"), run)


# --- the image


def test_it_is_made_from_envctl_s_own_image_whatever_the_environment_s_are(names):
    engine = KeepingEngine()
    assert give(engine, names) == ["own"]
    (body,) = engine.made
    assert body["Entrypoint"] == [pause_image.PROGRAM]
    assert "Cmd" not in body
    assert engine.loaded == []


def test_an_image_that_another_has_that_name_for_is_not_used(names):
    engine = KeepingEngine()
    theirs = {"Id": "theirs", "RootFS": {"Layers": ["sha256:other"]}}
    engine.api.inspect_image = lambda _: theirs
    with pytest.raises(EnvctlError, match="is not the one that envctl has just loaded"):
        give(engine, names)
    assert engine.loaded == [pause_image.image("amd64")[0]]
    assert engine.made == []


def test_an_architecture_without_such_an_image_is_reported(names):
    engine = KeepingEngine()
    engine.api.version = lambda: {"Arch": "s390x"}
    with pytest.raises(EnvctlError, match="s390x") as caught:
        give(engine, names)
    assert "amd64 and arm64" in caught.value.hint


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_the_image_is_the_same_to_the_byte_wherever_it_is_made(architecture):
    assert pause_image.image(architecture) == pause_image.image(architecture)
    with tarfile.open(fileobj=io.BytesIO(pause_image.image(architecture)[0])) as tar:
        manifest = json.loads(tar.extractfile("manifest.json").read())
        config = json.loads(tar.extractfile(manifest[0]["Config"]).read())
        layer = tar.extractfile("layer.tar").read()
    assert config["config"]["Labels"] == {pause_image.LABEL: "1"}
    assert config["architecture"] == architecture
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        assert {one.name: (one.mode, one.size > 0) for one in tar} == {
            "pause": (0o755, True),
            "etc/passwd": (0o644, False),
            "etc/group": (0o644, False),
        }


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", 62), ("arm64", 183)])
def test_the_program_is_a_static_one_of_its_architecture_that_begins_with_its_code(
    architecture, machine
):
    data = pause_image.program(architecture)
    assert data[:7] == b"\x7fELF\x02\x01\x01"
    assert int.from_bytes(data[18:20], "little") == machine
    entry = int.from_bytes(data[24:32], "little")
    address = int.from_bytes(data[64 + 16 : 64 + 24], "little")
    assert entry - address == 120
    assert int.from_bytes(data[64 + 32 : 64 + 40], "little") == len(data)


# --- the container


def test_it_is_no_unit_whatever_its_image_says(names):
    engine = KeepingEngine()
    give(engine, names)
    labels = engine.made[0]["Labels"]
    assert (labels[n.UNIT], labels[n.SERVICE], labels[n.SECRETS_CONTAINER]) == ("", "", "secrets")


@pytest.mark.parametrize(
    ("passwd", "owner"),
    [("web:x:12:34::/:/bin/sh\n", (12, 34)), ("web:x:abc:²::/:\n", (0, 0)), ("odd\n", (0, 0))],
)
def test_files_are_the_users_and_an_odd_passwd_is_borne_with(names, passwd, owner):
    engine = KeepingEngine(passwd=passwd)
    give(engine, names)
    ((_, _, archive),) = engine.given
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        (file,) = tar
    assert (file.name, file.mode, (file.uid, file.gid)) == ("token", 0o400, owner)


# --- what an image may have in the way


@pytest.mark.parametrize(
    ("found", "brief"),
    [
        ((PIPE, 0, ""), "/etc/passwd in its image is not a regular file"),
        ((FOLDER, 0, ""), "/etc/passwd in its image is not a regular file"),
        ((FILE, 700 * 1024**2, ""), "has 734,003,200 bytes"),
    ],
)
def test_an_odd_passwd_is_reported_and_never_opened(names, found, brief):
    engine = KeepingEngine(found={"/etc/passwd": found})
    with pytest.raises(EnvctlError, match=brief):
        give(engine, names)
    assert (engine.read, engine.given) == ([], [])


def test_a_passwd_that_is_a_link_is_read_where_it_leads_to(names):
    found = {"/etc/passwd": (LINK, 5, "/usr/etc/passwd"), "/usr/etc/passwd": (FILE, 9, "")}
    engine = KeepingEngine(passwd="web:x:7:8:", found=found)
    give(engine, names)
    assert engine.read == ["/usr/etc/passwd"]


def test_more_than_was_told_is_not_read():
    sent = iter([b"x" * 1000] * 1_000_000)
    stream = SimpleNamespace(__iter__=lambda: sent, close=lambda: None)

    class Stream:
        def __iter__(self):
            return sent

        def close(self):
            stream.close()

    with pytest.raises(EnvctlError, match="more than 5,000 bytes"):
        container_paths.read_up_to(Stream(), 5000)
    assert next(sent)


@pytest.mark.parametrize(
    ("target", "real", "over"),
    [
        ("/srv/app/.env", "/data/.env", "/data"),
        ("/srv/app/deep/er/.env", "/data/deep/er/.env", "/data"),
        ("/srv/in/.env", "/volume/sub/.env", "/volume"),
    ],
)
def test_a_place_that_a_link_of_the_image_leads_into_a_mount_is_refused(names, target, real, over):
    found = {
        "/srv": (FOLDER, 0, ""),
        "/srv/app": (LINK, 0, "/data"),
        "/data": (FOLDER, 0, ""),
        "/srv/in": (LINK, 0, "/volume/sub"),
    }
    engine = KeepingEngine(found=found, mounts=["/data", "/volume", "/run/secrets"])
    with pytest.raises(EnvctlError) as caught:
        give(engine, names, elsewhere(target))
    assert f"cannot be at {target}: leads to {real}, which" in caught.value.brief
    assert f"mounted at {over}" in caught.value.brief
    assert engine.given == []


def test_a_mount_that_a_link_leads_elsewhere_is_known_by_where_it_is(names):
    found = {"/mnt": (LINK, 0, "/srv"), "/srv": (FOLDER, 0, "")}
    engine = KeepingEngine(found=found, mounts=["/mnt/app"])
    with pytest.raises(EnvctlError, match="mounted at /mnt/app"):
        give(engine, names, elsewhere("/srv/app/.env"))


def test_run_secrets_itself_may_be_led_into_a_mount(names):
    engine = KeepingEngine(
        found={"/run": (LINK, 0, "/data"), "/data": (FOLDER, 0, "")}, mounts=["/data"]
    )
    with pytest.raises(EnvctlError, match="/run/secrets: leads to /data/secrets"):
        give(engine, names)


def test_a_folder_of_the_image_is_not_replaced_by_a_link(names):
    engine = KeepingEngine(found={"/srv": (FOLDER, 0, ""), "/srv/app": (FOLDER, 0, "")})
    with pytest.raises(EnvctlError, match="the image has a folder there"):
        give(engine, names, elsewhere("/srv/app"))


@pytest.mark.parametrize(("mode", "regular"), [(FILE, True), (SETUID, True), (PIPE, False)])
def test_bits_that_are_no_kind_of_file_do_not_make_it_odd(mode, regular):
    assert container_paths.PathInfo(mode, 0, "").is_regular is regular
