"""An image put into the store of a Docker engine that is yet to run, by an engine of our own beside the host's.

Loading it inside takes minutes without KVM (137 MB: more than 4 min; here 3 s).
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
"""What of an engine's folder is the images."""
# It would remove the host's bridge: it is given a network of its own, with nothing in it.
_OWN_NETWORK: Final = ("unshare", "--net", "--")
_OPTIONS: Final = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false", "--storage-driver=overlay2")  # fmt: skip


def preload(image: Path, name: str, store: Path) -> bool:
    """Load an image's file into the folder of an engine, under a name; False if that cannot be done here."""
    if not all(map(shutil.which, ("dockerd", "docker", "unshare"))):
        return False
    with (
        tempfile.TemporaryDirectory(prefix="envctl-engine-") as folder,
        _engine(Path(folder), store) as socket,
    ):
        output = _client(socket, "load", "--quiet", "--input", str(image)) if socket else None
        loaded = output is not None and _client(socket, "tag", output.split()[-1], name) is not None
    for part in store.iterdir() if store.is_dir() else ():
        if part.name not in _IMAGE_FOLDERS or not loaded:
            shutil.rmtree(part) if part.is_dir() else part.unlink()
    return loaded


@contextmanager
def _engine(folder: Path, store: Path) -> Iterator[str]:
    """The engine's socket while it runs; "" if it does not come up."""
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
    """What the engine's client printed; None if it failed."""
    done = subprocess.run(
        ("docker", "--host", socket, *argv),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 else None
