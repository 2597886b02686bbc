"""Names that others have taken on the engine."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from envctl.backends.docker import names as n
from envctl.backends.docker.engine_errors import ApiError, NotFoundError
from envctl.backends.docker.names import Names
from envctl.backends.docker.ownership import claim_secrets, claim_volumes, is_ours
from envctl.errors import EnvctlError, Place
from tests.support.plans import SCOPE

from .conftest import rich


def engine(volumes=None, containers=None):
    """An engine that has these, by name."""

    def having(found):
        def inspect(name):
            if name not in (found or {}):
                raise NotFoundError(404, "no such")
            return found[name]

        return inspect

    return SimpleNamespace(inspect_volume=having(volumes), inspect_container=having(containers))


def memory(names, **changes):
    labels = {**names.own_labels, n.SECRETS: "web"}
    return {"Labels": labels, "Options": {"type": "tmpfs"}, **changes}


def data(names):
    return {"Labels": {**names.own_labels, n.VOLUME: "data"}, "Options": None}


def test_volumes_that_are_not_there_or_ours_are_claimed(names):
    claim_volumes(engine(), rich(), names)
    there = {names.volume("data"): data(names), names.secrets("web"): memory(names)}
    claim_volumes(engine(there), rich(), names)


def test_data_of_others_is_not_used(names):
    web = rich(origins={"volumes": Place("envctl.yaml", 7, 3)})
    there = {names.volume("data"): {"Labels": None, "Options": None}}
    with pytest.raises(EnvctlError, match="volume name shop-0a1b2c-dev_data is taken") as caught:
        claim_volumes(engine(there), web, names)
    assert caught.value.where == Place("envctl.yaml", 7, 3)
    assert "docker volume inspect" in caught.value.hint
    with pytest.raises(EnvctlError) as caught:
        claim_volumes(engine(there), rich(where=Place("envctl.yaml", 5, 1)), names)
    assert caught.value.where == Place("envctl.yaml", 5, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"Labels": {}},
        {"Labels": Names(SCOPE).own_labels},
        {"Labels": {**Names(SCOPE).own_labels, n.SECRETS: "db"}},
        {"Options": None},
        {"Options": {"type": "nfs"}},
    ],
)
def test_secrets_are_written_into_nothing_but_memory_of_our_own(names, change):
    there = {names.secrets("web"): memory(names, **change)}
    with pytest.raises(EnvctlError, match=r"^the volume name \S+dev_web\.secrets is taken"):
        claim_secrets(engine(there), "web", names)


def test_a_container_is_ours_by_its_environment_and_what_it_is(names):
    labels = {**names.own_labels, n.UNIT: "web"}
    there = engine(containers={"x": {"Config": {"Labels": labels}}, "y": {"Config": {}}})
    assert is_ours(there, "x", names, {n.UNIT: "web"})
    assert not is_ours(there, "x", names, {n.SECRETS_CONTAINER: "secrets"})
    assert not is_ours(there, "y", names, {})
    assert is_ours(there, "gone", names, {})


def test_a_unit_with_secrets_claims_their_volume_too(names):
    there = {names.secrets("web"): memory(names, Options=None)}
    for origins, where in (
        ({"secrets": Place("envctl.yaml", 8, 3)}, Place("envctl.yaml", 8, 3)),
        ({}, Place("envctl.yaml", 5, 1)),
    ):
        with pytest.raises(
            EnvctlError, match=r"volume name \S+dev_web\.secrets is taken"
        ) as caught:
            claim_volumes(
                engine(there), rich(origins=origins, where=Place("envctl.yaml", 5, 1)), names
            )
        assert caught.value.where == where
    claim_volumes(engine(there), rich(run=replace(rich().run, secrets=())), names)


def test_a_volume_of_another_name_in_the_spec_is_not_ours(names):
    other = {"Labels": {**names.own_labels, n.VOLUME: "other"}, "Options": None}
    with pytest.raises(EnvctlError, match="is taken"):
        claim_volumes(engine({names.volume("data"): other}), rich(), names)


def test_an_engine_that_cannot_tell_is_no_engine_without_that_volume(names):
    def fails(_name):
        raise ApiError(500, "disk on fire")

    with pytest.raises(ApiError):
        claim_secrets(SimpleNamespace(inspect_volume=fails), "web", names)
