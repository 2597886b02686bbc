"""Saved images: which one it is, and that it brings no name along."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile

import pytest

from envctl.backends.docker.image_archive import identities
from envctl.backends.docker.images import Images
from envctl.errors import EnvctlError

CONFIG = b'{"architecture": "amd64"}'
HEX = hashlib.sha256(CONFIG).hexdigest()
BLOB = b'{"schemaVersion": 2}'
BLOB_HEX = hashlib.sha256(BLOB).hexdigest()
PLAIN = {"Config": f"{HEX}.json", "RepoTags": None, "Layers": ["x/layer.tar"]}


def saved(*more, manifest=(PLAIN,), config=CONFIG):
    """A saved image with more members: (path, content), or a tar's own."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        files = [
            (f"{HEX}.json", config),
            ("x/layer.tar", b"layer"),
            ("manifest.json", json.dumps(manifest).encode()),
        ]
        for one in (*files, *more):
            if isinstance(one, tarfile.TarInfo):
                tar.addfile(one)
            else:
                info = tarfile.TarInfo(one[0])
                info.size = len(one[1])
                tar.addfile(info, io.BytesIO(one[1]))
    data.seek(0)
    return data


def link(path, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(path)
    info.type, info.linkname = kind, target
    return info


def index(**more):
    one = {"digest": f"sha256:{BLOB_HEX}", **more}
    return ("index.json", json.dumps({"manifests": [one]}).encode())


def test_an_image_is_known_by_the_hash_of_its_configuration():
    assert identities(saved(), "x") == (f"sha256:{HEX}",)


def test_what_the_file_says_of_hashes_is_not_believed():
    other = hashlib.sha256(b"{}").hexdigest()

    assert identities(saved(config=b"{}"), "x") == (f"sha256:{other}",)


def test_engines_that_know_images_by_their_manifest_are_served():
    file = saved(index(), (f"blobs/sha256/{BLOB_HEX}", BLOB))

    assert identities(file, "x") == (f"sha256:{HEX}", f"sha256:{BLOB_HEX}")


def test_a_layer_that_is_there_twice_is_a_link():
    assert identities(saved(link("y/layer.tar", "../x/layer.tar")), "x") == (f"sha256:{HEX}",)


@pytest.mark.parametrize(
    "file",
    [
        saved(manifest=[{**PLAIN, "RepoTags": ["debian:bookworm"]}]),
        saved(manifest=[PLAIN, {**PLAIN, "RepoTags": ["debian:bookworm"]}]),
        saved(manifest=[PLAIN, PLAIN]),
        saved(manifest=[]),
        saved(manifest={}),
        saved(manifest=[None]),
        saved(manifest=[{**PLAIN, "Config": "other.json"}]),
        saved(("repositories", b'{"debian": {"bookworm": "x"}}')),
        saved(("manifest.json", b"[]")),
        saved(("./manifest.json", b"[]")),
        saved(("x/../manifest.json", b"[]")),
        saved(("/manifest.json", b"[]")),
        saved(link("index.json", "x/layer.tar")),
        saved(link("repositories", "x/layer.tar", tarfile.LNKTYPE)),
        saved(link("y/layer.tar", ".."), ("y/layer.tar/manifest.json", b"[]")),
        saved(index(annotations={"io.containerd.image.name": "debian:bookworm"})),
        saved(index(annotations={"org.opencontainers.image.ref.name": "bookworm"})),
        saved(index()),
        saved(("index.json", b"[" * 100_000)),
        io.BytesIO(b"no tar"),
        io.BytesIO(),
    ],
)
def test_a_file_that_names_images_or_may_be_read_in_two_ways_is_refused(file):
    with pytest.raises(
        EnvctlError, match="the archive of web:1 is not a valid image without names"
    ):
        identities(file, "web:1")


class Loading:
    """An engine that takes in what it is given."""

    def __init__(self):
        self.loaded, self.tags = 0, {}

    @contextlib.contextmanager
    def doing(self, _what, **_options):
        yield self

    def load_image(self, source, **_options):
        self.loaded += len(source.read())
        return [{"stream": "Loaded image: debian:bookworm\\nLoaded image ID: sha256:" + "0" * 64}]

    def inspect_image(self, name):
        return {"Id": name}

    def tag(self, identity, repository, tag):
        self.tags[f"{repository}:{tag}"] = identity


def test_an_image_comes_back_under_its_own_name_alone(tmp_path):
    file, engine = tmp_path / "image.tar", Loading()
    file.write_bytes(saved().getvalue())

    Images(engine).restore(file, name="web:1", identity=f"sha256:{HEX}")

    assert engine.loaded == file.stat().st_size
    assert engine.tags == {"web:1": f"sha256:{HEX}"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (saved(config=b"{}"), "contains another image"),
        (saved(manifest=[{**PLAIN, "RepoTags": ["debian:bookworm"]}]), "without names"),
    ],
)
def test_another_image_and_one_with_names_are_not_loaded(tmp_path, data, message):
    file, engine = tmp_path / "image.tar", Loading()
    file.write_bytes(data.getvalue())

    with pytest.raises(EnvctlError, match=message):
        Images(engine).restore(file, name="web:1", identity=f"sha256:{HEX}")

    assert not engine.loaded
    assert not engine.tags
