"""The checks and repairs of `envctl doctor` for containers."""

from __future__ import annotations

from collections.abc import Callable

from envctl.backends.docker.doctor.checks import compose, engine_findings
from envctl.backends.docker.doctor.engine_status import EngineStatus, look
from envctl.doctor.findings import Finding
from envctl.doctor.host import Host


def findings(
    host: Host, *, images_only: bool = False, ask: Callable[[], EngineStatus] | None = None
) -> tuple[Finding, ...]:
    """The requirements of containers on this host; with `images_only`, those for building images. Tests replace `ask`."""
    engine = ask() if ask else look(host.environ)
    others = () if images_only else (compose(host),)
    return (*engine_findings(host, engine), *others)
