"""Files: those that the build put there are as the project has them, and secrets as they were given. Pure.

A build's files are older than the unit that is made of it. What is as old is as it was built, whatever that is; what was
changed since is held against the project's own file, unless another step of the build may have changed it before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from envctl.backends.common.staging import view
from envctl.errors import Place
from envctl.host.source_tree import EntryKind
from envctl.parity.drift import made
from envctl.parity.drift.claim import Claim, cannot_check, place, presence, why_unknown
from envctl.parity.drift.made import Put, Since
from envctl.parity.drift.process import uid_of
from envctl.parity.facts import DIGEST, Category, UnitFacts
from envctl.parity.inquiry import Asked
from envctl.plan.model import Unit

_FILE: Final = re.compile(r"mode (\d+), owner (\d+):(\d+), (.+)")
_LINK: Final = re.compile(r"link to (.*), owner (\d+):(\d+)")
_NUMBER: Final = re.compile(r"[ug]id (\d+)")
_UNREADABLE: Final = "sha256 unreadable"


def claims(unit: Unit, told: UnitFacts) -> Iterator[Claim]:
    """One of each file that the build put there."""
    since = Since(told)
    for put in made.files(unit):
        if "\n" in put.path or made.is_volatile(put.path):
            continue  # nobody tells of it
        why = since.unknown or why_unknown(told, Category.FILES, put.path)
        where = put.step.where
        if put.path in told.get(Asked.GONE, {}):
            lost = not put.alterable and not unit.hooks.after_start
            yield _presence(unit, put.path, there=not lost, where=where)
        elif put.path in told.get(Category.FILES, {}) and since.made is not None:
            yield _claim(unit, told, put, since)
        else:
            nothing = "it is not told whether it is there"
            yield cannot_check(unit.name, Category.FILES, put.path, why or nothing, where)


def _presence(unit: Unit, path: str, *, there: bool, where: Place | None) -> Claim:
    return presence(unit.name, Category.FILES, path, word="there", there=there, where=where)


def _claim(unit: Unit, told: UnitFacts, put: Put, since: Since) -> Claim:
    now = told[Category.FILES][put.path]
    why = why_unknown(told, Category.FILES, put.path)
    if why and since.touched(put.path):
        return cannot_check(unit.name, Category.FILES, put.path, why, put.step.where)
    wanted: list[str] = []
    found: list[str] = []
    if since.touched(put.path) and not _may_be_a_hooks(unit, told, now):
        # A touch of what was built otherwise makes no drift of it.
        certain = not put.alterable or since.written(put.path)
        for expected, seen in _aspects(unit, told, put) if certain else ():
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


def _aspects(unit: Unit, told: UnitFacts, put: Put) -> Iterator[tuple[str, str]]:
    """What the project's file gives, side by side with what is so."""
    now = told[Category.FILES][put.path]
    entry = put.file.entry
    if entry is not None and entry.kind is EntryKind.LINK:
        if match := _LINK.fullmatch(now):
            yield f"link to {entry.digest}", f"link to {match[1]}"
        else:
            yield "a link", "no link"
        return
    match = _FILE.fullmatch(now)
    if match is None or match[4] == "folder":
        yield "a file", "a folder" if match else "a link"
        return
    if match[4] != _UNREADABLE:
        about = f"the content of {put.file.source}" if entry else "the content of its template"
        same = match[4] == f"sha256 {entry.digest if entry else _sha256(put.file.text or '')}"
        yield about, about if same else "another content"
    yield f"mode {put.file.mode:o}", f"mode {match[1]}"
    user, _, group = (view(put.step)["owner"] or "0:0").partition(":")
    for what, name, number in (("owner", user, match[2]), ("group", group, match[3])):
        wanted = _number(unit, told, what, name)
        if wanted is not None:
            yield f"{what} {wanted}", f"{what} {number}"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


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
    unit: Unit,
    told: UnitFacts,
    *,
    digests: Mapping[str, str],
    key: str,
    unevaluated: Collection[str] = (),
) -> Iterator[Claim]:
    """One of each secret: there, its user's alone, and of the right value.

    `digests` are what the values have to give with `key`; of a secret without one its value is not judged. Those in
    `unevaluated` have a value that only `up` asks for.
    """
    # So says the script of what it cannot read.
    nothing = hashlib.sha256(key.encode()).hexdigest()
    uid = uid_of(unit, told)
    for index, secret in enumerate(unit.run.secrets):
        where = place(unit, "secrets", index)
        now, why = told.get(Category.SECRETS, {}).get(secret.target), ""
        if now is None:
            why = why_unknown(told, Category.SECRETS, secret.target)
            yield (
                cannot_check(unit.name, Category.SECRETS, secret.target, why, where)
                if why
                else presence(
                    unit.name,
                    Category.SECRETS,
                    secret.target,
                    word="there",
                    there=False,
                    where=where,
                )
            )
            continue
        wanted: list[str] = []
        found: list[str] = []
        match = re.fullmatch(r"mode (\d+), owner (\d+):\d+", now)
        if match and uid and (match[1], match[2]) != ("400", uid):
            wanted.append(f"mode 400, owner {uid}")
            found.append(f"mode {match[1]}, owner {match[2]}")
        digest = told[Category.SECRETS].get(f"{secret.target}{DIGEST}", nothing)
        right = digests.get(secret.name)
        if secret.name in unevaluated:
            why = "its value is not known here before `envctl up` asks its source, and records what is needed"
        if right and digest == nothing != right:
            why = why_unknown(told, Category.SECRETS, f"{secret.target}{DIGEST}")
            why = why or "its value cannot be read"
        elif right and digest != right:
            wanted.append(f"the value of {secret.name}")
            found.append("another value")
        if why and not found:
            yield cannot_check(unit.name, Category.SECRETS, secret.target, why, where)
            continue
        expected, seen = (", ".join(words) or "as it was given" for words in (wanted, found))
        yield Claim(unit.name, Category.SECRETS, secret.target, expected, seen, where)
