"""envctl.lock as a file: JSON, sorted, one name per line, so that diffs are easy to review. See docs/lock.md.

A build's packages are written as differences from its base: a version, or null for a removed package.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from envctl.errors import EnvctlError, Place
from envctl.host.atomic_write import replace_file
from envctl.host.safe_read import read_inside
from envctl.lock import name_syntax
from envctl.lock.model import FILE, VERSION, Lock, LockedBase, LockedBuild, Manifest, Versions
from envctl.plan.text import first_lines

_MAX_LISTED: Final = 100
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_RESTORE: Final = (
    "restore the committed file; or remove it and run `envctl lock`, which creates it again"
)


class LockFileError(EnvctlError):
    """envctl.lock cannot be read; `details` has one line per problem."""

    def __init__(
        self, problems: Sequence[str], *, where: Place | None = None, hint: str = _RESTORE
    ) -> None:
        count = len(problems)
        super().__init__(
            f"{count} problem{'s'[: count != 1]} in {FILE}",
            details="\n".join(first_lines(problems, _MAX_LISTED)),
            hint=hint,
            where=where,
        )


def load_lock(root: Path) -> Lock | None:
    """The project's lock; None if it has none. LockFileError, with all problems, if it cannot be read."""
    if not os.path.lexists(root / FILE):
        return None
    try:
        return parse_lock(read_inside(root, FILE))
    except OSError as error:
        raise EnvctlError(f"{FILE} cannot be read: {error.strerror or error}") from error


def existing_lock(root: Path) -> Lock:
    """The project's lock. EnvctlError if it has none; LockFileError as for `load_lock`."""
    lock = load_lock(root)
    if lock is None:
        raise EnvctlError(f"no {FILE} found", hint="run `envctl lock`, and commit the file")
    return lock


# --- writing


def save_lock(lock: Lock, root: Path) -> None:
    """Write the project's lock atomically. EnvctlError if that fails."""
    try:
        replace_file(root / FILE, lock_text(lock).encode(), mode=0o644)
    except OSError as error:
        raise EnvctlError(f"{FILE} cannot be written: {error.strerror or error}") from error


def lock_text(lock: Lock) -> str:
    """The content of the file."""
    builds = sorted(lock.builds, key=lambda build: sorted(build.units))
    data = {
        "version": VERSION,
        "architecture": lock.architecture,
        **_non_empty(vendor=lock.vendor),
        "bases": {name: _base_data(base) for name, base in sorted(lock.bases.items())},
        "builds": [_build_data(build, lock.bases.get(build.base)) for build in builds],
    }
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    # Escape invisible characters, so that a reviewer sees them: some change the text direction or hide others.
    return "".join(
        char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text
    )


def _base_data(base: LockedBase) -> Mapping[str, Any]:
    optional = _non_empty(snapshot=base.snapshot, box=base.box)
    packages = dict(sorted(base.packages.items()))
    return {"image": base.image, **optional, "manifest": base.manifest.digest, "packages": packages}


def _build_data(build: LockedBuild, base: LockedBase | None) -> Mapping[str, Any]:
    packages, inherited = build.manifest.packages, base.packages if base else {}
    return {
        "units": sorted(build.units),
        "inputs": list(build.inputs),
        **_non_empty(base=build.base, image=build.image),
        "manifest": build.manifest.digest,
        "packages": {
            name: packages.get(name)
            for name in sorted({*packages, *inherited})
            if packages.get(name) != inherited.get(name)
        },
        **_non_empty(pip=_sorted(build.manifest.pip), npm=_sorted(build.manifest.npm)),
    }


def _sorted(folders: Mapping[str, Versions]) -> Mapping[str, Versions]:
    return {folder: dict(sorted(versions.items())) for folder, versions in sorted(folders.items())}


def _non_empty(**values: Any) -> Mapping[str, Any]:
    return {key: value for key, value in values.items() if value}


# --- reading


