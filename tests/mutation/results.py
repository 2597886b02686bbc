"""What became of each fault, kept from run to run, and the table of it."""

from __future__ import annotations

import functools
import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutation.covering import TREE
from tests.mutation.operators import Mutant
from tests.mutation.worker import Outcome

EQUIVALENT: Final = Path(__file__).with_name("equivalent.toml")
NO_TEST: Final = "no quick test runs it"


class Results:
    """A file of lines, one a verdict; the last one counts.

    A kill holds as long as the module and the test's file stay as they are, a survival as long as no file of the tree changes.
    """

    def __init__(self, file: Path, tree: str) -> None:
        self._file = file
        self._tree = tree
        self._known: dict[str, dict[str, str]] = {}
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
            "module": _digest(outcome.mutant.path),
            "proof": self._proof(outcome.by),
        }
        self._known[outcome.mutant.id] = verdict
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(verdict, ensure_ascii=False) + "\n")

    def verdict(self, mutant: Mutant) -> Mapping[str, str] | None:
        """What is known and still holds."""
        known = self._known.get(mutant.id)
        if not known or known["broken"] or known["module"] != _digest(mutant.path):
            return None
        return known if known["proof"] == self._proof(known["by"]) else None

    def last(self, mutant: Mutant) -> Mapping[str, str] | None:
        """What was found last, whether or not anything has changed since."""
        return self._known.get(mutant.id)

    def _proof(self, by: str) -> str:
        path = by.partition("::")[0].removeprefix("import of ")
        return _digest(path) if path.endswith(".py") else "" if by and by != NO_TEST else self._tree


@functools.cache
def _digest(path: str) -> str:
    file = TREE / path
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else "gone"


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
