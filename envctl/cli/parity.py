"""Commands that look inside what runs: facts, parity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from envctl.cli.arguments import Target, complete_target
from envctl.cli.declare import Argument, AsJson
from envctl.cli.session import Session
from envctl.errors import Exit

if TYPE_CHECKING:
    from envctl.parity.comparing import Comparison, Finding

_HEAD = ("UNIT", "CATEGORY", "SAME", "SUBSTRATE", "DECLARED", "DIFFERENT")


def facts(session: Session, target: Target = None, *, as_json: AsJson = False) -> None:
    """Show what is true inside the units that run: packages, users, files, process, sockets, and more.

    Of secrets it tells presence, mode, owner and a keyed digest.

    JSON: an object with `format`, `version`, `project`, `environment`, `backend` and `units`, by unit and
    category a mapping of keys to values; `parity` reads it.
    """
    from envctl.parity.facts import to_json

    found = session.workspace.facts(session.target(target))
    if as_json:
        session.json(to_json(found))
        return
    for unit, known in found.units.items():
        for category, values in known.items():
            for key, value in values.items():
                session.out.line(session.out.safe(f"{unit}  {category}  {key}  {value}".rstrip()))


def parity(
    session: Session,
    first: Annotated[
        str, Argument("TARGET", "ENV, ENV@BACKEND, or a file that `facts` wrote.", complete_target)
    ],
    second: Annotated[str, Argument("TARGET", "The one to compare it with.", complete_target)],
    *,
    as_json: AsJson = False,
) -> int:
    """Compare what is true inside the units of two targets that are up.

    A difference is substrate if it came with a machine, such as its kernel and its SSH server; declared if the
    spec accepts it; and else makes the exit code 3.

    JSON: an object with `before`, `after` (targets), `equal` (how many facts are the same) and `findings`, each
    with `unit`, `category`, `key`, `before`, `after` (null where there is none), `verdict` and `reason`.
    """
    found = session.workspace.parity(first, second)
    if as_json:
        session.json(
            {
                "before": found.before,
                "after": found.after,
                "equal": sum(found.equal.values()),
                "findings": [_json(one) for one in found.findings],
            }
        )
    else:
        _show(session, found)
    return Exit.DIFFERENT if found.undeclared else Exit.OK


def _json(one: Finding) -> dict[str, Any]:
    return {
        "unit": one.unit,
        "category": one.category,
        "key": one.key,
        "before": one.before,
        "after": one.after,
        "verdict": str(one.verdict),
        "reason": one.reason,
    }


def _show(session: Session, found: Comparison) -> None:
    from envctl.parity.comparing import Verdict

    out = session.out
    total = sum(found.equal.values()) + len(found.findings)
    out.line(out.safe(f"{found.before} against {found.after}: {total:,} facts compared"))
    rows = [
        (unit, category, *(str(found.count(unit, category, verdict)) for verdict in Verdict))
        for unit, category in found.subjects
    ]
    if rows:
        out.table(rows, head=_HEAD)
    _list(session, found.undeclared)


def _list(session: Session, findings: Sequence[Finding]) -> None:
    from envctl.plan.text import shown

    out = session.out
    for one in findings:
        out.line(out.paint(f"{one.unit} {one.category} {one.key}", "bold"))
        for sign, color, value in (("-", "red", one.before), ("+", "green", one.after)):
            out.line(out.paint(f"  {sign} {'not there' if value is None else shown(value)}", color))
