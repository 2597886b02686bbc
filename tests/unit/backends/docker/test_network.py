"""A network is removed though the engine is late to count, and who is on it is named."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from envctl.backends.docker import network
from envctl.backends.docker.engine_errors import ApiError, api_error
from envctl.errors import EnvctlError

NETWORK = {"Id": "n1", "Name": "shop_dev"}


def error(status, text=""):
    return api_error(status, text)


class Api:
    """An engine that refuses as often as it is told to; `listed` are on the network, `there` exist."""

    def __init__(self, *refusals, listed=(), there=()):
        self.refusals = list(refusals)
        self.listed = list(listed)
        self.there = there
        self.removed = False
        self.disconnected = []

    def remove_network(self, _network):
        if self.refusals:
            refusal = self.refusals[0]
            if len(self.refusals) > 1 or isinstance(refusal, ApiError):
                self.refusals.pop(0)
            raise refusal if isinstance(refusal, ApiError) else error(403, refusal)
        self.removed = True

    def inspect_network(self, _network):
        return {"Containers": {name: {"Name": name} for name in self.listed}}

    def inspect_container(self, name):
        if name not in self.there:
            raise error(404)
        return SimpleNamespace()

    def disconnect(self, name, _network, *, force):
        assert force
        self.disconnected.append(name)


ACTIVE = "network shop_dev id n1 has active endpoints"


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(network, "PATIENCE", 60.0)
    monkeypatch.setattr(network, "_PAUSE", 0.01)


def test_a_count_that_is_late_is_waited_for():
    api = Api(error(403, ACTIVE), error(403, ACTIVE))
    network.remove(api, NETWORK)
    assert api.removed


def test_what_is_listed_and_has_gone_is_disconnected():
    api = Api(error(403, ACTIVE), listed=["gone"])
    network.remove(api, NETWORK)
    assert api.removed
    assert api.disconnected == ["gone"]


def test_a_network_that_is_gone_already_is_fine():
    network.remove(Api(error(404)), NETWORK)


def test_a_count_that_stays_wrong_is_reported_with_the_remedy(monkeypatch):
    monkeypatch.setattr(network, "PATIENCE", 0.1)
    with pytest.raises(EnvctlError, match="lists connected containers that do not exist") as caught:
        network.remove(Api(ACTIVE), NETWORK)
    assert caught.value.details == ACTIVE
    assert "restart docker" in caught.value.hint


def test_who_is_really_on_it_is_named_and_left_alone():
    api = Api(ACTIVE, listed=["theirs"], there=["theirs"])
    with pytest.raises(EnvctlError, match="theirs is connected to it") as caught:
        network.remove(api, NETWORK)
    assert caught.value.hint.startswith("`docker network disconnect shop_dev theirs`")
    assert api.disconnected == []


def test_any_other_refusal_is_the_engines_own():
    with pytest.raises(ApiError):
        network.remove(Api(error(500, "no")), NETWORK)
