"""All files of a unit looked at: listed and read in one go, what remains unread asked for again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from envctl.backends.base import Execution, ReadsFiles
from envctl.backends.common.capped import Kept
from envctl.errors import EnvctlError
from envctl.parity import engine_archive, parse_facts, tree
from envctl.parity.facts import UNKNOWN, Category, UnitFacts, fact_id
from envctl.parity.interview import Interview
from envctl.parity.tree import Entry
from envctl.plan.places import PATTERNS, literally

_BATCH: Final = 100
"""Files asked for together."""
_FETCHED: Final = 200
"""Files and folders fetched one by one."""
_FIND_SOCKETS: Final = 'find "$1" -xdev -type s -exec stat -c "%a %u %g %n" {} + 2>/dev/null'
_SOCKET: Final = re.compile(r"([0-7]+) ([0-9]+) ([0-9]+) (/.+)")
_MOST: Final = 20_000
"""Files asked for a second time."""


def files(interview: Interview, covered: Sequence[str]) -> UnitFacts:
    """The facts of all files but those of volatile places, and of `covered` ones: volumes, mounts, secrets.

    Python's and npm's packages are among them, wherever they are.
    """
    patterns = [*PATTERNS, *(pattern for path in covered for pattern in _below(path))]
    value = "\t".join(
        pattern for pattern in patterns if "\n" not in pattern and "\t" not in pattern
    )
    try:
        answer = interview.ask([("tree", value)], everything=True)
        told = parse_facts.parts(answer.data, answer.mark, "tree")
        unknown = parse_facts.unknown_told(answer.data, answer.mark)
        found = tree.read(told[0]) if told else None
    except (EnvctlError, ValueError) as error:
        return _nothing(error.brief if isinstance(error, EnvctlError) else str(error))
    if unknown:
        return {UNKNOWN: unknown}
    if found is None:
        return _nothing(answer.cut)
    _read_again(interview, found)
    _fetch(interview, found)
    facts = found.facts()
    npm = tree.npm_folders(found.entries)
    return {**facts, **_npm(interview, npm)} if npm else facts


def _below(path: str) -> tuple[str, str]:
    pattern = literally(path.rstrip("/"))
    return pattern, f"{pattern}/*"


def _nothing(why: str) -> UnitFacts:
    return {UNKNOWN: {fact_id(category, ""): why for category in (Category.FILES, Category.PYTHON)}}


def _read_again(interview: Interview, found: tree.Tree) -> None:
    """Read what was not, which may have changed, or gone, in the meantime."""
    unread = [path for path in found.unread if "\t" not in path and "\n" not in path]
    if not unread:
        return
    asked = [
        ("sums", "\t".join(unread[start : start + _BATCH]))
        for start in range(0, min(len(unread), _MOST), _BATCH)
    ]
    try:
        answer = interview.ask(asked, everything=True)
    except EnvctlError:
        return
    for parts in parse_facts.parts(answer.data, answer.mark, "sums"):
        found.has_digests(dict(tree.sums(parts.get("sums", ""))))
        for path in parts.get("gone", "").split("\0"):
            found.entries.pop(path, None)


def _fetch(interview: Interview, found: tree.Tree) -> None:
    """Fetch what root inside could not look at, where the engine can: rights that a unit lacks it need not lack."""
    backend, left = interview.backend, engine_archive.MOST
    if not isinstance(backend, ReadsFiles):
        return
    for path in [*found.denied, *found.unread][:_FETCHED]:
        try:
            entries, size = engine_archive.entries(
                backend.archive(interview.unit.name, path), path, most=left
            )
        except (EnvctlError, ValueError):
            continue
        left -= size
        found.unknown.pop(path, None)
        owner = found.entries.get(path)
        found.entries |= entries
        if owner is not None and owner.kind == "d":
            try:
                found.entries |= _sockets(interview, path, f"{owner.uid}:{owner.gid}")
            except EnvctlError as error:
                found.unknown[path] = f"its sockets cannot be listed: {error.brief}"


def _sockets(interview: Interview, folder: str, owner: str) -> dict[str, Entry]:
    """The sockets in a folder, as its owner sees them: an engine's archive has everything else, but none of these.

    EnvctlError if they cannot be listed.
    """
    said = Kept(1 << 20)
    execution = Execution(
        ("/bin/sh", "-c", _FIND_SOCKETS, "sockets", folder), stdout=said, timeout=60, user=owner
    )
    code = interview.backend.exec(interview.unit.name, execution)
    if code or said.too_much:
        raise EnvctlError("there are too many" if said.too_much else f"exit code {code}")
    found: dict[str, Entry] = {}
    for line in said.data.decode("utf-8", "surrogateescape").split("\n")[:-1]:
        match = _SOCKET.fullmatch(line)
        if match is None:
            raise EnvctlError("a name has a line end in it")
        found[match[4]] = Entry("s", match[1], match[2], match[3])
    return found


def _npm(interview: Interview, folders: Sequence[str]) -> UnitFacts:
    asked = [("npm", folder) for folder in folders if "\n" not in folder]
    try:
        return interview.facts(interview.ask(asked, everything=True), asked)
    except EnvctlError as error:
        return {UNKNOWN: {fact_id(Category.NPM, ""): error.brief}}
