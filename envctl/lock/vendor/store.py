"""The store of vendored files, envctl.vendor. Each file is named by the hash of its content, which every use verifies.

`index.json` describes the files, and the lock contains its hash. Names are checked, too, so no path leads out of it.
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
from envctl.lock.model import FILE
from envctl.lock.vendor.folder import (
    FOLDER,
    HASHES,
    add_file,
    copy_and_hash,
    open_file,
    read_file,
    remove_except,
    write_file,
)

INDEX: Final = "index.json"
VERSION: Final = 1
DEB, WHEEL, NPM, IMAGE = "deb", "wheel", "npm", "image"
EXTRA: Final = "beside"
"""The version of an image that only additional builds start from. It is not in the lock."""

_HEX: Final = re.compile(r"[0-9a-f]{64}")
_IDENTITY: Final = re.compile(r"sha256:[0-9a-f]{64}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~%=-]*")
_LOCATION_FIELDS: Final = frozenset(("filename", "size", "md5sum", "sha1", "sha256", "sha512"))
_MAX_INDEX: Final = 64 * 1024 * 1024
"""The maximum size of the index, in bytes. A thousand packages take 1 MB."""
_FETCH_HINT: Final = "run `envctl lock --vendor`, which fetches missing files"


@dataclass(frozen=True, slots=True, order=True)
class VendoredFile:
    """A file in the store: kind, name and version of the package, file name, hash, and size in bytes.

    `control` is a Debian package's control data, `image` the engine's id of an image.
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
        """The file's key in the index."""
        return self.kind, self.name, self.version, self.file


@dataclass(slots=True)
class Index:
    """All files in the store. `sources` are the apt sources of bases that can be bootstrapped, by image name.

    `extras` are versions by name for every extra build of a backend, see `extra_build_key`.
    """

    files: dict[tuple[str, str, str, str], VendoredFile] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    extras: dict[str, dict[str, str]] = field(default_factory=dict)


