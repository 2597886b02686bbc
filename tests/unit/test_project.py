"""The verbs: what they look at, what they leave alone, and what they do when the spec does not tell."""

from __future__ import annotations

import errno
import os
import re
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from envctl import definition
from envctl import project as envctl_project
from envctl.backends.base import NotRunningError
from envctl.backends.memory import MemoryBackend
from envctl.definition.loader import SpecLoader
from envctl.errors import EnvctlError, SpecError, UsageError
from envctl.host.private_state import state_path
from envctl.plan.state import Health
from envctl.plan.target import Target
from envctl.secrets import SecretStore
from envctl.session import Session
from tests.support.project import Project
from tests.support.verbs import Workspace

DEV = Target("dev")


class RecordingLoader(SpecLoader):
    """Notes which environments are loaded."""

    names: frozenset[str] = frozenset()

    def load(self, environment, **options):
        self.names |= {environment}
        return super().load(environment, **options)


ALLOWED = {"B": "value-of-b", "ENVCTL_TRUSTED": "*"}
SERVICES = """
web: {image: x, secrets: [a, b]}
"""


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path, backend="memory", environ={}).spec("web: {image: x}\ndb: {image: y}")


def test_a_plan_reads_no_other_environment(project):
    project.write("environments/other.yaml", "services: {web: {packages: [a]}}\n")
    loader = RecordingLoader(project.root, sets={}, environ={})
    session = Session(envctl_project.Project(project.root, environ={}, loader=loader), DEV)

    assert [unit.name for unit in session.plan.units] == ["web", "db"]
    assert loader.names == {"dev"}


@pytest.fixture
def secretive(tmp_path):
    """A project whose secrets are made by commands that leave a trace."""
    top = """\
    secrets:
      a: {command: [sh, -c, "echo >>ran; echo value-of-a"]}
      b: {env: B}
    """
    return Project(tmp_path, backend="memory", environ=ALLOWED).spec(SERVICES, top=top)


def up_and_gone(project):
    """Bring `dev` up, then take it out of the spec; `test` remains."""
    project.write("environments/test.yaml", "backend: memory\n").workspace().up(DEV)
    (project.root / "environments/dev.yaml").unlink()
    return project.workspace()


# --- secrets


def looks():
    def render(workspace: Workspace):
        workspace.render(DEV)

    return {
        "validate": lambda workspace: workspace.validate(),
        "plan": lambda workspace: workspace.plan(DEV),
        "render": render,
        "stop": lambda workspace: workspace.stop(DEV),
        "down": lambda workspace: workspace.down(DEV, volumes=True),
        "logs": lambda workspace: list(workspace.logs(DEV)),
        "observed": lambda workspace: workspace.observed(DEV),
    }


@pytest.mark.parametrize("verb", looks())
def test_a_verb_that_compares_nothing_looks_at_no_secret(secretive, verb):
    secretive.environ = {}
    # There are no logs of what is not up.
    with suppress(EnvctlError) if verb == "logs" else nullcontext():
        looks()[verb](secretive.workspace())

    assert not (secretive.root / "ran").exists()
    assert not state_path(secretive.root, "secrets").exists()


def test_what_only_looks_at_the_spec_writes_nothing_but_its_cache(secretive):
    for verb in ("validate", "plan", "render"):
        looks()[verb](secretive.workspace())
    names = {path.name for path in state_path(secretive.root).iterdir()}
    assert names == {"cache", "project"}


def test_a_changed_secret_is_seen_by_plan_and_status(secretive):
    top = "secrets: {b: {file: b}}\n"
    secretive.write("b", "value-of-b").spec("web: {image: x, secrets: [b]}", top=top)
    secretive.workspace().up(DEV)
    assert secretive.workspace().changes(DEV)[1] == ()

    secretive.write("b", "another")

    (change,) = secretive.workspace().changes(DEV)[1]
    assert change.cause == "secret b changed"
    (row,) = secretive.workspace().status(DEV)
    assert row.cause == "secret b changed"


