"""Categories of facts that only `verify` needs. They depend on the spec, so `parity` does not compare them."""

from __future__ import annotations

from enum import StrEnum


class VerifyCategory(StrEnum):
    """Categories that only `verify` collects."""

    TIMES = "times"
    """By path, when anything and when the content was last changed, in seconds since 1970."""
    GONE = "gone"
    """Paths that certainly do not exist."""
    EXEC_ENVIRONMENT = "exec_environ"
    """The environment of a new process in the unit."""
    TOOLS = "tools"
    """Installed programs."""
    PROVIDES = "provides"
    """Names that installed packages provide."""
    REMOVED = "removed"
    """Removed packages, with the time from the package manager's log."""
    CHANGED = "changed"
    """Files changed since the unit was created: mode, owner, and the package that owns them."""
    LOST = "lost"
    """Missing files of packages, in folders that were changed since the unit was created."""
