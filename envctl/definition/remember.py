"""What was made of a node, kept with it: hundreds of environments share the nodes of their base file."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, TypeVar, cast

from envctl.definition.tree import Extend, Items, Node, Table

if TYPE_CHECKING:
    from envctl.definition.problems import Problems

T = TypeVar("T")


def remembered(
    node: Table | Items | Extend,
    key: Hashable,
    make: Callable[[], T],
    *,
    beside: Node | None = None,
    problems: Problems | None = None,
) -> T:
    """What `make` makes of a node, made once for each key.

    The key tells all that the result depends on besides the node itself, and the node `beside` it. What has problems
    is made anew each time, so that every environment is told its own.
    """
    known = node.remembered.get(key)
    # The other node is held, so that no later one is taken for it.
    if known is not None and known[1] is beside:
        return cast("T", known[0])
    noted = problems.noted if problems else 0
    result = make()
    if problems is None or problems.noted == noted:
        node.remembered[key] = (result, beside)
    return result
