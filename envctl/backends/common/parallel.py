"""Several questions asked at the same time; one needs no threads, and does not pay for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

_Given = TypeVar("_Given")
_Answer = TypeVar("_Answer")


def all_at_once(ask: Callable[[_Given], _Answer], given: Iterable[_Given]) -> list[_Answer]:
    """The answers, in the order of what was given. The first error is raised when all have ended."""
    subjects = list(given)
    if len(subjects) < 2:
        return [ask(one) for one in subjects]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=len(subjects)) as pool:
        return list(pool.map(ask, subjects))
