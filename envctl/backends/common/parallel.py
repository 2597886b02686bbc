"""Calls a function for several items at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def all_at_once(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """The results, in the order of the items. The first error is raised when all calls have ended."""
    items = list(items)
    if len(items) < 2:
        # Importing threads takes longer than most single calls.
        return [function(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=len(items)) as pool:
        return list(pool.map(function, items))
