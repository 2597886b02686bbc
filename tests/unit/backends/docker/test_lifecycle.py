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
    engine = CannedEngine([copy])
    keeper = SecretsContainer(engine, names, lambda _: b"")
    images = Images(engine)
    volumes = Volumes(engine, names, images, no_progress)
    answers = ProbeResults(names.scope, "docker")
    platforms = Platforms(engine, images, no_progress)
    lifecycle = Lifecycle(
        engine, names, images, keeper, volumes, answers=answers, platforms=platforms
    )

    # The engine would refuse what it was not taught: stopping or removing a container.
    lifecycle.apply(Change(Action.REMOVE, "web", because("down")))
    lifecycle.apply(Change(Action.TEAR_DOWN, "", because("down")))
