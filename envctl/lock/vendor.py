"""The store of kept files, envctl.vendor: each under the hash of its content, which is looked at on every use.

`index.json` says what each is, and the lock has a hash of it. Paths out of it lead nowhere: names are looked at, too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import IO, Any, Final

from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.lock import name_syntax
from envctl.lock.folder import (
    FOLDER,
    HASHES,
    copied,
    open_kept,
    read_file,
    remove_but,
    take_in,
    write_file,
)
from envctl.lock.model import FILE

INDEX: Final = "index.json"
VERSION: Final = 1
DEB, WHEEL, NPM, IMAGE = "deb", "wheel", "npm", "image"
BESIDE: Final = "beside"
"""The version of an image that only what a backend builds starts from: the lock has none of it."""

_HEX: Final = re.compile(r"[0-9a-f]{64}")
_IDENTITY: Final = re.compile(r"sha256:[0-9a-f]{64}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~%=-]*")
_PLACING: Final = frozenset(("filename", "size", "md5sum", "sha1", "sha256", "sha512"))
_MOST: Final = 64 * 1024 * 1024
"""Bytes of the index at most: a thousand packages take one of them."""
_AGAIN: Final = "`envctl lock --vendor` fetches what is missing"


@dataclass(frozen=True, slots=True, order=True)
class Kept:
    """A file that is kept: what it is (kind, name, version), what it is called, its hash and its size in bytes.

    `control` is what a package of Debian's says of itself, `image` the id by which the engine knew an image.
    """

    kind: str
    name: str
    version: str
    file: str
    sha256: str
    size: int
    control: str = ""
    image: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What the index knows it by."""
        return self.kind, self.name, self.version, self.file


@dataclass(slots=True)
class Index:
    """All that is kept. `sources` are apt's sources of bases that can be made anew, by the base's image.

    `beside` are the packages of what a backend builds beside a build or on it: by the digest of the manifest that it
    starts from and what it asks for, by name.
    """

    files: dict[tuple[str, str, str, str], Kept] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    beside: dict[str, dict[str, str]] = field(default_factory=dict)


