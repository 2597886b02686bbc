"""The file: what is written is read back; whatever is wrong in it is reported."""

from __future__ import annotations

import difflib
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.errors import EnvctlError
from envctl.lock.file import LockFileError, load_lock, lock_text, parse_lock, save_lock
from envctl.lock.model import Lock, LockedBase, LockedBuild, Manifest

DATA = Path(__file__).parent / "data"
FIRST = DATA / "version-1.lock"
SECOND = DATA / "version-2.lock"
SCHEMA = Path(__file__).parents[3] / "docs" / "schemas" / "lock-2.json"

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
    return lock.architecture, lock.bases, {build.units[0]: build for build in lock.builds}


@pytest.mark.parametrize("file", [FIRST, SECOND], ids=["version 1", "version 2"])
def test_a_file_of_each_version_is_read(file):
    assert as_set(parse_lock(file.read_bytes())) == as_set(LOCK)


def test_a_file_of_version_1_is_written_as_version_2():
    assert lock_text(parse_lock(FIRST.read_bytes())) == SECOND.read_text()


def test_a_file_is_sorted_has_one_name_a_line_and_only_what_a_build_adds_to_its_base():
    lines = lock_text(LOCK).splitlines()

    assert lines[1:3] == ['  "version": 2,', '  "architecture": "amd64",']
    assert sum(line.strip().startswith('"zlib1g":') for line in lines) == 1
    assert '        "adduser": null,' in lines
    assert lines.index('        "dev/cache"') < lines.index('        "dev/web",')


def test_a_package_with_another_version_changes_its_line_and_the_digest_of_the_manifest():
    (cache, web) = LOCK.builds
    packages = {**web.manifest.packages, "python3": "3.11.2-2"}
    other = replace(web, manifest=replace(web.manifest, packages=packages))
    diff = difflib.ndiff(
        lock_text(LOCK).splitlines(),
        lock_text(replace(LOCK, builds=(cache, other))).splitlines(),
    )

    added = [line[2:].split(":")[0].strip() for line in diff if line.startswith("+ ")]
    assert added == ['"manifest"', '"python3"']


def test_characters_that_a_reviewer_does_not_see_are_escaped():
    lock = Lock("amd64", {}, (LockedBuild(("dev/web",), ("run \u202e1 → x",), Manifest()),))

    assert r"run \u202e1 → x" in lock_text(lock)
    assert parse_lock(lock_text(lock).encode()) == lock


@pytest.mark.parametrize("data", [SECOND.read_text(), lock_text(LOCK)], ids=["stored", "written"])
def test_the_file_matches_its_schema(data):
    jsonschema.validate(json.loads(data), json.loads(SCHEMA.read_text()))


def test_the_schema_refuses_what_the_reader_refuses():
    data = json.loads(SECOND.read_text())
    schema = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    for broken in (
        {**data, "version": 3},
        {**data, "version": True},
        {**data, "more": 1},
        {**data, "architecture": 1},
        {**data, "bases": {"x": {"image": "y"}}},
        {**data, "builds": [{"units": []}]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            schema.validate(broken)
        with pytest.raises(LockFileError):
            parse_lock(json.dumps(broken).encode())


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")),
    min_size=1,
    max_size=12,
)
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
NAMES = st.one_of(WORDS, TRICKY)
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
    return Lock(draw(st.one_of(st.just(""), NAMES)), bases, tuple(builds))


@pytest.mark.slow
@given(locks())
def test_whatever_is_written_is_read_back(lock):
    assert parse_lock(lock_text(lock).encode()) == lock


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda data: b"{" + data)))
def test_no_bytes_break_the_reader(data):
    with pytest.raises(LockFileError, match=r"in envctl\.lock"):
        parse_lock(data)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3)
    | st.dictionaries(st.sampled_from(["units", "inputs", "packages", "pip", "x"]), values, max_size=3),
    max_leaves=8,
)  # fmt: skip
KEYS = ["bases", "builds", "vendor", "architecture", "more"]


