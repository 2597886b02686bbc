"""Identifies the processes that create something, so that leftovers of ended processes can be removed."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from hashlib import sha256
from pathlib import Path


def here() -> str:
    """Identifies this host since its last boot, with its PID namespace, because pids are only unique there."""
    machine = [socket.gethostname()]
    with suppress(OSError):
        machine.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii"))
        machine.append(str(Path("/proc/self/ns/pid").readlink()))
    return sha256("\0".join(machine).encode()).hexdigest()[:8]


def has_ended(where: str, process: int) -> bool:
    """Whether a process has ended. False for another host or namespace, where that is unknown."""
    if where != here():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # alive, and belongs to another user
    return False
