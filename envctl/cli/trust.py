"""trust: show, allow and revoke a project's access to this host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from envctl.cli.approval_prompt import approval_prompt
from envctl.cli.arguments import Target
from envctl.cli.declare import AsJson, Option
from envctl.cli.invocation import Invocation
from envctl.errors import EnvctlError, UsageError

if TYPE_CHECKING:
    from envctl.trust.host_access import HostAccess


def trust(
    invocation: Invocation,
    target: Target = None,
    *,
    yes: Annotated[bool, Option(("--yes", "-y"), "Allow it without asking.")] = False,
    revoke: Annotated[
        bool, Option(("--revoke",), "Forget everything that was allowed for this project.")
    ] = False,
    state: Annotated[
        bool,
        Option(
            ("--state",),
            "Import secrets and keys that an earlier version of envctl kept in .envctl.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the project runs, reads or mounts on this host, and ask to allow it.

    Without TARGET, covers all environments. `up` asks the same question. What you allow is recorded outside the
    project, for this folder and exactly this text and content: anything new or changed is asked about again.

    Examples:
        envctl trust
        envctl trust dev --revoke

    JSON: a list of objects with `environment`, `text`, `allowed` and `where` ("file:line:column" or null). It asks and
    changes nothing without --yes.
    """
    if revoke and (yes or state):
        raise UsageError("--revoke cannot be combined with --yes or --state")
    if state:
        _take_over(invocation)
    if revoke:
        _revoke(invocation)
        return
    names = [target] if target else list(invocation.project.environments())
    targets = [(name, invocation.target(name)) for name in names]
    from envctl.verbs import trust as verb

    accesses = [(name, verb.host_access(invocation.project, goal)) for name, goal in targets]
    if yes or not as_json:
        _allow(invocation, [access for _, (every, _) in accesses for access in every], yes=yes)
    if as_json:
        invocation.json(
            [
                {
                    "environment": name,
                    "text": access.text,
                    "allowed": yes or access not in new,
                    "where": str(access.where) if access.where else None,
                }
                for name, (every, new) in accesses
                for access in every
            ]
        )


def _allow(invocation: Invocation, accesses: Sequence[HostAccess], *, yes: bool) -> None:
    from envctl.trust.approval import allow, missing

    distinct = tuple(dict.fromkeys(accesses))
    new = missing(invocation.root, distinct, environ=invocation.project.environ)
    for access in distinct:
        if access not in new:
            invocation.out.line(invocation.out.safe(f"allowed: {access}"))
    if not distinct:
        invocation.out.line("the project needs no access outside its folder")
    if not new:
        return
    answer = approval_prompt(invocation.err, pause=invocation.reporter.pause, yes=yes)(new)
    if answer:
        allow(invocation.root, new)
        return
    for access in new if answer is None else ():
        invocation.out.line(invocation.out.safe(f"not allowed: {access}"))
    raise EnvctlError("nothing was allowed", hint="`envctl trust --yes` allows everything listed")


def _revoke(invocation: Invocation) -> None:
    from envctl.host.private_state import existing_folder
    from envctl.trust.approval import FILE, revoke

    folder = existing_folder(invocation.root)
    was_allowed = folder is not None and (folder / FILE).exists()
    revoke(invocation.root)
    invocation.note(
        "revoked; envctl will ask again before the project gets access"
        if was_allowed
        else "nothing to revoke: nothing was allowed for this project"
    )


def _take_over(invocation: Invocation) -> None:
    from envctl.host.private_state import state_path, take_over_state

    former = take_over_state(invocation.root)
    invocation.note(
        f"moved the contents of {former} to {state_path(invocation.root)}"
        if former
        else "no .envctl found in the project's folder"
    )
    if former and former.exists():
        invocation.note(
            f"left in place, not envctl's: {', '.join(sorted(path.name for path in former.iterdir()))}"
        )
