"""The file: what is written is read back; what somebody broke is told with its place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from envctl.errors import EnvctlError, SpecError
from envctl.lock.model import Lock, LockedBase, LockedBuild, Manifest
from envctl.lock.text import load, parsed, save, text

FIRST = Path(__file__).parent / "data" / "version-1.lock"
SCHEMA = Path(__file__).parents[3] / "docs" / "schemas" / "lock-1.json"

BASE = {"adduser": "3.134", "libc6": "2.36-9+deb12u13", "zlib1g": "1:1.2.13.dfsg-1"}
WEB = Manifest(
    {
        "libc6": "2.36-9+deb12u14",
        "libc6:i386": "2.36-9+deb12u14",
        "python3": "3.11.2-1+b1",
        "zlib1g": "1:1.2.13.dfsg-1",
    },
    {
        "/opt/web": {
            "flask": "3.1.3 sha256:f4b3f4a63bbe6d3a15b5cc0f7af763b234dae7897983a6222fb51f327647fb96"
        }
    },
    {
        "/srv/web": {
            "left-pad": "1.3.0 sha512-XI5MPzVNApjAyhQzphX8BkmKsKUxD4LdyK24iZeQGinBN9yTQT3bFlCBy/aVx2HrNcqQGsdot8ghrjyrvMCoEA=="
        }
    },
)
SNAPSHOT = "http://snapshots.example/archive/debian/20260801T000000Z"
LOCK = Lock(
    "amd64",
    {
        "debian:bookworm": LockedBase(
            "sha256:8a8924091a20c5a1021099db110c45dfef979ecaff99636ec29203cfd8d2a704",
            BASE,
            SNAPSHOT,
        )
    },
    (
        LockedBuild(
            ("dev/cache",),
            ("image redis:7",),
            Manifest({"redis": "7.2"}),
            image="sha256:b0bdc1a83caf43f9eb74afca0fcfd6f09bea38bb87f6add4a858f06ef4617538",
        ),
        LockedBuild(
            ("dev/web", "prod/web"),
            ("base debian:bookworm", "packages python3", "pip flask → /opt/web"),
            WEB,
            "debian:bookworm",
        ),
    ),
)


def as_set(lock: Lock) -> tuple[object, ...]:
    return lock.architecture, lock.bases, {one.units[0]: one for one in lock.builds}


def test_a_file_of_the_first_version_is_read():
    assert as_set(parsed(FIRST.read_bytes())) == as_set(LOCK)


def test_what_is_written_is_sorted_has_one_name_a_line_and_tells_only_what_a_build_adds_to_its_base():
    lines = text(LOCK).splitlines()

    assert lines[2:4] == ["version: 1", "architecture: amd64"]
    assert sum(line.strip().startswith("zlib1g:") for line in lines) == 1
    assert "      adduser: null" in lines
    assert lines.index("      - dev/cache") < lines.index("      - dev/web")


@pytest.mark.parametrize("data", [FIRST.read_text(), text(LOCK)], ids=["first", "written"])
def test_the_file_is_as_its_schema_says(data):
    jsonschema.validate(yaml.safe_load(data), json.loads(SCHEMA.read_text()))


def test_the_schema_refuses_what_the_reader_refuses():
    data = yaml.safe_load(FIRST.read_text())
    schema = json.loads(SCHEMA.read_text())
    for broken in (
        {**data, "version": 2},
        {**data, "more": 1},
        {**data, "bases": {"x": {"image": "y"}}},
        {**data, "builds": [{"units": []}]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)
        with pytest.raises(SpecError):
            parsed(yaml.safe_dump(broken).encode())


WORDS = st.text(
    st.characters(
        codec="utf-8",
        exclude_categories=("Cc", "Cs", "Zl", "Zp"),
        exclude_characters="\ufeff\ufffe\uffff",
    ),
    min_size=1,
    max_size=12,
).filter(lambda word: not any("\ufdd0" <= char <= "\ufdef" for char in word))
TRICKY = st.sampled_from(
    [
        "1",
        "1.0",
        "1e3",
        "0x1f",
        "1:20",
        "1:2.3",
        "yes",
        "Null",
        "~",
        "2026-11-25",
        "",
        " a",
        "a: b",
        "#",
        "@x",
    ]
).filter(bool)
# "<<" is a merge to the reader of specs; nothing that is installed is called so.
NAMES = st.one_of(WORDS, TRICKY).filter(lambda word: word != "<<")
TOLD = st.one_of(st.from_regex(r"[0-9A-Za-z][0-9A-Za-z.+~-]{0,9}", fullmatch=True), st.sampled_from(["1", "1.0", "1e3", "0x1f", "1:20", "1:2.3", "yes", "2026-11-25"]))  # fmt: skip
VERSIONS = st.dictionaries(
    st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,9}(:[a-z0-9]{1,4})?", fullmatch=True), TOLD, max_size=4
)


def folders(name: str, version: str) -> st.SearchStrategy[dict[str, dict[str, str]]]:
    versions = st.dictionaries(
        st.from_regex(name, fullmatch=True),
        st.from_regex(version, fullmatch=True),
        min_size=1,
        max_size=3,
    )
    return st.dictionaries(NAMES.map(lambda folder: f"/{folder}"), versions, max_size=2)


PIP = folders(r"[a-z0-9][a-z0-9-]{0,9}", r"[0-9][0-9a-z.!]{0,5}( sha256:[0-9a-f]{64})?")
NPM = folders(
    r"(@[a-z]{1,3}/)?[a-z][a-z0-9.]{0,5}", r"[0-9][0-9a-z.-]{0,5}( sha512-[A-Za-z0-9+/]{8}==)?"
)


@st.composite
def locks(draw):
    bases = draw(
        st.dictionaries(
            NAMES, st.builds(LockedBase, NAMES, VERSIONS, st.just(""), st.just("")), max_size=2
        )
    )
    units = draw(st.lists(NAMES, unique=True, max_size=4))
    builds = [
        LockedBuild(
            (unit,),
            tuple(draw(st.lists(NAMES, min_size=1, max_size=2))),
            draw(st.builds(Manifest, VERSIONS, PIP, NPM)),
            draw(st.sampled_from(["", *bases])),
        )
        for unit in sorted(units)
    ]
    return Lock(draw(NAMES), bases, tuple(builds))


@given(locks())
def test_whatever_is_written_is_read_back(lock):
    assert parsed(text(lock).encode()) == lock


@given(locks())
def test_other_readers_of_yaml_read_the_same(lock):
    data = yaml.safe_load(text(lock))

    assert {name: one["packages"] for name, one in data["bases"].items()} == {
        name: dict(one.packages) for name, one in lock.bases.items()
    }


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data):
    with pytest.raises(SpecError, match=r"envctl\.lock:"):
        parsed(data)


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("version: 1", "version: 2", "3:1", "this is version 2 of the format"),
        ("version: 1\n", "", "3:1", "'version' is missing"),
        ("architecture", "arcitecture", "4:1", "unknown key 'arcitecture'"),
        ("python3: 3.11.2-1+b1", "python3: 3.11.2-2", "23:5", "somebody edited the file"),
        ("    base: debian:bookworm\n", "    base: debian:trixie\n", "22:5", "none of the bases above"),
        ("      - dev/cache", "      - dev/web", "35:5", "dev/web is locked twice"),
        ("      libc6:i386: 2.36-9+deb12u14", "      libc6:i386: [1]", "27:19", "expected a text, got a list"),
        ("    inputs:\n      - image redis:7\n", "", "35:5", "'inputs' is missing"),
        ("builds:\n", "builds: {}\nmore:\n", "14:1", "expected a list, got a mapping"),
    ],
)  # fmt: skip
def test_what_somebody_broke_is_told_with_its_place(old, new, place, message):
    good = FIRST.read_text()
    assert old in good

    with pytest.raises(SpecError) as caught:
        parsed(good.replace(old, new, 1).encode())

    assert any(
        f"envctl.lock:{place}:" in str(problem) and message in str(problem)
        for problem in caught.value.problems
    ), str(caught.value)


EVIL = [
    "-oDir::Bin::Methods::copy=/path/evil.sh",
    "/etc/passwd",
    "a b",
    "a,b",
    "a\nPackage: b",
    "?essential",
    "ä",
]


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("kind", ["base", "packages", "pip", "npm"])
def test_what_is_no_name_of_a_package_is_refused_with_its_place(kind, name):
    manifest = {
        "base": Manifest(),
        "packages": Manifest({name: "1"}),
        "pip": Manifest({}, {"/opt": {name: "1"}}),
        "npm": Manifest({}, {}, {"/srv": {name: "1"}}),
    }[kind]
    bases = {"x": LockedBase("y", {name: "1"} if kind == "base" else {})}

    with pytest.raises(SpecError, match=r"envctl\.lock:\d+:\d+: .* is no name of a package"):
        parsed(text(Lock("amd64", bases, (LockedBuild(("dev/web",), ("x",), manifest),))).encode())


@pytest.mark.parametrize(
    "version",
    [
        "1\nPin-Priority: -1",
        "1 @ file:///x #",
        "@ file:///evil.whl #",
        "1;x",
        "-1",
        "*",
        "1 a b",
        "npm:file:../evil@1",
        "npm:../evil@1",
        "npm:-g@1",
        "npm:a@",
        "npm:a/b@1",
        "npm:a@1@file:x",
    ],
)
@pytest.mark.parametrize("kind", ["packages", "pip", "npm"])
def test_what_is_no_version_is_refused_with_its_place(kind, version):
    manifest = {
        "packages": Manifest({"demo": version}),
        "pip": Manifest({}, {"/opt": {"demo": version}}),
        "npm": Manifest({}, {}, {"/srv": {"demo": version}}),
    }[kind]

    with pytest.raises(SpecError, match=r"envctl\.lock:\d+:\d+: .* is no version"):
        parsed(text(Lock("amd64", {}, (LockedBuild(("dev/web",), ("x",), manifest),))).encode())


def test_a_lock_vouches_for_what_is_kept():
    lock = replace(LOCK, vendor=f"sha256:{'0' * 64}")

    assert parsed(text(lock).encode()).vendor == lock.vendor
    jsonschema.validate(yaml.safe_load(text(lock)), json.loads(SCHEMA.read_text()))
    with pytest.raises(SpecError, match=r"envctl\.lock:5:1: this is no digest"):
        parsed(text(replace(LOCK, vendor="sha256:0")).encode())


def test_a_folder_is_a_path_in_one_line():
    build = LockedBuild(("dev/web",), ("x",), Manifest({}, {"opt\n": {"demo": "1"}}))

    with pytest.raises(SpecError, match="is no folder"):
        parsed(text(Lock("amd64", {}, (build,))).encode())


def test_a_version_to_come_says_what_to_do():
    with pytest.raises(SpecError, match="use the envctl that wrote it"):
        parsed(b"version: 7\n")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    (tmp_path / "envctl.lock").mkdir()
    with pytest.raises(EnvctlError, match=r"envctl\.lock cannot be written"):
        save(LOCK, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["envctl.lock"]
    (tmp_path / "envctl.lock").rmdir()

    save(LOCK, tmp_path)

    assert load(tmp_path) == LOCK
    assert [path.name for path in tmp_path.iterdir()] == ["envctl.lock"]


def test_no_file_is_no_lock(tmp_path):
    assert load(tmp_path) is None


def test_a_conflict_of_a_merge_is_called_one():
    with pytest.raises(SpecError) as caught:
        parsed(b"version: 1\n<<<<<<< HEAD\narchitecture: amd64\n=======\n>>>>>>> other\n")
    assert str(caught.value).startswith("envctl.lock:2:1: a merge stopped here, at a conflict")
    assert caught.value.brief == "1 problem in envctl.lock"


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a: [", b""])
def test_what_is_no_lock_at_all_is_a_problem_of_the_lock(data):
    with pytest.raises(SpecError) as caught:
        parsed(data)
    assert caught.value.brief == "1 problem in envctl.lock"


@pytest.mark.parametrize("old", ["version: 1\n", "manifest", "3.11.2-1+b1", "amd64"])
def test_whatever_somebody_broke_is_told_with_what_to_do_once(old):
    good = FIRST.read_text()
    assert old in good

    with pytest.raises(SpecError) as caught:
        parsed(good.replace(old, "").encode())

    assert str(caught.value).count("`envctl lock` writes it anew") == 1, str(caught.value)
