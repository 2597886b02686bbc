"""The store: by content, looked at on every use, and no way out of it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

import pytest

from envctl.errors import EnvctlError
from envctl.lock.model import Manifest
from envctl.lock.vendor.pins import npm_packages, pins, vendored_inputs
from envctl.lock.vendor.store import (
    DEB,
    IMAGE,
    NPM,
    WHEEL,
    Store,
    control_fields,
    packages_text,
)

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

    with pytest.raises(EnvctlError, match="has changed"):
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
        ("size", float("inf")),
        ("sha256", "0" * 64 + "\n"),
        ("kind", "other"),
        ("name", "-oDir::Bin::Methods::copy=/evil.sh"),
        ("name", "hello\nPackage: other"),
        ("version", "1 evil\n"),
        ("control", "Package: hello\nFilename: /etc/shadow\n"),
        ("control", "Package: hello\nSHA256: 00\n"),
        ("control", "Package: hello\nsize: 1\n"),
        ("control", "Package: hello\nMD5sum: 00\n"),
        ("control", "Package: hello\nSHA1: 00\n"),
        ("control", "Package: hello\nSHA512: 00\n"),
    ],
)
def test_an_index_that_leads_out_of_the_store_is_refused(store, tmp_path, key, value):
    keep(store, tmp_path)
    store.save()
    index = store.folder / "index.json"
    data = json.loads(index.read_text())
    data["files"][0][key] = value
    index.write_text(json.dumps(data))

    with pytest.raises(EnvctlError, match=r"index\.json is not valid"):
        Store(tmp_path)


def test_names_of_what_lies_beside_a_build_are_looked_at_too(store, tmp_path):
    store.index.extras["sha256:x"] = {"-o=evil": "1"}
    store.save()

    with pytest.raises(EnvctlError, match="is not a valid package name"):
        Store(tmp_path)


def test_an_index_that_is_no_json_is_reported_with_its_place(store, tmp_path):
    store.save()
    (store.folder / "index.json").write_text("{\n")

    with pytest.raises(EnvctlError, match=r"index\.json:2:1: not valid JSON"):
        Store(tmp_path)


def test_what_is_no_longer_needed_goes_with_its_file(store, tmp_path):
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

    given = vendored_inputs(manifest, store, but={"libc6": "2"})

    assert given.offline
    hexed = digest.hex()
    assert set(given.files) == {
        "apt.conf", "sources.list", "debs/Packages", "debs/hello_1%3a1.0_amd64.deb",
        "wheels/flask-3.1-py3-none-any.whl",
        f"npm/_cacache/content-v2/sha512/{hexed[:2]}/{hexed[2:4]}/{hexed[4:]}",
    }  # fmt: skip
    assert given.env["PIP_NO_INDEX"] == "1"


def test_npms_packages_are_asked_for_by_their_own_names():
    versions = {
        "a": "1.0 sha512-x",
        "a-cjs": "npm:@x/a@2.0 sha512-y",
        "b/node_modules/@x/a": "3.0 sha512-z",
        "bundled": "1.0",
    }

    assert npm_packages(Manifest({}, {}, {"/srv": versions})) == {
        "sha512-x": ("a", "1.0"),
        "sha512-y": ("@x/a", "2.0"),
        "sha512-z": ("@x/a", "3.0"),
    }


def test_all_that_is_lacking_is_named(store, tmp_path):
    keep(store, tmp_path)

    with pytest.raises(EnvctlError, match=r"hello 2\nworld 1"):
        vendored_inputs(Manifest({"hello": "2", "world": "1"}), store, but={})


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


def edited(store, change):
    index = store.folder / "index.json"
    data = json.loads(index.read_text())
    change(data)
    index.write_text(json.dumps(data))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["files"][0].update(sha256="0" * 64),
        lambda data: data["files"][0].update(control="Package: hello\nPre-Depends: evil\n"),
        lambda data: data["files"][0].update(file="other.deb"),
        lambda data: data["files"].clear(),
        lambda data: data["sources"].update({"debian:bookworm": "deb http://evil/ x main"}),
        lambda data: data["beside"].update({"sha256:x": {"evil": "1"}}),
    ],
)
def test_an_index_that_says_anything_else_is_not_the_one_the_lock_vouches_for(
    store, tmp_path, change
):
    keep(store, tmp_path)
    store.index.sources["debian:trixie"] = "deb http://mirror/ trixie main"
    store.save()
    digest = store.digest
    Store(tmp_path).require_digest(digest)

    edited(store, change)

    with pytest.raises(EnvctlError, match=r"does not match envctl\.lock"):
        Store(tmp_path).require_digest(digest)


def test_what_is_removed_can_be_kept_again(store, tmp_path):
    store.require_digest(f"sha256:{'0' * 64}")


def test_a_lock_that_vouches_for_nothing_takes_nothing(store, tmp_path):
    store.require_digest("")
    keep(store, tmp_path)

    with pytest.raises(EnvctlError, match="has no `vendor` digest"):
        store.require_digest("")


@pytest.fixture
def victim(tmp_path):
    """A folder of the user's, with files that look like kept ones."""
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / ("a" * 64)).write_text("mine")
    (folder / "index.json").write_text("mine")
    yield folder
    found = {path.name: path.read_text() for path in folder.iterdir()}
    assert found == {"a" * 64: "mine", "index.json": "mine"}


