"""What a build is given that is to come out as it is locked: settings, and the very files."""

from __future__ import annotations

import base64
import hashlib

import pytest

from envctl.errors import EnvctlError
from envctl.lock.model import Manifest
from envctl.lock.vendor.pins import extra_build_key, npm_packages, pins, vendored_inputs
from envctl.lock.vendor.store import DEB, NPM, WHEEL, Store
from tests.support.plans import build, packages, script

HASH = "sha512-" + base64.b64encode(hashlib.sha512(b"x").digest()).decode()


@pytest.fixture
def store(tmp_path):
    found = Store(tmp_path)

    def put(kind, name, version, file):
        (tmp_path / file).write_bytes(file.encode())
        return found.keep(tmp_path / file, kind, name, version)

    put(DEB, "hello", "1.0", "hello.deb")
    put(DEB, "bash", "5", "bash.deb")
    put(WHEEL, "flask", "3.1", "flask-3.1-py3-none-any.whl")
    put(WHEEL, "flask", "3.1", "flask-3.1-cp311-x.whl")
    put(NPM, "@x/a", HASH, "a.tgz")
    return found


def test_apt_and_pip_are_led_to_the_versions_of_the_lock():
    given = pins(
        Manifest(
            {"b": "2 sha256:x", "a": "1"},
            {"/v": {"zope": "5", "flask": "3.1 sha256:x", "six": "1"}, "/w": {"six": "1 sha256:y"}},
        )
    )
    assert given.files == {
        "apt.conf": 'Dir::Etc::Preferences "/media/preferences";\n',
        "preferences": (
            "Package: a\nPin: version 1\nPin-Priority: 1001\n\n"
            "Package: b\nPin: version 2\nPin-Priority: 1001\n"
        ),
        "constraints.txt": "flask==3.1\nsix==1\nzope==5\n",
    }
    assert given.env == {
        "APT_CONFIG": "/media/apt.conf",
        "PIP_CONSTRAINT": "/media/constraints.txt",
    }


def test_packages_of_python_that_are_asked_for_otherwise_and_pips_own_are_not_held():
    manifest = Manifest({}, {"/v": {"flask": "3", "rich": "1", "pip": "2", "setuptools": "3", "wheel": "4"}})  # fmt: skip
    assert pins(manifest, but={"rich"}).files["constraints.txt"] == "flask==3\n"


def test_an_offline_build_finds_its_files_where_the_settings_lead(store):
    manifest = Manifest(
        {"hello": "1.0", "bash": "5"},
        {"/v": {"flask": "3.1 sha256:x", "pip": "23"}},
        {"/srv": {"a": f"npm:@x/a@1.0 {HASH}", "bundled": "1"}},
    )
    given = vendored_inputs(manifest, store, but={"bash": "5", "hello": "0.9"})
    assert given.env == {
        "APT_CONFIG": "/media/apt.conf",
        "PIP_NO_INDEX": "1",
        "NPM_CONFIG_OFFLINE": "true",
        "PIP_FIND_LINKS": "/media/wheels",
    }
    hexed = hashlib.sha512(b"x").hexdigest()
    assert sorted(given.files) == [
        "apt.conf",
        "debs/Packages",
        "debs/hello.deb",
        f"npm/_cacache/content-v2/sha512/{hexed[:2]}/{hexed[2:4]}/{hexed[4:]}",
        "sources.list",
        "wheels/flask-3.1-cp311-x.whl",
        "wheels/flask-3.1-py3-none-any.whl",
    ]
    for path in ("debs/hello.deb", "wheels/flask-3.1-cp311-x.whl"):
        assert given.files[path].read_bytes() == path.rpartition("/")[2].encode()
    assert given.files["apt.conf"] == (
        'Dir::Etc::SourceList "/media/sources.list";\nDir::Etc::SourceParts "/dev/null";\n'
    )
    assert given.files["sources.list"] == "deb [trusted=yes] file:/media/debs ./\n"


def test_without_wheels_pip_is_led_nowhere(store):
    given = vendored_inputs(Manifest({"hello": "1.0"}), store, but={})
    assert "PIP_FIND_LINKS" not in given.env


@pytest.mark.parametrize(
    ("manifest", "lacking"),
    [
        (Manifest({"z": "1", "a": "2", "hello": "1.0"}), "a 2\nz 1"),
        (Manifest({}, {"/v": {"rich": "1 sha256:x"}}), "rich 1"),
        (Manifest({}, {}, {"/srv": {"y": "1 sha512-eA=="}}), "y sha512-eA=="),
    ],
)
def test_what_is_not_kept_is_reported_one_by_one_with_the_remedy(store, manifest, lacking):
    with pytest.raises(EnvctlError, match=r"missing in envctl\.vendor") as caught:
        vendored_inputs(manifest, store, but={})
    assert caught.value.details == lacking
    assert "envctl lock --vendor" in caught.value.hint


def test_packages_of_npm_are_known_by_hashes_of_the_right_kind_and_by_good_names():
    versions = {
        "a": "1.0 sha512-x",
        "b/node_modules/c": "2.0 sha512-y",
        "old": "1.0 sha1-z",
        "../evil": "1.0 sha512-e",
        "named": "npm:../evil@1.0 sha512-f",
    }
    assert npm_packages(Manifest({}, {}, {"/srv": versions})) == {
        "sha512-x": ("a", "1.0"),
        "sha512-y": ("c", "2.0"),
    }


def test_what_lies_beside_is_known_by_what_is_asked_for_in_whatever_order_and_by_what_is_below():
    below = Manifest({"libc6": "2"})
    one = extra_build_key(build(packages("b", "a"), script("x"), packages("c")), below)
    assert one == f"{below.digest} a b c"
    assert extra_build_key(build(packages("c"), packages("a", "b")), below) == one
    assert extra_build_key(build(packages("a", "b", "c")), Manifest()) != one
