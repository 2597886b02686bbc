"""Three small applications: they do what they are for, on both backends, and parity finds nothing where nobody did anything."""

from __future__ import annotations

import pytest

from tests.conftest import remove_images
from tests.support.apps import NAMES, App, checkout, findings
from tests.support.http import free_port
from tests.support.kills import labelled

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture
def make_app(make_project):
    """Make checkouts of an application; afterwards its containers are gone as well as its machines."""
    made: list[App] = []

    def make(name: str, backend: str = "docker") -> App:
        app = checkout(name, make_project(name, backend=backend), free_port())
        made.append(app)
        return app

    yield make
    for app in made:
        app.project.cli("down", "dev@docker", "--volumes")
        remove_images(app.project.name)


@pytest.mark.parametrize("name", NAMES)
def test_an_application_works_from_its_first_start_to_its_last(engine, make_app, name):
    app = make_app(name)
    app.cli("up", "dev")
    app.works()
    assert "no changes" in app.cli("up", "dev")
    app.cli("verify", "dev")
    kept = app.project.root / "before.json"
    kept.write_text(app.cli("facts", "dev", "--json"))
    for _ in range(3):
        assert list(findings(app, "before.json", "dev")) == []

    app.cli("stop", "dev")
    app.cli("up", "dev")
    app.works()
    app.cli("down", "dev", "--volumes")
    assert not any(labelled(engine, app.project).values())


@pytest.mark.machines
@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_an_application_is_the_same_in_containers_and_machines(machines, make_app, name):
    app = make_app(name, "vagrant")
    for target in ("dev@docker", "dev@vagrant"):
        app.target, app.port = target, free_port()
        app.cli("up", target)
        app.works()
    assert list(findings(app, "dev@docker", "dev@vagrant")) == []
    app.cli("verify", "dev@vagrant")
