"""The requirements of every backend on this machine."""

from __future__ import annotations

from envctl.doctor.findings import Finding
from envctl.doctor.host import Host
from envctl.errors import EnvctlError
from envctl.host import ca_bundle

OLDEST_PYTHON = (3, 11)


def common_findings(host: Host) -> tuple[Finding, ...]:
    """The findings that do not depend on the backend."""
    return (python(host), certificates(host))


def python(host: Host) -> Finding:
    """The Python that runs envctl."""
    observed = ".".join(str(part) for part in host.python)
    if host.python[:2] >= OLDEST_PYTHON:
        return Finding.passed("python", observed)
    oldest = ".".join(str(part) for part in OLDEST_PYTHON)
    return Finding.failed("python", observed, f"install Python {oldest} or newer")


def certificates(host: Host) -> Finding:
    """The CA bundle that builds trust."""
    try:
        bundle = ca_bundle.bundle(host.environ, root=host.root)
    except EnvctlError as error:
        return Finding.failed("certificates", error.brief, error.hint)
    if bundle is None:
        observed = "public ones only; this machine has no bundle of its own"
        if host.system == "Darwin":
            observed = f"public ones only; to trust the keychain's, export them to a file and set {ca_bundle.VARIABLES[0]}"
        return Finding.passed("certificates", observed)
    return Finding.passed("certificates", f"builds trust {bundle} while they run")
