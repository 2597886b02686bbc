"""The checks: each looks at one thing and says what was found, and what to do on this system."""

from __future__ import annotations

from collections.abc import Callable

from envctl.doctor.containers import compose, engine_findings
from envctl.doctor.engine import Engine, look
from envctl.doctor.finding import Finding
from envctl.doctor.host import Host
from envctl.doctor.machines import machine_findings
from envctl.errors import EnvctlError, UsageError
from envctl.host import ca_bundle

OLDEST_PYTHON = (3, 11)

_OWN = ("docker", "memory", "vagrant")
_GROUP = "envctl.backends"
"""The entry point group of backends that others ship: of these nothing more is known."""


def examine(
    backend: str = "docker",
    *,
    host: Host | None = None,
    ask: Callable[[], Engine] | None = None,
) -> tuple[Finding, ...]:
    """Look at everything the backend needs on this machine; changes nothing.

    `host` and `ask` stand for the machine and its Docker engine. UsageError if there is no backend
    of that name.
    """
    _check_name(backend)
    host = host or Host()
    ask = ask or (lambda: look(host.environ))
    findings = [python(host), certificates(host)]
    if backend == "docker":
        findings += [*engine_findings(host, ask()), compose(host)]
    elif backend == "vagrant":
        findings += machine_findings(host, ask())
    return tuple(findings)


def _check_name(backend: str) -> None:
    if backend in _OWN:
        return
    from importlib.metadata import entry_points

    known = {*_OWN, *(entry.name for entry in entry_points(group=_GROUP))}
    if backend not in known:
        raise UsageError(
            f"there is no backend {backend!r}", hint=f"there is {', '.join(sorted(known))}"
        )


def python(host: Host) -> Finding:
    """The Python that runs envctl."""
    found = ".".join(str(part) for part in host.python)
    if host.python[:2] >= OLDEST_PYTHON:
        return Finding("python", ok=True, found=found)
    oldest = ".".join(str(part) for part in OLDEST_PYTHON)
    return Finding("python", ok=False, found=found, remedy=f"install Python {oldest} or newer")


def certificates(host: Host) -> Finding:
    """The CA bundle that builds are told to trust."""
    try:
        bundle = ca_bundle.bundle(host.environ, root=host.root)
    except EnvctlError as error:
        return Finding("certificates", ok=False, found=error.brief, remedy=error.hint)
    if bundle is None:
        found = "the public ones; no bundle of this machine's own"
        if host.system == "Darwin":
            found = f"the public ones; none of the keychain's, unless {ca_bundle.VARIABLES[0]} names a file of them"
        return Finding("certificates", ok=True, found=found)
    return Finding("certificates", ok=True, found=f"builds trust {bundle} while they run")
