"""A process that runs faulty code may write, kill and start only what is its own."""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

MEMORY: Final = 4 << 30
"""Bytes of address space: a loop that only grows ends."""
FILE_SIZE: Final = 4 << 30
_PATHS: Final[Mapping[str, tuple[int, ...]]] = {
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.mkdir": (0,),
    "os.link": (1,),
    "os.symlink": (1,),
    "os.chmod": (0,),
    "os.chown": (0,),
    "os.truncate": (0,),
    "os.utime": (0,),
    "shutil.rmtree": (0,),
}
_FOLDERS: Final[Mapping[str, int]] = {
    "os.remove": 1,
    "os.rename": 2,
    "os.rmdir": 1,
    "os.mkdir": 2,
    "os.symlink": 2,
    "os.link": 3,
    "os.chmod": 2,
    "os.chown": 3,
}
"""Which argument is the folder that a relative path is in."""
_ENGINES: Final = frozenset(
    {
        "docker",
        "virsh",
        "vagrant",
        "systemctl",
        "service",
        "mount",
        "umount",
        "kill",
        "pkill",
        "qemu-img",
        "reboot",
    }
)
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def guard(own: Path, seconds: int) -> None:
    """From now on this process changes files below `own` only, and ends after so many seconds of processor time."""
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, FILE_SIZE),
        (resource.RLIMIT_CPU, seconds),
    ):
        resource.setrlimit(limit, (value, resource.getrlimit(limit)[1]))
    allowed = os.path.realpath(own)
    pid = os.getpid()

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            if isinstance(args[2], int) and args[2] & _WRITES and not isinstance(args[0], int):
                _hold_opened(args[0], allowed)
        elif event in _PATHS:
            folder = args[_FOLDERS[event]] if _FOLDERS.get(event, 99) < len(args) else -1
            for index in _PATHS[event]:
                if not isinstance(args[index], int):
                    _hold(args[index], folder, allowed)
        elif event in ("os.kill", "os.killpg"):
            _hold_signal(args[0], args[1], pid)
        elif event == "subprocess.Popen":
            _hold_program(args[0], args[3], allowed)

    sys.addaudithook(audit)


def _hold_opened(path: str | bytes | os.PathLike[str], allowed: str) -> None:
    """The event does not tell which folder a relative path is in: then no file may be there in the working directory."""
    if os.path.isabs(path) or os.path.lexists(path):
        _hold(path, -1, allowed)


def _hold(path: str | bytes | os.PathLike[str], folder: object, allowed: str) -> None:
    text = os.fsdecode(path)
    parent, name = os.path.split(text)
    try:
        # The kernel knows in one step where a folder really is, however deep.
        at = folder if isinstance(folder, int) and folder >= 0 else None
        opened = os.open(parent or ".", os.O_PATH | os.O_DIRECTORY, dir_fd=at)
    except OSError:
        return  # what is asked for will fail just so
    try:
        where = os.path.join(os.readlink(f"/proc/self/fd/{opened}"), name)
    finally:
        os.close(opened)
    own = (f"{allowed}/", "/dev/", f"/proc/{os.getpid()}/")
    if not (where == allowed or where.startswith(own)):
        raise PermissionError(1, "a test of a fault may write in its own folder only", text)


def _hold_signal(pid: int, signal: int, own: int) -> None:
    """Only to this process and what it started."""
    if signal == 0:
        return
    seen = abs(pid) or own
    while seen not in (own, 0, 1):
        try:
            stat = Path(f"/proc/{seen}/stat").read_bytes()
        except OSError:
            raise ProcessLookupError(3, "no such process") from None
        seen = int(stat.rpartition(b")")[2].split()[1])
    if seen != own or pid == -1:
        raise PermissionError(1, "a test of a fault may end its own processes only")


def _hold_program(program: object, environ: Mapping[str, str] | None, allowed: str) -> None:
    """Engines' own programs are not run; a test's stand-in for one is."""
    if not isinstance(program, (str, bytes, os.PathLike)):
        return
    name = os.fsdecode(program)
    if os.path.basename(name) in _ENGINES:
        path = (environ or os.environ).get("PATH", "")
        found = shutil.which(name, path=path)
        if found and not os.path.realpath(found).startswith(f"{allowed}/"):
            raise PermissionError(1, "a test of a fault starts no engine", name)


def environment(own: Path) -> dict[str, str]:
    """Variables that lead everything into its own folder, and to no engine."""
    (own / "state").mkdir(parents=True, exist_ok=True)
    # Tests that are another user for a while get through to folders of theirs.
    for folder in (own, own.parent):
        if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(0o711)
    return {
        "TMPDIR": str(own),
        "XDG_STATE_HOME": str(own / "state"),
        "DOCKER_HOST": f"unix://{own}/no-engine.sock",
        "LIBVIRT_DEFAULT_URI": "test:///default",
    }
