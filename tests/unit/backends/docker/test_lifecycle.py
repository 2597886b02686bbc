"""Changes on the engine."""

from __future__ import annotations

from envctl.backends.common.probe_results import ProbeResults
from envctl.backends.docker import names as n
from envctl.backends.docker.engine_platforms import Platforms
from envctl.backends.docker.images import Images
from envctl.backends.docker.lifecycle import Lifecycle
from envctl.backends.docker.secrets_container import SecretsContainer
from envctl.backends.docker.volumes import Volumes
from envctl.plan.changes import Action, Change, because
from envctl.progress import no_progress

from .conftest import CannedEngine


def lifecycle_of(engine, names) -> Lifecycle:
    images = Images(engine)
    return Lifecycle(
        engine,
        names,
        images,
        SecretsContainer(engine, names, lambda _: b""),
        Volumes(engine, names, images, no_progress),
        answers=ProbeResults(names.scope, "docker"),
        platforms=Platforms(engine, images, no_progress),
    )


def test_removing_leaves_alone_what_was_made_from_an_image_of_a_unit(names):
    copy = {
        "Id": "copy",
        "Names": ["/somebody"],
        "State": "running",
        "Labels": {
            **names.labels,
            n.UNIT: "web",
            n.SECRETS_CONTAINER: "secrets",
            n.HELPER: "volume",
        },
    }
    lifecycle = lifecycle_of(CannedEngine([copy]), names)

    # The engine would refuse what it was not taught: stopping or removing a container.
    lifecycle.apply(Change(Action.REMOVE, "web", because("down")))
    lifecycle.apply(Change(Action.TEAR_DOWN, "", because("down")))


def test_what_the_engine_still_removes_for_a_killed_command_is_waited_for_once(names):
    going = {"Id": "going", "Names": ["/web"], "State": "removing", "Labels": names.labels}
    engine = CannedEngine([going, {**going, "Id": "other", "State": "exited"}])
    lifecycle = lifecycle_of(engine, names)

    lifecycle.apply(Change(Action.REMOVE, "web", because("down")))
    lifecycle.apply(Change(Action.TEAR_DOWN, "", because("down")))

    assert engine.waited_for == ["going"]
