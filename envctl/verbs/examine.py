"""Checks this machine for what a backend needs."""

from __future__ import annotations

from envctl.backends import backend_findings
from envctl.doctor.common_checks import common_findings
from envctl.doctor.findings import Finding
from envctl.doctor.host import Host
from envctl.plan.target import DEFAULT_BACKEND


def examine(backend: str = DEFAULT_BACKEND, *, host: Host | None = None) -> tuple[Finding, ...]:
    """Run all checks of a backend on this machine, without changing anything.

    `host` stands for the machine. UsageError for an unknown backend.
    """
    host = host or Host()
    of_backend = backend_findings(backend, host)
    return (*common_findings(host), *of_backend)
