"""Files as archives: what an archive of another system may not do here."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from envctl.errors import EnvctlError
from envctl.host.copied_files import pack, unpack


def archive(*members: tuple[str, str], mode: int = 0o644) -> list[bytes]:
    """Members by name: "/" is a folder, "-> x" a link to x, "= x" another name of x, all else a text."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.mode = mode
            sign, _, rest = content.partition(" ")
            if content == "/":
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            elif sign in ("->", "="):
                entry.type = tarfile.SYMTYPE if sign == "->" else tarfile.LNKTYPE
                entry.linkname = rest
            elif content == "|":
                entry.type = tarfile.FIFOTYPE
            else:
                entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content.encode()) if entry.isreg() else None)
    # In small chunks, as they come over a connection.
    text = data.getvalue()
    return [text[index : index + 700] for index in range(0, len(text), 700)]


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): f"-> {path.readlink()}"
        if path.is_symlink()
        else path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_a_folder_goes_into_a_folder_or_becomes_what_does_not_exist(tmp_path: Path) -> None:
    members = archive(("app", "/"), ("app/a", "x"), ("app/sub", "/"), ("app/sub/b", "y"))

    assert unpack(members, tmp_path) == (4, ())
    unpack(members, tmp_path / "other")
    unpack(members, tmp_path / "other", contents=True)

    assert tree(tmp_path) == {
        "app/a": "x", "app/sub/b": "y", "other/a": "x", "other/sub/b": "y"
    }  # fmt: skip


def test_a_file_becomes_what_is_named_or_goes_into_a_folder(tmp_path: Path) -> None:
    unpack(archive(("log", "x"), mode=0o4755), tmp_path)
    unpack(archive(("log", "y")), tmp_path / "mine")

    assert tree(tmp_path) == {"log": "x", "mine": "y"}
    assert (tmp_path / "log").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize(
    "members",
    [
        [("app", "/"), ("app/../../out", "x")],
        [("app", "/"), ("/etc/out", "x")],
        [("app", "/"), ("other/out", "x")],
        [("app", "/"), ("app/up", "-> sub"), ("app/up/out", "x")],
        [("app", "/"), ("app/out", "= ../../../etc/passwd")],
        [("app", "/"), ("app/out", "= app/nothing")],
        [("app", "/"), ("app/there/out", "x")],
    ],
)
def test_an_archive_that_leads_outside_or_through_a_link_is_refused(
    tmp_path: Path, members: list[tuple[str, str]]
) -> None:
    outside = tmp_path / "outside"
    (tmp_path / "in" / "app").mkdir(parents=True)
    outside.mkdir()
    (tmp_path / "in" / "app" / "there").symlink_to(outside)

    with pytest.raises(EnvctlError):
        unpack(archive(*members), tmp_path / "in")

    assert list(outside.iterdir()) == []
    assert tree(tmp_path / "in") == {"app/there": f"-> {outside}"}


def test_links_that_lead_outside_are_left_out_and_told(tmp_path: Path) -> None:
    members = [
        ("app", "/"),
        ("app/in", "-> a"),
        ("app/out", "-> /etc/passwd"),
        ("app/up", "-> ../b"),
    ]

    count, left_out = unpack(archive(*members, ("app/pipe", "|"), ("app/a", "x")), tmp_path)

    assert (count, [text.partition(":")[0] for text in left_out]) == (
        3, ["app/out", "app/up", "app/pipe"]
    )  # fmt: skip
    assert tree(tmp_path) == {"app/a": "x", "app/in": "-> a"}


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("before")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "log").symlink_to(target)

    unpack(archive(("log", "x")), tmp_path / "in")

    assert (target.read_text(), tree(tmp_path / "in")) == ("before", {"log": "x"})


def test_a_folder_does_not_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("x")
    with pytest.raises(EnvctlError, match="is a file"):
        unpack(archive(("app", "/")), tmp_path / "log")


def test_what_is_packed_belongs_to_the_owner_and_links_stay_links(tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "a").write_text("x")
    os.link(app / "a", app / "b")
    (app / "out").symlink_to("/etc/passwd")
    data = io.BytesIO()

    assert pack(app, "web", owner=(7, 8), target=data) == 4

    data.seek(0)
    with tarfile.open(fileobj=data) as tar:
        names = {entry.name: (entry.uid, entry.gid, entry.linkname) for entry in tar}
        content = tar.extractfile("web/b")
        assert content is not None
        assert content.read() == b"x"
    assert names == {
        "web": (7, 8, ""), "web/a": (7, 8, ""), "web/b": (7, 8, ""), "web/out": (7, 8, "/etc/passwd")
    }  # fmt: skip


def test_the_content_of_a_folder_comes_without_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    data = io.BytesIO()

    pack(tmp_path, ".", owner=(0, 0), target=data)

    data.seek(0)
    with tarfile.open(fileobj=data) as tar:
        assert tar.getnames() == ["./a"]
