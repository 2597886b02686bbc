"""Parses the file list of collect.sh: each file with its type, mode, owner and digest. Pure.

A machine's box contains a list of its files, made during the build. A file gets its digest from that list if it was not
changed since the disk was created, and has the size and time in the list. Only other files are read, because an
emulated machine needs minutes to read everything again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Final

from envctl.lazy_dataclass import dataclass
from envctl.parity.fact_format import UNKNOWN, Category, UnitFacts, Unknown, fact_id

UNREADABLE: Final = "sha256 unreadable"
"""Ends a value if a file's content is unknown although its mode and owner are known."""
LARGEST: Final = 1 << 30
"""The maximum size of a file that is read, in bytes. The content of a larger file is unknown."""
ALTERED: Final = "altered"
"""Files and links that differ from the machine's box. An entry beside the categories, for `collect`."""
CAPABILITIES: Final = "capabilities of files"
"""The key of the unknown fact when file capabilities cannot be read."""
_KINDS: Final = {
    "f": "file", "d": "folder", "l": "link", "p": "named pipe", "s": "socket",
    "b": "block device", "c": "character device",
}  # fmt: skip
_MODES: Final = {0o10: "f", 0o4: "d", 0o12: "l", 0o1: "p", 0o14: "s", 0o6: "b", 0o2: "c"}
_ENTRY: Final = re.compile(
    r"(\S) (\d+) (\d+) (\d+) (\d+) (\d+)(?:\.\d+)? (\d+(?:\.\d+)?) (.*)", re.DOTALL
)
"""Kind, mode, user, group, size, time of the content, time of any change, path."""
_PLAIN: Final = re.compile(r"([0-9a-f]+) (\d+) (\d+) (\d+) (\d+) (\d+) (.*)", re.DOTALL)
_SUM: Final = re.compile(r"([0-9a-f]{64})  (.*)", re.DOTALL)
_LISTED: Final = re.compile(r"(.*)\t([0-9a-f]{64})\t(\d+) (\d+)(?:\.\d+)?\t([0-7]+) (\d+) (\d+)")
_LINKED: Final = re.compile(r"(.*)\t-> (.*)")
_DENIED: Final = re.compile(r"find: ['‘]?(/.*?)['’]?: (.+)")
_CAPABILITY: Final = re.compile(rb"SCHILY\.xattr\.security\.capability=(.{12,24})\n", re.DOTALL)
_ARROW: Final = "' -> '"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file, folder, link, … of a unit."""

    kind: str
    mode: str
    uid: str
    gid: str
    size: int = 0
    written: int = 0
    """When the content was last changed, in seconds since 1970."""
    changed: float = 0.0
    """When anything about the file was last changed."""
    target: str = ""
    digest: str = ""
    capability: str = ""
    mounted: str = ""
    """The type of the file system that is mounted at this path."""

    @property
    def about(self) -> str:
        """Mode and owner as text."""
        return f"mode {self.mode}, owner {self.uid}:{self.gid}"

    @property
    def value(self) -> str | Unknown:
        """The value of the file's fact."""
        if self.kind == "l":
            return f"link to {self.target}, owner {self.uid}:{self.gid}"
        more = f", capability {self.capability}" if self.capability else ""
        more += f", {self.mounted} mounted" if self.mounted else ""
        if self.kind != "f":
            return f"{self.about}, {_KINDS.get(self.kind, 'of unknown kind')}{more}"
        if self.digest:
            return f"{self.about}, sha256 {self.digest}{more}"
        if self.size > LARGEST:
            return Unknown(f"not read: larger than {LARGEST >> 30} GiB ({self.about}{more})")
        return Unknown(f"cannot be read ({self.about}{more})")


@dataclass(slots=True)
class Tree:
    """What is known about a unit's files so far."""

    entries: dict[str, FileEntry] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    """The reasons by path, or by "" for all files."""
    boxed: dict[str, FileEntry] = field(default_factory=dict)
    """The files and links of the machine's box."""

    @property
    def unread(self) -> Sequence[str]:
        """Files with unknown content that are small enough to be read."""
        return [
            path
            for path, entry in self.entries.items()
            if entry.kind == "f" and not entry.digest and entry.size <= LARGEST
        ]

    @property
    def denied(self) -> Sequence[str]:
        """Folders that could not be listed."""
        return [path for path in self.unknown if path.startswith("/")]

    def has_digests(self, digests: Mapping[str, str]) -> None:
        """Record the digests of files."""
        for path, digest in digests.items():
            if path in self.entries:
                self.entries[path] = replace(self.entries[path], digest=digest)

    def facts(self) -> UnitFacts:
        """All of it as facts, including Python packages."""
        files: dict[str, str] = {}
        unknown = {fact_id(Category.FILES, path): why for path, why in self.unknown.items()}
        for path, entry in self.entries.items():
            value = entry.value
            if isinstance(value, Unknown):
                unknown[fact_id(Category.FILES, path)] = value.reason
                files[path] = f"{entry.about}, {UNREADABLE}"
            else:
                files[path] = value
        python = dict(python_packages(self.entries))
        altered = {
            fact_id(Category.FILES, path): ""
            for path, entry in self.boxed.items()
            if path in self.entries and self.entries[path].value != entry.value
        }
        return {
            Category.FILES: files,
            Category.PYTHON: python,
            UNKNOWN: unknown,
            ALTERED: altered,
        }


_PYTHON: Final = re.compile(r"(.+)/([^/]+?)-([^/-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info")


