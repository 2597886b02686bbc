"""Small inputs stay cheap: what grows faster than its file is refused, and what does not takes little time.

Time is that of this process's CPU, and the limits are some ten times of what was measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from envctl.definition.problems import MAX_PROBLEMS
from envctl.definition.size import MAX_VALUES
from envctl.errors import Problem, SpecError
from envctl.suggest import did_you_mean
from tests.unit.definition.helpers import HEAD, WEB, load, problems


@pytest.fixture(autouse=True)
def _is_quick() -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < 8


def said(found: tuple[Problem, ...]) -> str:
    return "\n".join(f"{one.where}: {one.message}" for one in found)


def refusal(root: Path, text: str) -> SpecError:
    with pytest.raises(SpecError) as refused:
        load(root, text)
    return refused.value


def test_thousands_of_duplicate_keys_are_reported_up_to_a_bound(tmp_path: Path) -> None:
    text = WEB + "    env:\n" + "".join(f"      A: v{number}\n" for number in range(4000))
    error = refusal(tmp_path, text)
    assert len(error.problems) == MAX_PROBLEMS
    assert not error.all_told
    assert "and more" in error.brief
    assert error.problems[0].message == "'A' is set twice"


def test_fewer_problems_than_the_bound_are_all_reported(tmp_path: Path) -> None:
    text = (
        WEB + "    env:\n" + "".join(f"      A: v{number}\n" for number in range(MAX_PROBLEMS - 1))
    )
    error = refusal(tmp_path, text)
    assert (len(error.problems), error.all_told) == (MAX_PROBLEMS - 2, True)


def test_hundreds_of_misspelt_names_each_get_the_nearest_one(tmp_path: Path) -> None:
    services = "".join(
        f"  service-number-{number}:\n    command: [a]\n    depends_on: [servise-number-{number}]\n"
        for number in range(400)
    )
    found = problems(tmp_path, HEAD + "services:\n" + services)
    assert len(found) == 400
    # The service itself is no candidate: it cannot depend on itself.
    assert all("did you mean 'service-number-" in one.hint for one in found)


def test_a_long_name_among_thousands_is_looked_up_at_once() -> None:
    names = [f"{'name' * 20}{number}" for number in range(10_000)]
    assert did_you_mean("x" * 1_000_000, names).startswith("there is name")
    assert did_you_mean("web-frontent", [*names, "web-frontend"]) == "did you mean 'web-frontend'?"


def test_a_large_variable_used_many_times_is_refused_where_it_gets_too_much(tmp_path: Path) -> None:
    uses = "".join(f'      V{number}: "${{big}}"\n' for number in range(80))
    text = (
        HEAD + f"vars:\n  big: {'x' * 1_000_000}\n" + WEB.removeprefix(HEAD) + "    env:\n" + uses
    )
    assert "envctl.yaml:17:11: variables make the spec longer than 8,388,608" in said(
        problems(tmp_path, text)
    )


def test_a_large_text_that_aliases_repeat_is_refused(tmp_path: Path) -> None:
    uses = "".join(f"      V{number}: *big\n" for number in range(20))
    text = f"x-big: &big {'x' * 1_000_000}\n" + WEB + "    env:\n" + uses
    assert "services.web the spec has more than 8,388,608 characters" in said(
        problems(tmp_path, text)
    )


def test_a_large_text_that_services_inherit_is_refused(tmp_path: Path) -> None:
    text = WEB + f"    env: {{A: {'x' * 100_000}}}\n"
    text += "".join(f"  w{number}: {{extends: web}}\n" for number in range(200))
    assert "the spec has more than 8,388,608 characters" in said(problems(tmp_path, text))


@pytest.mark.slow
def test_lists_that_services_extend_over_and_over_are_refused_before_they_are_made(
    tmp_path: Path,
) -> None:
    packages = ", ".join(f"package{number}" for number in range(40_000))
    text = WEB + f"    packages: [{packages}]\n  s0: {{extends: web}}\n"
    text += "".join(
        f"  s{number}: {{extends: s{number - 1}, packages: !append [more{number}]}}\n"
        for number in range(1, 2000)
    )
    [problem] = problems(tmp_path, text)
    assert problem.message == f"with services.s1 the spec has more than {MAX_VALUES:,} values"


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "env: {A: " + "a" * 100_000 + "${x}}",
        "env: {A: " + "a${x}" * 20_000 + "}",
        "command: [" + "${a}" * 25_000 + "]",
        "command: [" + "${a}," * 20_000 + "]",
        "command: [" + "'" * 100_001 + "]",
        "env: {A: " + "${" * 50_000 + "}",
        "env: {A: \"" + "${a}" * 25_000 + "\"}",
        "packages: [" + "A, " * 33_000 + "]",
        "ports: [" + "x:, " * 25_000 + "]",
    ],
    ids=["word", "words", "variables", "flow variables", "quotes", "openings", "quoted", "packages", "ports"],
)  # fmt: skip
def test_a_line_of_a_hundred_thousand_characters_is_read_at_once(tmp_path: Path, line: str) -> None:
    found = problems(tmp_path, WEB + f"    {line}\n")
    assert found
    assert all(len(one.source) <= 200 and len(str(one)) < 2000 for one in found)


@pytest.mark.slow
def test_services_that_extend_each_other_in_a_long_circle_are_reported_in_short(
    tmp_path: Path,
) -> None:
    number = 20_000
    text = HEAD + "services:\n"
    text += "".join(f"  s{n}: {{extends: s{(n + 1) % number}}}\n" for n in range(number))
    found = problems(tmp_path, text)
    circle = next(one for one in found if "circle" in one.message)
    assert len(str(circle)) < 1000


@pytest.mark.slow
def test_all_services_that_depend_on_all_are_reported_up_to_a_bound(tmp_path: Path) -> None:
    names = [f"s{number}" for number in range(300)]
    text = HEAD + "services:\n"
    text += "".join(
        f"  {name}: {{command: [a], depends_on: [{', '.join(names)}]}}\n" for name in names
    )
    found = problems(tmp_path, text)
    assert len(found) == MAX_PROBLEMS
    assert all(len(one.message) < 300 for one in found)