@pytest.mark.parametrize("place", ["envctl.vendor", "envctl.vendor/sha256"])
def test_nothing_is_written_removed_or_read_through_a_link_to_a_folder(tmp_path, victim, place):
    store = Store(tmp_path)
    kept = keep(store, tmp_path)
    store.save()
    (tmp_path / place).rename(tmp_path / "aside")
    (tmp_path / place).symlink_to(victim)

    with pytest.raises(EnvctlError, match=r"envctl\.vendor cannot be written: \S+ is a link"):
        keep(store, tmp_path, file="more.deb", name="more")
    with pytest.raises(EnvctlError, match="is a link"):
        store.prune(lambda _kept: False)
    with pytest.raises(EnvctlError, match="is a link"):
        store.path(kept)
    assert not store.has(kept)
    if place == "envctl.vendor":
        with pytest.raises(EnvctlError, match="is a link"):
            store.save()
        with pytest.raises(EnvctlError, match="is a link"):
            Store(tmp_path)


def test_the_index_is_not_written_through_a_link(store, tmp_path, victim):
    store.folder.mkdir()
    for name in ("index.new", "index.json", ".index.json.new"):
        (store.folder / name).symlink_to(victim / "index.json")

    store.save()

    assert not (store.folder / "index.json").is_symlink()
    (store.folder / "index.json").unlink()
    (store.folder / "index.json").symlink_to(victim / "index.json")
    with pytest.raises(EnvctlError, match=r"index\.json cannot be read"):
        Store(tmp_path)


def test_a_file_is_not_taken_in_through_a_link(store, tmp_path, victim):
    hashes = store.folder / "sha256"
    hashes.mkdir(parents=True)
    digest = hashlib.sha256(b"deb").hexdigest()
    for name in (digest, f".{digest}.new"):
        (hashes / name).symlink_to(victim / ("a" * 64))

    kept = keep(store, tmp_path)

    assert store.path(kept).read_bytes() == b"deb"


def test_only_plain_files_under_hashes_are_pruned(store, tmp_path, victim):
    keep(store, tmp_path)
    hashes = store.folder / "sha256"
    (hashes / "notes.txt").write_text("mine")
    (hashes / ("b" * 64)).mkdir()
    (hashes / ("c" * 64)).symlink_to(victim / ("a" * 64))

    assert store.prune(lambda _kept: False) == 1

    assert {path.name for path in hashes.iterdir()} == {"notes.txt", "b" * 64, "c" * 64}


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def longer(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [pipe, device, longer, Path.mkdir])
def test_what_is_no_plain_file_of_the_right_size_is_not_read(store, tmp_path, make):
    kept = keep(store, tmp_path)
    path = store.path(kept)
    path.unlink()
    make(path)

    with pytest.raises(EnvctlError, match="has changed"):
        store.path(kept)
    with pytest.raises(EnvctlError, match="has changed"):
        store.copy(kept, tmp_path / "copy")
    assert not store.has(kept)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [pipe, device, longer, Path.mkdir])
def test_an_index_that_is_no_plain_file_or_never_ends_is_refused(store, tmp_path, make):
    store.folder.mkdir()
    make(store.folder / "index.json")

    with pytest.raises(EnvctlError, match=r"index\.json cannot be read"):
        Store(tmp_path)


def test_an_index_that_is_too_deep_is_refused(store, tmp_path):
    store.folder.mkdir()
    (store.folder / "index.json").write_text("[" * 200_000)

    with pytest.raises(EnvctlError, match=r"index\.json is nested too deeply"):
        Store(tmp_path)


def test_what_is_copied_is_looked_at_on_the_way(store, tmp_path):
    kept = keep(store, tmp_path)
    assert store.copy(kept, tmp_path / "good").read_bytes() == b"deb"
    store.path(kept).write_bytes(b"bad")

    with pytest.raises(EnvctlError, match="has changed: its hash is"):
        store.copy(kept, tmp_path / "bad")


