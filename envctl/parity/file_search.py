"""Reads all files of a unit: lists and hashes them in one run, then retries those that could not be read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from envctl.backends.base import Execution, ReadsFiles
from envctl.backends.common.capped import CappedBuffer
from envctl.errors import EnvctlError
from envctl.parity import engine_archive, file_tree, parse_facts
from envctl.parity.fact_format import UNKNOWN, Category, UnitFacts, fact_id
from envctl.parity.file_tree import FileEntry
from envctl.parity.run_collector import CollectorScript
from envctl.plan.volatile_places import PATTERNS, literally

_BATCH: Final = 100
"""The number of files in one request."""
_FETCHED: Final = 200
"""The maximum number of files and folders that are fetched from the engine."""
_FIND_SOCKETS: Final = 'find "$1" -xdev -type s -exec stat -c "%a %u %g %n" {} + 2>/dev/null'
_SOCKET: Final = re.compile(r"([0-7]+) ([0-9]+) ([0-9]+) (/.+)")
_MOST: Final = 20_000
"""The maximum number of files that are read a second time."""


def files(script: CollectorScript, covered: Sequence[str]) -> UnitFacts:
    """The facts of all files except those in volatile and `covered` places: volumes, mounts, secrets.

    Includes packages of Python and npm, wherever they are.
    """
    patterns = [*PATTERNS, *(pattern for path in covered for pattern in _below(path))]
    value = "\t".join(
        pattern for pattern in patterns if "\n" not in pattern and "\t" not in pattern
    )
    try:
        answer = script.ask([("tree", value)], everything=True)
        parts = parse_facts.parts(answer.data, answer.mark, "tree")
        unknown = parse_facts.unknown_told(answer.data, answer.mark)
        tree = file_tree.read(parts[0]) if parts else None
    except (EnvctlError, ValueError) as error:
        return _nothing(error.brief if isinstance(error, EnvctlError) else str(error))
    if unknown:
        return {UNKNOWN: unknown}
    if tree is not None and "/" not in tree.entries:
        return _nothing("the files of this unit could not be listed")
    if tree is None:
        return _nothing(answer.cut)
    _read_again(script, tree)
    _fetch(script, tree)
    facts = tree.facts()
    npm = file_tree.npm_folders(tree.entries)
    return {**facts, **_npm(script, npm)} if npm else facts


def _below(path: str) -> tuple[str, str]:
    pattern = literally(path.rstrip("/"))
    return pattern, f"{pattern}/*"


def _nothing(why: str) -> UnitFacts:
    return {UNKNOWN: {fact_id(category, ""): why for category in (Category.FILES, Category.PYTHON)}}


def _read_again(script: CollectorScript, tree: file_tree.Tree) -> None:
    """Read the missing files again. They may have changed or been deleted in the meantime."""
    unread = [path for path in tree.unread if "\t" not in path and "\n" not in path]
    if not unread:
        return
    questions = [
        ("sums", "\t".join(unread[start : start + _BATCH]))
        for start in range(0, min(len(unread), _MOST), _BATCH)
    ]
    try:
        answer = script.ask(questions, everything=True)
    except EnvctlError:
        return
    for parts in parse_facts.parts(answer.data, answer.mark, "sums"):
        tree.has_digests(dict(file_tree.sums(parts.get("sums", ""))))
        for path in parts.get("gone", "").split("\0"):
            tree.entries.pop(path, None)


def _fetch(script: CollectorScript, tree: file_tree.Tree) -> None:
    """Fetch files from the engine that root in the unit may not read: the unit's capabilities do not limit the engine."""
    backend, left = script.backend, engine_archive.MOST
    if not isinstance(backend, ReadsFiles):
        return
    for path in [*tree.denied, *tree.unread][:_FETCHED]:
        try:
            entries, size = engine_archive.entries(
                backend.archive(script.unit.name, path), path, most=left
            )
        except (EnvctlError, ValueError):
            continue
        left -= size
        tree.unknown.pop(path, None)
        owner = tree.entries.get(path)
        tree.entries |= entries
        if owner is not None and owner.kind == "d":
            try:
                tree.entries |= _sockets(script, path, f"{owner.uid}:{owner.gid}")
            except EnvctlError as error:
                tree.unknown[path] = f"its sockets cannot be listed: {error.brief}"


def _sockets(script: CollectorScript, folder: str, owner: str) -> dict[str, FileEntry]:
    """The sockets in a folder, listed as its owner: archives of an engine contain everything except sockets.

    EnvctlError if they cannot be listed.
    """
    output = CappedBuffer(1 << 20)
    execution = Execution(
        ("/bin/sh", "-c", _FIND_SOCKETS, "sockets", folder), stdout=output, timeout=60, user=owner
    )
    code = script.backend.exec(script.unit.name, execution)
    if code or output.too_much:
        raise EnvctlError("there are too many" if output.too_much else f"exit code {code}")
    sockets: dict[str, FileEntry] = {}
    for line in output.data.decode("utf-8", "surrogateescape").split("\n")[:-1]:
        match = _SOCKET.fullmatch(line)
        if match is None:
            raise EnvctlError("a name contains a line break")
        sockets[match[4]] = FileEntry("s", match[1], match[2], match[3])
    return sockets


def _npm(script: CollectorScript, folders: Sequence[str]) -> UnitFacts:
    questions = [("npm", folder) for folder in folders if "\n" not in folder]
    try:
        return script.facts(script.ask(questions, everything=True), questions)
    except EnvctlError as error:
        return {UNKNOWN: {fact_id(Category.NPM, ""): error.brief}}
