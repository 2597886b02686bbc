"""Where a base's packages come from: the mirror this host's apt uses, a dated one, or the default."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from envctl.bases.catalogue import CatalogueEntry
from envctl.lazy_dataclass import dataclass

_OPTIONS = re.compile(r"^\[([^\]]*)\]\s*")


@dataclass(frozen=True, slots=True)
class Source:
    """One line of apt's sources."""

    uri: str
    suite: str
    components: tuple[str, ...]
    keyring: str = ""

    def line(self) -> str:
        """Return the line as apt reads it."""
        options = f"[signed-by={self.keyring}] " if self.keyring else ""
        return f"deb {options}{self.uri} {self.suite} {' '.join(self.components)}"


def sources_for(
    entry: CatalogueEntry, *, snapshot: str = "", root: Path = Path("/"), platform: str = ""
) -> tuple[Source, ...]:
    """Return the sources for a base; empty to use mmdebstrap's default.

    A dated mirror has the security updates beside it, in a folder whose name ends in "-security".
    Ubuntu has another mirror for all processors but those of PCs: for another `platform`, this host's may not have them.
    """
    if snapshot:
        return _dated(entry, snapshot.rstrip("/"))
    elsewhere = bool(platform) and entry.distribution == "ubuntu"
    if elsewhere or not _same_distribution(entry, root):
        return ()
    host = tuple(_host_sources(root))
    codename = _os_release(root).get("VERSION_CODENAME", "")
    main = _uri_of(host, codename)
    if not main:
        return ()
    security = _uri_of(host, f"{codename}-security")
    return tuple(
        Source(uri, suite, entry.components, entry.keyring)
        for uri, suite in (
            (main, entry.suite),
            (_uri_of(host, f"{codename}-updates"), f"{entry.suite}-updates"),
            (security, f"{entry.suite}-security"),
        )
        if uri
    )


def _dated(entry: CatalogueEntry, snapshot: str) -> tuple[Source, ...]:
    sources = [
        Source(snapshot, suite, entry.components, entry.keyring)
        for suite in (entry.suite, f"{entry.suite}-updates")
    ]
    security = snapshot
    if entry.distribution == "debian":
        before, slash, after = f"{snapshot}/".rpartition("/debian/")
        security = f"{before}/debian-security/{after}".rstrip("/") if slash else ""
    if security:
        suite = f"{entry.suite}-security"
        sources.append(Source(security, suite, entry.components, entry.keyring))
    return tuple(sources)


def _same_distribution(entry: CatalogueEntry, root: Path) -> bool:
    return _os_release(root).get("ID", "") == entry.distribution


def _os_release(root: Path) -> Mapping[str, str]:
    try:
        text = (root / "etc/os-release").read_text("utf-8")
    except OSError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _uri_of(sources: tuple[Source, ...], suite: str) -> str:
    for source in sources:
        if source.suite == suite and "main" in source.components:
            return source.uri
    return ""


def _host_sources(root: Path) -> Iterator[Source]:
    """Yield the binary sources of this host's apt that are fetched over HTTP, in either format.

    A source with a password in its address is left out, because the image contains the address.
    """
    folder = root / "etc/apt"
    for path in (folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))):
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        sources = _stanzas(text) if path.suffix == ".sources" else _lines(text)
        yield from (source for source in sources if _usable(source.uri))


def _usable(uri: str) -> bool:
    parts = urlsplit(uri)
    return parts.scheme in {"http", "https"} and "@" not in parts.netloc


def _lines(text: str) -> Iterator[Source]:
    for raw in text.splitlines():
        kind, _, fields = raw.partition("#")[0].strip().partition(" ")
        words = _OPTIONS.sub("", fields.strip()).split()
        if kind == "deb" and len(words) >= 3:
            yield Source(words[0], words[1], tuple(words[2:]))


def _stanzas(text: str) -> Iterator[Source]:
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in plain.split("\n\n"):
        pairs = (line.partition(":") for line in stanza.splitlines() if ":" in line)
        fields = {name.strip().lower(): value.split() for name, _, value in pairs}
        if "deb" not in fields.get("types", []) or fields.get("enabled") == ["no"]:
            continue
        for uri in fields.get("uris", []):
            for suite in fields.get("suites", []):
                yield Source(uri, suite, tuple(fields.get("components", ())))
