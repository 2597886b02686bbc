"""Files of the distribution's packages, and files that no spec declares: unchanged since the unit was created. Pure.

Changes are recognised by the file system's change times, which nobody resets by accident. Changes that the unit's own
user may have made are not drift: the program made them. Paths that facts leave out are left out here, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from envctl.lazy_dataclass import dataclass
from envctl.parity.drift import built_files, packages
from envctl.parity.drift.expectation import Expectation, cannot_check, so, why_unknown
from envctl.parity.drift.process import uid_of
from envctl.parity.fact_format import Category, UnitFacts
from envctl.parity.verify_categories import VerifyCategory
from envctl.plan.model import CreateUser, Unit

PACKAGED: Final = "of packages"
OTHERS: Final = "others"
NOBODYS: Final = "nobody's"
"""How the collector marks files that belong to no package."""
_BUILT: Final = "as it was built"
_LINKS: Final = ("/etc/alternatives/", "/etc/ld.so.cache")
"""Files that the package manager updates when packages change."""
_ENGINES: Final = (
    "/etc/.updated", "/etc/fstab", "/etc/ssh/ssh_host_", "/var/.updated", "/var/lib/apt/", "/var/lib/containerd/", "/var/lib/docker/",
    "/var/lib/dpkg/", "/var/lib/systemd/",
)  # fmt: skip
"""Files that engines write at each start, and the package manager's records, which are checked separately."""
_TRACES: Final = re.compile(
    r"/__pycache__/|\.pyc$|/\.cache/|/\.[a-z_]*history$|/\.lesshst$|/\.viminfo$"
)
"""Files that people leave behind when they look around in a unit."""
_SETTINGS: Final = ("/etc/", "/var/")
"""Folders of package files that services may rewrite."""
_ACCOUNTS: Final = frozenset(("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"))
_ROOTS: Final = ("/bin/", "/boot/", "/etc/", "/lib", "/root/", "/sbin/", "/usr/")
"""Folders in which only root should write, even if a file's mode allows anybody to write."""
_CHANGED: Final = re.compile(r"mode (\d+), owner (\d+):(\d+), (.*)")
_MOST_DETAILS: Final = 20
"""The maximum number of files that are listed individually."""


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    mode: int
    uid: str
    package: str
    """The package that owns the file, or ""."""

    @property
    def powers(self) -> Sequence[str]:
        """The rights that the file gives to anybody who runs it: setuid and setgid."""
        return [word for bit, word in ((0o4000, "setuid"), (0o2000, "setgid")) if self.mode & bit]

    @property
    def packaged(self) -> bool:
        """Whether the file belongs to a package."""
        return bool(self.package)


def expectations(unit: Unit, facts: UnitFacts) -> Iterator[Expectation]:
    """Two expectations: files of packages are unchanged, and no undeclared files were added."""
    where = unit.source.where or unit.where
    why = built_files.ChangeTracker(facts).unknown
    why = (
        why or why_unknown(facts, VerifyCategory.CHANGED) or why_unknown(facts, VerifyCategory.LOST)
    )
    if why:
        yield cannot_check(unit.name, Category.FILES, PACKAGED, why, where)
        yield cannot_check(unit.name, Category.FILES, OTHERS, why, where)
        return
    changed = list(_changed(unit, facts))
    texts = {
        PACKAGED: [
            *((path, "missing") for path in _lost(unit, facts)),
            *(
                (file.path, _file_text(file, "changed since it was created"))
                for file in changed
                if file.packaged
            ),
        ],
        OTHERS: [
            (file.path, _file_text(file, "changed or added since it was created"))
            for file in changed
            if not file.packaged
        ],
    }
    for key, files in texts.items():
        details = [
            Expectation(unit.name, Category.FILES, path, _BUILT, text, where)
            for path, text in files
        ]
        if len(details) > _MOST_DETAILS:
            more = f"{len(details) - _MOST_DETAILS} more were changed since"
            summary = Expectation(unit.name, Category.FILES, key, _BUILT, more, where)
            details = [*details[:_MOST_DETAILS], summary]
        expectation = so(unit.name, Category.FILES, key, where, word=_BUILT)
        yield replace(expectation, details=tuple(details))


def _file_text(file: _File, what: str) -> str:
    return ", ".join([what, *file.powers])


def _own_uid(unit: Unit, facts: UnitFacts) -> str:
    """The id of the unit's own user, or of the user that the build sets; "0" if it may be root."""
    name = (unit.run.process.user or "").partition(":")[0]
    planned = (step.uid for step in built_files.steps(unit) if isinstance(step, CreateUser))
    uids = [str(uid) for uid in planned]
    return uid_of(unit, facts) or (uids[0] if name and uids else "0")


def _changed(unit: Unit, facts: UnitFacts) -> Iterator[_File]:
    """Changed files that neither the unit's own user nor the spec can have changed."""
    by_path = {built_file.path for built_file in built_files.files(unit)}
    links = {secret.target for secret in unit.run.secrets}
    newer = packages.changed_since(facts, built_files.ChangeTracker(facts))
    for path, text in sorted(facts.get(VerifyCategory.CHANGED, {}).items()):
        match = _CHANGED.fullmatch(text)
        if match is None or path in by_path or path in links or _is_volatile(unit, path):
            continue
        mode, uid = int(match[1], 8), match[2]
        file = _File(path, mode, uid, match[4].removeprefix("of ") if match[4] != NOBODYS else "")
        # Installing a package changes all its files; the package itself is reported instead.
        if file.package in newer or (newer and path.startswith(_LINKS)):
            continue
        if not _may_be_its_own(unit, facts, file):
            yield file


def _lost(unit: Unit, facts: UnitFacts) -> Iterator[str]:
    """Files of packages that were deleted."""
    by_path = {built_file.path for built_file in built_files.files(unit)}
    hooked = unit.hooks.after_start and _own_uid(unit, facts) == "0"
    for path in sorted(facts.get(VerifyCategory.LOST, {})):
        if path not in by_path and not hooked and not _is_volatile(unit, path):
            yield path


def _is_volatile(unit: Unit, path: str) -> bool:
    known = path.startswith(_ENGINES) or unit.hides(path) or built_files.is_volatile(path)
    return known or bool(_TRACES.search(path)) or "\n" in path


def _may_be_its_own(unit: Unit, facts: UnitFacts, file: _File) -> bool:
    """Whether the unit's process or a hook may have changed the file: root nearly any file, other users their own.

    No service rewrites the programs of packages, as whatever user it runs; some rewrite settings in /etc when they
    start. Mode and owner are observed after the change, so they prove nothing where only root could write before.
    """
    uid = _own_uid(unit, facts)
    if uid == "0":
        settings = file.path.startswith("/etc/") or not file.packaged
        return bool(unit.hooks.after_start) or (settings and not file.powers)
    if file.powers and file.uid != uid:
        return False
    if file.packaged:
        return file.uid == uid and file.path.startswith(_SETTINGS)
    if file.path in _ACCOUNTS:
        return False
    return file.uid == uid or (bool(file.mode & 0o002) and not file.path.startswith(_ROOTS))
