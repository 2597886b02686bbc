"""Commands that look inside what runs: facts, parity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from envctl.cli.arguments import Target, complete_target
from envctl.cli.declare import Argument, AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.errors import Exit

if TYPE_CHECKING:
    from envctl.parity.result import Parity


def facts(invocation: Invocation, target: Target = None, *, as_json: AsJson = False) -> None:
    """Show what is true inside the units that run: packages, users, files, processes, sockets, and more.

    Of secrets it shows presence, mode, owner and a keyed digest. What cannot be looked at is shown as unknown, with the
    reason, and so is a unit that does not run.

    JSON: an object with `format`, `version`, `project`, `environment`, `backend` and `units`, by unit and
    category a mapping of keys to values, `{"unknown": REASON}` where one is not known; `parity` reads it.
    """
    from envctl.cli.comparison import plain
    from envctl.parity.facts import UNKNOWN, readable, to_json

    found = invocation.project.facts(invocation.target(target))
    if as_json:
        invocation.json(to_json(found))
        return
    for unit, known in found.units.items():
        for name, reason in known.get(UNKNOWN, {}).items():
            category, _, key = name.partition("\t")
            what = f"{category}  {plain(key)}" if key else category
            invocation.out.line(invocation.out.safe(f"{unit}  {what}  unknown: {plain(reason)}"))
        for category, values in known.items():
            if category == UNKNOWN:
                continue
            for key, value in values.items():
                told = plain(readable(category, key, value))
                invocation.out.line(
                    invocation.out.safe(f"{unit}  {category}  {plain(key)}  {told}")
                )


def parity(
    invocation: Invocation,
    first: Annotated[
        str, Argument("TARGET", "ENV, ENV@BACKEND, or a file that `facts` wrote.", complete_target)
    ],
    others: Annotated[
        list[str], Argument("TARGET", "What to compare with it, one by one.", complete_target)
    ],
    *,
    html: Annotated[
        Path | None,
        Option(("--html",), "Write the report to this file, too, as an HTML page to keep."),
    ] = None,
    up: Annotated[
        bool,
        Option(
            ("--up",),
            "Bring up what is not there, on free ports, and take it down when it is compared.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Compare what is true inside the units of targets that are up, each with the first.

    A difference is substrate if it came with a machine, such as its kernel and its SSH server; declared if the
    spec accepts it (`accept`); and else makes the exit code 3. So does a fact that a side does not know, such as a file
    that cannot be read: unknown equals nothing. An entry of `accept` that matches nothing is
    reported, and changes no exit code.

    JSON: an object with `format`, `version`, `comparisons` and `stale` (entries of `accept`, each with `where`,
    `unit`, `category`, `key` and `reason`). A comparison has `before` and `after` (each with `target`, `project`,
    `environment`, `backend`, and `file` or null), `facts` (how many are `equal`, `declared`, `substrate`,
    `undeclared`, `unknown`), `subjects` (the same by `unit` and `category`), and `findings`, each with `unit`, `category`,
    `key`, `before`, `after` (null where there is none, `{"unknown": REASON}` where it is not known), `verdict`, `reason` and `where` (null unless it is declared).
    """
    if html is not None:
        from envctl.host.atomic_write import writable

        writable(html)
    from envctl.verbs import parity

    found = parity.parity(invocation.project, first, *others, up=up)
    invocation.reporter.pause()
    if as_json:
        from envctl.parity.report import to_json

        invocation.json(to_json(found))
    else:
        from envctl.cli.comparison import accepting, show, show_verdicts

        (show_verdicts if invocation.options.quiet else show)(found, invocation.out)
        if not found.holds:
            invocation.note(accepting(found))
    if html is not None:
        _write(html, found)
        invocation.note(f"wrote {html}")
    return Exit.OK if found.holds else Exit.DIFFERENT


def _write(path: Path, found: Parity) -> None:
    from datetime import UTC, datetime

    from envctl import __version__
    from envctl.host.atomic_write import write_whole
    from envctl.parity.report import to_html

    write_whole(path, to_html(found, at=datetime.now(UTC), version=__version__))