@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_no_document_breaks_the_reader(document):
    data = json.dumps({"version": 2, **document}).encode()
    with suppress(LockFileError):
        lock = parse_lock(data)
        assert parse_lock(lock_text(lock).encode()) == lock


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"version": 2', '"version": 3', "format version 3, expected 2 or 1"),
        ('  "version": 2,\n', "", "'version' is missing"),
        ("architecture", "arcitecture", "unknown key 'arcitecture', expected version, architecture, vendor"),
        ("architecture", "arcitecture", "the file: 'architecture' is missing"),
        ('"python3": "3.11.2-1+b1"', '"python3": "3.11.2-2"', "build dev/web, prod/web: 'manifest' does not match"),
        ('"base": "debian:bookworm"', '"base": "debian:trixie"', "build dev/web, prod/web: no such base: 'debian:trixie'"),
        ('"dev/cache"', '"dev/web"', "dev/web is listed twice"),
        ('"libc6:i386": "2.36-9+deb12u14"', '"libc6:i386": [1]', "packages, libc6:i386: expected a text, got a list"),
        ('"python3": "3.11.2-1+b1"', '"python3": true', "python3: expected a text, got a boolean"),
        ('"python3": "3.11.2-1+b1"', '"python3": null', "python3: expected a text, got null"),
        ('"manifest": "sha256:d2a704b658cad4a6d5b04daa62c059b7265780f74461ff2ea2a08c7ced4604d2"', '"manifest": ""', "base debian:bookworm: 'manifest' is not a digest"),
        ('"inputs"', '"input"', "build dev/cache: 'inputs' is missing"),
        ('"builds": [', '"builds": {}, "more": [', "builds: expected a list, got an object"),
        ('"adduser": "3.134"', '"adduser": 3.134', "base debian:bookworm, packages, adduser: expected a text, got a number"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_is_reported_with_the_build_or_base_it_is_in(old, new, message):
    good = SECOND.read_text()
    assert old in good

    with pytest.raises(LockFileError) as caught:
        parse_lock(good.replace(old, new, 1).encode())

    assert message in caught.value.details


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        ('{\n  "version": 2\n  "bases": {}\n}', "envctl.lock:3:3", "Expecting ',' delimiter"),
        ('{"version": 2, "version": 2}', "", "'version' appears twice"),
        ('{"version": ' + "[" * 100_000, "", "recursion"),
        ('{"architecture": "\\ud800", "version": 2}', "", "surrogates not allowed"),
        ("version: 1\nbases: [\n", "", "envctl.lock:"),
        ("version: 1\narchitecture: !append [x]\n", "", "architecture: expected a text"),
    ],
    ids=["syntax", "key twice", "depth", "surrogate", "yaml syntax", "yaml tag"],
)  # fmt: skip
def test_what_is_not_json_is_reported_with_its_place(data, place, message):
    with pytest.raises(LockFileError) as caught:
        parse_lock(data.encode())

    assert str(caught.value.where or "") == place
    assert message in caught.value.details


def test_all_problems_are_reported_at_once():
    good = SECOND.read_text()
    broken = good.replace('"redis": "7.2"', '"redis": "-x"').replace('"python3"', '"-p"')

    with pytest.raises(LockFileError) as caught:
        parse_lock(broken.encode())

    assert caught.value.brief == "2 problems in envctl.lock"


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
def test_what_is_not_a_name_of_a_package_is_refused_with_its_place(kind, name):
    manifest = {
        "base": Manifest(),
        "packages": Manifest({name: "1"}),
        "pip": Manifest({}, {"/opt": {name: "1"}}),
        "npm": Manifest({}, {}, {"/srv": {name: "1"}}),
    }[kind]
    bases = {"x": LockedBase("y", {name: "1"} if kind == "base" else {})}

    with pytest.raises(LockFileError, match="is not a valid package name"):
        parse_lock(
            lock_text(Lock("amd64", bases, (LockedBuild(("dev/web",), ("x",), manifest),))).encode()
        )


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

    with pytest.raises(LockFileError, match="is not a valid version"):
        parse_lock(
            lock_text(Lock("amd64", {}, (LockedBuild(("dev/web",), ("x",), manifest),))).encode()
        )


def test_a_lock_vouches_for_vendored_files():
    lock = replace(LOCK, vendor=f"sha256:{'0' * 64}")

    assert parse_lock(lock_text(lock).encode()).vendor == lock.vendor
    jsonschema.validate(json.loads(lock_text(lock)), json.loads(SCHEMA.read_text()))
    with pytest.raises(LockFileError, match="'vendor' is not a digest"):
        parse_lock(lock_text(replace(LOCK, vendor="sha256:0")).encode())


def test_a_folder_is_a_path_in_one_line():
    build = LockedBuild(("dev/web",), ("x",), Manifest({}, {"opt\n": {"demo": "1"}}))

    with pytest.raises(LockFileError, match="is not a folder"):
        parse_lock(lock_text(Lock("amd64", {}, (build,))).encode())


@pytest.mark.parametrize("data", [b"version: 7\n", b'{"version": 7}'])
def test_a_later_version_says_what_to_do(data):
    with pytest.raises(LockFileError, match="use the envctl version that wrote it"):
        parse_lock(data)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    (tmp_path / "envctl.lock").mkdir()
    with pytest.raises(EnvctlError, match=r"envctl\.lock cannot be written"):
        save_lock(LOCK, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["envctl.lock"]
    (tmp_path / "envctl.lock").rmdir()

    save_lock(LOCK, tmp_path)

    assert load_lock(tmp_path) == LOCK
    assert [path.name for path in tmp_path.iterdir()] == ["envctl.lock"]


def test_no_file_is_not_a_lock(tmp_path):
    assert load_lock(tmp_path) is None


@pytest.mark.parametrize("first", ["{", "version: 1"])
def test_a_merge_conflict_is_called_one(first):
    with pytest.raises(LockFileError) as caught:
        parse_lock(f"{first}\n<<<<<<< HEAD\narchitecture: amd64\n=======\n>>>>>>> x\n".encode())

    assert str(caught.value).startswith("envctl.lock:2:1: 1 problem in envctl.lock\nmerge conflict")
    assert "run `envctl lock`" in caught.value.hint


@pytest.mark.parametrize("data", [b"\xff\xfe", b"{\xff}", b"a: [", b"", b"{", b"[]", b"{}"])
def test_a_file_that_is_no_lock_at_all_is_refused_with_what_to_do(data):
    with pytest.raises(LockFileError) as caught:
        parse_lock(data)

    assert caught.value.brief == "1 problem in envctl.lock"
    assert str(caught.value).count("run `envctl lock`, which creates it again") == 1
