"""What an container_script read_debs in a folder."""

from __future__ import annotations

import pytest

from envctl.errors import EnvctlError
from envctl.lock.vendor.debs import is_same_version, read_debs, read_wheels


def deb(folder, file, **told):
    (folder / file).write_bytes(b"x")
    text = "".join(f"{key}: {value}\n" for key, value in told.items())
    (folder / f"{file}.control").write_text(text)


def test_packages_say_themselves_what_they_are_and_come_in_the_order_of_their_files(tmp_path):
    deb(tmp_path, "z.deb", Package="a", Version="1", Architecture="all")
    deb(
        tmp_path, "b.deb", Package="b", Version="1", Architecture="amd64", Depends="libc6 (>= 2), x"
    )
    deb(tmp_path, "c.deb", Package="b", Version="1", Architecture="i386", Depends="a | b")
    deb(tmp_path, "d.deb", Package="b", Version="2", Architecture="i386", Depends="(odd)")
    (tmp_path / "notes.txt").write_text("x")
    found = [(one.file.name, one.name, one.version, one.architecture, one.depends) for one in read_debs(tmp_path)]  # fmt: skip
    assert found == [
        ("b.deb", "b", "1", "amd64", "libc6"),
        ("c.deb", "b", "1", "i386", "a"),
        ("d.deb", "b", "2", "i386", ""),
        ("z.deb", "a", "1", "all", ""),
    ]


def test_what_a_package_says_of_itself_may_be_as_long_as_a_mebibyte_and_no_longer(tmp_path):
    told = {"Package": "a", "Version": "1", "Architecture": "all"}
    size = len("".join(f"{key}: {value}\n" for key, value in {**told, "Note": ""}.items()))
    deb(tmp_path, "a.deb", **told, Note="x" * ((1 << 20) - size))
    assert [one.name for one in read_debs(tmp_path)] == ["a"]

    deb(tmp_path, "a.deb", **told, Note="x" * ((1 << 20) - size + 1))
    with pytest.raises(EnvctlError, match="more than 1048576 bytes"):
        read_debs(tmp_path)


def test_wheels_are_known_by_the_names_that_pip_gives_them(tmp_path):
    names = ("Zope.Interface-5.0-cp311-x.whl", "my__lib-1.0-1-py3-none-any.whl")
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    assert {key: path.name for key, path in read_wheels(tmp_path).items()} == {
        ("zope-interface", "5.0"): names[0],
        ("my-lib", "1.0"): names[1],
    }


@pytest.mark.parametrize("name", ["-1.0-x.whl", "flask--x.whl", "flask-1.0.whl", "flask.whl"])
def test_a_wheel_without_a_name_a_version_or_tags_is_none(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(EnvctlError, match="is not a valid wheel name"):
        read_wheels(tmp_path)


def test_versions_are_the_same_whatever_stands_between_their_parts():
    assert is_same_version("1.0-RC1", "1.0_rc1")
    assert is_same_version("1.0--post", "1.0_post")
    assert not is_same_version("1.0", "1.0.0")
    assert not is_same_version("10", "1_0")
