"""What the page says of what is compared is what the collector does."""

from __future__ import annotations

from envctl.parity import reference
from envctl.plan.categories import Category
from envctl.plan.volatile_places import VOLATILE


def test_the_page_tells_of_every_category_and_of_every_place_that_is_left_out():
    text = reference.section()
    assert list(reference.COMPARED) == list(Category)
    assert all(f"`{place.pattern}` | {place.reason}" in text for place in VOLATILE)
