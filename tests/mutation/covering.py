"""Which tests run which lines: the quick tests run once, each line's tests are noted.

`python -m tests.mutation.covering FILE` does it in a process of its own, since modules have to be imported under watch.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TREE: Final = Path(__file__).parents[2]
OWN: Final = Path(__file__).parent
SELECTION: Final = ("tests/unit", "tests/architecture", "-m", "not engine and not slow")
"""The quick tests, as `make unit` has them."""
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
    """How long each took."""
    failed: tuple[str, ...]
    """Those that fail without any fault: they prove nothing, and are left out."""
    lines: Mapping[str, Mapping[int, frozenset[int]]]
    """By module and line: numbers of the tests that run it."""

    def of_lines(self, path: str, lines: Iterable[int]) -> set[int]:
        """The tests that run any of these lines."""
        known = self.lines.get(path, {})
        return set().union(*(known.get(line, frozenset()) for line in lines))


def tree_digest() -> str:
    """Of all that the map depends on: modules, templates and tests."""
    digest = hashlib.sha256()
    for folder in ("envctl", "templates", "tests"):
        for path in sorted((TREE / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.parent != OWN:
                digest.update(f"{path.relative_to(TREE)}\0".encode() + path.read_bytes())
    digest.update((OWN / "guard.py").read_bytes())
    return digest.hexdigest()


def coverage_map(folder: Path, *, fresh: bool = True) -> Coverage:
    """The map of the tree as it is; it is kept, and made anew after any change (`fresh`)."""
    file = folder / "coverage.json"
    data = json.loads(file.read_text("utf-8")) if file.exists() and file.stat().st_size else {}
    if not data or (fresh and data["digest"] != tree_digest()):
        print("running all quick tests once, to see which lines each of them runs …", flush=True)
        with tempfile.TemporaryDirectory(prefix="mu-") as own:
            argv = [sys.executable, "-m", "tests.mutation.covering", str(file), own]
            if subprocess.run(argv, check=False, cwd=TREE).returncode:
                raise SystemExit("without that no fault can be tried")
        data = json.loads(file.read_text("utf-8"))
    lines = {
        path: {int(line): frozenset(tests) for line, tests in known.items()}
        for path, known in data["lines"].items()
    }
    return Coverage(tuple(data["tests"]), tuple(data["seconds"]), tuple(data["failed"]), lines)


class _Watch:
    """Tells coverage which test runs, and how each ended."""

    def __init__(self, coverage: object) -> None:
        self._coverage = coverage
        self.took: dict[str, float] = {}
        self.failed: list[str] = []

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._coverage.switch_context(nodeid)  # type: ignore[attr-defined]
        self.took[nodeid] = -time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._coverage.switch_context("")  # type: ignore[attr-defined]
        self.took[nodeid] += time.monotonic()

    def pytest_runtest_logreport(self, report: object) -> None:
        if report.failed and report.nodeid not in self.failed:  # type: ignore[attr-defined]
            self.failed.append(report.nodeid)  # type: ignore[attr-defined]


def _run(file: Path, own: Path) -> None:
    from coverage import Coverage as Watched

    from tests.mutation.guard import environment, guard

    digest = tree_digest()
    file.parent.mkdir(parents=True, exist_ok=True)
    result = os.open(file, os.O_WRONLY | os.O_CREAT)
    os.environ.update(environment(own))
    tempfile.tempdir = str(own)
    watched = Watched(data_file=None, source=[str(TREE / "envctl")], config_file=False)
    watched.start()
    guard(own, 3600)
    import pytest

    watch = _Watch(watched)
    options = [one for one in OPTIONS if one != "-x"]
    code = pytest.main([*SELECTION, *options, f"--basetemp={own}/pytest"], plugins=[watch])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
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
        "digest": digest,
        "tests": tests,
        "seconds": [round(one, 4) for one in watch.took.values()],
        "failed": watch.failed,
        "lines": lines,
    }
    os.ftruncate(result, 0)
    with os.fdopen(result, "w", encoding="utf-8") as stream:
        json.dump(data, stream)


if __name__ == "__main__":
    _run(Path(sys.argv[1]), Path(sys.argv[2]))
