"""One expectation: what passes, what is a finding, and why a fact is unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envctl.parity.drift.expectation import (
    Expectation,
    cannot_check,
    presence,
    so,
    why_unknown,
)
from envctl.parity.fact_format import UNKNOWN

ONE = so("web", "files", "/a", None)


def test_only_what_was_checked_and_is_as_expected_in_every_detail_passes():
    assert ONE.passed
    assert ONE.findings == ()
    for fails in (
        replace(ONE, observed="other"),
        replace(ONE, unchecked="it is unknown"),
        cannot_check("web", "files", "/a", "it is unknown", None),
        presence("web", "files", "/a", word="present", is_present=False, where=None),
    ):
        assert not fails.passed
        assert fails.findings == (fails,)
    detail = Expectation("web", "files", "/a/b", "1", "2")
    many = replace(ONE, details=(detail,))
    assert not many.passed
    assert many.findings == (detail,)


@pytest.mark.parametrize(
    ("unknown", "key", "why"),
    [
        ({}, "/a", ""),
        ({"files\t/a": "cannot be read"}, "/a", "cannot be read"),
        ({"files\t/a": ""}, "/a", "it was not reported"),
        ({"files\t": "cannot be listed"}, "/a", "cannot be listed"),
        ({"files\t/b": "cannot be read"}, "/a", ""),
        ({"users\t/a": "cannot be read"}, "/a", ""),
    ],
)
def test_why_a_fact_is_unknown_is_reported_and_never_as_nothing(unknown, key, why):
    assert why_unknown({UNKNOWN: unknown}, "files", key) == why
