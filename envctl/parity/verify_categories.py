"""What only `verify` asks a unit: it bears on what the spec declares, and is nothing to compare units by."""

from __future__ import annotations

from enum import StrEnum


class VerifyCategory(StrEnum):
    """Categories beside those of facts, which no other verb has in what it is told."""

    TIMES = "times"
    """By path, when it was last changed at all, and when its content was: seconds of the epoch."""
    GONE = "gone"
    """Paths of which it is certain that nothing is there."""
    EXEC_ENVIRONMENT = "exec_environ"
    """The environment that the unit gives a new process."""
    TOOLS = "tools"
    """Programs that are there."""
    PROVIDES = "provides"
    """Names that installed packages provide beside their own."""
    REMOVED = "removed"
    """Packages that were removed, as the packager's log has it: when."""
    CHANGED = "changed"
    """Files of the root file system that were changed since the unit was made: mode, owner, and whether a package has them."""
    LOST = "lost"
    """Files of packages that are not there, in folders that were changed since the unit was made."""