def test_a_changed_variable_is_seen_by_up_alone(secretive):
    secretive.workspace().up(DEV)
    secretive.environ = {**ALLOWED, "B": "another"}
    assert secretive.workspace().changes(DEV)[1] == ()
    (row,) = secretive.workspace().status(DEV)
    assert row.cause == ""
    (change,) = secretive.workspace().up(DEV).changes
    assert change.cause == "secret b changed"
    assert secretive.workspace().up(DEV).changes == ()


@pytest.mark.parametrize("verb", ["up", "changes"])
def test_all_secrets_without_a_value_are_reported_at_once_with_their_places(tmp_path, verb):
    top = "secrets:\n  a: {env: A}\n  b: {file: b}\n"
    project = Project(tmp_path, backend="memory", environ={"A": ""}).spec(SERVICES, top=top)

    with pytest.raises(SpecError) as caught:
        getattr(project.workspace(), verb)(DEV)

    told = [(str(one.where), one.message) for one in caught.value.problems]
    assert told == [
        ("envctl.yaml:4:3", "secret a has no value"),
        ("envctl.yaml:5:3", "secret b has no value"),
    ]
    assert caught.value.problems[1].hint.startswith("write it to b")


def test_status_shows_what_is_there_though_a_secret_has_no_value(secretive):
    secretive.workspace().up(DEV)
    secretive.environ = {}
    (row,) = secretive.workspace().status(DEV)
    assert (row.state, row.cause) == ("running", "secret b has no value")


@pytest.mark.slow
def test_what_a_probe_tells_of_a_secret_is_not_told(tmp_path, monkeypatch):
    top = "secrets: {token: {env: TOKEN}, short: {env: SHORT}}\n"
    environ = {"TOKEN": "hush-hush-hush", "SHORT": "ok", "CI": "true"}
    project = Project(tmp_path, backend="memory", environ=environ).spec(
        """
        web:
          image: x
          secrets: [token, short]
          healthcheck: {command: ["false"], interval: 1s, timeout: 1s, retries: 1, start_period: 0s}
        """,
        top=top,
    )
    said = "x" * 90 + " hush-hush-hush is the wrong password, is it ok?"
    monkeypatch.setattr(MemoryBackend, "probe", lambda *_: (False, said))
    starting(monkeypatch)

    with pytest.raises(EnvctlError) as caught:
        project.workspace().up(DEV)

    masked = "‹secret token› is the wrong password, is it ok?"
    assert f" {masked}" in str(caught.value)
    (row,) = project.workspace().status(DEV)
    assert row.cause.endswith(masked)
    (finding,) = project.workspace().verify(DEV).findings
    assert finding.observed.endswith(masked)
    told = str(caught.value) + "".join(event.text for event in project.events)
    assert "hush" not in told


def test_a_unit_that_ends_while_it_is_asked_is_reported_with_the_others(tmp_path, monkeypatch):
    project = Project(tmp_path, backend="memory", environ={}).spec(
        "web: {image: x, healthcheck: {tcp: 80}}\ndb: {image: y}"
    )
    project.workspace().up(DEV)
    starting(monkeypatch)

    def ended(*_):
        raise NotRunningError("web is not running (exited)")

    monkeypatch.setattr(MemoryBackend, "probe", ended)

    rows = project.workspace().status(DEV)

    assert [(row.unit, row.cause) for row in rows] == [
        ("web", "web is not running (exited)"),
        ("db", ""),
    ]


def starting(monkeypatch):
    """Let the engine not know yet whether web is healthy."""
    observe = MemoryBackend.observe

    def observed(self, plan=None):
        seen = observe(self, plan)
        units = {
            name: replace(unit, health=Health.STARTING) if name == "web" else unit
            for name, unit in seen.units.items()
        }
        return replace(seen, units=units)

    monkeypatch.setattr(MemoryBackend, "observe", observed)


# --- an environment that the spec does not tell of


