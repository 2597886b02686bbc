"""What is in a folder's files never stops `init`: detectors get their texts within bounds, whatever is in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envctl.detect.application import detect
from envctl.detect.backing_services import find_connections
from envctl.detect.folder_view import MAX_BYTES, FolderView
from envctl.detect.spec_text import spec_text
from tests.support.applications import APPLICATIONS

FILES = sorted({path for files in APPLICATIONS.values() for path in files if "$" not in path})
TEXTS = [text for files in APPLICATIONS.values() for text in files.values()]


class Texts(FolderView):
    """A folder whose files are given."""

    def __init__(self, files: dict[str, str]) -> None:
        super().__init__(Path("/does/not/exist"))
        self.files = files
        self.__dict__["paths"] = tuple(files)

    def text(self, path: str) -> str:
        return self.files.get(path, "")


contents = st.one_of(
    st.sampled_from(TEXTS),
    st.text(max_size=60),
    # Pieces of what the detectors look for, in any order.
    st.lists(
        st.sampled_from(
            [*" \n:={}[]()\"'$#/.,", "${x}", "web: ", "Flask(", "app", "FROM x\n", "EXPOSE ", "99999", "PORT", "port",
             '"dependencies"', '"scripts"', '"main"', '"start"', "null", "1e999", "gem 'pg'", "package main", "DB_HOST", "psycopg",
             "..", "\x85", "\u2028", "é", "DJANGO_SETTINGS_MODULE', 'a.b'", "require ", "redis"]
        ),
        max_size=25,
    ).map("".join),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(FILES), contents, max_size=5))
def test_whatever_is_in_the_files_the_spec_is_valid_yaml(files: dict[str, str]) -> None:
    folder = Texts(files)
    findings = detect(folder)
    if findings is None:
        return
    connections = find_connections(
        folder, findings.dependencies, catalogue=["postgresql", "redis", "nginx"]
    )

    text = spec_text("app", findings, connections, env_file=False)

    assert parsed(text)["project"] == "app"


def parsed(text: str) -> dict[str, object]:
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!append", lambda loader, node: loader.construct_sequence(node))  # type: ignore[arg-type]
    data = yaml.load(text, Loader)
    assert isinstance(data, dict)
    return data


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 100,
        b"\xff\xfe\x00bad",
        b"[" * 100_000,
        b'{"dependencies": [1], "scripts": "x", "main": {}}',
        b"a = " + b"[" * 100_000,
        b"x" * (MAX_BYTES + 1),
        b"1" * 5000,
    ],
)
def test_files_that_cannot_be_read_are_as_if_empty(tmp_path: Path, data: bytes) -> None:
    for path in FILES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    folder = FolderView(tmp_path)

    assert folder.json("package.json") == {} or data.startswith(b"{")
    assert folder.toml("pyproject.toml") == {}
    detect(folder)


def test_no_link_out_of_the_folder_pipe_or_device_is_read(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("FROM x\nEXPOSE 1\n")
    root = tmp_path / "project"
    root.mkdir()
    (root / "Dockerfile").symlink_to("../outside")
    os.mkfifo(root / "package.json")
    (root / "Gemfile").symlink_to("/dev/zero")
    (root / "loop").symlink_to(".")

    folder = FolderView(root)

    assert folder.text("Dockerfile") == ""
    assert detect(folder) is None


def test_a_name_that_is_not_text_is_left_out(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"app\xff.py")).write_text("app = Flask()")
    (tmp_path / "line\nbreak.py").write_text("app = Flask()")

    assert FolderView(tmp_path).paths == ()


def test_folders_of_packages_and_deep_ones_are_not_read(tmp_path: Path) -> None:
    for path in ("node_modules/x/index.html", "a/b/c/d/index.html", ".git/index.html", "a/b/x.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")

    assert FolderView(tmp_path).paths == ("a/b/x.py",)
