"""What of this host a project may reach: shown, allowed, and taken back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

from envctl.cli.arguments import Target
from envctl.cli.declare import AsJson, Option
from envctl.cli.invocation import Session
from envctl.errors import EnvctlError, UsageError

if TYPE_CHECKING:
    from envctl.trust.host_access import Reach


def asker(session: Session, *, yes: bool = False) -> Callable[[Sequence[Reach]], bool | None]:
    """Asks on the terminal, if there is one; with `yes` what is allowed is shown and not asked for."""

    def ask(wanted: Sequence[Reach]) -> bool | None:
        can_answer = sys.stdin is not None and sys.stdin.isatty() and session.err.file.isatty()
        if not yes and not can_answer:
            return None
        session.reporter.pause()
        head = "Allowed from now on" if yes else "This project wants to reach beyond its folder"
        session.err.line(f"{head}:")
        for one in wanted:
            session.err.line(session.err.safe(f"  {one}"))
        if yes:
            return True
        session.err.file.write("Allow exactly this, now and later? [y/N] ")
        session.err.file.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    return ask


def trust(
    session: Session,
    target: Target = None,
    *,
    yes: Annotated[bool, Option(("--yes", "-y"), "Allow it without asking.")] = False,
    revoke: Annotated[
        bool, Option(("--revoke",), "Forget all that was allowed to this project.")
    ] = False,
    state: Annotated[
        bool,
        Option(
            ("--state",),
            "Take over secrets and keys that an earlier envctl kept in the project's .envctl.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what of this host the project runs, reads or mounts; allow it, if you say so.

    Without a TARGET, of all environments. `up` asks for the same. What is allowed is remembered for you, outside
    the project, by its folder and by the very words and contents shown: anything new or changed is asked for again.

    JSON: a list of objects with `environment`, `text`, `allowed` and `where` ("file:line:column" or null); nothing is
    asked or changed without --yes.
    """
    if revoke and (yes or state):
        raise UsageError("--revoke goes alone")
    if state:
        _take_over(session)
    if revoke:
        _revoke(session)
        return
    names = [target] if target else list(session.workspace.environments())
    found = [(name, session.target(name)) for name in names]
    wanted = [(name, session.workspace.reaches(goal)) for name, goal in found]
    if yes or not as_json:
        _allow(session, [one for _, (every, _) in wanted for one in every], yes=yes)
    if as_json:
        session.json(
            [
                {
                    "environment": name,
                    "text": one.text,
                    "allowed": yes or one not in new,
                    "where": str(one.where) if one.where else None,
                }
                for name, (every, new) in wanted
                for one in every
            ]
        )


def _allow(session: Session, wanted: Sequence[Reach], *, yes: bool) -> None:
    from envctl.trust.approval import allow, missing

    every = tuple(dict.fromkeys(wanted))
    new = missing(session.root, every, environ=session.workspace.environ)
    for one in every:
        if one not in new:
            session.out.line(session.out.safe(f"allowed: {one}"))
    if not every:
        session.out.line("nothing of this host is reached but the project's folder")
    if not new:
        return
    answer = asker(session, yes=yes)(new)
    if answer:
        allow(session.root, new)
        return
    for one in new if answer is None else ():
        session.out.line(session.out.safe(f"not allowed: {one}"))
    raise EnvctlError("nothing was allowed", hint="`envctl trust --yes` allows all of it")


def _revoke(session: Session) -> None:
    from envctl.host.private_state import existing_folder
    from envctl.trust.approval import FILE, revoke

    folder = existing_folder(session.root)
    was_allowed = folder is not None and (folder / FILE).exists()
    revoke(session.root)
    session.note(
        "forgotten: what the project reaches of this host is asked for again"
        if was_allowed
        else "nothing to forget: nothing was allowed to this project"
    )


def _take_over(session: Session) -> None:
    from envctl.host.private_state import state_path, take_over_state

    former = take_over_state(session.root)
    session.note(
        f"taken over: what was in {former} is in {state_path(session.root)} now"
        if former
        else "there is no .envctl in the project's folder"
    )
    if former and former.exists():
        session.note(
            f"left there, since it is not envctl's: {', '.join(sorted(one.name for one in former.iterdir()))}"
        )
