"""What became of each fault, kept from run to run, and the table of it."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutation.choosing import distance
from tests.mutation.covering import SELECTION, TREE
from tests.mutation.operators import Mutant
from tests.mutation.worker import Outcome

EQUIVALENT: Final = Path(__file__).with_name("equivalent.toml")
NO_TEST: Final = "no quick test runs it"


class Results:
    """A file of lines, one a verdict; the last one counts.

    A kill holds as long as the module and the test's file stay as they are, a survival as long as the module, its own tests
    and those beside them do.
    """

    def __init__(self, file: Path, tree: Path = TREE) -> None:
        self._file = file
        self._tree = tree
        self._known: dict[str, dict[str, str]] = {}
        self._digests: dict[str, str] = {}
        self.read()

    def read(self) -> None:
        """Read what there is, also what another process has added."""
        if self._file.exists():
            for line in self._file.read_text("utf-8").splitlines():
                verdict = json.loads(line)
                self._known[verdict["id"]] = verdict

    def add(self, outcome: Outcome) -> None:
        """Keep a verdict at once: a run may be ended and gone on with."""
        verdict = {
            "id": outcome.mutant.id,
            "by": outcome.by,
            "broken": outcome.broken,
            "module": self._digest(outcome.mutant.path),
            "proof": self._proof(outcome.mutant, outcome.by),
        }
        self._known[outcome.mutant.id] = verdict
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(verdict, ensure_ascii=False) + "\n")

    def verdict(self, mutant: Mutant) -> Mapping[str, str] | None:
        """What is known and still holds."""
        known = self._known.get(mutant.id)
        if not known or known["broken"] or known["module"] != self._digest(mutant.path):
            return None
        return known if known["proof"] == self._proof(mutant, known["by"]) else None

    def last(self, mutant: Mutant) -> Mapping[str, str] | None:
        """What was found last, whether or not anything has changed since."""
        return self._known.get(mutant.id)

    def _proof(self, mutant: Mutant, by: str) -> str:
        if by in ("", NO_TEST):
            return self._tests_digest(mutant.path)
        path = by.partition("::")[0].removeprefix("import of ")
        return self._digest(path) if path.endswith(".py") else ""

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            file = self._tree / path
            self._digests[path] = _short_digest(file.read_bytes()) if file.is_file() else "gone"
        return self._digests[path]

    def _tests_digest(self, path: str) -> str:
        """Of the tests of a module, and of those beside them."""
        key = f"tests of {path}"
        if key not in self._digests:
            files = (
                file for top in SELECTION[:2] for file in (self._tree / top).rglob("test_*.py")
            )
            names = sorted(file.relative_to(self._tree).as_posix() for file in files)
            near = [f"{name} {self._digest(name)}" for name in names if distance(name, path) < 2]
            self._digests[key] = _short_digest("\n".join(near).encode())
        return self._digests[key]


def _short_digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def equivalents() -> Mapping[str, str]:
    """Faults that change nothing anybody could see, and why."""
    if not EQUIVALENT.exists():
        return {}
    listed = tomllib.loads(EQUIVALENT.read_text("utf-8")).get("equivalent", [])
    return {mutant: entry["reason"] for entry in listed for mutant in entry["mutants"]}


@dataclass
class Count:
    """Of one module."""

    killed: int = 0
    survived: int = 0
    equivalent: int = 0
    untried: int = 0

    @property
    def share(self) -> float:
        """Killed ones, in per cent of all that are tried and not equivalent."""
        return 100 * self.killed / max(1, self.killed + self.survived)


def counted(mutants: Iterable[Mutant], results: Results) -> Mapping[str, Count]:
    """By module, what became of its faults."""
    counts: dict[str, Count] = {}
    harmless = equivalents()
    for mutant in mutants:
        count = counts.setdefault(mutant.path, Count())
        verdict = results.last(mutant)
        if mutant.id in harmless:
            count.equivalent += 1
        elif verdict is None or verdict["broken"]:
            count.untried += 1
        elif verdict["by"] in ("", NO_TEST):
            count.survived += 1
        else:
            count.killed += 1
    return counts


def due(mutants: Iterable[Mutant], results: Results) -> Sequence[Mutant]:
    """Those of which nothing is known that still holds."""
    harmless = equivalents()
    return [one for one in mutants if one.id not in harmless and results.verdict(one) is None]


def due_text(left: Sequence[Mutant]) -> str:
    """Which modules have faults to try."""
    counts = Counter(one.path.removeprefix("envctl/") for one in left)
    modules = ", ".join(f"{path} ({count})" for path, count in sorted(counts.items()))
    return f"not tried yet, as they are now: {len(left)} faults, in {modules}" if left else ""


def total(counts: Iterable[Count]) -> Count:
    """Of several modules."""
    result = Count()
    for one in counts:
        result.killed += one.killed
        result.survived += one.survived
        result.equivalent += one.equivalent
        result.untried += one.untried
    return result


def table(counts: Mapping[str, Count]) -> Sequence[str]:
    """Lines of a Markdown table, a module each."""
    lines = [
        "| module | killed | survived | equivalent | not tried | share |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    rows = [*sorted(counts.items()), ("**all**", total(counts.values()))]
    for name, count in rows:
        lines.append(
            f"| {name.removeprefix('envctl/')} | {count.killed} | {count.survived} | {count.equivalent} "
            f"| {count.untried} | {count.share:.1f} % |"
        )
    return lines
