"""The result of a detector: an application and the service that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final, TypeAlias

from envctl.lazy_dataclass import dataclass

Keys: TypeAlias = Mapping[str, Any]
"""Keys of a service, as a spec has them."""

HOME: Final = "/srv/web"
"""Where an application is in its unit."""
TASK: Final[Keys] = {"kind": "task", "restart": "no"}
"""The keys that turn a copy of a restarted service into a task."""
NOT_COPIED: Final = ("/envctl.*", ".*")
"""Files of the project that an application does not run with: in an image, secrets would be readable."""


@dataclass(frozen=True, slots=True)
class Findings:
    """A recognized application: its services, the reasons, and what was guessed."""

    title: str
    """What it is: "a Flask application"."""
    seen: tuple[str, ...]
    """The files that showed it."""
    service: Keys
    """The service `web`."""
    dev: Keys = field(default_factory=dict)
    """The keys that differ in development."""
    others: Mapping[str, Keys] = field(default_factory=dict)
    """More services, by name."""
    guesses: tuple[str, ...] = ()
    dependencies: frozenset[str] = frozenset()
    """Names of packages that it uses."""
    base: str = "debian:bookworm"


def copy_all(*exclude: str) -> Keys:
    """Return the step that copies the application."""
    return {"copy": {"from": ".", "to": f"{HOME}/", "exclude": [*NOT_COPIED, *exclude]}}


def copies(*files: str, to: str = f"{HOME}/") -> list[Keys]:
    """Steps that copy single files."""
    return [{"copy": {"from": file, "to": to}} for file in files]


def served(port: int, path: str | None = None) -> Keys:
    """Return the keys of a service that answers on a port, and at `path` if it is healthy."""
    probe = {"http": f"http://127.0.0.1:{port}{path}"} if path else {"tcp": port}
    return {"ports": [str(port)], "healthcheck": {**probe, "start_period": "2m"}}
