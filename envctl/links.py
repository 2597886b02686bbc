"""Where a path leads, links followed: the same answer in every version of Python."""

from __future__ import annotations

import os
from pathlib import Path


def followed(path: Path) -> Path:
    """The absolute path without links. It need not exist; where links lead in a circle, they are left in it.

    What Path makes of such a circle depends on the version of Python: an error, or the path as it is.
    """
    return Path(os.path.realpath(path))
