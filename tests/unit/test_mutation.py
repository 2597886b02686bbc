"""`make mutants`: which faults are put into modules, and that a fault is just what it says."""

from __future__ import annotations

import ast

import pytest

from tests.mutation.operators import mutants, mutated

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
