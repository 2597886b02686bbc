"""An image store in memory, and an mmdebstrap that takes no time."""

from __future__ import annotations

import io
import stat
import tarfile
from typing import Any

import pytest

from envctl.bases import catalogue
from envctl.errors import EnvctlError


class Store:
    """Images by name; `registry` holds what can be pulled."""

    def __init__(self) -> None:
        self.images: dict[str, dict[str, Any]] = {}
        self.registry: set[str] = set()
        self.pulls: list[str] = []

    def find(self, name):
        return self.images[name]["id"] if name in self.images else None

    def at_hand(self, name):
        return self.find(name)

    def pull(self, name):
        self.pulls.append(name)
        if name not in self.registry:
            raise EnvctlError("cannot pull", details="dial tcp: no such host")
        self.images[name] = _image(f"sha256:pulled-{name}", {})

    def load(self, tar, *, name, labels, changes=(), platform=""):
        data = tar.read()
        image = _image(f"sha256:{len(self.images)}", dict(labels), data, tuple(changes))
        self.images[name] = {**image, "platform": platform}
        return self.images[name]["id"]

    def info(self, name):
        return self.images.get(name)

    def read_file(self, image, path):
        with tarfile.open(fileobj=io.BytesIO(self.images[image]["data"])) as archive:
            member = archive.extractfile(path.lstrip("/"))
            assert member is not None
            return member.read()


def _image(identity, labels, data=b"", changes=()):
    return {
        "id": identity,
        "size": len(data),
        "created": "2026-01-02T03:04:05Z",
        "labels": labels,
        "data": data,
        "changes": changes,
    }


@pytest.fixture
def store():
    return Store()


STATUS = """Package: bash
Status: install ok installed
Version: 5.2-1
Description: a shell
 Version: not this

Package: gone
Status: deinstall ok config-files
Version: 1
"""

TELL = """\
echo "I: running apt-get update..." >&2
echo "I: running --customize-hook in shell" >&2
echo "envctl-package bash 5.2-1" >&2
echo "envctl-source http://mirror.example/debian bookworm main" >&2
echo "envctl-end" >&2
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Install a shell script as mmdebstrap; by default it gives a small root filesystem."""
    tar = tmp_path / "root.tar"
    with tarfile.open(tar, "w") as archive:
        entry = tarfile.TarInfo("var/lib/dpkg/status")
        entry.size = len(STATUS.encode())
        archive.addfile(entry, io.BytesIO(STATUS.encode()))
    keyring = tmp_path / "keys.gpg"
    keyring.touch()
    for name, entry in list(catalogue.CATALOGUE.items()):
        monkeypatch.setitem(catalogue.CATALOGUE, name, _with_keyring(entry, str(keyring)))
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def install(script: str = TELL + f'cat "{tar}"\n'):
        program = folder / "mmdebstrap"
        program.write_text(f'#!/bin/sh\necho run >> "{tmp_path}/runs"\n{script}')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return tmp_path / "runs"

    return install


def _with_keyring(entry, keyring):
    from dataclasses import replace

    return replace(entry, keyring=keyring)
