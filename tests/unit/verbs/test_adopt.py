"""Environments chosen by their ids."""

from __future__ import annotations

import pytest

from envctl.errors import UsageError
from envctl.plan.scope import FoundEnvironment, Scope
from envctl.verbs.adopt import choose

DEV = FoundEnvironment(Scope("shop", "1a2b3c4d", "dev", "/srv/shop"), "docker")
TEST = FoundEnvironment(Scope("shop", "1a2b3c4d", "test", "/srv/shop"), "vagrant")


@pytest.mark.parametrize(
    ("identity", "target", "brief", "hint"),
    [
        ("1a2b3c4d", {"environment": "prod"}, "1a2b3c4d has no environment 'prod'", "it has dev@docker, test@vagrant"),
        ("1a2b3c4d", {"environment": "dev", "backend": "vagrant"}, "1a2b3c4d has no environment 'dev@vagrant'", "it has dev@docker, test@vagrant"),
        ("1a2b3c4d", {}, "1a2b3c4d has several environments", "name one: dev@docker, test@vagrant"),
        ("ffffffff", {"environment": "dev"}, "nothing on this machine has the id 'ffffffff'", "`envctl list` shows all, with their ids"),
    ],
)  # fmt: skip
def test_what_an_id_does_not_have_is_reported_with_what_it_has(identity, target, brief, hint):
    with pytest.raises(UsageError) as caught:
        choose([DEV, TEST], identity, **target)
    assert (caught.value.brief, caught.value.hint) == (brief, hint)


def test_a_target_chooses_among_those_of_an_id():
    assert choose([DEV, TEST], "1a2b3c4d", environment="test") is TEST
