"""build and pull: get images and boxes ready without touching running units."""

from __future__ import annotations

from envctl.cli.arguments import Services, TargetOrService
from envctl.cli.declare import AsJson
from envctl.cli.invocation import Invocation
from envctl.cli.up import Yes, announce_all, changes_json_of


def build(
    invocation: Invocation,
    target: TargetOrService = None,
    services: Services = None,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Build the images or boxes of services without starting anything.

    What has already been built is left alone. The next `up` uses what was built; what runs now is not touched.

    Examples:
        envctl build dev
        envctl build dev web

    JSON: an object with `environment`, `backend` and `changes` (as in `plan`).
    """
    invocation.yes = yes
    goal, selected = invocation.target_and_services(target, services)
    from envctl.verbs import build as verb

    decided = announce_all(invocation, goal, as_json=as_json, nothing="everything is built")
    changes = verb.build(invocation.project, goal, services=selected, decided=decided)
    invocation.reporter.pause()
    if as_json:
        changes_json_of(invocation, goal, changes)


def pull(
    invocation: Invocation,
    target: TargetOrService = None,
    services: Services = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Pull the images that services use.

    Pulls the newest version of each `image`, and bases that are not on this machine yet. What runs now is not touched;
    `up` replaces what runs from an older version.

    Examples:
        envctl pull dev
        envctl pull dev db

    JSON: a list of objects with `image`, `before` and `after` (the image's ids, "" if it did not exist).
    """
    goal, selected = invocation.target_and_services(target, services)
    from envctl.verbs import pull as verb

    pulled = verb.pull(invocation.project, goal, services=selected)
    invocation.reporter.pause()
    if as_json:
        invocation.json(
            [
                {"image": image.image, "before": image.before, "after": image.after}
                for image in pulled
            ]
        )
        return
    for image in pulled:
        state = "up to date" if image.before == image.after else "pulled"
        invocation.out.line(invocation.out.safe(f"{image.image}  {state}"))
    if not pulled:
        invocation.out.line("no images to pull")
