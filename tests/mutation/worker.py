"""Processes that each try one fault: forked when all is imported, so that a try costs little more than its tests."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import importlib.abc
import importlib.machinery
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, TypeAlias

from tests.mutation.clock import waited_for_processor
from tests.mutation.covering import OPTIONS, SELECTION, TREE
from tests.mutation.guard import environment, guard
from tests.mutation.operators import Mutant, mutated

_SURVIVED: Final = 70
_KILLED: Final = 71
_BROKEN: Final = 72
_IMPORTED: Final = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
"""A plugin that is imported already has no tests of ours in it."""
_NEAR: Final = 3
"""Files of tests that are imported for a fault before all others."""
_PRELOADED: Final = ("pytest", "pydantic", "yaml", "jinja2", "rich.console", "typer", "docker")
_Code: TypeAlias = tuple[str, str, int]
"""A function's file, qualified name and first line."""


@dataclass(frozen=True)
class Try:
    """One fault and the tests that could notice it, the likeliest first."""

    mutant: Mutant
    tests: tuple[str, ...]
    seconds: float
    """How long these tests take without the fault, on a machine that does nothing else."""


@dataclass(frozen=True)
class Outcome:
    """What became of a fault."""

    mutant: Mutant
    by: str
    """The test that failed, or what else ended it; "" of a survivor."""
    seconds: float
    broken: str = ""
    """Why it could not be tried, if so."""


Tell: TypeAlias = Callable[[Outcome], None]


def try_in_functions(tries: Sequence[Try], processes: int, tell: Tell) -> None:
    """Faults in functions: every test is imported once, then each child changes one function and runs its tests.

    This process itself imports none of them: they would be in the way of `try_in_modules`.
    """
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _import_and_try(tries, processes, tell)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    if os.waitpid(pid, 0)[1]:
        raise SystemExit("the process that imports all tests has failed; what it said is above")


def try_in_modules(tries: Sequence[Try], processes: int, tell: Tell) -> None:
    """Faults outside of functions: each child imports all anew, with the fault in; first the nearest tests only."""
    # No plugin of pytest: those have to be imported by pytest itself.
    for name in _PRELOADED:
        importlib.import_module(name)
    rest: list[Try] = []

    def tell_or_go_on(outcome: Outcome) -> None:
        further = parts[outcome.mutant.id][1]
        if outcome.by or outcome.broken or not further.tests:
            tell(outcome)
        else:
            rest.append(further)

    parts = {task.mutant.id: _parted(task) for task in tries}
    _try_each([near for near, _ in parts.values()], processes, _run_anew, tell_or_go_on)
    _try_each(rest, processes, _run_anew, tell)


def _parted(task: Try) -> tuple[Try, Try]:
    """The same fault with the tests of the nearest files, and with all others: to import a file takes most of the time."""
    near = [*dict.fromkeys(_file_of(name) for name in task.tests)][:_NEAR]
    tests = [name for name in task.tests if _file_of(name) in near]
    others = [name for name in task.tests if _file_of(name) not in near]
    return replace(task, tests=tuple(tests)), replace(task, tests=tuple(others))


def _file_of(test: str) -> str:
    return test.partition("::")[0]


def _import_and_try(tries: Sequence[Try], processes: int, tell: Tell) -> None:
    import pytest

    class Loop:
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session: pytest.Session) -> bool:
            items = {item.nodeid: item for item in session.items}
            run = functools.partial(
                _run_changed, session, items, functions_of(one.mutant.path for one in tries)
            )
            gc.freeze()
            _try_each(tries, processes, run, tell)
            return True

    code = pytest.main([*SELECTION, *OPTIONS], plugins=[Loop()])
    if code in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR):
        raise RuntimeError("pytest has failed")


