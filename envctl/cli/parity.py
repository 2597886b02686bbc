"""facts and parity: look inside running units, and compare them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from envctl.cli.arguments import Target
from envctl.cli.completions import complete_target
from envctl.cli.declare import Argument, AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.errors import Exit

if TYPE_CHECKING:
    from envctl.parity.result import Parity


def facts(invocation: Invocation, target: Target = None, *, as_json: AsJson = False) -> None:
    """Show the facts inside running units: packages, users, files, processes, sockets and more.

    For a secret it shows presence, mode, owner and a keyed digest. A fact that cannot be read is shown as unknown, with
    the reason; so is a unit that is not running.

    Examples:
        envctl facts dev
        envctl facts dev --json > facts.json

    JSON: an object with `format`, `version`, `project`, `environment`, `backend` and `units`: for each unit and
    category a mapping of keys to values, `{"unknown": REASON}` for an unknown value. `parity` can read it.
    """
    from envctl.cli.comparison import plain
    from envctl.parity.fact_format import UNKNOWN, readable, to_json
    from envctl.verbs import facts as verb

    project_facts = verb.facts(invocation.project, invocation.target(target))
    if as_json:
        invocation.json(to_json(project_facts))
        return
    for unit, known in project_facts.units.items():
        for name, reason in known.get(UNKNOWN, {}).items():
            category, _, key = name.partition("\t")
            subject = f"{category}  {plain(key)}" if key else category
            invocation.out.line(invocation.out.safe(f"{unit}  {subject}  unknown: {plain(reason)}"))
        for category, values in known.items():
            if category == UNKNOWN:
                continue
            for key, value in values.items():
                text = plain(readable(category, key, value))
                invocation.out.line(
                    invocation.out.safe(f"{unit}  {category}  {plain(key)}  {text}")
                )


def parity(
    invocation: Invocation,
    first: Annotated[
        str,
        Argument(
            "TARGET", "ENV, ENV@BACKEND, or a file written by `facts --json`.", complete_target
        ),
    ],
    others: Annotated[
        list[str], Argument("TARGET", "Targets to compare with the first.", complete_target)
    ],
    *,
    html: Annotated[
        Path | None,
        Option(("--html",), "Also write the report to this file, as an HTML page."),
    ] = None,
    up: Annotated[
        bool,
        Option(
            ("--up",),
            "Bring up targets that are not running, on free ports, and take them down afterwards.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Compare the facts inside running targets, each with the first.

    A difference is substrate if a virtual machine brings it, such as its kernel and SSH server. It is declared if the
    spec accepts it (`accept`). Any other difference makes the exit code 3, and so does a fact that is unknown on one
    side, such as a file that cannot be read. An `accept` entry that matches nothing is reported; it does not change the
    exit code.

    Examples:
        envctl parity dev@docker dev@vagrant
        envctl parity dev prod --up --html report.html

    JSON: an object with `format`, `version`, `comparisons` and `stale` (unused `accept` entries, each with `where`,
    `unit`, `category`, `key` and `reason`). A comparison has `before` and `after` (each with `target`, `project`,
    `environment`, `backend`, and `file` or null), `facts` (how many are `equal`, `declared`, `substrate`, `undeclared`,
    `unknown`), `subjects` (the same by `unit` and `category`), and `findings`, each with `unit`, `category`, `key`,
    `before`, `after` (null if absent, `{"unknown": REASON}` if unknown), `verdict`, `reason` and `where` (null unless
    declared).
    """
    if html is not None:
        from envctl.host.atomic_write import writable_path

        writable_path(html)
    from envctl.verbs import parity

    result = parity.parity(invocation.project, first, *others, up=up)
    invocation.reporter.pause()
    if as_json:
        from envctl.parity.report import to_json

        invocation.json(to_json(result))
    else:
        from envctl.cli.comparison import accepting, show, show_verdicts

        (show_verdicts if invocation.options.quiet else show)(result, invocation.out)
        if not result.holds:
            invocation.note(accepting(result))
    if html is not None:
        _write(html, result)
        invocation.note(f"wrote {html}")
    return Exit.OK if result.holds else Exit.DIFFERENT


def _write(path: Path, result: Parity) -> None:
    from datetime import UTC, datetime

    from envctl import __version__
    from envctl.host.atomic_write import write_user_file
    from envctl.parity.report import to_html

    write_user_file(path, to_html(result, at=datetime.now(UTC), version=__version__))
