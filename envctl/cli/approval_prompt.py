"""Ask on the terminal whether a project may use parts of this host."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from envctl.cli.output import Stream

if TYPE_CHECKING:
    from envctl.trust.host_access import HostAccess


def approval_prompt(
    err: Stream, *, pause: Callable[[], object], yes: bool = False
) -> Callable[[Sequence[HostAccess]], bool | None]:
    """A function that asks on the terminal, if there is one. With `yes` it shows what is allowed and does not ask.

    `pause` hides the progress display meanwhile.
    """

    def ask(accesses: Sequence[HostAccess]) -> bool | None:
        can_answer = sys.stdin is not None and sys.stdin.isatty() and err.file.isatty()
        if not yes and not can_answer:
            return None
        pause()
        head = "Allowed from now on" if yes else "This project wants access outside its folder"
        err.line(f"{head}:")
        for access in accesses:
            err.line(err.safe(f"  {access}"))
        if yes:
            return True
        err.file.write("Allow exactly this, now and in future? [y/N] ")
        err.file.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    return ask
