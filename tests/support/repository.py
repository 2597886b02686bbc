"""A repository of packages of a test's own, served where containers reach it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Repository:
    """A flat repository that has one version of each package: a newer one takes the older one's place."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        folder.mkdir()
        handler = partial(_Quiet, directory=str(folder))
        self._server = ThreadingHTTPServer((address, 0), handler)
        self._published = int(time.time()) - 1000
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def source(self) -> str:
        """The line for apt."""
        host, port = self._server.server_address[:2]
        return f"deb [trusted=yes] http://{host!s}:{port}/ ./"

    def publish(self, name: str, version: str) -> None:
        """Have a package in this version, and in no other."""
        for old in self.folder.glob(f"{name}_*.deb"):
            old.unlink()
        root = self.folder.parent / f"{name}-{version}"
        (root / "DEBIAN").mkdir(parents=True, exist_ok=True)
        (root / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
            "Maintainer: Nobody <nobody@example.org>\nDescription: for a test\n"
        )
        (root / "usr/share" / name).mkdir(parents=True, exist_ok=True)
        (root / "usr/share" / name / "version").write_text(version)
        deb = self.folder / f"{name}_{version}_all.deb"
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-b", root, deb], check=True, capture_output=True
        )
        index = self.folder / "Packages"
        index.write_text("\n".join(_stanza(one) for one in sorted(self.folder.glob("*.deb"))))
        # apt asks what is newer, by the second.
        self._published += 100
        os.utime(index, (self._published, self._published))

    def close(self) -> None:
        """Stop serving: the network is cut."""
        self._server.shutdown()
        self._server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def _stanza(deb: Path) -> str:
    control = subprocess.run(
        ["dpkg-deb", "-f", deb], check=True, capture_output=True, text=True
    ).stdout
    data = deb.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return f"{control}Filename: ./{deb.name}\nSize: {len(data)}\nSHA256: {digest}\n"
