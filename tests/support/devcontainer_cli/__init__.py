"""The CLI of dev containers, from npm: the version and the hash of package-lock.json here. Installed once, below .artifacts."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import ARTIFACTS

_LOCK: Final = Path(__file__).parent / "package-lock.json"
_FOLDER: Final = ARTIFACTS / "devcontainer-cli"
_PROGRAM: Final = _FOLDER / "node_modules/.bin/devcontainer"
_COMPOSE: Final = Path(sys.executable).parent / "docker-compose"


def devcontainer(
    folder: Path, command: str, *argv: str, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of the CLI for the project in a folder."""
    options = ("--workspace-folder", str(folder), "--docker-compose-path", str(_COMPOSE))
    return subprocess.run(
        [_program(), command, *options, *argv],
        cwd=folder,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
    )


def _program() -> Path:
    """The program. Installs it if it is missing or of another version."""
    if shutil.which("npm") is None:
        pytest.fail("the tests need Node.js and npm: .ci/test-packages installs them")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install()
    return _PROGRAM


def _install() -> None:
    installed = _FOLDER / "package-lock.json"
    if _PROGRAM.exists() and installed.exists() and installed.read_bytes() == _LOCK.read_bytes():
        return
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_LOCK.with_name(name), _FOLDER / name)
    argv = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        subprocess.run(argv, cwd=_FOLDER, check=True, timeout=300)
    except BaseException:
        installed.unlink()
        raise
