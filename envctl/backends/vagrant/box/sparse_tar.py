"""Unpacks a sparse file from a tar archive that an image made, and ignores everything else in it.

GNU tar would also follow links, and unpack a compressed archive that grows a thousandfold.
Source: https://www.gnu.org/software/tar/manual/html_node/Standard.html (the old format of GNU's sparse files).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

_BLOCK: Final = 512
_KIND: Final = slice(156, 157)
_SPARSE: Final = b"S"
_HEAD: Final = (386, 4, 482)
"""Offsets in the first block: of the list of parts, its length, and of the byte that says whether the list continues.
"""
_MORE: Final = (0, 21, 504)
_SIZE: Final = slice(483, 495)
_CHUNK: Final = 1 << 20


def unpack(tar: Path, target: Path, size: int) -> None:
    """Write the first file of an archive, with its holes. ValueError unless it is sparse and has this size."""
    with tar.open("rb") as header, tar.open("rb") as content:
        for _ in _parts(content, size):
            pass  # the file's content follows the list of its parts
        with target.open("xb") as file:
            for start, length in _parts(header, size):
                file.seek(start)
                _copy(content, file, length)
            file.truncate(size)


def _parts(source: IO[bytes], size: int) -> Iterator[tuple[int, int]]:
    """The offset and length of each part with data, in order and within the size."""
    block = _read(source, _BLOCK)
    if block[_KIND] != _SPARSE or _number(block[_SIZE]) != size:
        raise ValueError(f"the image did not return a sparse file of {size} bytes")
    first, count, more = _HEAD
    end = 0
    while True:
        for place in range(first, first + count * 24, 24):
            start, length = (
                _number(block[place : place + 12]),
                _number(block[place + 12 : place + 24]),
            )
            if not length:
                return  # the end of the list, or a hole at the end of the file
            if not end <= start < start + length <= size or (start | length) % _BLOCK:
                raise ValueError("the parts of the returned file are not in order")
            yield start, length
            end = start + length
        if not block[more]:
            return
        first, count, more = _MORE
        block = _read(source, _BLOCK)


def _number(field: bytes) -> int:
    """A number in octal digits, or in binary if it is too large for them."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    return int(field.rstrip(b"\0 ") or b"0", 8)


def _copy(source: IO[bytes], target: IO[bytes], length: int) -> None:
    while length:
        data = _read(source, min(length, _CHUNK))
        target.write(data)
        length -= len(data)


def _read(source: IO[bytes], length: int) -> bytes:
    data = source.read(length)
    if len(data) < length:
        raise ValueError("the returned file is cut off")
    return data
