"""`make mutants`: which faults are put into modules, and that a fault is just what it says."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.mutation.choosing import distance
from tests.mutation.covering import TREE, due_again, merged
from tests.mutation.operators import mutants, mutated
from tests.mutation.results import Results, counted, due, due_text, table
from tests.mutation.worker import Outcome

FAULTS = {
    "def f(a, b):\n    return a and b": {"a or b", "a", "b", "return None"},
    "def f(a):\n    return a == 1": {"a != 1", "2", "return None"},
    "def f(a):\n    return a in ('x', 'y')": {"a not in ('x', 'y')", "'~x'", "'~y'", "return None"},
    "def f(a, gone):\n    return (*gone, a)": {"without *gone", "return None"},
    "def f(a):\n    if not a:\n        raise ValueError": {"a", "pass"},
    "def f(path):\n    path.unlink()": {"pass"},
    "def f(mode):\n    return mode & 0o111": {"mode | 73", "74", "return None"},
    "def f(lines):\n    return lines[index + 1:]": {"index - 1", "2", "return None"},
    "def f(all):\n    return sorted(x for x in all if x)": {
        *("list", "no condition", "not x", "return None"),
    },
    "def f(a):\n    a.sealed = True": {"pass", "False"},
    "def f(text):\n    return text.split(':')": {"'~:'", "return None"},
    "def f(text):\n    return text.split(':', 1)": {
        *("text.rsplit", "'~:'", "2", "return None"),
    },
    "def f():\n    return ''": {"'~'"},
    "NEVER = ('.git', '*.pyc')": {"without '.git'", "without '*.pyc'", "'~.git'", "'~*.pyc'"},
}


@pytest.mark.parametrize("source", FAULTS)
def test_each_decision_of_a_line_is_made_otherwise(source):
    assert {one.after for one in mutants("envctl/x.py", source)} == FAULTS[source]


@pytest.mark.parametrize("source", FAULTS)
def test_a_fault_is_one_changed_place_and_compiles(source):
    for one in mutants("envctl/x.py", source):
        tree = mutated(source, one)
        assert ast.unparse(tree) != ast.unparse(ast.parse(source))
        compile(tree, "x", "exec")


def test_words_for_people_and_types_are_left_alone():
    source = 'def f(a: "int") -> "str":\n    """What it does."""\n    print(f"{a} is", "no such service")'
    assert [one.after for one in mutants("envctl/x.py", source)] == ["pass"]


def test_a_fault_keeps_its_name_when_lines_are_put_before_it():
    line = "def f(a):\n    return a < 1"
    before, after = (
        [one.id for one in mutants("x.py", text)] for text in (line, f"import os\n\n\n{line}")
    )
    assert before == after


@pytest.mark.parametrize(
    "before", ["", "import gc, envctl.definition.merge\ngc.freeze()\n"], ids=["needed", "frozen"]
)
def test_a_module_that_is_imported_only_when_needed_is_changed_too_and_one_that_is_frozen(before):
    code = (
        f"{before}from tests.mutation.worker import functions_of\n"
        "print({name for _, name, _ in functions_of(['envctl/definition/merge.py'])})"
    )
    argv = [sys.executable, "-c", code]
    run = subprocess.run(argv, cwd=TREE, capture_output=True, text=True, check=True)
    assert "'merge'" in run.stdout


def test_after_a_change_of_a_test_file_only_its_tests_are_told_anew():
    known = {
        "tests": ["tests/unit/test_a.py::one", "tests/unit/test_b.py::two"],
        "seconds": [1.0, 2.0],
        "failed": ["tests/unit/test_a.py::one"],
        "lines": {"envctl/x.py": {"1": [0, 1], "2": [0]}},
    }
    found = {
        "tests": ["tests/unit/test_a.py::one", "tests/unit/test_a.py::three"],
        "seconds": [3.0, 4.0],
        "failed": [],
        "lines": {"envctl/x.py": {"1": [1]}, "envctl/y.py": {"5": [0]}},
    }
    now = merged(known, ["tests/unit/test_a.py"], found)
    names = now["tests"]
    lines = {
        (path, line): [names[test].rpartition(":")[2] for test in tests]
        for path, by_line in now["lines"].items()
        for line, tests in by_line.items()
    }
    assert lines == {
        ("envctl/x.py", "1"): ["two", "three"],
        ("envctl/x.py", "2"): [],
        ("envctl/y.py", "5"): ["one"],
    }
    assert dict(zip(names, now["seconds"], strict=True)) == {
        "tests/unit/test_b.py::two": 2.0,
        "tests/unit/test_a.py::one": 3.0,
        "tests/unit/test_a.py::three": 4.0,
    }
    assert now["failed"] == []


def test_a_test_that_still_fails_without_any_fault_stays_left_out():
    known = {
        "tests": ["t/test_b.py::two"],
        "seconds": [1],
        "failed": ["t/test_b.py::two"],
        "lines": {},
    }
    assert merged(known, ["t/test_a.py"], {})["failed"] == ["t/test_b.py::two"]


@pytest.mark.parametrize(
    ("test", "module", "far"),
    [
        ("tests/unit/plan/test_scope.py", "envctl/plan/scope.py", 0),
        ("tests/unit/test_scope.py", "envctl/plan/scope.py", 0),
        ("tests/unit/host/test_private_state.py", "envctl/host/private_state.py", 0),
        ("tests/unit/secrets/test_secrets.py", "envctl/secrets/__init__.py", 0),
        ("tests/unit/parity/test_drift.py", "envctl/parity/drift/files.py", 0),
        ("tests/unit/parity/test_claims.py", "envctl/parity/drift/files.py", 1),
        ("tests/unit/plan/test_text.py", "envctl/plan/scope.py", 1),
        ("tests/unit/lock/test_file.py", "envctl/plan/text.py", 2),
        ("tests/unit/reconcile/test_compare.py", "envctl/plan/scope.py", 2),
    ],
)
def test_a_modules_own_tests_come_first_and_those_beside_it_next(test, module, far):
    assert distance(f"{test}::test_it", module) == far


KNOWN = {
    "tests": ["tests/unit/test_a.py::one", "tests/unit/test_b.py::two"],
    "lines": {"envctl/x.py": {"1": [0, 1]}, "envctl/y.py": {"1": [1]}, "envctl/z.py": {"1": []}},
}


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ([], []),
        (["tests/unit/test_new.py"], ["tests/unit/test_new.py"]),
        (["envctl/y.py"], ["tests/unit/test_b.py"]),
        (["envctl/x.py", "envctl/z.py"], ["tests/unit/test_a.py", "tests/unit/test_b.py"]),
        (["envctl/new.py", "tests/scenarios/test_up.py"], []),
        (["tests/unit/conftest.py"], None),
        (["tests/support/plans.py"], None),
        (["envctl/parity/collect.sh"], None),
        (["templates/x.j2"], None),
    ],
)
def test_what_ran_something_that_changed_is_run_again(changed, again):
    assert due_again(KNOWN, changed) == again


FILES = {
    "envctl/plan/scope.py": "def f():\n    return 1\n",
    "envctl/plan/target.py": "def f():\n    return 1\n",
    "tests/unit/plan/test_scope.py": "",
    "tests/unit/plan/test_text.py": "",
    "tests/unit/lock/test_file.py": "",
}


@pytest.fixture
def faulty(tmp_path):
    """A tree with two modules, of which one is tried: its faults, and what is known of them in a later run."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    tried, untried = (
        [*mutants(path, FILES[path])] for path in ("envctl/plan/scope.py", "envctl/plan/target.py")
    )
    results = Results(tmp_path / "results.jsonl", tmp_path)
    results.add(Outcome(tried[0], "tests/unit/lock/test_file.py::test_it", 1.0))
    results.add(Outcome(tried[1], "", 1.0))

    def later() -> Results:
        return Results(tmp_path / "results.jsonl", tmp_path)

    return tmp_path, (tried, untried), later


