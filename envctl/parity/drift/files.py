"""Files: those that the build put there are as the project has them, and secrets as they were given. Pure.

A build's files are older than the unit that is made of it. What is as old is as it was built, whatever that is; what was
changed since is held against the project's own file, unless another step of the build may have changed it before.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from envctl.backends.staging import ContextFile, view
from envctl.parity.drift import made
from envctl.parity.drift.claim import Claim, place, presence
from envctl.parity.drift.made import Put, Since
from envctl.parity.drift.process import uid_of
from envctl.parity.facts import DIGEST, Category, UnitFacts
from envctl.parity.inquiry import Asked
from envctl.plan.model import Unit

_FILE: Final = re.compile(r"mode (\d+), owner (\d+):(\d+), (.+)")
_LINK: Final = re.compile(r"link to (.*), owner (\d+):(\d+)")
_NUMBER: Final = re.compile(r"[ug]id (\d+)")
_UNREADABLE: Final = "sha256 unreadable"


def claims(unit: Unit, told: UnitFacts, *, root: Path) -> Iterator[Claim]:
    """Of each file that the build put there; `root` is the project's folder."""
    since, there = Since(told), told.get(Category.FILES, {})
    for put in made.files(unit):
        if put.path in told.get(Asked.GONE, {}):
            if not put.alterable and not unit.hooks.after_start:
                yield presence(
                    unit.name,
                    Category.FILES,
                    put.path,
                    word="there",
                    there=False,
                    where=put.step.where,
                )
        elif put.path in there and since.made is not None:
            # The project's own file may have gone meanwhile.
            with suppress(OSError):
                yield _claim(unit, told, put, root, since)


def _claim(unit: Unit, told: UnitFacts, put: Put, root: Path, since: Since) -> Claim:
    now = told[Category.FILES][put.path]
    wanted: list[str] = []
    found: list[str] = []
    if since.touched(put.path) and not _may_be_a_hooks(unit, told, now):
        # A touch of what was built otherwise makes no drift of it.
        certain = not put.alterable or since.written(put.path)
        for expected, seen in _aspects(unit, told, put, root=root) if certain else ():
            if expected != seen:
                wanted.append(expected)
                found.append(seen)
    expected, seen = (", ".join(words) or "unchanged" for words in (wanted, found))
    return Claim(unit.name, Category.FILES, put.path, expected, seen, put.step.where)


def _may_be_a_hooks(unit: Unit, told: UnitFacts, now: str) -> bool:
    """Whether a hook, which runs as the unit's user, could have written the file."""
    owner = re.search(r"owner (\d+)", now)
    uid = uid_of(unit, told)
    return bool(unit.hooks.after_start) and (
        uid in ("", "0") or (owner is not None and owner[1] == uid)
    )


def _aspects(unit: Unit, told: UnitFacts, put: Put, *, root: Path) -> Iterator[tuple[str, str]]:
    """What the project's file gives, side by side with what is so."""
    now = told[Category.FILES][put.path]
    source = root / put.file.source if put.file.text is None else None
    if source is not None and source.is_symlink():
        if match := _LINK.fullmatch(now):
            yield f"link to {source.readlink()}", f"link to {match[1]}"
        else:
            yield "a link", "no link"
        return
    match = _FILE.fullmatch(now)
    if match is None or match[4] == "folder":
        yield "a file", "a folder" if match else "a link"
        return
    if match[4] != _UNREADABLE:
        about = f"the content of {put.file.source}" if source else "the content of its template"
        same = match[4] == f"sha256 {_sha256(put.file, source)}"
        yield about, about if same else "another content"
    mode = _mode(put.file, source)
    if mode is not None:
        yield f"mode {mode:o}", f"mode {match[1]}"
    user, _, group = (view(put.step)["owner"] or "0:0").partition(":")
    for what, name, number in (("owner", user, match[2]), ("group", group, match[3])):
        wanted = _number(unit, told, what, name)
        if wanted is not None:
            yield f"{what} {wanted}", f"{what} {number}"


def _sha256(file: ContextFile, source: Path | None) -> str:
    if source is None:
        return hashlib.sha256((file.text or "").encode("utf-8", "surrogateescape")).hexdigest()
    return hashlib.sha256(source.read_bytes()).hexdigest()


def _mode(file: ContextFile, source: Path | None) -> int | None:
    if file.mode is not None or source is None:
        return file.mode
    return 0o755 if stat.S_IMODE(source.stat().st_mode) & 0o111 else 0o644


def _number(unit: Unit, told: UnitFacts, what: str, name: str) -> str | None:
    """A user's or a group's; the unit's own user is the one its process runs as, whatever its name means by now."""
    if name.isdigit():
        return name
    if what == "owner" and name == unit.run.process.user:
        return uid_of(unit, told) or None
    category = Category.USERS if what == "owner" else Category.GROUPS
    match = _NUMBER.match(told.get(category, {}).get(name, ""))
    return match[1] if match else None


# --- secrets --------------------------------------------------------------------------------


def secrets(
    unit: Unit, told: UnitFacts, *, digests: Mapping[str, str], key: str
) -> Iterator[Claim]:
    """Of each secret: there, its user's alone, and of the right value.

    `digests` are what the values have to give with `key`; of a secret without one its value is not judged.
    """
    found = told.get(Category.SECRETS, {})
    # So says the script of what it cannot read, which another claim is about.
    unreadable = {"unreadable", hashlib.sha256(key.encode()).hexdigest()}
    uid = uid_of(unit, told)
    for index, secret in enumerate(unit.run.secrets):
        where = place(unit, "secrets", index)
        now = found.get(secret.target)
        there = now is not None
        yield presence(
            unit.name, Category.SECRETS, secret.target, word="there", there=there, where=where
        )
        if now is None:
            continue
        match = re.fullmatch(r"mode (\d+), owner (\d+):\d+", now)
        if match and uid:
            expected, seen = f"mode 400, owner {uid}", f"mode {match[1]}, owner {match[2]}"
            yield Claim(unit.name, Category.SECRETS, secret.target, expected, seen, where)
        digest = found.get(f"{secret.target}{DIGEST}", "unreadable")
        wanted = digests.get(secret.name)
        if wanted and (digest == wanted or digest not in unreadable):
            value = f"the value of {secret.name}"
            seen = value if digest == wanted else "another value"
            yield Claim(unit.name, Category.SECRETS, secret.target, value, seen, where)
