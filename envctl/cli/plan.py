"""plan and render: show or write what envctl would do, without doing it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from envctl.cli.arguments import Target
from envctl.cli.declare import AsJson, Option, Profiles
from envctl.cli.invocation import Invocation
from envctl.cli.notes import note_builds, note_mounts, note_variables
from envctl.cli.output import counted
from envctl.errors import Exit


def plan(
    invocation: Invocation,
    target: Target = None,
    *,
    offline: Annotated[
        bool,
        Option(("--offline",), "Show the whole plan without asking an engine what is running."),
    ] = False,
    exit_code: Annotated[
        bool, Option(("--exit-code",), "Exit with 3 if anything would change.")
    ] = False,
    profiles: Profiles = None,
    as_json: AsJson = False,
) -> int:
    """Show what `up` would change, with every cause of each change, one per line.

    A `!` marks what deserves a second look, such as a port that becomes reachable from other machines. Ends
    with the number of changes, and the command that makes them.

    Examples:
        envctl plan dev
        envctl plan prod --exit-code

    JSON: an object with `environment`, `backend`, `changes`, `volumes` and `unapproved`. A change has `action`, `unit`
    and `causes`, each with `text`, `where` ("file:line:column" or null) and `warning` (or null); its `cause` joins all
    texts, and its `where` is the first place. `volumes` are notes about data, each with `volume`, `state` (new, kept,
    unused, shared), `text`, `size` (bytes or null) and `where`. `unapproved` is what `up` will ask you to allow (see
    `trust`), each with `text` and `where`. With --offline the object has `plan` instead of these three.
    """
    from envctl.plan.text import changes_json, plan_text, summary_text
    from envctl.verbs import plan as verb

    invocation.profiles = profiles or ()
    goal = invocation.target(target)
    note_variables(invocation, goal.environment)
    if offline:
        decided = verb.plan(invocation.project, goal)
        note_mounts(invocation, decided.units)
        note_builds(invocation, decided.units)
        text = plan_text(decided)
        names = {"environment": decided.scope.environment, "backend": decided.backend}
        if as_json:
            invocation.json({**names, "plan": text.splitlines()})
        else:
            invocation.out.text(text)
        return Exit.OK
    decision = verb.decide(invocation.project, goal)
    decided, changes = decision.plan, decision.changes
    note_mounts(invocation, decided.units)
    note_builds(invocation, decided.units)
    if as_json:
        names = {"environment": decided.scope.environment, "backend": decided.backend}
        volumes = [note.data() for note in decision.volumes]
        unapproved = [
            {"text": access.text, "where": str(access.where) if access.where else None}
            for access in decision.unapproved
        ]
        data = {"changes": changes_json(changes), "volumes": volumes, "unapproved": unapproved}
        invocation.json({**names, **data})
        return Exit.DIFFERENT if changes and exit_code else Exit.OK
    if changes:
        invocation.changes(changes)
    else:
        invocation.out.line(f"{goal.environment}: no changes")
    for note in decision.volumes:
        place = f"  ({note.where})" if note.where else ""
        invocation.out.line(invocation.out.safe(f"  {note.text}{place}"))
    if changes:
        invocation.out.line(f"{summary_text(changes)}; `envctl up {goal}` makes these changes")
    if decision.unapproved:
        things = counted(len(decision.unapproved), "thing", "things")
        invocation.out.line(
            f"`up` will ask you to allow {things} outside the project; `envctl trust {goal}` shows them"
        )
    return Exit.DIFFERENT if changes and exit_code else Exit.OK


def render(
    invocation: Invocation,
    target: Target = None,
    *,
    output: Annotated[
        Path,
        Option(
            (
                "--output",
                "-o",
            ),
            "The folder to write: new, empty, or from an earlier render.",
        ),
    ],
    with_host_ca: Annotated[
        bool,
        Option(("--with-host-ca",), "Let builds trust the CA certificates of this host."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a folder that works without envctl: Dockerfiles and a Compose file, or a Vagrantfile and scripts.

    Files from an earlier render that are no longer needed are deleted; all other files are left alone.

    Examples:
        envctl render dev --output out
        envctl render dev@vagrant -o machines

    JSON: an object with `environment`, `backend`, `folder` and `files` (paths below the folder).
    """
    goal = invocation.target(target)
    note_variables(invocation, goal.environment)
    from envctl.verbs import render as verb

    files, notes = verb.write_render(
        invocation.project,
        goal,
        output,
        host_ca=with_host_ca,
        planned=lambda plan: note_builds(invocation, plan.units),
    )
    for note in notes:
        invocation.note(f"note: {note}")
    if as_json:
        names = {"environment": goal.environment, "backend": invocation.backend(goal)}
        invocation.json({**names, "folder": str(output), "files": sorted(files)})
    else:
        for path in sorted(files):
            invocation.out.line(invocation.out.safe(f"{output}/{path}"))
