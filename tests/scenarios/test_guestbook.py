"""The root example, by the command line, on a real engine."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest

from envctl.host.private_state import state_path
from tests.support.http import free_port

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def left_of(client, project) -> dict[str, list[str]]:
    """Whatever carries the project's label or name, images apart."""
    label = {"label": f"dev.envctl.project={project.name}"}
    volumes = client.api.volumes(filters=label)["Volumes"] or []
    secrets = state_path(project.root, "secrets")
    return {
        "containers": [one["Names"][0] for one in client.api.containers(all=True, filters=label)],
        "networks": [one["Name"] for one in client.api.networks(filters=label)],
        "volumes": [one["Name"] for one in volumes],
        "secrets": [str(path) for path in secrets.rglob("*") if path.is_file()],
    }


def test_entries_outlive_down_and_go_with_their_volume(guestbook, engine):
    guestbook.cli("up", "dev")
    assert "<form" in guestbook.get("/")
    assert guestbook.post("hello, wörld") == 201
    assert guestbook.texts() == ["hello, wörld"]

    guestbook.cli("down", "dev")
    guestbook.cli("up", "dev")
    assert guestbook.texts() == ["hello, wörld"]

    guestbook.cli("down", "dev", "--volumes")
    assert left_of(engine, guestbook.project) == {
        "containers": [], "networks": [], "volumes": [], "secrets": [],
    }  # fmt: skip
    guestbook.cli("up", "dev")
    assert guestbook.texts() == []


def test_up_again_changes_nothing_and_edits_change_just_what_they_touch(guestbook, engine):
    project = guestbook.project
    guestbook.cli("up", "dev")
    before = guestbook.containers(engine)

    assert "no changes" in guestbook.cli("up", "dev")
    assert guestbook.containers(engine) == before

    _edit_a_mounted_file(guestbook)
    assert guestbook.containers(engine) == before

    overlay = project.root / "environments" / "dev.yaml"
    text = overlay.read_text()
    line = next(index for index, row in enumerate(text.splitlines(), 1) if "LOG_LEVEL" in row)
    overlay.write_text(text.replace("debug", "warning"))
    (change,) = json.loads(guestbook.cli("plan", "dev", "--json"))["changes"]
    assert (change["action"], change["unit"]) == ("replace", "web")
    assert change["cause"] == 'env LOG_LEVEL "debug" → "warning"'
    assert change["where"].startswith(f"environments/dev.yaml:{line}:")
    guestbook.cli("up", "dev")
    after = guestbook.containers(engine)
    assert {name for name in before if before[name] != after[name]} == {
        next(name for name in before if name.endswith("_web"))
    }


def _edit_a_mounted_file(guestbook):
    app = guestbook.project.root / "examples" / "guestbook" / "guestbook.py"
    app.write_text(app.read_text() + "\n\n@app.get('/fresh')\ndef fresh():\n    return 'live'\n")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError):
            if guestbook.get("/fresh") == "live":
                return
        time.sleep(0.2)
    pytest.fail("the edited source file was not picked up")


def test_a_copied_file_that_changes_rebuilds_from_its_layer_on(guestbook, engine):
    project = guestbook.project
    guestbook.cli("up", "prod@docker")
    old = engine.api.inspect_container(_named(engine, project, "web"))["Image"]
    app = project.root / "examples" / "guestbook" / "guestbook.py"
    app.write_text(app.read_text() + "\n\n@app.get('/fresh')\ndef fresh():\n    return 'live'\n")

    changes = json.loads(guestbook.cli("plan", "prod@docker", "--json"))["changes"]
    assert {"build", "replace"} == {change["action"] for change in changes}
    guestbook.cli("up", "prod@docker")

    new = engine.api.inspect_container(_named(engine, project, "web"))["Image"]
    assert guestbook.get("/fresh") == "live"
    before, after = (engine.api.inspect_image(image)["RootFS"]["Layers"] for image in (old, new))
    shared = sum(1 for left, right in zip(before, after, strict=False) if left == right)
    assert len(before) > shared >= 3


def _named(engine, project, unit):
    (found,) = engine.api.containers(
        all=True,
        filters={"label": [f"dev.envctl.project={project.name}", f"dev.envctl.unit={unit}"]},
    )
    return found["Id"]


def test_all_environments_and_a_second_checkout_are_up_together(make_guestbook, engine):
    first = make_guestbook("first")
    ports = {"dev": first.port}
    first.cli("up", "dev")
    for name in ("test", "prod"):
        ports[name] = first.port = free_port()
        first.cli("up", f"{name}@docker")
    second = make_guestbook("second", name=first.project.name)
    second.cli("up", "dev")

    for name, port in ports.items():
        first.port = port
        assert first.post(f"in {name}") == 201
        assert f"in {name}" in first.texts()
    assert second.texts() == []

    second.cli("down", "dev", "--volumes")
    first.port = ports["dev"]
    assert first.texts() == ["in dev"]


def test_the_three_environments_install_packages_once(guestbook):
    from envctl.plan.model import Build, InstallPackages
    from envctl.plan.target import Target

    workspace = guestbook.project.workspace()
    layouts = {}
    for name in ("dev", "test", "prod"):
        for unit in workspace.plan(Target(name)).units:
            assert isinstance(unit.source, Build)
            layouts.setdefault(unit.service, set()).add(
                tuple(
                    step.names for step in unit.source.steps if isinstance(step, InstallPackages)
                )[:1]
            )
    assert {service: len(firsts) for service, firsts in layouts.items()} == dict.fromkeys(
        layouts, 1
    )


def test_a_port_that_is_taken_is_reported_with_the_way_out(guestbook, make_guestbook):
    guestbook.cli("up", "dev")
    other = make_guestbook("other")
    other.port = guestbook.port

    done = other.project.cli("up", "dev", *other.sets("up"))

    assert done.returncode == 1
    assert str(guestbook.port) in done.stderr
    assert guestbook.project.name in done.stderr
    assert "give that variable another value" in done.stderr
