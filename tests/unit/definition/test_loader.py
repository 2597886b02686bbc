"""In one run each environment is loaded once, whichever stages ask for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from envctl import definition
from envctl.definition.loader import SpecLoader
from envctl.definition.resolved import Resolved
from envctl.errors import SpecError
from envctl.plan.target import Target
from envctl.project import Project
from envctl.verbs.diff import diff
from envctl.verbs.plan import decide, plan
from envctl.verbs.render import render
from envctl.verbs.status import status
from envctl.verbs.trust import host_access
from envctl.verbs.validate import validate
from tests.unit.definition.helpers import HEAD, write

SPEC = HEAD + "services: {web: {command: [serve], packages: [curl]}}\n"
OVERLAYS = {
    name: f"backend: memory\nservices: {{web: {{packages: [{name}]}}}}\n"
    for name in ("dev", "test", "prod")
}
DEV, PROD = Target("dev"), Target("prod")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each environment was loaded."""
    found: Counter[str] = Counter()
    original: Callable[..., Resolved] = definition.load

    def counted(root: Path, environment: str, **options: object) -> Resolved:
        found[environment] += 1
        return original(root, environment, **options)

    monkeypatch.setattr(definition, "load", counted)
    return found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project of three environments that install different packages."""
    return Project(write(tmp_path, SPEC, **OVERLAYS), environ={})


@pytest.mark.parametrize(
    "verb",
    [
        lambda project: plan(project, DEV),
        lambda project: diff(project, DEV, PROD),
        validate,
        lambda project: validate(project, ["dev"]),
        lambda project: render(project, DEV),
        lambda project: decide(project, DEV),
        lambda project: status(project, DEV),
        lambda project: host_access(project, DEV),
        lambda project: plan(project.with_free_ports(), DEV) and plan(project, DEV),
    ],
    ids=["plan", "diff", "validate", "one", "render", "changes", "status", "reaches", "visitor"],
)
def test_a_verb_loads_no_environment_twice(
    project: Project, loads: Counter[str], verb: Callable[[Project], object]
) -> None:
    verb(project)
    assert loads["dev"] == 1
    assert set(loads.values()) == {1}


def test_validate_loads_as_many_environments_as_there_are(
    tmp_path: Path, loads: Counter[str]
) -> None:
    overlays = {f"e{number}": f"vars: {{n: '{number}'}}\n" for number in range(20)}
    root = write(tmp_path, SPEC, dev="backend: memory\n", **overlays)
    validate(Project(root, environ={}))
    assert loads.total() == 21


def test_a_broken_environment_is_loaded_once_and_told_each_time(
    tmp_path: Path, loads: Counter[str]
) -> None:
    loader = SpecLoader(write(tmp_path, SPEC, dev="servces: {}\n"), sets={}, environ={})
    texts = []
    for _ in range(2):
        with pytest.raises(SpecError) as error:
            loader.load("dev")
        texts.append(str(error.value))
    assert texts[0] == texts[1] != ""
    assert loads == {"dev": 1}


def test_what_lacks_no_file_is_not_loaded_again_by_who_can_do_without_files(
    tmp_path: Path, loads: Counter[str]
) -> None:
    loader = SpecLoader(write(tmp_path, SPEC), sets={}, environ={})
    assert loader.load("dev") is loader.load("dev", allow_missing_files=True)
    assert loads == {"dev": 1}


def test_who_needs_all_files_is_told_of_a_missing_one_that_others_did_without(
    tmp_path: Path,
) -> None:
    spec = SPEC.replace("command:", "build: [{copy: {from: gone, to: /a}}], command:")
    loader = SpecLoader(write(tmp_path, spec), sets={}, environ={})
    assert [name for name, _ in loader.load("dev", allow_missing_files=True).missing_files] == [
        "web"
    ]
    with pytest.raises(SpecError, match="gone"):
        loader.load("dev")


def test_another_run_sees_what_has_changed(tmp_path: Path) -> None:
    write(tmp_path, SPEC)
    first = SpecLoader(tmp_path, sets={}, environ={})
    assert first.load("dev").data["project"] == "shop"
    write(tmp_path, SPEC.replace("shop", "other"))
    assert first.load("dev").data["project"] == "shop"
    assert SpecLoader(tmp_path, sets={}, environ={}).load("dev").data["project"] == "other"
