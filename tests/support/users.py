"""Tests as a user other than root: what root may do anyway shows no mistake in who may do what."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ORDINARY: Final = 65534
OTHER: Final = 12345


@contextmanager
def ordinary_user() -> Iterator[Path]:
    """Be an ordinary user for a while, with a folder of their own; who is none already stays who they are."""
    folder = Path(tempfile.mkdtemp(prefix="user-"))
    root = os.geteuid() == 0
    if root:
        os.chown(folder, ORDINARY, ORDINARY)
        os.setegid(ORDINARY)
        os.seteuid(ORDINARY)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
            os.setegid(0)
        shutil.rmtree(folder)
