"""Locks kept to by a backend that does builds in machines, and so has no image to look into."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envctl.backends.common.build_inputs import OtherBaseError
from envctl.backends.memory import MemoryBackend
from envctl.errors import EnvctlError
from envctl.lock.file import load_lock, save_lock
from envctl.lock.vendor.store import Store
from envctl.session import Session
from tests.support.paper import BASE, told_of

INIT = {"init": "7"}


class Machines(MemoryBackend):
    """Does builds in machines of paper: what the mirror has now is added to what the box of the base has."""

    def __init__(self, mirror):
        self.mirror = mirror
        self.box = {**BASE, **INIT}
        self.boxes = {}
        self.held = {}
        self.made = []

    def builds_in_vm(self, build):
        return build.strategy != "image"

    def pin_images(self, source_ids):
        self.held = source_ids

    def extra_builds(self, _source):
        return ()

    def box_checksum(self, _base):
        return ""

    def observe(self, plan=None):
        here = {key: "[]" for key, one in self.boxes.items() if self.held.get(key, one) == one}
        return replace(super().observe(plan), images=here)

    def apply(self, change):
        self.made.append(change.unit)
        verifier = self.context.build_inputs(change.target).verifier
        verifier.before(lambda script: told_of(self.box, script))
        names = {name for step in change.target.steps for name in getattr(step, "names", ())}
        machine = {**self.box, **{name: self.mirror[name] for name in names}}
        verifier.after(lambda script: told_of(machine, script))
        self.boxes[change.target.digest] = verifier.source_id


@pytest.fixture
def machines(project, engine, monkeypatch):
    """Machines for a project that is locked; no engine answers any more."""
    project.workspace().lock()
    engine.answers = False
    return opened_as(monkeypatch, Machines(engine.mirror))


def opened_as(monkeypatch, machines):
    """What sessions find as the backend that the spec names."""
    opened = Session.backend.func

    def backend(session):
        if session.target.backend:
            return opened(session)
        MemoryBackend.__init__(machines, session.context)
        return machines

    monkeypatch.setattr(Session, "backend", property(backend))
    return machines


def frozen(project, machines, *, offline=False):
    session, builds = project.workspace().frozen(offline=offline)
    assert session.backend is machines
    return builds.prepare({unit.service for unit in session.plan.units}, session.backend)


def test_a_box_is_made_and_held_to_the_lock_without_an_engine(project, machines):
    assert frozen(project, machines) is True

    (build,) = load_lock(project.root).builds
    assert list(machines.boxes.values()) == [build.manifest.digest]
    assert machines.held == machines.boxes


def test_a_box_that_was_held_to_this_lock_is_not_made_again(project, machines):
    frozen(project, machines)
    machines.made.clear()

    frozen(project, machines)

    assert machines.made == []


@pytest.mark.parametrize("made_of", ["", "sha256:of another lock"])
def test_a_box_that_was_made_otherwise_is_made_again(project, machines, made_of):
    frozen(project, machines)
    (build,) = machines.boxes
    machines.boxes[build] = made_of
    machines.made.clear()

    frozen(project, machines)

    assert machines.made == ["web"]
    assert machines.held == machines.boxes


def test_a_machine_that_comes_out_otherwise_is_refused_as_an_image_is(project, machines):
    machines.mirror["hello"] = "2.0"

    with pytest.raises(EnvctlError) as caught:
        frozen(project, machines)

    assert caught.value.brief == (
        "dev does not match envctl.lock: 1 difference; nothing was replaced"
    )
    assert caught.value.details == "dev/web: hello: locked 1.0, found 2.0"
    assert machines.boxes == {}


def test_a_base_that_is_another_is_reported_before_the_steps(project, machines):
    machines.box["libc6"] = "2"

    with pytest.raises(OtherBaseError, match="base debian:bookworm: libc6: locked 1, found 2"):
        frozen(project, machines)


def test_units_of_one_build_are_reported_together(project, engine, monkeypatch):
    project.spec(
        "one: {packages: [hello], user: app, command: [x]}\n"
        "two: {packages: [hello], user: app, command: [y]}"
    )
    project.workspace().lock()
    engine.mirror["hello"] = "2.0"
    made = opened_as(monkeypatch, Machines(engine.mirror))

    with pytest.raises(EnvctlError) as caught:
        frozen(project, made)

    assert caught.value.details == "dev/one, dev/two: hello: locked 1.0, found 2.0"
    assert len(made.made) == 1


def test_a_machine_of_another_architecture_is_reported(project, machines):
    save_lock(replace(load_lock(project.root), architecture="arm64"), project.root)

    with pytest.raises(
        EnvctlError, match=r"is for arm64, but the build machine is for amd64"
    ) as caught:
        frozen(project, machines)

    assert "create it here with `envctl lock`" in caught.value.hint


def test_offline_without_an_engine_is_refused_before_anything_is_made(project, machines):
    store = Store(project.root)
    store.index.sources["debian:bookworm"] = "deb x ./"
    store.save()
    save_lock(replace(load_lock(project.root), vendor=store.digest), project.root)

    with pytest.raises(EnvctlError, match="offline without a container engine") as caught:
        frozen(project, machines, offline=True)

    assert "leave out --offline" in caught.value.hint
    assert machines.made == []


def test_an_image_beside_it_still_needs_an_engine(project, machines, engine):
    project.spec("web: {packages: [hello], command: [x]}\ncache: {image: redis:7}")
    engine.answers = True
    project.workspace().lock()
    engine.answers = False

    with pytest.raises(EnvctlError, match="no engine"):
        frozen(project, machines)

    assert machines.made == []
