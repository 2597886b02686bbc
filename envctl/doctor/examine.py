"""Looking at this machine: what every backend needs, and what the chosen one checks."""

from __future__ import annotations

from envctl.backends import backend_findings
from envctl.doctor.finding import Finding
from envctl.doctor.host import Host
from envctl.errors import EnvctlError
from envctl.host import ca_bundle
from envctl.plan.target import DEFAULT_BACKEND

OLDEST_PYTHON = (3, 11)


def examine(backend: str = DEFAULT_BACKEND, *, host: Host | None = None) -> tuple[Finding, ...]:
    """Look at everything the backend needs on this machine; changes nothing.

    `host` stands for the machine. UsageError if there is no backend of that name.
    """
    host = host or Host()
    specific = backend_findings(backend, host)
    return (python(host), certificates(host), *specific)


def python(host: Host) -> Finding:
    """The Python that runs envctl."""
    observed = ".".join(str(part) for part in host.python)
    if host.python[:2] >= OLDEST_PYTHON:
        return Finding("python", ok=True, observed=observed)
    oldest = ".".join(str(part) for part in OLDEST_PYTHON)
    return Finding(
        "python", ok=False, observed=observed, remedy=f"install Python {oldest} or newer"
    )


def certificates(host: Host) -> Finding:
    """The CA bundle that builds are told to trust."""
    try:
        bundle = ca_bundle.bundle(host.environ, root=host.root)
    except EnvctlError as error:
        return Finding("certificates", ok=False, observed=error.brief, remedy=error.hint)
    if bundle is None:
        observed = "the public ones; no bundle of this machine's own"
        if host.system == "Darwin":
            observed = f"the public ones; none of the keychain's, unless {ca_bundle.VARIABLES[0]} names a file of them"
        return Finding("certificates", ok=True, observed=observed)
    return Finding("certificates", ok=True, observed=f"builds trust {bundle} while they run")
