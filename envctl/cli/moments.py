"""Points in time as users type them: `10m`, `2024-05-01T12:00:00Z`."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Final

from envctl.errors import UsageError

_DURATION: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
_SECONDS: Final = (86400, 3600, 60, 1)
_FRACTION: Final = re.compile(r"\.(\d+)")


def parse_moment(option: str, text: str) -> float:
    """Seconds since 1970 of a time, or of a duration before now. UsageError if it is neither.

    A time without a zone is local.
    """
    duration = _DURATION.fullmatch(text)
    if duration and text:
        parts = zip(duration.groups(default="0"), _SECONDS, strict=True)
        return time.time() - sum(float(number) * seconds for number, seconds in parts)
    try:
        # A plain number would be parsed as a date: 20240501.
        if "-" in text:
            return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        pass
    raise UsageError(
        f"{option} {text!r} is neither a duration nor a time",
        hint="write 30s, 10m, 1h30m, 2d, or 2024-05-01, 2024-05-01T12:00, 2024-05-01T12:00:00Z",
    )


def utc_text(moment: str) -> str:
    """An RFC 3339 time in UTC with milliseconds; any other text unchanged."""
    # Python parses six digits after the second, but engines write nine.
    try:
        whole = datetime.fromisoformat(_FRACTION.sub(lambda match: f".{match[1][:6]:0<6}", moment))
    except ValueError:
        return moment
    return whole.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
