"""The command line run in this process, on a project of the test's own."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from envctl.cli import main


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ended]

SPEC = """\
project: shop
base: debian:bookworm
vars: {level: info}
services:
  web:
    command: [sleep, "1000"]
    env: {LOG_LEVEL: "${level}"}
    ports: ["8080:80"]
    depends_on: [db]
  db:
    command: [sleep, "1000"]
    volumes: {data: /data}
"""


@pytest.fixture
def envctl(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line; the same entry as the installed program's."""

    def run(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["envctl", *words])
        before = signal.getsignal(signal.SIGINT)
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGINT, before)
        sys.stdout.flush()
        sys.stderr.flush()
        out, err = capfd.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project on the memory backend, with two environments; the current folder."""
    folder = tmp_path / "shop"
    (folder / "environments").mkdir(parents=True)
    (folder / "envctl.yaml").write_text(SPEC)
    (folder / "environments" / "dev.yaml").write_text("backend: memory\n")
    (folder / "environments" / "test.yaml").write_text("backend: memory\nvars: {level: debug}\n")
    monkeypatch.chdir(folder)
    # What a test leaves up on the memory backend is no other test's business.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return folder