def parse_lock(data: bytes) -> Lock:
    """The lock in the bytes of a file, of any format version. LockFileError with all problems."""
    for number, line in enumerate(data.splitlines(), 1):
        if line.startswith(b"<<<<<<< "):
            hint = f"keep one side of {FILE}, then run `envctl lock`, which updates it"
            raise LockFileError(["merge conflict"], where=Place(FILE, number, 1), hint=hint)
    reader = _Reader()
    lock = reader.lock(_decode(data))
    if reader.problems:
        raise LockFileError(reader.problems)
    return lock


def _decode(data: bytes) -> Any:
    if not data.lstrip().startswith(b"{"):
        from envctl.lock.version_1 import decode

        document, problems = decode(data)
        if problems:
            raise LockFileError(problems)
        return document
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
        json.dumps(document, ensure_ascii=False).encode()  # half a surrogate pair is not text
    except UnicodeEncodeError as error:
        raise LockFileError([f"not valid text: {error.reason}"]) from error
    except UnicodeDecodeError as error:
        raise LockFileError([f"not UTF-8: {error.reason} at byte {error.start}"]) from error
    except json.JSONDecodeError as error:
        place = Place(FILE, error.lineno, error.colno)
        raise LockFileError([f"not valid JSON: {error.msg}"], where=place) from error
    except (ValueError, RecursionError) as error:
        raise LockFileError([f"not valid JSON: {error}"]) from error
    return document


