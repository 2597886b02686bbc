"""Calls a function for several items at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def all_at_once(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """The results, in the order of the items. After all calls have ended, the first error is raised."""
    items = list(items)
    if len(items) < 2:
        return [function(item) for item in items]
    # `concurrent.futures` imports `logging`, which takes longer than most calls.
    from threading import Thread

    results: dict[int, _Result] = {}
    errors: dict[int, BaseException] = {}

    def call(index: int, item: _Item) -> None:
        try:
            results[index] = function(item)
        except BaseException as error:  # noqa: BLE001 - raised later, with the results
            errors[index] = error

    threads = [Thread(target=partial(call, *numbered)) for numbered in enumerate(items)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[min(errors)]
    return [results[index] for index in range(len(items))]
