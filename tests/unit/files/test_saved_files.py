"""Files that are saved come in batches: what changes at once, and nothing that no copy takes."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue

import pytest

from envctl.errors import EnvctlError
from envctl.files import saved_files
from envctl.files.saved_files import SavedFiles, Watched, without_ignored


@pytest.fixture
def saved(tmp_path):
    """Batches of changes in the folder `app` and the file `tool`; the first has been taken."""
    (tmp_path / "app").mkdir()
    (tmp_path / "tool").write_text("1")
    saved = SavedFiles(tmp_path)
    saved.watched = Watched.of(tmp_path, ["app", "tool"])
    batches: Queue[frozenset[str]] = Queue()
    ended = threading.Event()

    def collect() -> None:
        for batch in saved.batches():
            if ended.is_set():
                return
            batches.put(batch)

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    assert batches.get(timeout=10) == frozenset()
    yield batches
    ended.set()
    (tmp_path / "tool").write_text("the end")
    thread.join(timeout=10)


def until(batches: Queue[frozenset[str]], *paths: str) -> frozenset[str]:
    """All that comes until these paths have."""
    found: frozenset[str] = frozenset()
    while not found >= {*paths}:
        found |= batches.get(timeout=10)
    return found


def until_watched(batches: Queue[frozenset[str]], root: Path, path: str) -> None:
    """Save a file again and again until that is seen."""
    deadline = time.monotonic() + 10
    found: frozenset[str] = frozenset()
    while path not in found:
        assert time.monotonic() < deadline
        (root / path).write_text(str(time.monotonic()))
        with suppress(Empty):
            found |= batches.get(timeout=0.3)


def test_saved_renamed_and_removed_files_are_reported_and_an_editors_own_are_not(tmp_path, saved):
    (tmp_path / "app/.a.py.swp").write_text("x")
    (tmp_path / "app/a.py~").write_text("x")
    (tmp_path / "app/__pycache__").mkdir()
    (tmp_path / "app/a.py").write_text("x")
    assert until(saved, "app/a.py") == {"app/a.py"}
    (tmp_path / "app/a.py").rename(tmp_path / "app/b.py")
    assert until(saved, "app/a.py", "app/b.py") == {"app/a.py", "app/b.py"}
    (tmp_path / "app/b.py").unlink()
    assert until(saved, "app/b.py") == {"app/b.py"}


def test_a_file_that_is_replaced_and_a_folder_that_comes_back_are_still_watched(tmp_path, saved):
    (tmp_path / "new").write_text("2")
    (tmp_path / "new").replace(tmp_path / "tool")
    until(saved, "tool")
    shutil.rmtree(tmp_path / "app")
    assert saved.get(timeout=10) is not None
    (tmp_path / "app").mkdir()
    until_watched(saved, tmp_path, "app/c.py")


def test_a_folder_that_is_made_again_at_once_is_still_watched(tmp_path, saved):
    """Many file systems give the new folder the number of the old one."""
    for number in range(5):
        shutil.rmtree(tmp_path / "app")
        (tmp_path / "app").mkdir()
        until_watched(saved, tmp_path, f"app/{number}")


def test_a_switch_of_branches_is_one_batch(tmp_path, saved):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/index.lock").touch()
    for number in range(1000):
        (tmp_path / f"app/{number}").write_text("x")
    with pytest.raises(Empty):
        saved.get(timeout=0.5)
    (tmp_path / ".git/index.lock").unlink()
    assert len(saved.get(timeout=10)) == 1000


def test_the_limit_of_watches_is_reported_with_its_remedy():
    error = saved_files._cannot_watch(OSError('OS file watch limit reached. about ["/x"]'))
    assert isinstance(error, EnvctlError)
    assert "fs.inotify.max_user_watches" in error.brief
    assert "sudo sysctl fs.inotify.max_user_watches=" in (error.hint or "")
    assert "cannot be watched" in saved_files._cannot_watch(OSError("denied")).brief


def test_ignored_files_are_left_out(tmp_path):
    (tmp_path / "log").mkdir()
    (tmp_path / "app").mkdir()
    (tmp_path / ".gitignore").write_text("log/\n")
    (tmp_path / "app/.gitignore").write_text("*.tmp\n")
    (tmp_path / ".envctlignore").write_text("app/data\n")
    paths = ["log/a", "app/a.tmp", "app/data/x", "app/a.py", "gone/b"]
    assert without_ignored(tmp_path, paths) == {"app/a.py", "gone/b"}
