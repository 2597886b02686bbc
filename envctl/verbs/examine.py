"""Looks at this machine: what every backend needs, and what the chosen one checks."""

from __future__ import annotations

from envctl.backends import backend_findings
from envctl.doctor.common_checks import common_findings
from envctl.doctor.findings import Finding
from envctl.doctor.host import Host
from envctl.plan.target import DEFAULT_BACKEND


def examine(backend: str = DEFAULT_BACKEND, *, host: Host | None = None) -> tuple[Finding, ...]:
    """Look at everything the backend needs on this machine; changes nothing.

    `host` stands for the machine. UsageError if there is no backend of that name.
    """
    host = host or Host()
    of_backend = backend_findings(backend, host)
    return (*common_findings(host), *of_backend)
