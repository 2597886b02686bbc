"""Shows why a unit failed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from envctl.backends.base import Backend
from envctl.errors import EnvctlError, Place
from envctl.plan.exit_state import remedy
from envctl.plan.state import UnitState

LOG_LINES = 20


def failure(
    name: str,
    brief: str,
    *,
    details: str,
    state: UnitState | None,
    where: Place | None,
    mask: Callable[[str], str],
) -> EnvctlError:
    """Return the error for a unit that did not become ready; `where` is the place of its cause."""
    remedy_text = state and remedy(state)
    look = "look inside with `envctl logs` and `envctl exec`"
    return EnvctlError(
        mask(f"{name}: {brief}"),
        details=mask(details),
        hint=f"{remedy_text or look}; correct {where or 'the spec'} and run `envctl up` again",
        where=where,
    )


def quoted(who: str, text: str) -> str:
    """Return an output with its source; "" if it is empty."""
    lines = text.strip().splitlines()
    if len(lines) > 1:
        return f"{who}:\n" + "\n".join(f"  {line}" for line in lines[-LOG_LINES:])
    return f"{who}: {lines[0]}" if lines else ""


def evidence(backend: Backend, name: str, output: str) -> str:
    """Return the details of a failed unit: the output of its probe or hook, and its last log lines."""
    parts = [output] if output else []
    try:
        lines: deque[str] = deque(
            (line.text for line in backend.logs([name], tail=LOG_LINES)), maxlen=LOG_LINES
        )
    except EnvctlError as error:
        lines = deque([f"(no log: {error.brief})"])
    if lines:
        parts.append("last log lines:\n" + "\n".join(f"  {line}" for line in lines))
    else:
        parts.append("it has logged nothing")
    return "\n".join(parts)
