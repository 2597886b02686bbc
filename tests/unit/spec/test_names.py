"""What environments and services can be called."""

from __future__ import annotations

import re

import pytest

from envctl.spec.fields import NAME, STORED
from envctl.spec.names import is_name

GOOD = ("a", "a1", "dev-2", "a--b", "x" * 40)
BAD = ("", "A", "1a", "-a", "dev-", "a_b", "dev\n", "x" * 41, "é")


@pytest.mark.parametrize("name", GOOD)
def test_a_name_may_be(name):
    assert is_name(name)
    assert re.fullmatch(NAME, name)
    assert re.fullmatch(STORED, name)


@pytest.mark.parametrize("name", BAD)
def test_a_name_may_not_be(name):
    assert not is_name(name)
    assert not re.fullmatch(NAME, name)


@pytest.mark.parametrize("name", ["data-", "data_", "_data", "Data"])
def test_what_would_have_the_name_of_another_on_an_engine_cannot_be_stored(name):
    assert not re.fullmatch(STORED, name)
    assert re.fullmatch(STORED, "da_ta-1")
