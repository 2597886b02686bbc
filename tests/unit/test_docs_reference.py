"""The generated pages are what the generator makes, and what they say is so."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from envctl import definition
from envctl.definition import yaml_reader
from envctl.definition.form import Form
from envctl.definition.key import INVALID, Cursor, Reading
from envctl.definition.keys import build_source, service, service_values, spec_file
from envctl.definition.problems import Problems

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))
try:
    import spec_reference as reference
    import spec_words as words

    PAGES: dict[str, Any] = runpy.run_path(str(DOCS / "generate.py"))["PAGES"]
finally:
    sys.path.remove(str(DOCS))


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "run `make docs`"


def test_every_form_is_in_the_reference() -> None:
    known = {
        form
        for module in (build_source, service_values, service, spec_file)
        for name, form in vars(module).items()
        if isinstance(form, Form) and not name.startswith("_")
    }

    assert set(reference.reached()) >= known


EXAMPLES = [
    pytest.param(form, row, id=f"{form.name}-{row.name}")
    for form in reference.reached()
    for row in reference.rows(form)
]


@pytest.mark.parametrize(("form", "row"), EXAMPLES)
def test_every_example_is_valid(form: Form, row: reference.Row) -> None:
    problems = Problems()
    table = yaml_reader.parse(row.example.encode(), "example", problems)
    assert table is not None
    place = Cursor(Reading(problems), "example", ("example", 1, 1))

    assert form.fields[row.name].key.kind.read(table[row.name], place) is not INVALID
    problems.stop()


@pytest.mark.parametrize("form", reference.reached(), ids=lambda form: form.name)
def test_every_key_says_what_it_means_and_shows_how_to_write_it(form: Form) -> None:
    for row in reference.rows(form):
        assert row.meaning
        assert row.example, row.name


def test_the_page_s_example_resolves(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "requirements.txt").touch()

    (tmp_path / "envctl.yaml").write_text(words.EXAMPLE)

    resolved = definition.load(tmp_path, "dev", environ={}, cache=False)

    assert list(resolved.data["services"]) == ["web", "migrate", "cache"]
    assert resolved.data["services"]["web"]["env"]["LOG_LEVEL"] == "debug"
