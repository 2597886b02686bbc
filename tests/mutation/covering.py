"""Which tests run which lines: the quick tests run once, each line's tests are noted.

`python -m tests.mutation.covering FILE FOLDER TESTS…` does it in a process of its own, since modules have to be imported under
watch.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.mutation.clock import waited_for_processor

TREE: Final = Path(__file__).parents[2]
OWN: Final = Path(__file__).parent
SELECTION: Final = ("tests/unit", "tests/architecture", "-m", "not engine and not slow")
"""The quick tests, as `make check` has them."""
OPTIONS: Final = (
    *("-q", "-x", "--capture=sys", "-p", "no:cacheprovider"),
    # What tests that the guard has stopped leave open is told at the end, and is no failure of one of them.
    *("-p", "no:unraisableexception", "-p", "no:threadexception"),
    "--hypothesis-profile=mutants",
)


@dataclass(frozen=True)
class Coverage:
    """What one run of all quick tests told."""

    tests: tuple[str, ...]
    seconds: tuple[float, ...]
    """How long each took, without what it waited for a processor."""
    failed: tuple[str, ...]
    """Those that fail without any fault: they prove nothing, and are left out."""
    lines: Mapping[str, Mapping[int, frozenset[int]]]
    """By module and line: numbers of the tests that run it."""

    def share(self, test: int, path: str) -> float:
        """How much of what a test runs is of this module: of what tests it and nothing else, all."""
        return self._run_by[path, test] / max(1, self._run_by["", test])

    @functools.cached_property
    def _run_by(self) -> Mapping[tuple[str, int], int]:
        """How many lines of a module a test runs; of all modules under ""."""
        found: Counter[tuple[str, int]] = Counter()
        for path, known in self.lines.items():
            for tests in known.values():
                found.update((path, test) for test in tests)
        for (_, test), count in list(found.items()):
            found["", test] += count
        return found

    def of_lines(self, path: str, lines: Iterable[int]) -> set[int]:
        """The tests that run any of these lines."""
        known = self.lines.get(path, {})
        return set().union(*(known.get(line, frozenset()) for line in lines))


def file_digests() -> dict[str, str]:
    """Of all that the map depends on: modules, templates and tests."""
    files = [OWN / "guard.py"]
    for folder in ("envctl", "templates", "tests"):
        files += [
            path
            for path in sorted((TREE / folder).rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts and path.parent != OWN
        ]
    return {
        str(path.relative_to(TREE)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def coverage_map(folder: Path, *, anew: bool = False) -> Coverage:
    """The map of the tree as it is. What is kept is held against it: a map of other lines sends faults to the wrong tests.

    After a change of tests and modules only those files of tests are run again that changed or ran what changed.
    """
    file = folder / "coverage.json"
    known = json.loads(file.read_text("utf-8")) if file.exists() and file.stat().st_size else {}
    now = file_digests()
    changed = _changed(known.get("files", {}), now)
    again = None if anew or not known.get("files") else due_again(known, changed)
    if again is None:
        print("running all quick tests once, to see which lines each of them runs …", flush=True)
        known = _watched(SELECTION[:2])
    elif again:
        print(
            f"running {len(again)} files of tests again, to see which lines they run …", flush=True
        )
        there = [path for path in again if (TREE / path).exists()]
        known = merged(known, again, _watched(there) if there else {})
    # Of before: what is edited while the tests run is run again the next time.
    known["files"] = now
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(known), "utf-8")
    lines = {
        path: {int(line): frozenset(tests) for line, tests in found.items()}
        for path, found in known["lines"].items()
    }
    return Coverage(tuple(known["tests"]), tuple(known["seconds"]), tuple(known["failed"]), lines)


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> Sequence[str]:
    return sorted(path for path in {*before, *now} if before.get(path) != now.get(path))


def due_again(known: Mapping[str, Any], changed: Iterable[str]) -> Sequence[str] | None:
    """The files of tests that changed, or ran a module that changed; None if something changed that any test may use."""
    again: set[str] = set()
    for path in changed:
        if path.startswith(SELECTION[:2]) and Path(path).name.startswith("test_"):
            again.add(path)
        elif path.endswith(".py") and path.startswith("envctl/"):
            numbers = {test for tests in known["lines"].get(path, {}).values() for test in tests}
            again |= {known["tests"][number].partition("::")[0] for number in numbers}
        elif not path.startswith(("tests/contract/", "tests/scenarios/", "tests/soak/")):
            return None
    return sorted(again)


def merged(
    known: Mapping[str, Any], changed: Sequence[str], found: Mapping[str, Any]
) -> dict[str, Any]:
    """A map whose tests of the changed files are those of the newer one."""
    names: list[str] = []
    seconds: list[float] = []
    lines: dict[str, dict[str, list[int]]] = {}
    for one, gone in ((known, frozenset(changed)), (found, frozenset())):
        numbers: dict[int, int] = {}
        for number, name in enumerate(one.get("tests", ())):
            if name.partition("::")[0] not in gone:
                numbers[number] = len(names)
                names.append(name)
                seconds.append(one["seconds"][number])
        for path, by_line in one.get("lines", {}).items():
            mine = lines.setdefault(path, {})
            for line, tests in by_line.items():
                mine.setdefault(line, []).extend(numbers[test] for test in tests if test in numbers)
    failed = {*known["failed"], *found.get("failed", ())} & set(names)
    failed -= {name for name in names if name.partition("::")[0] in changed} - set(
        found.get("failed", ())
    )
    return {"tests": names, "seconds": seconds, "failed": sorted(failed), "lines": lines}


def _watched(paths: Sequence[str]) -> dict[str, Any]:
    """What a process of its own finds: modules have to be imported under watch."""
    with tempfile.TemporaryDirectory(prefix="mu-") as own:
        file = Path(own, "found.json")
        argv = [sys.executable, "-m", "tests.mutation.covering", str(file), own, *paths]
        if subprocess.run(argv, check=False, cwd=TREE).returncode:
            raise SystemExit("without that no fault can be tried")
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


class _Watch:
    """Tells coverage which test runs, and how each ended."""

    def __init__(self, coverage: object) -> None:
        self._coverage = coverage
        self.took: dict[str, float] = {}
        self.failed: list[str] = []

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._coverage.switch_context(nodeid)  # type: ignore[attr-defined]
        self.took[nodeid] = waited_for_processor() - time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._coverage.switch_context("")  # type: ignore[attr-defined]
        self.took[nodeid] += time.monotonic() - waited_for_processor()

    def pytest_runtest_logreport(self, report: object) -> None:
        if report.failed and report.nodeid not in self.failed:  # type: ignore[attr-defined]
            self.failed.append(report.nodeid)  # type: ignore[attr-defined]


def _run(file: Path, own: Path, paths: Sequence[str]) -> None:
    from coverage import Coverage as Watched

    from tests.mutation.guard import environment, guard

    os.environ.update(environment(own))
    tempfile.tempdir = str(own)
    watched = Watched(data_file=None, source=[str(TREE / "envctl")], config_file=False)
    watched.start()
    guard(own, 3600)
    import pytest

    watch = _Watch(watched)
    options = [one for one in OPTIONS if one != "-x"]
    code = pytest.main(
        [*paths, *SELECTION[2:], *options, f"--basetemp={own}/pytest"], plugins=[watch]
    )
    if code not in (
        pytest.ExitCode.OK,
        pytest.ExitCode.TESTS_FAILED,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    ):
        raise SystemExit("the quick tests could not be run; the reason is above")
    watched.stop()
    found = watched.get_data()
    tests = list(watch.took)
    numbers = {name: number for number, name in enumerate(tests)}
    lines = {
        str(Path(path).relative_to(TREE)): {
            line: sorted(numbers[one] for one in contexts if one in numbers)
            for line, contexts in found.contexts_by_lineno(path).items()
        }
        for path in found.measured_files()
    }
    data = {
        "tests": tests,
        "seconds": [round(one, 4) for one in watch.took.values()],
        "failed": watch.failed,
        "lines": lines,
    }
    file.write_text(json.dumps(data), "utf-8")


if __name__ == "__main__":
    _run(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