@pytest.mark.parametrize("target", [DEV, Target("dev", "memory")])
def test_an_environment_taken_out_of_the_spec_can_be_seen_and_taken_down(project, target):
    workspace = up_and_gone(project)

    rows = workspace.status(target)
    assert {row.unit for row in rows} == {"web", "db"}
    assert {row.cause for row in rows} == {"the environment was removed from the spec"}
    with pytest.raises(EnvctlError, match="is only simulated"):
        list(workspace.logs(target))
    assert len(workspace.stop(target)) == 2
    assert "remove web" in {
        f"{one.action} {one.unit}" for one in workspace.down(target, volumes=True)
    }
    with pytest.raises(UsageError, match="there is no environment 'dev'"):
        project.workspace().status(target)


def test_down_that_was_killed_before_it_deleted_the_secrets_is_taken_up_by_the_next(
    project, monkeypatch
):
    project.spec("web: {image: x, secrets: [a]}", top="secrets: {a: {generate: 16}}\n")
    project.workspace().up(DEV)

    with monkeypatch.context() as patched:
        patched.setattr(SecretStore, "release", killed)
        with pytest.raises(KeyboardInterrupt):
            project.workspace().down(DEV, volumes=True)
    assert state_path(project.root, "secrets").exists()

    assert project.workspace().down(DEV, volumes=True) == ()
    assert not state_path(project.root, "secrets").exists()


