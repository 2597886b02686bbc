"""What is kept of what a container script left. The image here leaves what a test says."""

from __future__ import annotations

import base64
import hashlib

import pytest

from envctl.errors import EnvctlError
from envctl.lock.model import Manifest
from envctl.lock.vendor.fetch import Fetcher
from envctl.lock.vendor.store import DEB, IMAGE, NPM, WHEEL, Store


class Leaving:
    """An engine whose container scripts leave these files, whatever they are asked."""

    def __init__(self, **files):
        self.files = files
        self.words = ()
        self.image = f"sha256:{'0' * 64}"

    @property
    def images(self):
        return self

    def find(self, _name):
        return self.image

    def save(self, _name, file):
        file.write_text(self.image)

    def run_script(self, _image, container_script):
        self.words = container_script.arguments
        for name, content in self.files.items():
            data = content if isinstance(content, bytes) else content.encode()
            (container_script.bring / name).write_bytes(data)
        return b""


def control(name, version="1", architecture="amd64", **more):
    fields = {"Package": name, "Version": version, "Architecture": architecture, **more}
    return "".join(f"{key}: {value}\n" for key, value in fields.items())


def deb(name, version="1", file="", **more):
    file = file or f"{name}_{version}.deb"
    return {file: f"{name} {version}", f"{file}.control": control(name, version, **more)}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def fetcher(store, **files):
    return Fetcher(Leaving(**files), store, lambda _progress: None)


def kept(store):
    return sorted((one.kind, one.name, one.version) for one in store.index.files.values())


def test_only_packages_that_were_asked_for_are_kept(store):
    some = fetcher(
        store, **deb("hello"), **deb("libc6"), **deb("hello", "2"), **deb("x", architecture="i386")
    )

    some.fetch_debs("web:1", {"hello": "1", "x:i386": "1"})

    assert kept(store) == [(DEB, "hello", "1"), (DEB, "x:i386", "1")]


def test_a_package_does_not_take_the_place_of_one_that_is_kept_already(store):
    fetcher(store, **deb("libc6")).fetch_debs("web:1", {"libc6": "1"})
    (good,) = store.find(DEB, "libc6", "1")

    evil = {"libc6_1.deb": "evil", "libc6_1.deb.control": control("libc6")}
    fetcher(store, **deb("hello"), **evil).fetch_debs("web:1", {"libc6": "1", "hello": "1"})

    assert store.find(DEB, "libc6", "1") == (good,)


def test_of_downloads_only_those_asked_for_and_what_they_first_depend_on_are_kept(store):
    some = fetcher(
        store, **deb("linux", Depends="linux-5 (= 1), other"), **deb("linux-5"), **deb("other")
    )

    assert some.download_debs("web:1", ["linux"]) == {"linux": "1", "linux-5": "1"}
    assert kept(store) == [(DEB, "linux", "1"), (DEB, "linux-5", "1")]


def test_a_download_that_did_not_come_is_reported(store):
    with pytest.raises(EnvctlError, match="did not fetch linux"):
        fetcher(store, **deb("other")).download_debs("web:1", ["linux"])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"x.deb": "x"}, "has no valid control data"),
        ({"x.deb": "x", "x.deb.control": b"Package: \xff"}, "has no valid control data"),
        ({"x.deb": "x", "x.deb.control": "Version: 1\n"}, "no Package"),
        ({"x.deb": "x", "x.deb.control": "Package: x\n"}, "no Version"),
        ({"x.deb": "x", "x.deb.control": "Package: x\nVersion: 1\n"}, "no Architecture"),
        ({"x.deb": "x", "x.deb.control": control("x", More="y" * 2_000_000)}, "more than 1048576"),
        ({**deb("hello"), **deb("hello", file="again.deb")}, "are the same package"),
        ({"-x.deb": "x", "-x.deb.control": control("hello")}, "is not a valid file name"),
    ],
)
def test_a_package_that_does_not_say_what_it_is_is_refused(store, files, message):
    with pytest.raises(EnvctlError, match=message):
        fetcher(store, **files).fetch_debs("web:1", {"hello": "1"})

    assert kept(store) == []


