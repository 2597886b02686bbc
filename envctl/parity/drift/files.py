"""Files: those that the build wrote match the project's files, and secrets match their values. Pure.

Files of a build are older than the units created from it, so a file that is older than its unit is unchanged. A newer
file is compared with the project's file, unless a later build step may have changed it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from envctl.backends.common.step_views import view
from envctl.errors import Place
from envctl.host.source_tree import EntryKind
from envctl.parity.drift import built_files
from envctl.parity.drift.built_files import BuiltFile, ChangeTracker
from envctl.parity.drift.expectation import Expectation, cannot_check, place, presence, why_unknown
from envctl.parity.drift.process import uid_of
from envctl.parity.fact_format import DIGEST, Category, UnitFacts
from envctl.parity.verify_categories import VerifyCategory
from envctl.plan.model import Unit

_FILE: Final = re.compile(r"mode (\d+), owner (\d+):(\d+), (.+)")
_LINK: Final = re.compile(r"link to (.*), owner (\d+):(\d+)")
_NUMBER: Final = re.compile(r"[ug]id (\d+)")
_UNREADABLE: Final = "sha256 unreadable"


def expectations(unit: Unit, facts: UnitFacts) -> Iterator[Expectation]:
    """One expectation for each file that the build wrote."""
    changes = ChangeTracker(facts)
    for built_file in built_files.files(unit):
        if "\n" in built_file.path or built_files.is_volatile(built_file.path):
            continue  # facts of it are not collected
        why = changes.unknown or why_unknown(facts, Category.FILES, built_file.path)
        where = built_file.step.where
        if built_file.path in facts.get(VerifyCategory.GONE, {}):
            lost = not built_file.alterable and not unit.hooks.after_start
            yield _presence(unit, built_file.path, is_present=not lost, where=where)
        elif built_file.path in facts.get(Category.FILES, {}) and changes.created_at is not None:
            yield _expectation(unit, facts, built_file, changes)
        else:
            nothing = "it is unknown whether it exists"
            yield cannot_check(unit.name, Category.FILES, built_file.path, why or nothing, where)


def _presence(unit: Unit, path: str, *, is_present: bool, where: Place | None) -> Expectation:
    return presence(
        unit.name, Category.FILES, path, word="present", is_present=is_present, where=where
    )


def _expectation(
    unit: Unit, facts: UnitFacts, built_file: BuiltFile, changes: ChangeTracker
) -> Expectation:
    now = facts[Category.FILES][built_file.path]
    why = why_unknown(facts, Category.FILES, built_file.path)
    if why and changes.touched(built_file.path):
        return cannot_check(unit.name, Category.FILES, built_file.path, why, built_file.step.where)
    expected_parts: list[str] = []
    found_parts: list[str] = []
    if changes.touched(built_file.path) and not _may_be_a_hooks(unit, facts, now):
        # A later step may change a file legitimately, so a new time alone does not prove drift.
        certain = not built_file.alterable or changes.written(built_file.path)
        for expected, seen in _aspects(unit, facts, built_file) if certain else ():
            if expected != seen:
                expected_parts.append(expected)
                found_parts.append(seen)
    expected, seen = (", ".join(words) or "unchanged" for words in (expected_parts, found_parts))
    return Expectation(
        unit.name, Category.FILES, built_file.path, expected, seen, built_file.step.where
    )


def _may_be_a_hooks(unit: Unit, facts: UnitFacts, now: str) -> bool:
    """Whether a hook, which runs as the unit's user, could have written the file."""
    owner = re.search(r"owner (\d+)", now)
    uid = uid_of(unit, facts)
    return bool(unit.hooks.after_start) and (
        uid in ("", "0") or (owner is not None and owner[1] == uid)
    )


def _aspects(unit: Unit, facts: UnitFacts, built_file: BuiltFile) -> Iterator[tuple[str, str]]:
    """Pairs of what the project's file should give and what was observed."""
    now = facts[Category.FILES][built_file.path]
    entry = built_file.file.entry
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
        about = (
            f"the content of {built_file.file.source}" if entry else "the content of its template"
        )
        same = (
            match[4] == f"sha256 {entry.digest if entry else _sha256(built_file.file.text or '')}"
        )
        yield about, about if same else "different content"
    yield f"mode {built_file.file.mode:o}", f"mode {match[1]}"
    user, _, group = (view(built_file.step)["owner"] or "0:0").partition(":")
    for what, name, number in (("owner", user, match[2]), ("group", group, match[3])):
        expected_id = _number(unit, facts, what, name)
        if expected_id is not None:
            yield f"{what} {expected_id}", f"{what} {number}"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _number(unit: Unit, facts: UnitFacts, what: str, name: str) -> str | None:
    """The id of a user or group. For the unit's own user, the id of its process, even if the name has another id now."""
    if name.isdigit():
        return name
    if what == "owner" and name == unit.run.process.user:
        return uid_of(unit, facts) or None
    category = Category.USERS if what == "owner" else Category.GROUPS
    match = _NUMBER.match(facts.get(category, {}).get(name, ""))
    return match[1] if match else None


# --- secrets --------------------------------------------------------------------------------


def secrets(
    unit: Unit,
    facts: UnitFacts,
    *,
    digests: Mapping[str, str],
    key: str,
    unevaluated: Collection[str] = (),
) -> Iterator[Expectation]:
    """One expectation for each secret: present, readable by its user only, with the right value.

    `digests` are the expected digests, made with `key`; without a digest the value is not checked. Only `up` reads the
    values of secrets in `unevaluated`.
    """
    # The script reports this digest for a file that it cannot read.
    nothing = hashlib.sha256(key.encode()).hexdigest()
    uid = uid_of(unit, facts)
    for index, secret in enumerate(unit.run.secrets):
        where = place(unit, "secrets", index)
        now, why = facts.get(Category.SECRETS, {}).get(secret.target), ""
        if now is None:
            why = why_unknown(facts, Category.SECRETS, secret.target)
            yield (
                cannot_check(unit.name, Category.SECRETS, secret.target, why, where)
                if why
                else presence(
                    unit.name,
                    Category.SECRETS,
                    secret.target,
                    word="present",
                    is_present=False,
                    where=where,
                )
            )
            continue
        expected_parts: list[str] = []
        found_parts: list[str] = []
        match = re.fullmatch(r"mode (\d+), owner (\d+):\d+", now)
        if match and uid and (match[1], match[2]) != ("400", uid):
            expected_parts.append(f"mode 400, owner {uid}")
            found_parts.append(f"mode {match[1]}, owner {match[2]}")
        digest = facts[Category.SECRETS].get(f"{secret.target}{DIGEST}", nothing)
        right = digests.get(secret.name)
        if secret.name in unevaluated:
            why = "its value is unknown until `envctl up` has read its source"
        if right and digest == nothing != right:
            why = why_unknown(facts, Category.SECRETS, f"{secret.target}{DIGEST}")
            why = why or "its value cannot be read"
        elif right and digest != right:
            expected_parts.append(f"the value of {secret.name}")
            found_parts.append("a different value")
        if why and not found_parts:
            yield cannot_check(unit.name, Category.SECRETS, secret.target, why, where)
            continue
        expected, seen = (
            ", ".join(words) or "as declared" for words in (expected_parts, found_parts)
        )
        yield Expectation(unit.name, Category.SECRETS, secret.target, expected, seen, where)
