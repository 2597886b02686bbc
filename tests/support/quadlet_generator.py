"""Podman's generator, which turns units into services of systemd: this host's, or that of Debian trixie."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from envctl.bases.catalogue import CATALOGUE
from envctl.bases.mirrors import sources_for
from tests.conftest import ARTIFACTS

_OF_HOST: Final = Path("/usr/libexec/podman/quadlet")
_MARK: Final = re.compile(r"^---(.*)---$", re.MULTILINE)


def generator() -> Path:
    """The program. Where the host has none of Podman 5, Debian's package is downloaded and unpacked, not installed."""
    if _OF_HOST.exists() and _version(_OF_HOST) >= 5:
        return _OF_HOST
    folder = ARTIFACTS / "podman-trixie"
    program = folder / "usr/libexec/podman/quadlet"
    if not program.exists():
        _download(folder)
    assert _version(program) >= 5
    return program


def _version(program: Path) -> int:
    done = subprocess.run([program, "-version"], capture_output=True, text=True, check=True)
    return int(done.stdout.split(".")[0])


def _download(folder: Path) -> None:
    if shutil.which("apt-get") is None:
        pytest.fail("the tests need the generator of Podman 5: install podman")
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("lists/partial", "cache/archives/partial", "etc", "unpacked"):
        (folder / "apt" / name).mkdir(parents=True)
    lines = [source.line() for source in sources_for(CATALOGUE["debian:trixie"], root=Path("/"))]
    (folder / "apt/sources.list").write_text("".join(f"{line}\n" for line in lines))
    options = {
        "Dir::Etc::SourceList": f"{folder}/apt/sources.list",
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": f"{folder}/apt/lists",
        "Dir::State::Status": "/dev/null",
        "Dir::Cache": f"{folder}/apt/cache",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    apt = ["apt-get", "-q", *(f"-o{name}={value}" for name, value in options.items())]
    for words in (["update"], ["download", "podman"]):
        subprocess.run([*apt, *words], cwd=folder / "apt", check=True, timeout=600)
    (package,) = (folder / "apt").glob("podman_*.deb")
    subprocess.run(["dpkg-deb", "--extract", package, folder / "apt/unpacked"], check=True)
    (folder / "apt/unpacked/usr").rename(folder / "usr")
    shutil.rmtree(folder / "apt")


def services(program: Path, folder: Path) -> Mapping[str, str]:
    """The services that the generator makes of the units in a folder, by name. It has to accept all of them."""
    done = subprocess.run(
        [program, "-dryrun", "-user"],
        env={**os.environ, "QUADLET_UNIT_DIRS": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    complaints = [
        line for line in done.stderr.splitlines() if "Loading source unit file" not in line
    ]
    assert (done.returncode, complaints) == (0, []), done.stderr
    parts = _MARK.split(done.stdout)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