def wheel_manifest(**versions):
    return Manifest({}, {"/opt/web": {name: f"{one} sha256:x" for name, one in versions.items()}})


def test_only_wheels_that_were_asked_for_are_kept(store):
    some = fetcher(
        store,
        **{
            "Flask-3.1-py3-none-any.whl": "x",
            "flask-3.2-py3-none-any.whl": "x",
            "evil-1-py3-none-any.whl": "x",
        },
    )

    some.fetch_all("web:1", wheel_manifest(flask="3.1"), but={})

    assert kept(store) == [(WHEEL, "flask", "3.1")]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["flask.whl"], "is not a valid wheel name"),
        (["flask-3.1.whl"], "is not a valid wheel name"),
        (["--.whl"], "is not a valid wheel name"),
        (["flask-3.1-py3-x.whl", "Flask-3.1-py3-y.whl"], "are the same package"),
    ],
)
def test_a_wheel_that_is_called_otherwise_is_refused(store, names, message):
    with pytest.raises(EnvctlError, match=message):
        fetcher(store, **dict.fromkeys(names, "x")).fetch_all(
            "web:1", wheel_manifest(flask="3.1"), but={}
        )


def test_a_file_of_npm_is_kept_if_it_has_the_hash_of_one_that_was_asked_for(store):
    digest = hashlib.sha512(b"good").digest()
    integrity = f"sha512-{base64.b64encode(digest).decode()}"
    manifest = Manifest({}, {}, {"/srv": {"left-pad": f"1.3.0 {integrity}"}})

    fetcher(store, one="good", other="evil").fetch_all("web:1", manifest, but={})

    assert kept(store) == [(NPM, "left-pad", integrity)]


def test_each_version_of_a_package_of_npm_has_to_be_had(store):
    integrity = {
        content: "sha512-" + base64.b64encode(hashlib.sha512(content.encode()).digest()).decode()
        for content in ("old", "new")
    }
    manifest = Manifest(
        {},
        {},
        {"/srv": {"a": f"1.0 {integrity['old']}", "b/node_modules/a": f"2.0 {integrity['new']}"}},
    )

    with pytest.raises(EnvctlError, match="no longer available") as caught:
        fetcher(store, one="new").fetch_all("web:1", manifest, but={})

    assert caught.value.details == f"a {integrity['old']}"


def test_an_image_that_was_made_again_takes_the_place_of_the_one_that_is_kept(store):
    leaving = Leaving()
    some = Fetcher(leaving, store, lambda _progress: None)
    some.save_image("own", "digest")
    leaving.image = f"sha256:{'1' * 64}"

    some.save_image("own", "digest")

    (one,) = store.find(IMAGE, "own", "digest")
    assert one.image == leaving.image
    assert store.path(one).read_text() == leaving.image


def sha512(content):
    return f"sha512-{base64.b64encode(hashlib.sha512(content.encode()).digest()).decode()}"


GOOD = sha512("good")
FETCHED = [
    (
        Manifest({"zsh": "2 hold", "apt": "1"}),
        {**deb("zsh", "2"), **deb("apt")},
        ("deb", "apt=1", "zsh=2"),
        "2 packages",
        [(DEB, "apt", "1"), (DEB, "zsh", "2 hold")],
    ),
    (
        wheel_manifest(flask="3.1", click="8"),
        {"flask-3.1-py3-none-any.whl": "x", "click-8-py3-none-any.whl": "x"},
        ("wheel", "/opt/web/bin/python", "click==8", "flask==3.1"),
        "2 wheels of /opt/web",
        [(WHEEL, "click", "8"), (WHEEL, "flask", "3.1")],
    ),
    (
        Manifest({}, {"/usr/lib/python3/dist-packages": {"flask": "3.1 sha256:x"}}),
        {"flask-3.1-py3-none-any.whl": "x"},
        ("wheel", "python3", "flask==3.1"),
        "1 wheels of /usr/lib/python3/dist-packages",
        [(WHEEL, "flask", "3.1")],
    ),
    (
        Manifest({}, {}, {"/srv": {"left-pad": f"1.3.0 {GOOD}"}}),
        {"one": "good"},
        ("npm", "left-pad@1.3.0"),
        "1 packages of npm",
        [(NPM, "left-pad", GOOD)],
    ),
]