def _unique(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
    """An object with unique keys. JSON itself would use the last of several."""
    result = dict(pairs)
    if len(result) < len(pairs):
        ((key, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"{key!r} appears twice")
    return result


class _Reader:
    """Checks the parts of a document. Records every problem, and continues with an empty value."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def lock(self, data: Any) -> Lock:
        table = self.table(data, "the file")
        version = table.get("version")
        if version != VERSION or isinstance(version, bool):
            newer = isinstance(version, int) and version > VERSION
            hint = "use the envctl version that wrote it, or a newer one" if newer else _RESTORE
            problem = f"format version {version}, expected {VERSION} or 1"
            raise LockFileError(["'version' is missing" if version is None else problem], hint=hint)
        known = ("version", "architecture", "vendor", "bases", "builds")
        self.check_keys(table, "the file", known=known, required=("architecture",))
        bases = {
            name: self.base(value, f"base {name}")
            for name, value in self.table(table.get("bases", {}), "bases").items()
        }
        builds = tuple(
            self.build(value, f"builds[{index}]", bases)
            for index, value in enumerate(self.items(table.get("builds", []), "builds"))
        )
        units = Counter(unit for build in builds for unit in build.units)
        self.problems += [f"{unit} is listed twice" for unit, count in units.items() if count > 1]
        architecture = self.text(table, "architecture", "the file")
        return Lock(architecture, bases, builds, self.digest(table, "vendor", "the file"))

    def base(self, data: Any, path: str) -> LockedBase:
        table = self.table(data, path)
        required = ("image", "manifest", "packages")
        self.check_keys(table, path, known=(*required, "snapshot", "box"), required=required)
        base = LockedBase(
            self.text(table, "image", path),
            self.versions(table.get("packages", {}), f"{path}, packages", "packages"),
            self.text(table, "snapshot", path),
            self.text(table, "box", path),
        )
        self.check_manifest(table, path, base.manifest.digest)
        return base

    def build(self, data: Any, path: str, bases: Mapping[str, LockedBase]) -> LockedBuild:
        table = self.table(data, path)
        required = ("units", "inputs", "manifest", "packages")
        optional = ("base", "image", "pip", "npm")
        units = self.texts(table, "units", path)
        path = f"build {', '.join(units)}" if units else path
        self.check_keys(table, path, known=(*required, *optional), required=required)
        base = self.text(table, "base", path)
        if base and base not in bases:
            self.problems.append(f"{path}: no such base: {base!r}")
        changed = dict(self.table(table.get("packages", {}), f"{path}, packages"))
        inherited = bases[base].packages if base in bases else {}
        removed = {name for name, version in changed.items() if version is None}
        unchanged = {name: inherited[name] for name in inherited if name not in changed}
        added = {name: changed[name] for name in changed if name not in removed & {*inherited}}
        manifest = Manifest(
            {**unchanged, **self.versions(added, f"{path}, packages", "packages")},
            self.folders(table, "pip", path),
            self.folders(table, "npm", path),
        )
        self.check_manifest(table, path, manifest.digest)
        inputs = self.texts(table, "inputs", path)
        return LockedBuild(units, inputs, manifest, base, self.text(table, "image", path))

    # --- parts

    def check_keys(
        self, table: Mapping[str, Any], path: str, *, known: Sequence[str], required: Sequence[str]
    ) -> None:
        self.problems += [
            f"{path}: unknown key {key!r}, expected {', '.join(known)}"
            for key in table
            if key not in known
        ]
        self.problems += [f"{path}: {key!r} is missing" for key in required if key not in table]

    def check_manifest(self, table: Mapping[str, Any], path: str, computed: str) -> None:
        digest = self.digest(table, "manifest", path)
        if digest and digest != computed and not self.problems:
            problem = "'manifest' does not match the packages: the file was edited by hand"
            self.problems.append(f"{path}: {problem}")

    def digest(self, table: Mapping[str, Any], key: str, path: str) -> str:
        digest = self.text(table, key, path)
        if isinstance(table.get(key), str) and not _DIGEST.fullmatch(digest):
            self.problems.append(f"{path}: {key!r} is not a digest, expected sha256: and 64 digits")
        return digest

    def folders(self, table: Mapping[str, Any], kind: str, path: str) -> Mapping[str, Versions]:
        folders = self.table(table.get(kind, {}), f"{path}, {kind}")
        self.problems += [
            f"{path}, {kind}: {folder!r} is not a folder"
            for folder in folders
            if not name_syntax.is_folder(folder)
        ]
        return {
            folder: self.versions(versions, f"{path}, {kind} {folder}", kind)
            for folder, versions in folders.items()
        }

    def versions(self, data: Any, path: str, kind: str) -> Versions:
        """Versions by name. Other texts could become options of apt, pip or npm."""
        table = self.table(data, path)
        for name, version in table.items():
            if not name_syntax.NAMES[kind](name):
                self.problems.append(f"{path}: {name!r} is not a valid package name")
            elif not isinstance(version, str):
                self.problems.append(f"{path}, {name}: expected a text, got {_describe(version)}")
            elif not name_syntax.VERSIONS[kind](version):
                self.problems.append(f"{path}, {name}: {version!r} is not a valid version")
        return {name: version for name, version in table.items() if isinstance(version, str)}

    def text(self, table: Mapping[str, Any], key: str, path: str) -> str:
        value = table.get(key, "")
        if isinstance(value, str):
            return value
        self.problems.append(f"{path}, {key}: expected a text, got {_describe(value)}")
        return ""

    def texts(self, table: Mapping[str, Any], key: str, path: str) -> tuple[str, ...]:
        values = self.items(table.get(key, []), f"{path}, {key}")
        if all(isinstance(value, str) for value in values):
            return tuple(values)
        self.problems.append(f"{path}, {key}: expected texts")
        return ()

    def items(self, data: Any, path: str) -> Sequence[Any]:
        if isinstance(data, list):
            return data
        self.problems.append(f"{path}: expected a list, got {_describe(data)}")
        return []

    def table(self, data: Any, path: str) -> Mapping[str, Any]:
        if isinstance(data, Mapping):
            return data
        self.problems.append(f"{path}: expected an object, got {_describe(data)}")
        return {}


def _describe(value: object) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "a boolean",
        type(None): "null",
    }
    return names.get(
        type(value), "a number" if isinstance(value, int | float) else "something else"
    )
