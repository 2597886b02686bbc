"""Loads an image into the data folder of a machine's Docker engine, with a second engine on this host.

`docker load` in a machine takes minutes without KVM: 137 MB took more than 4 minutes, here 3 s.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PATIENCE: Final = 30.0
_IMAGE_FOLDERS: Final = {"image", "overlay2"}
"""The parts of an engine's data folder that hold images; all others are removed."""
# A separate network namespace, because `--bridge=none` would otherwise remove the host's docker0.
_OWN_NETWORK: Final = ("unshare", "--net", "--")
_OPTIONS: Final = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false", "--storage-driver=overlay2")  # fmt: skip


def preload(image: Path, name: str, store: Path) -> bool:
    """Load an image file into an engine's data folder under a name; False if this host cannot do it."""
    if not all(map(shutil.which, ("dockerd", "docker", "unshare"))):
        return False
    with (
        tempfile.TemporaryDirectory(prefix="envctl-engine-") as folder,
        _engine(Path(folder), store) as socket,
    ):
        output = _client(socket, "load", "--quiet", "--input", str(image)) if socket else None
        words = (output or "").split()
        loaded = bool(words) and _client(socket, "tag", words[-1], name) is not None
    for part in store.iterdir() if store.is_dir() else ():
        if part.name not in _IMAGE_FOLDERS or not loaded:
            shutil.rmtree(part) if part.is_dir() else part.unlink()
    return loaded


@contextmanager
def _engine(folder: Path, store: Path) -> Iterator[str]:
    """The engine's socket while it runs; "" if it does not start."""
    socket = f"unix://{folder}/socket"
    setpriv = shutil.which("setpriv")
    guard = (setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()
    places = (
        "--data-root",
        str(store),
        "--exec-root",
        f"{folder}/exec",
        "--pidfile",
        f"{folder}/pid",
    )
    with subprocess.Popen(
        (*guard, *_OWN_NETWORK, "dockerd", "--host", socket, *places, *_OPTIONS),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            deadline = time.monotonic() + _PATIENCE
            answers = False
            while not answers and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
                answers = _client(socket, "version") is not None
            yield socket if answers else ""
        finally:
            process.terminate()


def _client(socket: str, *argv: str) -> str | None:
    """The output of a docker command; None if it failed."""
    done = subprocess.run(
        ("docker", "--host", socket, *argv),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 else None