@pytest.mark.parametrize(
    ("changed", "holds"),
    [
        (None, (True, True)),
        ("envctl/plan/scope.py", (False, False)),
        ("envctl/plan/target.py", (True, True)),
        ("tests/unit/lock/test_file.py", (False, True)),
        ("tests/unit/plan/test_scope.py", (True, False)),
        ("tests/unit/plan/test_text.py", (True, False)),
        ("tests/unit/plan/test_new.py", (True, False)),
    ],
)
def test_a_verdict_holds_until_the_module_or_what_proves_it_changes(faulty, changed, holds):
    tree, ((killed, survivor), _), later = faulty
    if changed:
        (tree / changed).write_text("# changed\n")

    verdicts = later().verdict(killed), later().verdict(survivor)

    assert tuple(one is not None for one in verdicts) == holds


def test_the_report_is_made_of_what_is_known_and_tells_what_is_still_to_be_tried(faulty):
    _, (tried, untried), later = faulty

    *_, total = table(counted([*tried, *untried], later()))

    assert total == "| **all** | 1 | 1 | 0 | 2 | 50.0 % |"
    assert due([*tried, *untried], later()) == untried
    assert due_text(untried) == "not tried yet, as they are now: 2 faults, in plan/target.py (2)"
    assert due_text([]) == ""


@pytest.mark.slow
def test_what_a_process_waits_for_a_processor_is_known():
    code = (
        "import os, time\n"
        "from tests.mutation.clock import waited_for_processor\n"
        "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "child = os.fork()\n"
        "while time.process_time() < 0.15: pass\n"
        "if child: os.waitpid(child, 0)\n"
        "print(waited_for_processor() > 0.02)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=TREE, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["True", "True"]
