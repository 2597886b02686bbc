"""The lock as a file: one name a line, sorted, so that a difference reads well. See docs/lock.md.

A build's packages are told as what they differ in from its base's: a version, or null for one that is gone.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from envctl.definition.problems import Problems, near
from envctl.definition.reader import parse, read
from envctl.definition.tree import Items, Node, Null, Spot, Table, Text, what
from envctl.errors import EnvctlError, SpecError
from envctl.host.atomic_write import have_mode
from envctl.lock import name_syntax
from envctl.lock.model import FILE, VERSION, Lock, LockedBase, LockedBuild, Manifest, Versions

_HEAD: Final = """\
# What this project's builds came to: written by `envctl lock`, kept by `envctl up --frozen`. Commit it.
# To move to newer versions: `envctl lock --update`.
"""
_PLAIN: Final = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_./+~@-]*(?::[A-Za-z0-9_./+~@-]+)*")
_NUMBER: Final = re.compile(
    r"[-+]?[\d_]+(?::[\d_]+)*(?:\.[\d_]*)?(?:e[-+]?\d+)?|0x[\da-f_]+|\d{4}-\d\d?-\d\d?.*",
    re.IGNORECASE,
)
"""What YAML's readers take for a number or a date."""
_WORDS: Final = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_AGAIN: Final = "take the committed file back; or remove it, and `envctl lock` writes it anew"


def load(root: Path) -> Lock | None:
    """The project's lock; None if it has none. SpecError, with file, line and column, if it cannot be read."""
    if not os.path.lexists(root / FILE):
        return None
    problems = _LockProblems()
    data = read(root, FILE, problems)
    problems.stop()
    assert data is not None
    return parsed(data)


def existing(root: Path) -> Lock:
    """The project's lock. EnvctlError if it has none, SpecError as `load`."""
    lock = load(root)
    if lock is None:
        raise EnvctlError(
            f"there is no {FILE}", hint="`envctl lock` writes it; commit it with the spec"
        )
    return lock


def save(lock: Lock, root: Path) -> None:
    """Write the project's lock, whole or not at all."""
    path = root / FILE
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{FILE}.", dir=root)
        fresh = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text(lock))
            have_mode(fresh, 0o644)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise EnvctlError(f"{FILE} cannot be written: {error.strerror or error}") from error


# --- writing ----------------------------------------------------------------------------------


def text(lock: Lock) -> str:
    """The file's content."""
    return _HEAD + "\n".join(_lines(lock)) + "\n"


def _lines(lock: Lock) -> Iterator[str]:
    yield f"version: {VERSION}"
    yield f"architecture: {_scalar(lock.architecture)}"
    if lock.vendor:
        yield f"vendor: {lock.vendor}"
    yield "bases:" if lock.bases else "bases: {}"
    for name, base in sorted(lock.bases.items()):
        yield f"  {_scalar(name)}:"
        yield f"    image: {_scalar(base.image)}"
        if base.snapshot:
            yield f"    snapshot: {_scalar(base.snapshot)}"
        if base.box:
            yield f"    box: {_scalar(base.box)}"
        yield f"    manifest: {base.manifest}"
        yield from _versions("    ", "packages", base.packages)
    yield "builds:" if lock.builds else "builds: []"
    for build in sorted(lock.builds, key=lambda one: sorted(one.units)):
        yield "  - units:"
        yield from (f"      - {_scalar(unit)}" for unit in sorted(build.units))
        yield "    inputs:"
        yield from (f"      - {_scalar(line)}" for line in build.inputs)
        if build.base:
            yield f"    base: {_scalar(build.base)}"
        if build.image:
            yield f"    image: {_scalar(build.image)}"
        yield f"    manifest: {build.manifest.digest}"
        yield from _build(build, lock.bases.get(build.base))


def _build(build: LockedBuild, base: LockedBase | None) -> Iterator[str]:
    own, inherited = build.manifest.packages, base.packages if base else {}
    changed: dict[str, str | None] = {
        name: own.get(name)
        for name in sorted({*own, *inherited})
        if own.get(name) != inherited.get(name)
    }
    yield from _versions("    ", "packages", changed)
    for kind, folders in (("pip", build.manifest.pip), ("npm", build.manifest.npm)):
        if folders:
            yield f"    {kind}:"
            for folder, versions in sorted(folders.items()):
                yield from _versions("      ", folder, versions)


