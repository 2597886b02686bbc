"""How long others kept a process from running: a busy machine makes no test slower that is measured without that."""

from __future__ import annotations

from pathlib import Path


def waited_for_processor(pid: int | str = "self") -> float:
    """Seconds for which a process was ready to run and had no processor; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
