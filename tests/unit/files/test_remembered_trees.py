"""Whatever happens to a tree between two looks, what is remembered never hides it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from envctl.errors import EnvctlError
from envctl.files import hash_context, hash_copy, hashes
from envctl.host.private_state import state_path
from tests.support.examples import examples

pytestmark = pytest.mark.slow

SETTLES = 0.03
"""Seconds after which a change is sure to show: more than any kernel's tick, less than the two seconds of a coarse disk."""
FILES = ["app/a", "app/b", "app/sub/a", "app/sub/deep/a", "app/other/b"]
FOLDERS = ["app/sub", "app/sub/deep", "app/other"]
IGNORE_FILES = [
    ".gitignore",
    ".git/info/exclude",
    ".dockerignore",
    ".envctlignore",
    "app/.gitignore",
    "app/.dockerignore",
    "app/sub/.gitignore",
]
PATTERNS = ["", "a\n", "sub/\n", "**/a\n", "app/sub\n!app/sub/deep\n", "*\n!b\n"]
EXCLUDES = [(), ("a",), ("sub",), ("/sub/*", "!/sub/deep")]
TEXTS = ["x\n", "y\n", "#!/bin/sh\r\n"]
DAMAGES: list[Callable[[bytes], bytes]] = [
    lambda _: b"",
    lambda data: data[: len(data) // 2],
    lambda data: data[:-10] + b"\0" * 10,
    lambda data: data.replace(b"envctl hashes", b"envctl h"),
    lambda data: re.sub(rb"[0-9a-f]{64}", b"0" * 64, data),
    lambda _: b'{"is":"envctl hashes 2","files":{"a":[1]}}',
]

paths = st.sampled_from(FILES)
anything = st.sampled_from([*FILES, *FOLDERS])


class Looks(RuleBasedStateMachine):
    """A project whose tree is edited; each look is compared with one that remembers nothing."""

    @initialize()
    def begin(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="envctl-looks-"))
        self.root = self.home / "project"
        self.exclude: tuple[str, ...] = ()
        for path in FILES:
            self.write(path, TEXTS[0], keeps_time=False)
        subprocess.run(["git", "init", "-q", self.root], check=True)

    def teardown(self) -> None:
        if hasattr(self, "home"):
            shutil.rmtree(self.home)

    # --- edits

    @rule(path=paths, text=st.sampled_from(TEXTS), keeps_time=st.booleans())
    def write(self, path: str, text: str, *, keeps_time: bool) -> None:
        file = self.root / path
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            before = file.stat() if file.exists() else None
            file.write_text(text, newline="")
            if before and keeps_time:
                os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    @rule(path=paths, text=st.sampled_from(TEXTS), keeps_time=st.booleans())
    def put_another_file_in_its_place(self, path: str, text: str, *, keeps_time: bool) -> None:
        file, other = self.root / path, self.home / "other"
        with suppress(OSError):
            other.write_text(text, newline="")
            if keeps_time:
                before = file.stat()
                os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
            other.rename(file)

    @rule(path=anything, mode=st.sampled_from([0o644, 0o600, 0o755]))
    def chmod(self, path: str, mode: int) -> None:
        with suppress(OSError):
            (self.root / path).chmod(mode | (0o700 if path in FOLDERS else 0))

    @rule(path=anything, when=st.sampled_from([0, 1_500_000_000, 4_000_000_000]))
    def touch(self, path: str, when: int) -> None:
        with suppress(OSError):
            os.utime(self.root / path, (when, when), follow_symlinks=False)

    @rule(path=anything)
    def remove(self, path: str) -> None:
        with suppress(OSError):
            file = self.root / path
            shutil.rmtree(file) if file.is_dir() and not file.is_symlink() else file.unlink()

    @rule(path=st.sampled_from(FOLDERS))
    def make_folder(self, path: str) -> None:
        with suppress(OSError):
            (self.root / path).mkdir(parents=True)

    @rule(path=anything, to=st.sampled_from(["a", "b", "sub", "../envctl.yaml"]))
    def link(self, path: str, to: str) -> None:
        self.remove(path)
        with suppress(OSError):
            (self.root / path).symlink_to(to)

    @rule(first=anything, second=anything)
    def swap(self, first: str, second: str) -> None:
        one, other, between = self.root / first, self.root / second, self.home / "between"
        with suppress(OSError):
            one.rename(between)
            with suppress(OSError):
                other.rename(one)
            between.rename(other)

    @rule(path=st.sampled_from(IGNORE_FILES), text=st.sampled_from(PATTERNS))
    def ignore(self, path: str, text: str) -> None:
        self.remove(path)
        if text:
            self.write(path, text, keeps_time=False)

    @rule(path=paths)
    def track(self, path: str) -> None:
        subprocess.run(
            ["git", "-C", self.root, "add", "-f", path], check=False, capture_output=True
        )

    @rule(exclude=st.sampled_from(EXCLUDES))
    def exclude_others(self, exclude: tuple[str, ...]) -> None:
        self.exclude = exclude

    # --- what happens to what is remembered

    @rule()
    def wait(self) -> None:
        time.sleep(SETTLES)
        self.look()

    @rule(damage=st.sampled_from(DAMAGES))
    def damage(self, damage: Callable[[bytes], bytes]) -> None:
        for file in state_path(self.root, "cache").glob("*"):
            file.write_bytes(damage(file.read_bytes()))

    @rule()
    def forget(self) -> None:
        shutil.rmtree(state_path(self.root, "cache"), ignore_errors=True)

    @rule()
    def look_twice_at_once(self) -> None:
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(lambda _: self._copied(), range(2))
        assert first == second

    @invariant()
    def look(self) -> None:
        if not hasattr(self, "home"):
            return
        remembered = self._copied(), self._sent()
        here, os.environ["XDG_STATE_HOME"] = os.environ["XDG_STATE_HOME"], str(self.home / "empty")
        try:
            shutil.rmtree(self.home / "empty", ignore_errors=True)
            assert (self._copied(), self._sent()) == remembered
        finally:
            os.environ["XDG_STATE_HOME"] = here

    def _copied(self) -> object:
        """What a copy takes; without the times of files, which depend on their former content."""
        try:
            content, tree = hash_copy(self.root, "app", exclude=self.exclude)
        except EnvctlError as error:
            return str(error)
        return (
            content,
            tree.notes,
            [(e.path, e.kind, e.mode, e.size, e.digest) for e in tree.entries],
        )

    def _sent(self) -> object:
        try:
            return hash_context(self.root, "app", dockerfile="app/Dockerfile")
        except EnvctlError as error:
            return str(error)


@pytest.fixture(autouse=True)
def _settles_soon(monkeypatch):
    monkeypatch.setattr(hashes, "_SETTLES_AFTER", int(SETTLES * 1e9))


def test_a_look_that_remembers_is_the_same_as_one_that_does_not():
    run_state_machine_as_test(
        Looks, settings=settings(max_examples=examples(50), stateful_step_count=25)
    )
