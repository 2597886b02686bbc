"""Which boxes may go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from envctl.backends.vagrant.box.prune_boxes import GRACE, MAX_UNUSED, prunable, without_use

NOW = 1_000_000.0
AGES = st.dictionaries(
    st.integers(0, 60).map("envctl-{:024x}-00000000".format),
    st.floats(0, 20 * GRACE),
    max_size=40,
)


def test_those_used_last_are_kept():
    used = {f"box{number:02}": NOW - 2 * GRACE - number for number in range(MAX_UNUSED + 2)}

    assert prunable(used, (), NOW) == [f"box{MAX_UNUSED:02}", f"box{MAX_UNUSED + 1:02}"]
    assert prunable(used, [f"box{MAX_UNUSED:02}"], NOW) == [f"box{MAX_UNUSED + 1:02}"]
    assert prunable(used, ["box00", "box01"], NOW) == []
    assert prunable(used, (), NOW - 2 * GRACE) == []


def test_a_box_that_a_machine_or_a_build_needs_or_that_was_used_of_late_is_not_unused():
    old, young = NOW - 2 * GRACE, NOW - GRACE / 2
    used = {f"envctl-{name * 24}-00000000": old for name in "abc"} | {"envctl-d-0": young}

    boxes = without_use(used, [f"envctl-{'a' * 24}-00000000"], ["b" * 24], now=NOW)

    assert boxes == [f"envctl-{'c' * 24}-00000000"]


@given(AGES, st.data())
def test_nothing_goes_that_is_needed_or_young_or_used_later_than_what_is_kept(ages, data):
    used = {box: NOW - age for box, age in ages.items()}
    needed = data.draw(st.sets(st.sampled_from(sorted(used)))) if used else set()

    going = prunable(used, needed, NOW)

    kept = used.keys() - needed - set(going)
    assert not needed & set(going)
    assert all(NOW - used[box] > GRACE for box in going)
    assert len(kept) >= min(MAX_UNUSED, len(used.keys() - needed))
    assert all(used[one] >= used[other] for one in kept for other in going)