def _versions(indent: str, name: str, versions: Mapping[str, str | None]) -> Iterator[str]:
    if not versions:
        yield f"{indent}{_scalar(name)}: {{}}"
        return
    yield f"{indent}{_scalar(name)}:"
    for key, version in sorted(versions.items()):
        yield f"{indent}  {_scalar(key)}: {'null' if version is None else _scalar(version)}"


def _scalar(value: str) -> str:
    """A text as YAML: plain where every reader takes that for the same text, else as JSON writes it."""
    words = value.split(" ")
    plain = all(_PLAIN.fullmatch(word) for word in words)
    special = _NUMBER.fullmatch(value) or value.lower() in _WORDS or ": " in value
    if plain and not special:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else _escaped(char) for char in quoted)


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


# --- reading ----------------------------------------------------------------------------------


def parsed(data: bytes) -> Lock:
    """The lock in a file's bytes. SpecError tells all that is wrong with it, each with its place."""
    problems = _LockProblems()
    for number, line in enumerate(data.splitlines(), 1):
        if line.startswith(b"<<<<<<< "):
            hint = f"take one side of {FILE}, and `envctl lock` brings it up to date"
            problems.add((FILE, number, 1), "a merge stopped here, at a conflict", hint=hint)
    table = None if problems.found else parse(data, FILE, problems)
    problems.stop()
    assert table is not None
    reader = _Reader(problems)
    lock = reader.lock(table)
    problems.stop()
    return lock


class _LockProblems(Problems):
    """What was found wrong with a lock."""

    def stop(self, *, without_files: bool = False) -> None:
        """Raise LockError if anything was found."""
        del without_files
        if self.found:
            raise LockError(self)


class LockError(SpecError):
    """All that is wrong with a lock."""

    def __init__(self, problems: Problems) -> None:
        found = sorted(problems.found, key=lambda item: item.where)
        if not any("envctl lock" in problem.hint for problem in found):
            hint = f"{found[-1].hint}; or {_AGAIN}" if found[-1].hint else _AGAIN
            found[-1] = replace(found[-1], hint=hint)
        super().__init__(tuple(found))
        count = len(self.problems)
        self.brief = f"{count} problem{'s' if count != 1 else ''} in {FILE}"


