"""Parses the output of collect.sh into facts. Pure."""

from __future__ import annotations

import struct
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from envctl.lazy_dataclass import dataclass
from envctl.parity import parse_changes, parse_process, parse_system
from envctl.parity.answers import AnswerSection, Values, sections
from envctl.parity.fact_format import SUBSTRATE, UNKNOWN, Category, UnitFacts, Unknown, fact_id
from envctl.parity.verify_categories import VerifyCategory

IN_PARTS: Final = frozenset({"tree", "sums", "processes"})
"""Questions whose answers have several parts, which other modules parse."""
_UNREADABLE: Final = (ArithmeticError, LookupError, RecursionError, ValueError, struct.error)
"""Exceptions that parsers raise for a malformed answer."""


def facts(
    output: bytes,
    mark: str,
    questions: Sequence[tuple[str, str]],
    *,
    cut: str = "its output ended before this",
) -> UnitFacts:
    """Parse the script's output: facts by category and key. `questions` are in the order in which they were asked.

    Answers that are missing or malformed make their facts unknown; `cut` is the reason if the output may end early.
    `mark` is the separator that the script was given. ValueError if there is no output.
    """
    facts_found: dict[str, dict[str, str]] = defaultdict(dict)
    unknown: dict[str, str] = {}
    answered = sections(output, mark)
    if not answered:
        raise ValueError("there was no output")
    answers: dict[str, deque[AnswerSection]] = defaultdict(deque)
    for section in answered:
        answers[section.name].append(section)
    for kind, value in questions:
        if kind in IN_PARTS:
            continue
        reader = _READERS[kind]
        lacking = unknown_without(kind, value)
        if not answers[kind] or not (section := answers[kind].popleft()).is_whole:
            unknown.setdefault(lacking, cut)
            continue
        try:
            for name, fact in reader.read(section.body):
                if isinstance(fact, Unknown):
                    unknown[fact_id(reader.category, name)] = fact.reason
                else:
                    facts_found[reader.category][name] = fact
        except _UNREADABLE as error:
            why = "the answer is malformed"
            unknown[lacking] = f"{why}: {error}" if error.args else why
    unknown.update(map(_unknown, answers[UNKNOWN]))
    known = {category: values for category, values in facts_found.items() if values}
    return {**known, UNKNOWN: unknown} if unknown else known


def parts(output: bytes, mark: str, kind: str) -> Sequence[Mapping[str, str]]:
    """The parts of each complete answer to questions of a kind, by name."""
    return [
        {
            name: body
            for name, _, body in (
                part.partition("\0") for part in section.body.split(f"{mark}/")[1:]
            )
        }
        for section in sections(output, mark)
        if section.name == kind and section.is_whole
    ]


def unknown_told(output: bytes, mark: str) -> Mapping[str, str]:
    """The reasons for unknown facts that the script itself reports, by `fact_id`."""
    return dict(_unknown(section) for section in sections(output, mark) if section.name == UNKNOWN)


def _unknown(section: AnswerSection) -> tuple[str, str]:
    category, tab, key_and_reason = section.body.partition("\t")
    key, _, reason = key_and_reason.partition("\t")
    return fact_id(category, key) if tab else section.body, reason or "no reason is known"


def unknown_without(kind: str, value: str) -> str:
    """The `fact_id` that is unknown if a question has no answer."""
    reader = _READERS[kind]
    return fact_id(reader.category, value if reader.key is None else reader.key)


@dataclass(frozen=True, slots=True)
class _Reader:
    """How to parse an answer into facts of a category. Without one, `key` is unknown; None means the question's value."""

    category: str
    read: Callable[[str], Values]
    key: str | None = ""


_READERS: Final[Mapping[str, _Reader]] = {
    "os": _Reader(Category.OS, parse_system.parse_os),
    "kernel": _Reader(Category.KERNEL, parse_system.parse_kernel),
    "packages": _Reader(Category.PACKAGES, parse_system.parse_packages),
    "python": _Reader(Category.PYTHON, parse_system.parse_python),
    "npm": _Reader(Category.NPM, parse_system.parse_npm),
    "users": _Reader(Category.USERS, parse_system.parse_users),
    "groups": _Reader(Category.GROUPS, parse_system.parse_groups),
    "timezone": _Reader(Category.LOCALE, parse_system.parse_timezone, "time zone"),
    "locale": _Reader(Category.LOCALE, parse_system.parse_locale, "available"),
    "sockets": _Reader(Category.SOCKETS, parse_system.parse_sockets),
    "argv": _Reader(Category.PROCESS, parse_process.parse_argv, "argv"),
    "environ": _Reader(Category.ENVIRONMENT, parse_process.parse_environ),
    "status": _Reader(Category.PROCESS, parse_process.parse_status),
    "limits": _Reader(Category.LIMITS, parse_process.parse_limits),
    "cwd": _Reader(Category.PROCESS, parse_process.parse_cwd, "directory"),
    "cgroup": _Reader(Category.LIMITS, parse_process.parse_cgroup, "memory"),
    "size": _Reader(Category.LIMITS, parse_process.parse_size, "memory visible"),
    "sysctls": _Reader(Category.SYSCTLS, parse_system.parse_sysctls),
    "name": _Reader(Category.NAMES, parse_system.parse_name, None),
    "secret": _Reader(Category.SECRETS, parse_system.parse_secret, None),
    "substrate": _Reader(SUBSTRATE, parse_system.parse_substrate),
    "times": _Reader(VerifyCategory.TIMES, parse_changes.parse_times, None),
    "gone": _Reader(VerifyCategory.GONE, parse_changes.parse_words, None),
    "exec_environ": _Reader(VerifyCategory.EXEC_ENVIRONMENT, parse_process.parse_environ),
    "tool": _Reader(VerifyCategory.TOOLS, parse_changes.parse_words, None),
    "provides": _Reader(VerifyCategory.PROVIDES, parse_changes.parse_provides),
    "removed": _Reader(VerifyCategory.REMOVED, parse_changes.parse_removed),
    "changed": _Reader(VerifyCategory.CHANGED, parse_changes.parse_changed),
    "lost": _Reader(VerifyCategory.LOST, parse_changes.parse_words),
}
KINDS: Final = frozenset(_READERS)
"""All kinds of questions."""
