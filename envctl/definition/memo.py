"""Results kept with the node they were made from: hundreds of environments share the nodes of their base file."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, TypeVar, cast

from envctl.definition.tree import ListExtension, ListNode, MapNode, Node

if TYPE_CHECKING:
    from envctl.definition.problems import Problems

T = TypeVar("T")


def memoized(
    node: MapNode | ListNode | ListExtension,
    key: Hashable,
    make: Callable[[], T],
    *,
    other: Node | None = None,
    problems: Problems | None = None,
) -> T:
    """Return the result of `make`, called once per node and key.

    The key holds everything that the result depends on besides the node itself and the `other` node. What reports
    problems is made again each time, so that every environment reports its own.
    """
    known = node.memo.get(key)
    # Compared by identity. Keeping the other node here makes sure that no new one takes its address.
    if known is not None and known[1] is other:
        return cast("T", known[0])
    count = problems.count if problems else 0
    result = make()
    if problems is None or problems.count == count:
        node.memo[key] = (result, other)
    return result
