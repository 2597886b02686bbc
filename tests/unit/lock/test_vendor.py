"""The store: by content, looked at on every use, and no way out of it."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from envctl.errors import EnvctlError
from envctl.lock.model import Manifest
from envctl.lock.supplying import kept_files, pins
from envctl.lock.vendor import DEB, NPM, WHEEL, Store, packages_text

CONTROL = "Package: hello\nVersion: 1:1.0\nArchitecture: amd64\nDescription: says\n hello\n"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def keep(store, tmp_path, file="hello_1%3a1.0_amd64.deb", content=b"deb", kind=DEB, **more):
    path = tmp_path / file
    path.write_bytes(content)
    given = {"name": "hello", "version": "1:1.0", **more}
    return store.keep(
        path, kind, given["name"], given["version"], control=CONTROL if kind == DEB else ""
    )


def test_what_is_kept_is_found_again_under_the_hash_of_its_content(store, tmp_path):
    kept = keep(store, tmp_path)
    store.save()

    again = Store(tmp_path)

    assert again.find(DEB, "hello", "1:1.0") == (kept,)
    assert again.path(kept).read_bytes() == b"deb"
    assert again.path(kept).name == hashlib.sha256(b"deb").hexdigest()


def test_a_file_that_was_changed_or_removed_is_refused(store, tmp_path):
    kept = keep(store, tmp_path)
    store.path(kept).write_bytes(b"evil")

    with pytest.raises(EnvctlError, match="not what was kept"):
        store.path(kept)
    (store.folder / "sha256" / kept.sha256).unlink()
    with pytest.raises(EnvctlError, match=r"is not in envctl\.vendor"):
        store.path(kept)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("file", "../../etc/passwd"),
        ("file", ".hidden"),
        ("sha256", "../x"),
        ("size", "many"),
        ("kind", "other"),
        ("name", "-oDir::Bin::Methods::copy=/evil.sh"),
        ("name", "hello\nPackage: other"),
        ("version", "1 evil\n"),
        ("control", "Package: hello\nFilename: /etc/shadow\n"),
        ("control", "Package: hello\nSHA256: 00\n"),
    ],
)
def test_an_index_that_leads_out_of_the_store_is_refused(store, tmp_path, key, value):
    keep(store, tmp_path)
    store.save()
    index = store.folder / "index.json"
    data = json.loads(index.read_text())
    data["files"][0][key] = value
    index.write_text(json.dumps(data))

    with pytest.raises(EnvctlError, match=r"index\.json is not whole"):
        Store(tmp_path)


def test_names_of_what_lies_beside_a_build_are_looked_at_too(store, tmp_path):
    store.index.beside["sha256:x"] = {"-o=evil": "1"}
    store.save()

    with pytest.raises(EnvctlError, match="is no name of a package"):
        Store(tmp_path)


def test_an_index_that_is_no_json_is_told_with_its_place(store, tmp_path):
    store.save()
    (store.folder / "index.json").write_text("{\n")

    with pytest.raises(EnvctlError, match=r"index\.json:2:1: this is no JSON"):
        Store(tmp_path)


def test_what_is_needed_no_more_goes_with_its_file(store, tmp_path):
    keep(store, tmp_path)
    other = keep(store, tmp_path, file="other.deb", content=b"other", version="2")

    assert store.prune(lambda kept: kept.version == "2") == 1
    assert [path.name for path in (store.folder / "sha256").iterdir()] == [other.sha256]


def test_apts_index_says_of_a_package_what_it_says_itself_and_where_it_is(store, tmp_path):
    kept = keep(store, tmp_path)

    assert packages_text([kept]) == (
        f"{CONTROL}Filename: ./hello_1%3a1.0_amd64.deb\nSize: 3\nSHA256: {kept.sha256}\n"
    )


def test_an_offline_build_gets_the_very_files_but_those_of_its_base(store, tmp_path):
    tarball = b"tarball"
    digest = hashlib.sha512(tarball).digest()
    integrity = f"sha512-{base64.b64encode(digest).decode()}"
    keep(store, tmp_path)
    keep(store, tmp_path, "flask-3.1-py3-none-any.whl", b"whl", WHEEL, name="flask", version="3.1")
    keep(store, tmp_path, "tarball", tarball, NPM, name="left-pad", version=integrity)
    manifest = Manifest(
        {"hello": "1:1.0", "libc6": "2"},
        {"/opt/web": {"flask": "3.1 sha256:x", "pip": "23 sha256:y"}},
        {"/srv": {"left-pad": f"1.3.0 {integrity}"}},
    )

    given = kept_files(manifest, store, but={"libc6": "2"})

    assert given.offline
    hexed = digest.hex()
    assert set(given.files) == {
        "apt.conf", "sources.list", "debs/Packages", "debs/hello_1%3a1.0_amd64.deb",
        "wheels/flask-3.1-py3-none-any.whl",
        f"npm/_cacache/content-v2/sha512/{hexed[:2]}/{hexed[2:4]}/{hexed[4:]}",
    }  # fmt: skip
    assert given.env["PIP_NO_INDEX"] == "1"


def test_all_that_is_lacking_is_named(store, tmp_path):
    keep(store, tmp_path)

    with pytest.raises(EnvctlError, match=r"hello 2\nworld 1"):
        kept_files(Manifest({"hello": "2", "world": "1"}), store, but={})


def test_a_frozen_build_is_told_which_versions_to_take():
    manifest = Manifest(
        {"hello": "1.0"},
        {"/a": {"flask": "3.1 sha256:x", "pip": "23", "six": "1"}, "/b": {"six": "2"}},
    )

    given = pins(manifest)

    assert given.files["preferences"] == "Package: hello\nPin: version 1.0\nPin-Priority: 1001\n"
    # Two environments with a version each of six: neither can be asked of both.
    assert given.files["constraints.txt"] == "flask==3.1\n"
    assert not given.offline
