"""Finds out whether a port of this host is free, and which process listens on it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_LISTENS: Final = "0A"
"""The state of a listening socket in /proc/net/tcp."""
_PROC: Final = Path("/proc")


def is_free(address: str, number: int, protocol: str = "tcp") -> bool:
    """Whether no socket of this host uses a port at an address. Connections that have just ended do not count."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    try:
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, number))
            if kind == socket.SOCK_STREAM:
                # On some systems a second socket can be bound, but listening fails.
                probe.listen(1)
    except OSError:
        return False
    return True


def listener(number: int) -> str:
    """The process that listens on a TCP port, with its pid and folder; "" if that is not visible."""
    inodes = {
        inode for table in ("tcp", "tcp6") for _, port, inode in listening(table) if port == number
    }
    for process in _PROC.glob("[0-9]*") if inodes else ():
        with suppress(OSError):
            if inodes & sockets_of(process):
                return _description(process)
    return ""


def listening(table: str = "tcp") -> Iterator[tuple[str, int, str]]:
    """The listening sockets of this host: the kernel's address, port, inode. Empty if the kernel has no such list."""
    with suppress(OSError):
        for line in (_PROC / "net" / table).read_text("ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENS:
                address, _, port = fields[1].rpartition(":")
                yield address, int(port, 16), fields[9]


def sockets_of(process: Path) -> frozenset[str]:
    """The inodes of a process's sockets; none if it has ended. OSError if it belongs to another user."""
    sockets = set()
    for file in (process / "fd").iterdir():
        with suppress(OSError):
            sockets.add(str(file.readlink()).removeprefix("socket:[").removesuffix("]"))
    return frozenset(sockets)


def _description(process: Path) -> str:
    name = (process / "comm").read_text("utf-8", "replace").strip()
    with suppress(OSError):
        return f"{name} (process {process.name}, in {(process / 'cwd').readlink()})"
    return f"{name} (process {process.name})"
