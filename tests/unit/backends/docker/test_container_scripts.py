"""Errands: what an image tells has an end, and nothing of them stays. The engine here has canned answers."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import tarfile
import time

import pytest

from envctl.backends.common import makers
from envctl.backends.common.build_inputs import ContainerScript
from envctl.backends.common.capped import capped_chunks
from envctl.backends.docker import container_scripts, images
from envctl.backends.docker.container_scripts import run
from envctl.errors import EnvctlError


class Talking:
    """An engine whose containers say the same thing over and over."""

    def __init__(self, said=b"", times=1, code=0, archive=b"", others=()):
        self.said, self.times, self.code, self.archive, self.others = (
            said, times, code, archive, others,
        )  # fmt: skip
        self.read = 0
        self.made, self.removed = {}, []

    @contextlib.contextmanager
    def doing(self, _what, **_options):
        yield self

    def create_container(self, body, name=None):
        self.made[name] = body
        return "made"

    def start(self, _identity):
        pass

    def put_archive(self, *_given):
        pass

    def wait(self, _identity, timeout):
        assert timeout
        return self.code

    def logs(self, _identity, _parameters):
        frame = b"\1\0\0\0" + len(self.said).to_bytes(4, "big") + self.said
        return contextlib.nullcontext(self._chunks(frame))

    def get_archive(self, _identity, _path):
        return contextlib.nullcontext(self._chunks(self.archive))

    def _chunks(self, one):
        for _ in range(self.times):
            self.read += len(one)
            yield one

    def containers(self, **_given):
        return [{"Id": name, "Names": [name]} for name in self.others]

    def remove_container(self, identity, **_given):
        self.removed.append(identity)


def go(engine, **given):
    return run(engine, "web:1", ContainerScript("true", **given), trust=None, proxies={})


def test_the_output_is_all_that_was_reported():
    assert go(Talking(b"ab", times=3)) == b"ababab"


@pytest.mark.parametrize("code", [0, 1])
def test_an_image_that_does_not_stop_talking_is_given_up(code):
    engine = Talking(bytes(1 << 20), times=10_000, code=code)

    with pytest.raises(EnvctlError, match="look into web:1 is more than 64 MB"):
        go(engine)

    assert engine.read < 70 << 20
    assert engine.removed == ["made"]


def test_the_engine_keeps_so_much_of_it_and_no_more():
    engine = Talking()

    go(engine)

    (body,) = engine.made.values()
    assert body["HostConfig"]["LogConfig"]["Config"] == {"max-size": "256m", "max-file": "1"}


def test_what_is_brought_has_a_bound(monkeypatch, tmp_path):
    monkeypatch.setattr(container_scripts, "_FETCHED", 3 << 20)
    engine = Talking(archive=bytes(1 << 20), times=1000)

    with pytest.raises(EnvctlError, match="what the script returned is more than 3 MB"):
        go(engine, network=True, bring=tmp_path)

    assert engine.read < 5 << 20
    assert not list(tmp_path.iterdir())


FETCHING = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"]
COPYING = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "SETFCAP"]


@pytest.mark.parametrize(
    ("given", "rights"),
    [
        ({}, {"NetworkMode": "none", "CapDrop": ["ALL"], "ReadonlyRootfs": True}),
        ({"bring": True}, {"NetworkMode": "none", "CapDrop": ["ALL"], "CapAdd": COPYING}),
        ({"bring": True, "network": True}, {"CapDrop": ["ALL"], "CapAdd": FETCHING}),
    ],
)
def test_a_script_has_the_rights_that_it_needs(tmp_path, given, rights):
    archive = io.BytesIO()
    tarfile.open(fileobj=archive, mode="w").close()
    engine = Talking(archive=archive.getvalue())

    go(engine, **{**given, **({"bring": tmp_path} if "bring" in given else {})})

    (body,) = engine.made.values()
    kept = {key: body["HostConfig"][key] for key in rights}
    assert kept == rights
    assert {*body["HostConfig"]} - {*rights} == {"SecurityOpt", "LogConfig"}


def test_a_file_of_an_image_has_a_bound(monkeypatch):
    monkeypatch.setattr(images, "MAX_OUTPUT", 3 << 20)
    engine = Talking(archive=bytes(1 << 20), times=1000)

    with pytest.raises(EnvctlError, match="/etc/x in web:1 is more than 3 MB"):
        images.Images(engine).read_file("web:1", "/etc/x")

    assert engine.removed == ["made"]


def test_a_script_of_a_killed_run_goes_with_the_next_one_or_when_its_time_is_over():
    now = int(time.time())
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    here = makers.here()
    stale = f"/envctl-errand-{now - 5}-aaaaaaaa-1-ab"
    orphan = f"/envctl-errand-{now + 60}-{here}-{ended.pid}-ab"
    going = (
        f"/envctl-errand-{now + 60}-{here}-{os.getpid()}-cd",
        f"/envctl-errand-{now + 60}-aaaaaaaa-{ended.pid}-ef",
    )
    engine = Talking(
        others=(stale, orphan, *going, "/envctl-errand-x", f"/my-envctl-errand-1-{here}-1-a")
    )

    go(engine, timeout=10)

    assert engine.removed == [stale, orphan, "made"]
    (name,) = engine.made
    assert name.startswith("envctl-errand-")
    assert int(name.split("-")[2]) > now + 10


def test_what_is_brought_home_is_plain_files_by_their_last_name(tmp_path):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, kind in (("out/../../evil", tarfile.REGTYPE), ("out/l", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)

    go(Talking(archive=data.getvalue()), network=True, bring=tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["evil"]


def test_so_many_files_are_brought_home_and_no_more(monkeypatch, tmp_path):
    monkeypatch.setattr(container_scripts, "_FILES", 3)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for number in range(5):
            tar.addfile(tarfile.TarInfo(f"out/{number}"))

    with pytest.raises(EnvctlError, match="the script returned more than 3 files"):
        go(Talking(archive=data.getvalue()), bring=tmp_path)


def test_a_bound_takes_what_is_within():
    assert b"".join(capped_chunks([b"ab", b"cd"], 4, "it")) == b"abcd"
