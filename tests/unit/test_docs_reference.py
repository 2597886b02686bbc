"""The generated pages are what the generator makes, and what they say is so."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from envctl import definition
from envctl.definition import fields, reader, reference, running, schema, steps, words
from envctl.definition.fields import Form
from envctl.definition.problems import Problems

DOCS = Path(__file__).parents[2] / "docs"
PAGES: dict[str, Any] = runpy.run_path(str(DOCS / "generate.py"))["PAGES"]
INTERNAL: set[type] = {schema.HeadForm, schema.PartialHeadForm}
"""Forms that nobody writes: parts of others."""


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "run `make docs`"


def test_every_form_is_in_the_reference() -> None:
    known = {
        one
        for module in (fields, running, schema, steps)
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Form) and one is not Form
    }

    assert set(reference.reached()) == known - INTERNAL


EXAMPLES = [
    pytest.param(form, key, id=f"{form.__name__}-{key.name}")
    for form in reference.reached()
    for key in reference.keys(form)
    if key.example
]


@pytest.mark.parametrize(("form", "key"), EXAMPLES)
def test_every_example_is_valid(form: type[Form], key: reference.Key) -> None:
    required = [
        other.example
        for other in reference.keys(form)
        if other.default == "required" and other.name != key.name
    ]
    problems = Problems()

    table = reader.parse("\n".join([key.example, *required]).encode(), "example", problems)

    problems.stop()
    assert form.model_validate(table)


@pytest.mark.parametrize("form", reference.reached())
def test_every_key_says_what_it_means_and_shows_how_to_write_it(form: type[Form]) -> None:
    for key in reference.keys(form):
        assert key.meaning
        assert key.example or (form is steps.StepForm), key.name


def test_the_page_s_example_resolves(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "requirements.txt").touch()

    (tmp_path / "envctl.yaml").write_text(words.EXAMPLE)

    resolved = definition.load(tmp_path, "dev", environ={}, cache=False)

    assert list(resolved.data["services"]) == ["web", "migrate", "cache"]
    assert resolved.data["services"]["web"]["env"]["LOG_LEVEL"] == "debug"