def killed(*_arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize("verb", ["status", "stop", "down", "logs", "observed"])
@pytest.mark.parametrize("name", ["dve", "../dev", "DEV"])
def test_an_environment_that_never_was_is_wrong_usage_and_leaves_nothing_behind(
    project, verb, name
):
    with pytest.raises(UsageError, match="there is no environment"):
        list(getattr(project.workspace(), verb)(Target(name)))
    assert not state_path(project.root, "locks").exists()


@pytest.mark.parametrize("up", [False, True])
def test_a_service_that_does_not_exist_is_wrong_usage_whether_or_not_it_is_up(project, up):
    if up:
        project.workspace().up(DEV)
    for name, hint in (("wbe", "did you mean 'web'?"), ("zzzz", "there is db, web")):
        with pytest.raises(UsageError, match=f"dev has no service '{name}'") as caught:
            list(project.workspace().logs(DEV, [name]))
        assert caught.value.hint == hint


def test_a_service_that_is_not_up_is_reported_with_what_brings_it_up(project):
    with pytest.raises(EnvctlError, match="web of dev is not up") as caught:
        list(project.workspace().logs(DEV, ["web"]))
    assert caught.value.hint == "bring it up with `envctl up dev`"


def test_up_needs_the_environment_in_the_spec(project):
    with pytest.raises(UsageError):
        up_and_gone(project).up(DEV)


def test_status_with_a_broken_spec_does_not_call_its_units_gone(project):
    project.workspace().up(DEV)
    project.write("environments/dev.yaml", "backend: memory\nservices: 3\n")

    rows = project.workspace().status(DEV)

    assert {row.unit for row in rows} == {"web", "db"}
    assert {row.cause for row in rows} == {"the spec has problems: envctl validate"}


def test_status_calls_a_unit_gone_that_is_gone(project):
    project.workspace().up(DEV)
    project.spec("web: {image: x}")
    causes = {row.unit: row.cause for row in project.workspace().status(DEV)}
    assert causes == {"web": "", "db": "db was removed from the spec"}


@pytest.mark.parametrize(
    ("base", "overlay", "told"),
    [
        ("project: shop\nservices: {", "backend: memory", ("shop", "memory")),
        ("'project' : \"shop\"  # ours\r\nx: [", "", ("shop", None)),
        ("x:\n  project: no\nproject: shop-2\nproject: b\n", "", ("shop-2", None)),
        ("project: ../etc\nbackend: docker\n", "backend: ;x", (None, "docker")),
        ("{project: shop}", "", (None, None)),
        ("\xff\0", "[", (None, None)),
    ],
)
def test_project_and_backend_are_read_off_a_broken_spec(project, base, overlay, told):
    project.write("envctl.yaml", base).write("environments/dev.yaml", overlay)
    assert (
        definition.peek(project.root, "dev", "project"),
        definition.peek(project.root, "dev", "backend"),
    ) == told


def test_what_a_broken_spec_named_is_what_is_taken_down(project, monkeypatch):
    scopes = []
    start = MemoryBackend.__init__

    def noted(self, context):
        scopes.append(context.scope.project)
        start(self, context)

    monkeypatch.setattr(MemoryBackend, "__init__", noted)
    project.workspace().up(DEV)
    project.write("environments/dev.yaml", "backend: memory\nservices: 3\n")

    assert len(project.workspace().down(DEV)) == 3
    assert scopes == [project.name] * 2


# --- a project without environments


def test_a_project_without_environments_is_checked_and_told_so(project):
    (project.root / "environments/dev.yaml").unlink()
    with pytest.raises(EnvctlError, match="the project has no environments") as caught:
        project.workspace().validate()
    assert "environments/dev.yaml" in caught.value.hint

    project.write("envctl.yaml", "project: x\nservices: {web: {comand: [x]}}\n")
    with pytest.raises(SpecError, match="comand"):
        project.workspace().validate()


# --- the private folder


@pytest.mark.parametrize("link", ["", "memory", "locks"])
def test_nothing_comes_up_or_down_through_a_link(project, link):
    (project.root / "app").mkdir()
    place = state_path(project.root, link)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(project.root / "app")

    for act in (project.workspace().up, project.workspace().down):
        with pytest.raises(EnvctlError, match=f"{re.escape(str(place))} is a link"):
            act(DEV)

    assert list((project.root / "app").iterdir()) == []


@pytest.mark.parametrize(
    "make", [Path.touch, lambda path: path.symlink_to("nowhere")], ids=["file", "dangling link"]
)
def test_what_is_in_the_way_of_the_private_folder_is_reported_with_a_hint(project, make):
    state_path(project.root).parent.mkdir(parents=True, exist_ok=True)
    make(state_path(project.root))
    with pytest.raises(EnvctlError, match=r"is (not a folder|a link)") as caught:
        project.workspace().up(DEV)
    assert caught.value.hint.startswith("remove it")


def test_a_project_on_a_read_only_file_system_can_be_looked_at(secretive, monkeypatch):
    mkdir = os.mkdir

    def refuse(path, mode=0o777, *, dir_fd=None):
        if dir_fd is not None or str(path).startswith(str(secretive.root)):
            raise OSError(errno.EROFS, "Read-only file system")
        mkdir(path, mode)

    monkeypatch.setattr(os, "mkdir", refuse)
    for verb in ("validate", "plan", "render"):
        looks()[verb](secretive.workspace())
    with pytest.raises(EnvctlError, match="Read-only file system"):
        secretive.workspace().up(DEV)


def test_ports_of_a_service_without_a_network_are_refused_with_their_place(make_project):
    project = make_project(backend="memory").spec("""
        web:
          command: [sleep, infinity]
          ports: ["8080:80"]
          options: {docker: {network_mode: none}}
    """)

    with pytest.raises(
        SpecError, match="a service without a network cannot publish ports"
    ) as caught:
        project.workspace().validate(["dev@docker"])
    assert [str(one.where) for one in caught.value.problems] == ["envctl.yaml:6:5"]


def test_mistakes_that_only_the_plan_shows_are_reported_with_those_of_the_spec(project):
    project.write(
        "envctl.yaml",
        "project: p\nbase: debian:bokworm\nservices:\n"
        "  web: {command: [a], packges: [x], mounts: {./gone: /y}, options: {dokcer: {}}}\n"
        "  db: {image: redis, depends_on: [wbe], mounts: {./lost: /y}}\n",
    )
    project.write("environments/dev.yaml", "backend: memory\n")

    with pytest.raises(SpecError) as refused:
        project.workspace().validate()

    told = [f"{problem.where}: {problem.message}" for problem in refused.value.problems]
    assert told == [
        "envctl.yaml:2:1: there is no base 'debian:bokworm' in the catalogue",
        "envctl.yaml:4:23: services.web has no key 'packges'",
        "envctl.yaml:4:46: cannot mount 'gone': it does not exist",
        "envctl.yaml:4:69: no such backend: 'dokcer'",
        "envctl.yaml:5:35: services.db.depends_on: no such service: 'wbe'",
        "envctl.yaml:5:50: cannot mount 'lost': it does not exist",
    ]
