"""What `envctl doctor` checks for containers, and how it repairs it."""

from __future__ import annotations

from collections.abc import Callable

from envctl.backends.docker.doctor.checks import compose, engine_findings
from envctl.backends.docker.doctor.engine_status import EngineStatus, look
from envctl.doctor.findings import Finding
from envctl.doctor.host import Host


def findings(
    host: Host, *, images_only: bool = False, ask: Callable[[], EngineStatus] | None = None
) -> tuple[Finding, ...]:
    """What containers need on this host; with `images_only`, what building images needs. Tests replace `ask`."""
    engine = ask() if ask else look(host.environ)
    others = () if images_only else (compose(host),)
    return (*engine_findings(host, engine), *others)