class _Reader:
    """Reads the parts of a tree; what is wrong is noted, and an empty part takes its place."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def lock(self, table: Table) -> Lock:
        version = self.text(table, "version")
        if not version:
            return Lock()
        if version != str(VERSION):
            spot = _spot(table, "version")
            newer = version.isdecimal() and int(version) > VERSION
            hint = "use the envctl that wrote it, or a newer one" if newer else _AGAIN
            self.problems.add(
                spot,
                f"this is version {version} of the format",
                expected=f"version {VERSION}",
                hint=hint,
            )
            return Lock()
        self.known(table, ("version", "architecture", "vendor", "bases", "builds"))
        bases = {
            name: self.base(one) for name, one in self.table(table, "bases", optional=True).items()
        }
        builds = tuple(
            self.build(self.is_table(one, _of(one)), bases)
            for one in self.items(table, "builds", optional=True)
        )
        self.once(builds, table)
        vendor = self.text(table, "vendor", optional=True)
        if vendor:
            self.is_digest(table, "vendor", vendor)
        return Lock(self.text(table, "architecture"), bases, builds, vendor)

    def base(self, node: Node) -> LockedBase:
        table = self.is_table(node, _of(node))
        self.known(table, ("image", "snapshot", "box", "manifest", "packages"))
        base = LockedBase(
            self.text(table, "image"),
            self.versions(self.table(table, "packages"), "packages"),
            self.text(table, "snapshot", optional=True),
            self.text(table, "box", optional=True),
        )
        self.whole(table, base.manifest)
        return base

    def build(self, table: Table, bases: Mapping[str, LockedBase]) -> LockedBuild:
        self.known(
            table, ("units", "inputs", "base", "image", "manifest", "packages", "pip", "npm")
        )
        base = self.text(table, "base", optional=True)
        if base and base not in bases:
            self.problems.add(
                _spot(table, "base"),
                f"{base!r} is none of the bases above",
                hint=near(base, bases) or _AGAIN,
            )
            return LockedBuild((), (), Manifest())
        packages = dict(bases[base].packages) if base else {}
        for name, node in self.table(table, "packages").items():
            if isinstance(node, Null) and name in packages:
                del packages[name]
            else:
                packages[name] = self.version(name, node, "packages")
        manifest = Manifest(packages, self.folders(table, "pip"), self.folders(table, "npm"))
        self.whole(table, manifest.digest)
        return LockedBuild(
            self.texts(table, "units"),
            self.texts(table, "inputs"),
            manifest,
            base,
            self.text(table, "image", optional=True),
        )

    def once(self, builds: Sequence[LockedBuild], table: Table) -> None:
        """A unit is in one build."""
        seen: set[str] = set()
        for build, node in zip(builds, self.items(table, "builds", optional=True), strict=True):
            for unit in build.units:
                if unit in seen:
                    self.problems.add(_of(node), f"{unit} is locked twice")
                seen.add(unit)

    def whole(self, table: Table, computed: str) -> None:
        written = self.text(table, "manifest")
        if not written:
            return
        if (
            self.is_digest(table, "manifest", written)
            and written != computed
            and not self.problems.found
        ):
            self.problems.add(
                _spot(table, "manifest"),
                "this is not the digest of what is listed below it: somebody edited the file",
                hint=_AGAIN,
            )

    def is_digest(self, table: Table, key: str, written: str) -> bool:
        if _DIGEST.fullmatch(written):
            return True
        self.problems.add(_spot(table, key), "this is no digest", expected="sha256: and 64 digits")
        return False

    def folders(self, table: Table, key: str) -> Mapping[str, Versions]:
        found = self.table(table, key, optional=True)
        for folder in found:
            if not name_syntax.is_folder(folder):
                self.problems.add(_spot(found, folder), f"{folder!r} is no folder", hint=_AGAIN)
        return {
            folder: self.versions(self.is_table(node, _of(node)), key)
            for folder, node in found.items()
        }

    def versions(self, table: Table, kind: str) -> Versions:
        return {name: self.version(name, node, kind) for name, node in table.items()}

    def version(self, name: str, node: Node, kind: str) -> str:
        """A version; what is no name or no version would be something else to apt, pip or npm."""
        version = self.is_text(node, _of(node))
        if not name_syntax.NAMES[kind](name):
            self.problems.add(_of(node), f"{name!r} is no name of a package", hint=_AGAIN)
        elif version and not name_syntax.VERSIONS[kind](version):
            self.problems.add(_of(node), f"{version!r} is no version", hint=_AGAIN)
        return version

    # --- kinds of nodes

    def known(self, table: Table, keys: Sequence[str]) -> None:
        for key in table:
            if key not in keys:
                self.problems.add(
                    table.spots[key], f"unknown key {key!r}", expected=", ".join(keys)
                )

    def text(self, table: Table, key: str, *, optional: bool = False) -> str:
        if key not in table:
            if not optional:
                self.problems.add(table.spot, f"{key!r} is missing")
            return ""
        return self.is_text(table[key], _spot(table, key))

    def texts(self, table: Table, key: str) -> tuple[str, ...]:
        return tuple(self.is_text(node, _of(node)) for node in self.items(table, key))

    def table(self, table: Table, key: str, *, optional: bool = False) -> Table:
        if key not in table:
            if not optional:
                self.problems.add(table.spot, f"{key!r} is missing")
            return Table(table.spot)
        return self.is_table(table[key], _spot(table, key))

    def items(self, table: Table, key: str, *, optional: bool = False) -> Items:
        node = table.get(key)
        if isinstance(node, Items):
            return node
        if node is None:
            if not optional:
                self.problems.add(table.spot, f"{key!r} is missing")
        else:
            self.problems.add(_spot(table, key), f"expected a list, got {what(node)}")
        return Items(table.spot)

    def is_table(self, node: Node, spot: Spot) -> Table:
        if isinstance(node, Table):
            return node
        self.problems.add(spot, f"expected a mapping, got {what(node)}")
        return Table(spot)

    def is_text(self, node: Node, spot: Spot) -> str:
        if isinstance(node, Text) and node:
            return str(node)
        self.problems.add(spot, f"expected a text, got {what(node)}")
        return ""


def _spot(table: Table, key: str) -> Spot:
    return table.spots.get(key, table.spot)


def _of(node: Node) -> Spot:
    return node.spot
