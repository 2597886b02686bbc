"""What is private is never shown to a unit: not as a mount of its own, and covered below another."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from envctl.errors import SpecError
from envctl.host.private_state import state_folder
from envctl.plan.target import Target
from tests.support.project import Project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project in a home that has private state, and with a former folder of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home/.local/state"))
    (tmp_path / "home/project/.envctl/secrets").mkdir(parents=True)
    state_folder().mkdir(parents=True)
    return Project(tmp_path / "home/project", environ={})


def mounted(project: Project, *mounts: str) -> list[tuple[str, tuple[str, ...]]]:
    """What of each mount is hidden."""
    text = ", ".join(f"{one}: /m{number}" for number, one in enumerate(mounts))
    project.spec(f"web: {{packages: [bash], command: [x], mounts: {{{text}}}}}")
    (unit,) = project.workspace().plan(Target("dev", "docker")).units
    return [(one.target, one.hidden) for one in unit.run.mounts]


def test_a_mount_of_the_project_hides_a_former_folder_and_one_of_the_home_the_state_too(project):
    (project.root / "sub").mkdir()
    (project.root / "up").symlink_to("..")
    assert mounted(project, ".", "..", "./up", "./sub", "../project/sub/..") == [
        ("/m0", (".envctl",)),
        ("/m1", (".local/state/envctl", "project/.envctl")),
        ("/m2", (".local/state/envctl", "project/.envctl")),
        ("/m3", ()),
        ("/m4", (".envctl",)),
    ]


def test_a_project_without_a_former_folder_is_mounted_as_it_is(project):
    (project.root / ".envctl/secrets").rmdir()
    (project.root / ".envctl").rmdir()
    assert mounted(project, ".") == [("/m0", ())]


@pytest.mark.parametrize(
    "source",
    [
        "./.envctl",
        "./.envctl/secrets",
        "./link",
        "./link/secrets",
        "../.local/state/envctl",
        "../.local/state/envctl/projects",
        "./sub/../.envctl",
    ],
)
def test_private_state_itself_is_not_mounted_by_whatever_name(project, source):
    (project.root / "link").symlink_to(".envctl")
    (project.root / "sub").mkdir()
    (state_folder() / "projects").mkdir()
    with pytest.raises(SpecError, match="cannot be mounted: envctl keeps secrets and keys in it"):
        mounted(project, source)


def test_a_rendered_compose_file_has_the_cover(project):
    mounted(project, ".")
    text = project.workspace().render(Target("dev", "docker"))["compose.yaml"]
    (cover,) = [
        one
        for one in yaml.safe_load(text)["services"]["web"]["volumes"]
        if one["target"] == "/m0/.envctl"
    ]
    assert (cover["type"], cover["read_only"]) == ("tmpfs", True)


def test_a_rendered_machine_has_the_cover_before_its_unit_starts(project):
    mounted(project, ".")
    files = project.workspace().render(Target("dev", "vagrant"))
    text = files["units/web/start.sh"].decode()
    assert "mountpoint -q -- /m0/.envctl || mount -t tmpfs -o ro" in text
    assert text.index("/m0/.envctl") < text.index("systemctl start")
