"""A build in a machine that is to be on the locked base: its box is made anew once."""

from __future__ import annotations

import pytest

from envctl.backends.base import Context
from envctl.backends.common.build_inputs import OtherBaseError
from envctl.backends.vagrant.box.base_boxes import BaseBoxes
from envctl.backends.vagrant.box.box_store import BoxStore
from envctl.backends.vagrant.provision.machine_builder import MachineBuilder
from tests.support.plans import SCOPE, build


class Bases(BaseBoxes):
    """Has an old box of each base, and makes a new one."""

    def ensure(self, *_given, renew=False):
        return "new" if renew else "old"


class SimulatedBuilder(MachineBuilder):
    """Notes what it would start a machine from; the verifier would refuse `others`."""

    def __init__(self, others):
        context = Context(SCOPE)
        store = BoxStore(context)
        super().__init__(context, store, Bases(context, store))
        self.others = others
        self.started = []

    def _sweep(self):
        pass

    def _make(self, *_given, base):
        self.started.append(base)
        if base in self.others:
            raise OtherBaseError(f"{base} is another")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(("others", "started"), [([], ["old"]), (["old"], ["old", "new"])])
def test_a_box_of_the_base_that_is_another_is_made_again(others, started):
    builder = SimulatedBuilder(others)

    builder.make("web", build())

    assert builder.started == started


def test_a_base_that_still_is_another_is_refused():
    builder = SimulatedBuilder(["old", "new"])

    with pytest.raises(OtherBaseError, match="new is another"):
        builder.make("web", build())

    assert builder.started == ["old", "new"]