def _module(path: str) -> str:
    """By which name a file of the tree is imported."""
    parts = Path(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# --- children -----------------------------------------------------------------------------


@dataclass
class _Child:
    task: Try
    began: float
    own: Path

    def is_late(self, pid: int) -> bool:
        """Whether it has had time enough, not counting what it waited for a processor; `guard` limits what it runs."""
        had = time.monotonic() - self.began - waited_for_processor(pid)
        return had > 60 + 15 * self.task.seconds


def _try_each(
    tries: Sequence[Try], processes: int, run: Callable[[Try, Path], str], tell: Tell
) -> None:
    """So many children at a time, a fault each; what a child starts ends with it."""
    waiting, running = list(reversed(tries)), dict[int, _Child]()
    with tempfile.TemporaryDirectory(prefix="mu-") as folder:
        try:
            while waiting or running:
                while waiting and len(running) < processes:
                    task = waiting.pop()
                    own = Path(tempfile.mkdtemp(dir=folder, prefix=""))
                    began = time.monotonic()
                    running[_start(task, own, run)] = _Child(task, began, own)
                _collect(running, tell)
        finally:
            for pid in running:
                _end(pid)


def _start(task: Try, own: Path, run: Callable[[Try, Path], str]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = _BROKEN
    try:
        os.setsid()
        report = os.open(own / "by", os.O_WRONLY | os.O_CREAT)
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        os.environ.update(environment(own))
        tempfile.tempdir = str(own)
        guard(own, int(20 + 6 * task.seconds))
        by = run(task, own)
        os.write(report, by.encode("utf-8", "replace"))
        code = _KILLED if by else _SURVIVED
    except BaseException as error:
        os.write(report, f"error: {error!r}".encode("utf-8", "replace"))
    finally:
        os._exit(code)


def _collect(running: dict[int, _Child], tell: Tell) -> None:
    """Wait a moment; tell what has ended, and end what takes too long."""
    pid, status = os.waitpid(-1, os.WNOHANG)
    if not pid:
        time.sleep(0.005)
        for late in [pid for pid, child in running.items() if child.is_late(pid)]:
            _end(late)
            _tell_end(running.pop(late), tell, by="it takes too long")
        return
    child = running.pop(pid, None)
    if child is None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(status)
    said = (child.own / "by").read_text("utf-8") if (child.own / "by").exists() else ""
    if code in (_SURVIVED, _KILLED):
        _tell_end(child, tell, by=said)
    elif code == _BROKEN:
        _tell_end(child, tell, broken=said)
    else:
        _tell_end(
            child, tell, by="it takes too long" if code == -signal.SIGXCPU else f"ended with {code}"
        )


def _tell_end(child: _Child, tell: Tell, *, by: str = "", broken: str = "") -> None:
    try:
        shutil.rmtree(child.own, ignore_errors=True)
    except RecursionError:  # tests make folders deeper than Python reaches
        subprocess.run(["rm", "-rf", str(child.own)], check=False)
    tell(Outcome(child.task.mutant, by, round(time.monotonic() - child.began, 3), broken))


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


# --- faults in functions ------------------------------------------------------------------


def functions_of(paths: Iterable[str]) -> Mapping[_Code, Sequence[FunctionType]]:
    """All functions of these modules and of what else is imported, by what their code is known as.

    What is imported only where it is needed would have none yet that could be changed.
    """
    for path in sorted(set(paths)):
        importlib.import_module(_module(path))
    found = defaultdict(list)
    prefix = f"{TREE / 'envctl'}/"
    for one in _objects():
        if isinstance(one, FunctionType) and one.__code__.co_filename.startswith(prefix):
            found[_known_as(one.__code__)].append(one)
    return found


def _objects() -> Sequence[object]:
    """All there are: what is frozen, such as all that collecting the tests has imported, the collector does not list."""
    gc.unfreeze()
    found = gc.get_objects()
    gc.freeze()
    return found


def _known_as(code: CodeType) -> _Code:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _codes(code: CodeType) -> Iterator[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield one
            yield from _codes(one)


def _run_changed(
    session: Any,
    items: Mapping[str, Any],
    functions: Mapping[_Code, Sequence[FunctionType]],
    task: Try,
    own: Path,
) -> str:
    path = TREE / task.mutant.path
    changed = compile(
        mutated(path.read_text("utf-8"), task.mutant), str(path), "exec", dont_inherit=True
    )
    inside = f"{task.mutant.function}."
    done = 0
    for code in _codes(changed):
        if code.co_qualname == task.mutant.function or code.co_qualname.startswith(inside):
            for function in functions.get(_known_as(code), ()):
                function.__code__ = code
                done += 1
    if not done:
        raise LookupError(f"no function {task.mutant.function} is in use")
    _forget()
    session.config._tmp_path_factory._given_basetemp = own / "pytest"
    return _run(session, [items[name] for name in task.tests if name in items])


def _forget() -> None:
    """What functions remember of calls while tests were imported."""
    for one in _objects():
        if isinstance(one, functools._lru_cache_wrapper) and str(one.__module__).startswith(
            "envctl"
        ):
            one.cache_clear()


def _run(session: Any, chosen: Sequence[Any]) -> str:
    """Run tests until one fails: its name."""
    before = session.testsfailed
    for number, item in enumerate(chosen):
        following = chosen[number + 1] if number + 1 < len(chosen) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed > before:
            return str(item.nodeid)
    return ""


# --- faults outside of functions ----------------------------------------------------------


class _Faulty(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module with the fault in it."""

    def __init__(self, mutant: Mutant) -> None:
        self._path = TREE / mutant.path
        self._is_package = self._path.name == "__init__.py"
        self._name = _module(mutant.path)
        self._tree = mutated(self._path.read_text("utf-8"), mutant)

    def find_spec(
        self, name: str, _path: object, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._name:
            return None
        spec = importlib.machinery.ModuleSpec(
            name, self, origin=str(self._path), is_package=self._is_package
        )
        spec.has_location = True
        if self._is_package:
            spec.submodule_search_locations = [str(self._path.parent)]
        return spec

    def create_module(self, _spec: object) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._tree, str(self._path), "exec", dont_inherit=True), module.__dict__)


def _run_anew(task: Try, own: Path) -> str:
    import pytest

    sys.meta_path.insert(0, _Faulty(task.mutant))
    failed: list[str] = []

    class Watch:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                failed.append(report.nodeid)

        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            if report.failed:
                failed.append(f"import of {report.nodeid}")

        @pytest.hookimpl(tryfirst=True)
        def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
            order = {name: number for number, name in enumerate(task.tests)}
            items[:] = sorted(
                (item for item in items if item.nodeid in order),
                key=lambda item: order[item.nodeid],
            )

    files = list(dict.fromkeys(map(_file_of, task.tests)))
    code = pytest.main(
        [*files, *SELECTION[2:], *OPTIONS, *_IMPORTED, f"--basetemp={own}/pytest"],
        plugins=[Watch()],
    )
    if failed:
        return failed[0]
    return (
        ""
        if code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        else f"pytest: {code!r}"
    )
