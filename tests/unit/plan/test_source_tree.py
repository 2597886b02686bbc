"""What a copy takes: when a file counts as a program."""

from __future__ import annotations

import pytest

from envctl.plan.source_tree import SourceEntry


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o100, 0o010, 0o001, 0o645, 0o4711])
def test_a_file_that_anybody_may_execute_is_a_program(mode):
    assert SourceEntry("x", mode=mode).is_program


@pytest.mark.parametrize("mode", [0o000, 0o600, 0o644, 0o666, 0o4000, 0o202])
def test_a_file_that_nobody_may_execute_is_none(mode):
    assert not SourceEntry("x", mode=mode).is_program