def python_packages(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Python packages as ("FOLDER: NAME", version), from the .dist-info and .egg-info folders."""
    for path in paths:
        if path.endswith("-info") and (match := _PYTHON.fullmatch(path)):
            folder, name, version = match.groups()
            yield f"{folder}: {name.lower().replace('_', '-')}", version


def npm_folders(paths: Mapping[str, object]) -> Sequence[str]:
    """The folders with npm packages, except those inside another package."""
    return [
        path.removesuffix("/node_modules") or "/"
        for path in paths
        if path.endswith("/node_modules") and "/node_modules/" not in path
    ]


# --- parsing ------------------------------------------------------------------


def read(parts: Mapping[str, str]) -> Tree:
    """Parse the parts that collect.sh prints. ValueError if they are malformed."""
    tree = Tree()
    tree.entries.update(_entries(parts.get("listing", "")))
    tree.entries.update(_plain(parts.get("plain", ""), parts.get("links", "")))
    for path in parts.get("newlines", "").split("\0"):
        if path:
            tree.unknown[path] = (
                "its name contains a line break, which the tools in this unit cannot list"
            )
    for line in parts.get("denied", "").split("\n"):
        if (match := _DENIED.fullmatch(line)) and "No such file" not in match[2]:
            tree.unknown[match[1]] = f"cannot be listed: {match[2]}"
    tree.has_digests(dict(sums(parts.get("sums", ""))))
    for line in filter(None, parts.get("mounted", "").split("\n")):
        path, _, kind = line.partition("\t")
        if path in tree.entries:
            tree.entries[path] = replace(tree.entries[path], mounted=kind.partition(" ")[0])
        else:
            tree.unknown[path] = "another file system is mounted there; it is not read"
    _trust(tree, parts)
    _capabilities(tree, parts)
    return tree


def _entries(listing: str) -> Iterator[tuple[str, FileEntry]]:
    fields = listing.split("\0")
    if len(fields) % 2 == 0:
        raise ValueError("its list of files is incomplete")
    for about, target in zip(fields[:-1:2], fields[1::2], strict=True):
        match = _ENTRY.fullmatch(about)
        if match is None:
            raise ValueError("its list of files is malformed")
        kind, mode, uid, gid, size, written, changed, path = match.groups()
        yield path, FileEntry(kind, mode, uid, gid, int(size), int(written), float(changed), target)


def _plain(listing: str, links: str) -> Iterator[tuple[str, FileEntry]]:
    """Entries in the format of BusyBox's `stat`."""
    targets = {}
    for line in links.split("\n"):
        path, arrow, target = line.removeprefix("'").partition(_ARROW)
        if arrow:
            targets[path] = target.removesuffix("'")
    for line in filter(None, listing.split("\n")):
        match = _PLAIN.fullmatch(line)
        if match is None:
            raise ValueError("its list of files is malformed")
        raw, uid, gid, size, written, changed, path = match.groups()
        bits = int(raw, 16)
        kind = _MODES.get(bits >> 12, "?")
        mode = f"{bits & 0o7777:o}"
        entry = FileEntry(kind, mode, uid, gid, int(size), int(written), float(changed))
        yield path, replace(entry, target=targets.get(path, "")) if kind == "l" else entry


def sums(body: str) -> Iterator[tuple[str, str]]:
    """Digests by path. Lines end with NUL, or with a line break if `sha256sum` has no -z."""
    for line in body.split("\0" if "\0" in body else "\n"):
        if match := _SUM.fullmatch(line):
            yield match[2], match[1]


def _trust(tree: Tree, parts: Mapping[str, str]) -> None:
    """Take digests from the box's list for files that were not changed since the disk was created."""
    boxed = dict(_boxed(parts.get("manifest", "")))
    tree.boxed.update(boxed)
    times = parts.get("made", "").split()
    if len(times) != 3:
        return
    written, changed, booted = map(int, times)
    # Do not trust the list if the reference file was touched, or if the clock was set back.
    if written != changed or booted < written:
        return
    for path, listed in boxed.items():
        entry = tree.entries.get(path)
        if entry is None or entry.digest or entry.kind != "f" or entry.changed > written:
            continue
        if (entry.size, entry.written) == (listed.size, listed.written):
            tree.entries[path] = replace(entry, digest=listed.digest)


def _boxed(manifest: str) -> Iterator[tuple[str, FileEntry]]:
    """The files of a machine's box, from the list in it."""
    for line in manifest.split("\n"):
        if match := _LISTED.fullmatch(line):
            path, digest, size, time, mode, uid, gid = match.groups()
            yield path, FileEntry("f", mode, uid, gid, int(size), int(time), digest=digest)
        elif match := _LINKED.fullmatch(line):
            yield match[1], FileEntry("l", "777", "0", "0", target=match[2])


def _capabilities(tree: Tree, parts: Mapping[str, str]) -> None:
    listing = parts.get("capabilities")
    if listing is None:
        tree.unknown[CAPABILITIES] = "neither GNU tar nor getcap is installed"
        return
    # Output of `getcap`, or headers of archives made by `tar`.
    for part in filter(None, listing.split("\0\0\0\0envctl\n")):
        path, _, content = part.partition("\n")
        if path not in tree.entries:
            continue
        match = _CAPABILITY.search(content.encode("utf-8", "surrogateescape"))
        value = match[1].hex() if match else content.strip()[:200]
        tree.entries[path] = replace(tree.entries[path], capability=value)