class Store:
    """The kept files of a project."""

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER
        self._root = root
        self.index = self._read()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept."""
        return self.index == Index()

    def find(self, kind: str, name: str, version: str) -> tuple[Kept, ...]:
        """What is kept of that version; several where it depends on the interpreter."""
        return tuple(
            one for key, one in sorted(self.index.files.items()) if key[:3] == (kind, name, version)
        )

    def path(self, kept: Kept) -> Path:
        """The file, whose content is what it was. EnvctlError if it is another, or gone."""
        self._look_at(kept, None)
        return self.folder / HASHES / kept.sha256

    def copy(self, kept: Kept, target: Path) -> Path:
        """Copy a file, whose content is looked at on the way. EnvctlError if it is another, or gone."""
        with target.open("xb") as file:
            self._look_at(kept, file)
        return target

    def _look_at(self, kept: Kept, target: IO[bytes] | None) -> None:
        try:
            with open_kept(self._root, kept.sha256, kept.size) as source:
                found, _ = copied(source, target)
        except FileNotFoundError as error:
            raise EnvctlError(
                f"{kept.file} is not in {FOLDER}: {error.strerror}", hint=_AGAIN
            ) from error
        except OSError as error:
            raise _other(kept, error.strerror or str(error)) from error
        if found != kept.sha256:
            raise _other(kept, f"its hash is {found}")

    def has(self, kept: Kept) -> bool:
        """Whether the file is there; its content is not looked at."""
        try:
            with open_kept(self._root, kept.sha256, kept.size):
                return True
        except OSError:
            return False

    def keep(
        self,
        path: Path,
        kind: str,
        name: str,
        version: str,
        *,
        control: str = "",
        image: str = "",
    ) -> Kept:
        """Take a file in; it is copied. It takes the place of the same package in another file."""
        try:
            kept = Kept(kind, name, version, path.name, "", 0, control, image)
            _check(kept)
        except ValueError as error:
            raise EnvctlError(f"{path.name!r} cannot be kept: {error}") from error
        digest, size = take_in(self._root, path)
        kept = replace(kept, sha256=digest, size=size)
        if kind != WHEEL:
            for one in self.find(kind, name, version):
                del self.index.files[one.key]
        self.index.files[kept.key] = kept
        return kept

    def prune(self, needed: Callable[[Kept], bool]) -> int:
        """Forget what is needed no more, and remove files that nothing speaks of; how many went."""
        self.index.files = {key: one for key, one in self.index.files.items() if needed(one)}
        named = {one.sha256 for one in self.index.files.values()}
        return remove_but(self._root, named)

    @property
    def digest(self) -> str:
        """One hash for all that the index says, and so for all files: what the lock vouches for them with."""
        text = json.dumps(self._data(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    def insist(self, digest: str) -> None:
        """EnvctlError if something is kept and it is not what a lock vouches for; "" vouches for nothing."""
        if not self.is_empty and self.digest != digest:
            raise EnvctlError(
                f"{FOLDER} is not what {FILE} vouches for"
                + (f": its index is {self.digest}" if digest else ": it names no such folder"),
                hint=f"take the committed {FOLDER} and {FILE} back, which belong together; or remove "
                f"{FOLDER}, and `envctl lock --vendor` fetches all anew",
            )

    def _data(self) -> Mapping[str, Any]:
        files = [
            {key: value for key, value in asdict(one).items() if value != ""}
            for _, one in sorted(self.index.files.items())
        ]
        return {
            "version": VERSION,
            "sources": dict(sorted(self.index.sources.items())),
            "beside": {
                key: dict(sorted(one.items())) for key, one in sorted(self.index.beside.items())
            },
            "files": files,
        }

    def save(self) -> None:
        """Write the index."""
        text = json.dumps(self._data(), indent=1, ensure_ascii=False) + "\n"
        write_file(self._root, INDEX, text.encode())

    def _read(self) -> Index:
        try:
            text = read_file(self._root, INDEX, _MOST).decode("utf-8")
        except FileNotFoundError:
            return Index()
        except (OSError, UnicodeDecodeError) as error:
            raise EnvctlError(f"{FOLDER}/{INDEX} cannot be read: {error}") from error
        try:
            return _index(json.loads(text))
        except RecursionError as error:
            raise EnvctlError(f"{FOLDER}/{INDEX} is too deep", hint=_WRITTEN) from error
        except json.JSONDecodeError as error:
            place = f"{FOLDER}/{INDEX}:{error.lineno}:{error.colno}"
            raise EnvctlError(f"{place}: this is no JSON: {error.msg}", hint=_WRITTEN) from error
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise EnvctlError(f"{FOLDER}/{INDEX} is not whole: {error}", hint=_WRITTEN) from error


_WRITTEN: Final = "take the committed file back; or remove it, and run `envctl lock --vendor`"


def _index(data: Mapping[str, Any]) -> Index:
    if data["version"] != VERSION:
        raise ValueError(f"it is of version {data['version']}, and this envctl reads {VERSION}")
    files = [_kept(one) for one in data["files"]]
    for key, count in Counter((one.kind, one.name, one.version) for one in files).items():
        if count > 1 and key[0] != WHEEL:
            raise ValueError(f"{' '.join(key)} is in it twice")
    return Index(
        {one.key: one for one in files},
        {str(key): str(value) for key, value in data["sources"].items()},
        {
            str(key): {_package(str(name)): str(version) for name, version in one.items()}
            for key, one in data["beside"].items()
        },
    )


def _package(name: str) -> str:
    if not name_syntax.NAMES["packages"](name):
        raise ValueError(f"{name!r} is no name of a package")
    return name


def _kept(one: Mapping[str, Any]) -> Kept:
    told = {key: str(one[key]) for key in ("kind", "name", "version", "file", "sha256")}
    more = {key: str(one.get(key, "")) for key in ("control", "image")}
    kept = Kept(**told, size=int(one["size"]), **more)
    if not _HEX.fullmatch(kept.sha256):
        raise ValueError(f"{kept.sha256!r} is no hash")
    _check(kept)
    return kept


def _check(kept: Kept) -> None:
    """ValueError if something of it is written as it must not be."""
    if kept.kind not in name_syntax.KEPT:
        raise ValueError(f"{kept.kind!r} is no kind of file")
    is_name, is_version = name_syntax.KEPT[kept.kind]
    if not is_name(kept.name):
        raise ValueError(f"{kept.name!r} is no name")
    if not is_version(kept.version):
        raise ValueError(f"{kept.version!r} is no version")
    if not _NAME.fullmatch(kept.file):
        raise ValueError(f"{kept.file!r} is no name of a file")
    if kept.kind == IMAGE and not _IDENTITY.fullmatch(kept.image):
        raise ValueError(f"{kept.image!r} is no id of an image")
    for name in control_fields(kept.control):
        # These say where apt finds the file; they are written here.
        if name.lower() in _PLACING:
            raise ValueError(f"{kept.file} says its own {name}")


def _other(kept: Kept, why: str) -> EnvctlError:
    return EnvctlError(
        f"{kept.file} in {FOLDER} is not what was kept: {why}",
        details=f"{HASHES}/{kept.sha256}",
        hint=f"remove that file; {_AGAIN}",
    )


# --- as a repository --------------------------------------------------------------------------


def packages_text(debs: Iterable[Kept]) -> str:
    """Apt's index of some packages that are in one folder."""
    return "\n".join(_stanza(one) for one in debs)


def _stanza(one: Kept) -> str:
    control = "\n".join(line for line in one.control.splitlines() if line.strip())
    return f"{control}\nFilename: ./{one.file}\nSize: {one.size}\nSHA256: {one.sha256}\n"


def control_fields(control: str) -> Mapping[str, str]:
    """The one-line fields of what a package says of itself."""
    return dict(_fields(control))


def _fields(control: str) -> Iterator[tuple[str, str]]:
    for line in control.splitlines():
        name, colon, value = line.partition(":")
        if colon and not line[:1].isspace():
            yield name, value.strip()
