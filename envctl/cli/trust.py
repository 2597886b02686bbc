"""What of this host a project may reach: shown, allowed, and taken back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

from envctl.cli.arguments import Target
from envctl.cli.declare import AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.errors import EnvctlError, UsageError

if TYPE_CHECKING:
    from envctl.trust.host_access import Reach


def asker(invocation: Invocation, *, yes: bool = False) -> Callable[[Sequence[Reach]], bool | None]:
    """Asks on the terminal, if there is one; with `yes` what is allowed is shown and not asked for."""

    def ask(wanted: Sequence[Reach]) -> bool | None:
        can_answer = sys.stdin is not None and sys.stdin.isatty() and invocation.err.file.isatty()
        if not yes and not can_answer:
            return None
        invocation.reporter.pause()
        head = "Allowed from now on" if yes else "This project wants to reach beyond its folder"
        invocation.err.line(f"{head}:")
        for one in wanted:
            invocation.err.line(invocation.err.safe(f"  {one}"))
        if yes:
            return True
        invocation.err.file.write("Allow exactly this, now and later? [y/N] ")
        invocation.err.file.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    return ask


def trust(
    invocation: Invocation,
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
        _take_over(invocation)
    if revoke:
        _revoke(invocation)
        return
    names = [target] if target else list(invocation.project.environments())
    found = [(name, invocation.target(name)) for name in names]
    wanted = [(name, invocation.project.reaches(goal)) for name, goal in found]
    if yes or not as_json:
        _allow(invocation, [one for _, (every, _) in wanted for one in every], yes=yes)
    if as_json:
        invocation.json(
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


def _allow(invocation: Invocation, wanted: Sequence[Reach], *, yes: bool) -> None:
    from envctl.trust.approval import allow, missing

    every = tuple(dict.fromkeys(wanted))
    new = missing(invocation.root, every, environ=invocation.project.environ)
    for one in every:
        if one not in new:
            invocation.out.line(invocation.out.safe(f"allowed: {one}"))
    if not every:
        invocation.out.line("nothing of this host is reached but the project's folder")
    if not new:
        return
    answer = asker(invocation, yes=yes)(new)
    if answer:
        allow(invocation.root, new)
        return
    for one in new if answer is None else ():
        invocation.out.line(invocation.out.safe(f"not allowed: {one}"))
    raise EnvctlError("nothing was allowed", hint="`envctl trust --yes` allows all of it")


def _revoke(invocation: Invocation) -> None:
    from envctl.host.private_state import existing_folder
    from envctl.trust.approval import FILE, revoke

    folder = existing_folder(invocation.root)
    was_allowed = folder is not None and (folder / FILE).exists()
    revoke(invocation.root)
    invocation.note(
        "forgotten: what the project reaches of this host is asked for again"
        if was_allowed
        else "nothing to forget: nothing was allowed to this project"
    )


def _take_over(invocation: Invocation) -> None:
    from envctl.host.private_state import state_path, take_over_state

    former = take_over_state(invocation.root)
    invocation.note(
        f"taken over: what was in {former} is in {state_path(invocation.root)} now"
        if former
        else "there is no .envctl in the project's folder"
    )
    if former and former.exists():
        invocation.note(
            f"left there, since it is not envctl's: {', '.join(sorted(one.name for one in former.iterdir()))}"
        )