class Store:
    """The vendored files of a project."""

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER
        self._root = root
        self.index = self._read()

    @property
    def is_empty(self) -> bool:
        """Whether the store has no files."""
        return self.index == Index()

    def find(self, kind: str, name: str, version: str) -> tuple[VendoredFile, ...]:
        """The files of that version. Several, if they depend on the Python version."""
        return tuple(
            file
            for key, file in sorted(self.index.files.items())
            if key[:3] == (kind, name, version)
        )

    def path(self, vendored: VendoredFile) -> Path:
        """The path of a verified file. EnvctlError if it has changed or is missing."""
        self._verify(vendored, None)
        return self.folder / HASHES / vendored.sha256

    def copy(self, vendored: VendoredFile, target: Path) -> Path:
        """Copy a file and verify it on the way. EnvctlError if it has changed or is missing."""
        with target.open("xb") as file:
            self._verify(vendored, file)
        return target

    def _verify(self, vendored: VendoredFile, target: IO[bytes] | None) -> None:
        try:
            with open_file(self._root, vendored.sha256, vendored.size) as source:
                digest, _ = copy_and_hash(source, target)
        except FileNotFoundError as error:
            raise EnvctlError(
                f"{vendored.file} is not in {FOLDER}: {error.strerror}", hint=_FETCH_HINT
            ) from error
        except OSError as error:
            raise _changed(vendored, error.strerror or str(error)) from error
        if digest != vendored.sha256:
            raise _changed(vendored, f"its hash is {digest}")

    def has(self, vendored: VendoredFile) -> bool:
        """Whether the file exists; its content is not verified."""
        try:
            with open_file(self._root, vendored.sha256, vendored.size):
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
    ) -> VendoredFile:
        """Copy a file into the store. It replaces another file of the same package."""
        try:
            vendored = VendoredFile(kind, name, version, path.name, "", 0, control, image)
            _check(vendored)
        except ValueError as error:
            raise EnvctlError(f"{path.name!r} cannot be vendored: {error}") from error
        digest, size = add_file(self._root, path)
        vendored = replace(vendored, sha256=digest, size=size)
        if kind != WHEEL:
            for file in self.find(kind, name, version):
                del self.index.files[file.key]
        self.index.files[vendored.key] = vendored
        return vendored

    def prune(self, needed: Callable[[VendoredFile], bool]) -> int:
        """Remove all files that are not needed or not in the index, and return their number."""
        self.index.files = {key: file for key, file in self.index.files.items() if needed(file)}
        named = {file.sha256 for file in self.index.files.values()}
        return remove_except(self._root, named)

    @property
    def digest(self) -> str:
        """A hash of the index, and so of all files. The lock authenticates them with it."""
        text = json.dumps(self._data(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    def require_digest(self, digest: str) -> None:
        """EnvctlError unless the store is empty or has this digest; "" matches no files."""
        if not self.is_empty and self.digest != digest:
            raise EnvctlError(
                f"{FOLDER} does not match {FILE}"
                + (
                    f": the digest of its index is {self.digest}"
                    if digest
                    else ", which has no `vendor` digest"
                ),
                hint=f"restore the committed {FOLDER} and {FILE}, which belong together; or remove {FOLDER} and run "
                "`envctl lock --vendor`, which fetches all files again",
            )

    def _data(self) -> Mapping[str, Any]:
        files = [
            {key: value for key, value in asdict(file).items() if value != ""}
            for _, file in sorted(self.index.files.items())
        ]
        return {
            "version": VERSION,
            "sources": dict(sorted(self.index.sources.items())),
            "beside": {
                key: dict(sorted(versions.items()))
                for key, versions in sorted(self.index.extras.items())
            },
            "files": files,
        }

    def save(self) -> None:
        """Write the index."""
        text = json.dumps(self._data(), indent=1, ensure_ascii=False) + "\n"
        write_file(self._root, INDEX, text.encode())

    def _read(self) -> Index:
        try:
            text = read_file(self._root, INDEX, _MAX_INDEX).decode("utf-8")
        except FileNotFoundError:
            return Index()
        except (OSError, UnicodeDecodeError) as error:
            raise EnvctlError(f"{FOLDER}/{INDEX} cannot be read: {error}") from error
        try:
            return _index(json.loads(text))
        except RecursionError as error:
            raise EnvctlError(
                f"{FOLDER}/{INDEX} is nested too deeply", hint=_RESTORE_HINT
            ) from error
        except json.JSONDecodeError as error:
            place = f"{FOLDER}/{INDEX}:{error.lineno}:{error.colno}"
            raise EnvctlError(
                f"{place}: not valid JSON: {error.msg}", hint=_RESTORE_HINT
            ) from error
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise EnvctlError(
                f"{FOLDER}/{INDEX} is not valid: {error}", hint=_RESTORE_HINT
            ) from error


_RESTORE_HINT: Final = "restore the committed file; or remove it and run `envctl lock --vendor`"


def _index(data: Mapping[str, Any]) -> Index:
    if data["version"] != VERSION:
        raise ValueError(f"it has format version {data['version']}; this envctl reads {VERSION}")
    files = [_file_of(file) for file in data["files"]]
    for key, count in Counter((file.kind, file.name, file.version) for file in files).items():
        if count > 1 and key[0] != WHEEL:
            raise ValueError(f"{' '.join(key)} is listed twice")
    return Index(
        {file.key: file for file in files},
        {str(key): str(value) for key, value in data["sources"].items()},
        {
            str(key): {_package(str(name)): str(version) for name, version in versions.items()}
            for key, versions in data["beside"].items()
        },
    )


def _package(name: str) -> str:
    if not name_syntax.NAMES["packages"](name):
        raise ValueError(f"{name!r} is not a valid package name")
    return name


def _file_of(entry: Mapping[str, Any]) -> VendoredFile:
    required = {key: str(entry[key]) for key in ("kind", "name", "version", "file", "sha256")}
    optional = {key: str(entry.get(key, "")) for key in ("control", "image")}
    vendored = VendoredFile(**required, size=int(entry["size"]), **optional)
    if not _HEX.fullmatch(vendored.sha256):
        raise ValueError(f"{vendored.sha256!r} is not a SHA-256 hash")
    _check(vendored)
    return vendored


def _check(vendored: VendoredFile) -> None:
    """ValueError unless every field is valid."""
    if vendored.kind not in name_syntax.VENDORED:
        raise ValueError(f"{vendored.kind!r} is not a valid kind")
    is_name, is_version = name_syntax.VENDORED[vendored.kind]
    if not is_name(vendored.name):
        raise ValueError(f"{vendored.name!r} is not a valid name")
    if not is_version(vendored.version):
        raise ValueError(f"{vendored.version!r} is not a valid version")
    if not _NAME.fullmatch(vendored.file):
        raise ValueError(f"{vendored.file!r} is not a valid file name")
    if vendored.kind == IMAGE and not _IDENTITY.fullmatch(vendored.image):
        raise ValueError(f"{vendored.image!r} is not a valid image id")
    for name in control_fields(vendored.control):
        # These fields tell apt where to find the file, so only `packages_text` may write them.
        if name.lower() in _LOCATION_FIELDS:
            raise ValueError(f"{vendored.file} sets {name} itself")


def _changed(vendored: VendoredFile, why: str) -> EnvctlError:
    return EnvctlError(
        f"{vendored.file} in {FOLDER} has changed: {why}",
        details=f"{HASHES}/{vendored.sha256}",
        hint=f"remove that file, then {_FETCH_HINT}",
    )


# --- as a repository --------------------------------------------------------------------------


def packages_text(debs: Iterable[VendoredFile]) -> str:
    """An apt index for packages in one folder."""
    return "\n".join(_stanza(file) for file in debs)


def _stanza(file: VendoredFile) -> str:
    control = "\n".join(line for line in file.control.splitlines() if line.strip())
    return f"{control}\nFilename: ./{file.file}\nSize: {file.size}\nSHA256: {file.sha256}\n"


def control_fields(control: str) -> Mapping[str, str]:
    """The one-line fields of a Debian package's control data."""
    return dict(_fields(control))


def _fields(control: str) -> Iterator[tuple[str, str]]:
    for line in control.splitlines():
        name, colon, value = line.partition(":")
        if colon and not line[:1].isspace():
            yield name, value.strip()
