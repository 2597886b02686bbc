"""Finds out whether this host runs programs for a processor, by running a tiny program that exits at once.

This works on the program's own processor, and on others if Linux has an emulator for it (binfmt_misc).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

_ADDRESS: Final = 0x400000
_TIMEOUT: Final = 20.0
"""How many seconds an emulator may take to run three instructions."""


class _Machine(NamedTuple):
    """ELF's values for a processor: number, flags, word size, byte order; and machine code that exits with 0."""

    number: int
    code: bytes
    flags: int = 0
    bits: int = 64
    order: str = "<"


def _words(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}I", *words)


_MACHINES: Final[Mapping[str, _Machine]] = {
    # Each code loads the number of the system call `exit` and the argument 0 into registers, and calls the kernel.
    "386": _Machine(3, bytes.fromhex("b80100000031dbcd80"), bits=32),
    "amd64": _Machine(62, bytes.fromhex("b83c00000031ff0f05")),
    "arm": _Machine(40, _words(0xE3A00000, 0xE3A07001, 0xEF000000), flags=0x05000000, bits=32),
    "arm64": _Machine(183, _words(0xD2800000, 0xD2800BA8, 0xD4000001)),
    "loong64": _Machine(258, _words(0x02800004, 0x0281740B, 0x002B0000), flags=0x43),
    "mips64le": _Machine(8, _words(0x24040000, 0x240213C2, 0x0000000C), flags=0x60000000),
    "ppc64le": _Machine(21, _words(0x38600000, 0x38000001, 0x44000002), flags=2),
    "riscv64": _Machine(243, _words(0x00000513, 0x05D00893, 0x00000073)),
    "s390x": _Machine(22, bytes.fromhex("a72900000a01"), order=">"),
}
"""By Docker's name for the architecture."""


def program(architecture: str) -> bytes:
    """A static program that exits with 0, for an architecture by Docker's name, such as "arm64". KeyError if unknown."""
    machine = _MACHINES[architecture]
    return elf(
        machine.number, machine.code, flags=machine.flags, bits=machine.bits, order=machine.order
    )


def elf(number: int, code: bytes, *, flags: int = 0, bits: int = 64, order: str = "<") -> bytes:
    """A static Linux program with this machine code, for the processor with this number in ELF."""
    wide = bits == 64
    word, header, segment = ("Q", 64, 56) if wide else ("I", 52, 32)
    start = header + segment
    size = start + len(code)
    head = b"\x7fELF" + bytes((2 if wide else 1, 1 if order == "<" else 2, 1)) + bytes(9)
    head += struct.pack(
        f"{order}HHI{word * 3}IHHHHHH",
        *(2, number, 1, _ADDRESS + start, header, 0, flags, header, segment, 1, 0, 0, 0),
    )
    # One segment, readable and executable, aligned to pages of up to 64 KiB.
    place, rights = (0, _ADDRESS, _ADDRESS, size, size), 5
    values = (1, rights, *place, 0x10000) if wide else (1, *place, rights, 0x10000)
    head += struct.pack(f"{order}II{'QQQQQQ' if wide else 'IIIIII'}", *values)
    return head + code


def runs_here(architecture: str) -> bool:
    """Whether this host runs programs for an architecture."""
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory(prefix="envctl-runs-") as folder:
        path = Path(folder) / "program"
        path.write_bytes(program(architecture))
        path.chmod(0o700)
        try:
            done = subprocess.run([path], capture_output=True, timeout=_TIMEOUT, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0


def remedy(qemu: str) -> str:
    """How to let a host run programs for another processor; `qemu` is QEMU's name for it."""
    return (
        "install an emulator (on Debian and Ubuntu the packages qemu-user-static and binfmt-support),"
        f" after which /proc/sys/fs/binfmt_misc/qemu-{qemu} exists"
    )
