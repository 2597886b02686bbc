"""Units of `envctl export quadlet`, as Podman's own generator reads them."""

from __future__ import annotations

import csv
import itertools
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from envctl.backends.common import probe
from envctl.exports.quadlet.container_unit import container_unit
from envctl.exports.quadlet.quadlet_export import QUADLET
from envctl.exports.quadlet.unit_names import UnitNames
from envctl.plan.model import Mount, Plan, Probe, ProbeKind, Process, ReadyImage, Run, Unit
from envctl.plan.scope import Scope
from envctl.plan.target import Target
from envctl.project import Project
from envctl.render import rendered_folder
from envctl.verbs.export_target import export
from tests.support.quadlet_generator import generator, services
from tests.support.systemd_units import command, settings
from tests.unit.exports.conftest import full as full  # noqa: PLC0414 - the fixture

pytestmark = [pytest.mark.engine, pytest.mark.slow]

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\x80"), max_size=12)
NASTY = ["", "a b", "100% %n", "$HOME ${X} $$", "\\", "a\\", "it's", '"q"', "\n\t\x01", "ü", " x "]


@pytest.fixture(scope="module")
def program() -> Path:
    return generator()


def _container(program: Path, run: Run) -> list[str]:
    """The command line of a container, as systemd starts it."""
    unit = Unit("web", "web", ReadyImage("example.org/web:1"), run)
    plan = Plan(Scope("shop", "0", "dev", "/srv/shop"), "docker", (unit,))
    names = UnitNames.of(plan)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, names.network_unit).write_text("[Network]\nNetworkName=shop-dev\n")
        Path(folder, "shop-dev-web.container").write_bytes(container_unit(plan, unit, names))
        text = services(program, Path(folder))["shop-dev-web.service"]
    (start,) = settings(text, "Service", "ExecStart")
    return command(start.replace(" --cidfile=%t/%N.cid", "", 1))


def _values(argv: Sequence[str], option: str) -> list[str]:
    return [value for name, value in itertools.pairwise(argv) if name == option]


@given(st.lists(WORDS, min_size=1, max_size=4))
@example(NASTY)
@limits(max_examples=150, deadline=None)
def test_every_command_reaches_podman_as_it_is(program: Path, argv: list[str]) -> None:
    started = _container(program, Run(process=Process(argv=tuple(argv))))

    assert started[started.index("example.org/web:1") + 1 :] == argv


@given(st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True), WORDS, max_size=4))
@example({f"V{number}": text for number, text in enumerate(NASTY)})
@limits(max_examples=150, deadline=None)
def test_every_variable_reaches_podman_as_it_is(program: Path, env: Mapping[str, str]) -> None:
    started = _container(program, Run(process=Process(argv=("x",), env=env)))

    assert dict(value.split("=", 1) for value in _values(started, "--env")) == env


@given(st.lists(WORDS.filter(bool), min_size=1, max_size=3))
@example(["echo", *filter(None, NASTY)])
@example(["ready"])
@limits(max_examples=100, deadline=None)
def test_every_health_check_reaches_podman_as_it_is(program: Path, argv: list[str]) -> None:
    check = Probe(ProbeKind.COMMAND, tuple(argv))

    (value,) = _values(_container(program, Run(probe=check)), "--health-cmd")

    assert json.loads(value)[-len(argv) :] == argv


def test_the_checks_of_envctl_reach_podman_as_they_are(program: Path) -> None:
    for check in (
        Probe(ProbeKind.HTTP, ("http://127.0.0.1:8000/a?b=%20",)),
        Probe(ProbeKind.TCP, ("127.0.0.1", "5432")),
    ):
        (value,) = _values(_container(program, Run(probe=check)), "--health-cmd")
        assert tuple(json.loads(value)) == probe.test(check)


@pytest.mark.parametrize("name", ["plain", "a b", "a,b", 'a"b', "100%", "$x", "ü", "a\\b"])
def test_every_mount_reaches_podman_as_it_is(program: Path, name: str) -> None:
    mount = Mount(f"/srv/{name}", f"/x/{name}", read_only=True)

    (value,) = _values(_container(program, Run(mounts=(mount,))), "--mount")

    (row,) = csv.reader([value])
    assert row == ["type=bind", f"source={mount.source}", f"destination={mount.target}", "ro=true"]


@pytest.mark.parametrize("folder", ["/srv", "/srv/a b", "/srv/100%", "/srv/$x", '/srv/a"b', "/a\\"])
def test_every_folder_reaches_podman_as_it_is(program: Path, folder: str) -> None:
    started = _container(program, Run(process=Process(argv=("x",), workdir=folder)))

    assert f"--workdir={folder}" in started or _values(started, "--workdir") == [folder]


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_generator_accepts_a_project_that_sets_every_key(
    program: Path, full: Path, environment: str
) -> None:
    made = export(Project(full, environ={}), QUADLET, [Target(environment)])
    rendered_folder.write(made.written.files, full / "out", root=full, modes=made.written.modes)

    generated = services(program, full / "out")

    prefix = f"shop-{environment}"
    assert {f"{prefix}-{name}.service" for name in ("web", "worker", "db", "seed")} <= {*generated}
    web = generated[f"{prefix}-web.service"]
    assert f"{prefix}.web-build.service" in settings(web, "Unit", "Requires")
    assert f"{prefix}-db.service" in settings(web, "Unit", "Requires")
    (build,) = settings(generated[f"{prefix}.web-build.service"], "Service", "ExecStart")
    assert command(build)[-1] == str(full / "out")
    (own,) = settings(generated[f"{prefix}.seed-build.service"], "Service", "ExecStart")
    assert command(own)[-1] == "./context/seed"