def test_a_package_is_kept_once_and_an_index_that_has_it_twice_is_refused(store, tmp_path):
    keep(store, tmp_path)
    other = keep(store, tmp_path, file="other.deb", content=b"other")
    assert store.find(DEB, "hello", "1:1.0") == (other,)
    store.save()

    edited(store, lambda data: data["files"].append({**data["files"][0], "file": "third.deb"}))

    with pytest.raises(EnvctlError, match="is listed twice"):
        Store(tmp_path)


@pytest.mark.parametrize(
    "image", ["", "debian:bookworm", "sha256:0", f"sha256:{'0' * 64}\n", f"sha256:{'0' * 65}"]
)
def test_an_image_is_kept_with_its_id(store, tmp_path, image):
    (tmp_path / "image.tar").write_bytes(b"tar")

    with pytest.raises(EnvctlError, match="is not a valid image id"):
        store.keep(tmp_path / "image.tar", IMAGE, "redis:7", "sha256:x", image=image)


def test_the_hash_that_a_lock_has_of_the_index_never_changes(store, tmp_path):
    """Another text for the same files would have every lock vouch for nothing."""
    assert store.digest == f"sha256:{hashlib.sha256(EMPTY).hexdigest()}"
    keep(store, tmp_path)
    store.index.sources.update(b="2", a="1")
    store.index.extras.update({"y": {"z": "1", "a": "2"}, "x": {}})
    told = (
        b'{"beside":{"x":{},"y":{"a":"2","z":"1"}},"files":[{"control":"Package: hello\\nVersion: 1:1.0\\n'
        b'Architecture: amd64\\nDescription: says\\n hello\\n","file":"hello_1%3a1.0_amd64.deb","kind":"deb",'
        b'"name":"hello","sha256":"' + hashlib.sha256(b"deb").hexdigest().encode() + b'","size":3,'
        b'"version":"1:1.0"}],"sources":{"a":"1","b":"2"},"version":1}'
    )
    assert store.digest == f"sha256:{hashlib.sha256(told).hexdigest()}"
    store.save()
    assert Store(tmp_path).digest == store.digest
    index = (store.folder / "index.json").read_text()
    assert index.index('"x"') < index.index('"y"')
    assert index.index('"a": "1"') < index.index('"b": "2"')
    assert index.index('"a": "2"') < index.index('"z": "1"')


EMPTY = b'{"beside":{},"files":[],"sources":{},"version":1}'


def test_several_wheels_of_one_version_are_kept_side_by_side(store, tmp_path):
    for file in ("flask-3.1-cp311-x.whl", "flask-3.1-cp312-x.whl"):
        keep(store, tmp_path, file, file.encode(), WHEEL, name="flask", version="3.1")
    assert [one.file for one in store.find(WHEEL, "flask", "3.1")] == [
        "flask-3.1-cp311-x.whl",
        "flask-3.1-cp312-x.whl",
    ]
    assert store.find(WHEEL, "flask", "3.2") == store.find(DEB, "flask", "3.1") == ()
    store.save()
    assert Store(tmp_path).index == store.index


def test_a_file_that_is_taken_in_leaves_nothing_else_behind(store, tmp_path):
    kept = keep(store, tmp_path)
    store.save()
    assert sorted(path.name for path in store.folder.rglob("*")) == sorted(
        ["index.json", "sha256", kept.sha256]
    )
    (store.folder / "index.json").unlink()
    (store.folder / "index.json").mkdir()
    with pytest.raises(EnvctlError, match="cannot be written"):
        store.save()
    assert sorted(path.name for path in store.folder.iterdir()) == ["index.json", "sha256"]


def test_no_descriptor_is_left_open_whatever_is_done(store, tmp_path):
    before = len([*Path("/dev/fd").iterdir()])
    kept = keep(store, tmp_path)
    store.save()
    for _ in range(3):
        assert Store(tmp_path).has(kept)
        Store(tmp_path).path(kept)
    store.prune(lambda _kept: True)
    assert len([*Path("/dev/fd").iterdir()]) == before


@pytest.mark.slow
def test_an_index_has_64_mebibytes_at_most(store, tmp_path):
    store.save()
    index = store.folder / "index.json"
    text = index.read_bytes()
    with index.open("ab") as file:
        file.write(b" " * (64 * 1024 * 1024 - len(text)))
    assert Store(tmp_path).is_empty
    with index.open("ab") as file:
        file.write(b" ")
    with pytest.raises(EnvctlError, match="more than 67108864 bytes"):
        Store(tmp_path)


def test_fields_of_a_package_are_those_at_the_beginning_of_a_line(store):
    told = control_fields(
        "Package: hello\nDescription: says: hello\n more: text\nnonsense\nEmpty:\n"
    )
    assert told == {"Package": "hello", "Description": "says: hello", "Empty": ""}
