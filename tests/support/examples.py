"""How many examples a property is tried with: all in `make test`, a tenth in `make check`."""

from __future__ import annotations

from typing import Final

from hypothesis import settings

ALL: Final = 100
"""What Hypothesis takes where nothing is said."""
QUICK: Final = 10


def examples(count: int) -> int:
    """As many examples, or as few as the profile in use is of ALL."""
    return max(QUICK, count * min(settings().max_examples, ALL) // ALL)
