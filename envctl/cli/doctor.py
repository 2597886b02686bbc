"""doctor: check this machine, and install or start what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from envctl.cli.completions import complete_backend
from envctl.cli.declare import AsJson, Option, without_spec
from envctl.cli.invocation import Invocation
from envctl.errors import Exit
from envctl.plan.target import DEFAULT_BACKEND

if TYPE_CHECKING:
    from envctl.doctor.findings import Finding


@without_spec
def doctor(
    invocation: Invocation,
    *,
    fix: Annotated[
        bool,
        Option(("--fix",), "Install and start what is missing, as root on Debian or Ubuntu."),
    ] = False,
    backend: Annotated[
        str, Option(("--backend",), "The backend to check.", complete=complete_backend)
    ] = DEFAULT_BACKEND,
    as_json: AsJson = False,
) -> int:
    """Check this machine and show how to fix what is missing.

    The exit code is 1 if something required is missing.

    Examples:
        envctl doctor
        envctl doctor --backend vagrant --fix

    JSON: an object with `backend`, `ok` and `findings`, each with `name`, `ok`, `found`, `remedy`,
    `needed` (whether it is required) and `fixable` (whether --fix can fix it).
    """
    from envctl.doctor.repair import fix as repair
    from envctl.verbs.examine import examine

    findings: Sequence[Finding] = examine(backend)
    if fix and any(finding.fixable for finding in findings):
        repair(findings, invocation.reporter, backend=backend)
        invocation.reporter.pause()
        findings = examine(backend)
    if as_json:
        data = [_data(finding) for finding in findings]
        invocation.json({"backend": backend, "ok": _fine(findings), "findings": data})
    else:
        _show(invocation, findings, backend)
    return Exit.OK if _fine(findings) else Exit.ERROR


def _fine(findings: Sequence[Finding]) -> bool:
    return all(finding.ok or not finding.needed for finding in findings)


def _show(invocation: Invocation, findings: Sequence[Finding], backend: str) -> None:
    out = invocation.out
    for finding in findings:
        mark = _mark(invocation, finding)
        value = f"  {finding.observed}" if finding.observed else ""
        out.line(f"{mark} {out.safe(finding.name + value)}")
        if not finding.ok:
            for line in finding.remedy.splitlines():
                out.line(f"    {out.safe(line)}")
    if any(finding.fixable for finding in findings):
        option = "" if backend == DEFAULT_BACKEND else f" --backend {backend}"
        invocation.note(f"`envctl doctor --fix{option}` can fix this")


def _mark(invocation: Invocation, finding: Finding) -> str:
    """A tick, a cross, or a dash for something optional."""
    if finding.ok:
        return invocation.out.paint("✓", "green")
    return (
        invocation.out.paint("✗", "red") if finding.needed else invocation.out.paint("–", "yellow")
    )


def _data(finding: Finding) -> dict[str, object]:
    return {
        "name": finding.name,
        "ok": finding.ok,
        "found": finding.observed,
        "remedy": finding.remedy,
        "needed": finding.needed,
        "fixable": finding.fixable,
    }