@pytest.mark.parametrize(
    ("manifest", "files", "words", "told", "expected"),
    FETCHED,
    ids=["debs", "wheels of a venv", "wheels of the distribution", "npm"],
)
def test_what_is_missing_is_asked_for_by_its_locked_version_and_only_once(
    store, manifest, files, words, told, expected
):
    progress = []
    some = Fetcher(leaving := Leaving(**files), store, progress.append)

    some.fetch_all("web:1", manifest, but={})

    assert leaving.words == words
    assert kept(store) == expected
    assert [one.text for one in progress] == [f"web:1: fetching {told}"]
    leaving.words = ()
    some.fetch_all("web:1", manifest, but={})
    assert (leaving.words, len(progress)) == ((), 1)
    # A file that is gone is fetched again, although the index knows it.
    store.path(store.find(*expected[-1])[0]).unlink()
    some.fetch_all("web:1", manifest, but={})
    assert leaving.words[0] == words[0]
    assert expected[-1][1] in leaving.words[-1]


def test_what_is_stored_with_the_base_is_not_fetched_for_an_image(store):
    some = fetcher(store, **deb("hello"), **deb("libc6"))
    some.fetch_all("web:1", Manifest({"libc6": "1", "hello": "1"}), but={"libc6": "1"})
    assert kept(store) == [(DEB, "hello", "1")]


@pytest.mark.parametrize(
    ("manifest", "missing"),
    [
        (Manifest({"zsh": "2", "apt": "1"}), "apt 1\nzsh 2"),
        (wheel_manifest(flask="3.1"), "flask 3.1"),
        (Manifest({}, {}, {"/srv": {"left-pad": f"1.3.0 {GOOD}"}}), f"left-pad {GOOD}"),
    ],
)
def test_what_no_mirror_has_any_more_is_told_with_the_way_on(store, manifest, missing):
    with pytest.raises(EnvctlError, match="no longer available") as caught:
        fetcher(store).fetch_all("web:1", manifest, but={})
    assert caught.value.details == missing
    assert "envctl lock --update" in caught.value.hint


@pytest.mark.parametrize(("details", "told"), [("no route", "no route"), ("", "it failed")])
def test_a_script_that_fails_is_told_with_what_it_said(store, details, told):
    class Failing(Leaving):
        def run_script(self, _image, container_script):
            self.network = container_script.network
            raise EnvctlError("it failed", details=details)

    with pytest.raises(EnvctlError, match="installed in web:1 cannot be fetched") as caught:
        Fetcher(failing := Failing(), store, lambda _: None).fetch_debs("web:1", {"apt": "1"})

    assert failing.network
    assert told in caught.value.details
    assert "envctl lock --update" in caught.value.hint


def test_nothing_is_downloaded_where_nothing_is_asked_for(store):
    some = Fetcher(leaving := Leaving(), store, lambda _: None)
    assert some.download_debs("web:1", []) == {}
    assert leaving.words == ()
    some = Fetcher(leaving := Leaving(**deb("b"), **deb("a")), store, lambda _: None)
    assert some.download_debs("web:1", ["b", "a"]) == {"b": "1", "a": "1"}
    assert leaving.words == ("first", "b", "a")


def test_an_image_that_is_kept_is_not_saved_again_unless_its_file_is_gone(store):
    saved = []

    class Counting(Leaving):
        def save(self, name, file):
            saved.append(name)
            super().save(name, file)

    some = Fetcher(Counting(), store, lambda _: None)
    some.save_image("own", "digest")
    some.save_image("own", "digest")
    assert saved == ["own"]
    store.path(store.find(IMAGE, "own", "digest")[0]).unlink()
    some.save_image("own", "digest")
    assert saved == ["own", "own"]
