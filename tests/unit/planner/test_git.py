"""Git's own files below a mount can only be read: what they name is run on this host."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from envctl.backends.docker.containers import container
from envctl.backends.docker.names import Names
from envctl.backends.docker.record import drift
from envctl.plan.target import Target
from tests.support.project import Project

DOCKER, VAGRANT = Target("dev", "docker"), Target("dev", "vagrant")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project in a repository, and a file of another folder's worktree."""
    root = tmp_path / "home/project"
    (root / ".git/hooks").mkdir(parents=True)
    (root / "app/lib").mkdir(parents=True)
    (root / "app/.git").write_text("gitdir: ../.git/modules/app\n")
    return Project(root, environ={})


def spec(project: Project, mounts: str, more: str = "") -> Project:
    return project.spec(
        f"web: {{packages: [bash], command: [x], mounts: [{mounts}]{more and f', {more}'}}}"
    )


def mount(source: str, target: str = "/app", read_only: str = "false") -> str:
    return f"{{source: {source}, target: {target}, read_only: {read_only}}}"


def protected(project: Project, target: Target = DOCKER) -> list[tuple[str, ...]]:
    """What of each mount can only be read."""
    (unit,) = project.workspace().plan(target).units
    return [one.protected for one in unit.run.mounts]


def asked(project: Project, target: Target) -> list[str]:
    return [one.text for one in project.workspace().host_accesses(target)[0]]


@pytest.mark.parametrize("target", [DOCKER, VAGRANT])
@pytest.mark.parametrize(
    ("mounts", "found"),
    [
        (mount("."), [(".git",)]),
        (mount("./app"), [(".git",)]),
        (mount("./app/lib"), [()]),
        (mount(".", read_only="true"), [()]),
        (mount("../../home"), [("project/.git",)]),
        (f"{mount('.')}, {mount('./.git', '/app/.git')}", [(), ()]),
        (f"{mount('../../home')}, {mount('./app/lib', '/app/project')}", [(), ()]),
    ],
)
def test_git_s_own_below_a_mount_that_can_be_written_is_protected(project, mounts, found, target):
    assert protected(spec(project, mounts), target) == found


def test_where_a_volume_or_memory_is_put_in_its_place_nothing_is_protected(project):
    project.spec(
        "web: {packages: [bash], command: [x], mounts: {.: /app}, volumes: {v: /app/.git}}"
    )
    assert protected(project) == [()]
    spec(project, mount("."), "options: {docker: {tmpfs: {/app/.git: ''}}}")
    assert protected(project) == [()]


def test_a_project_without_a_repository_is_mounted_as_it_is(project):
    (project.root / ".git/hooks").rmdir()
    (project.root / ".git").rmdir()
    assert protected(spec(project, mount("."))) == [()]


def test_a_container_has_it_read_only_and_its_record_is_not_drift_of_the_plan(project):
    plan = spec(project, mount(".")).workspace().plan(DOCKER)
    (unit,) = plan.units
    names = Names(plan.scope)
    mounts = container(unit, names)["HostConfig"]["Mounts"]
    assert {
        "Type": "bind",
        "Source": f"{project.root}/.git",
        "Target": "/app/.git",
        "ReadOnly": True,
    } in mounts

    def said(mounts):
        record = {
            "HostConfig": container(unit, names)["HostConfig"],
            "Mounts": [
                {
                    "Type": one["Type"],
                    "Source": one.get("Source"),
                    "Destination": one["Target"],
                    "RW": not one["ReadOnly"],
                }
                for one in mounts
            ],
            "NetworkSettings": {},
        }
        return [one.text for one in drift(unit, names, record) if "/app" in one.text]

    assert said(mounts) == []
    assert said(mounts[:1]) == ["nothing is mounted at /app/.git"]


def test_rendered_folders_have_it_read_only(project):
    spec(project, mount("."))
    text = project.workspace().render(DOCKER)["compose.yaml"]
    volumes = yaml.safe_load(text)["services"]["web"]["volumes"]
    (found,) = [one for one in volumes if one["target"] == "/app/.git"]
    assert (found["type"], found["read_only"]) == ("bind", True)
    script = project.workspace().render(VAGRANT)["units/web/start.sh"].decode()
    assert "mount -o remount,bind,ro -- /app/.git" in script
    assert script.index("/app/.git") < script.index("systemctl start")


def test_a_protected_folder_is_not_asked_for(project):
    spec(project, mount("."))
    assert asked(project, DOCKER) == []
    assert asked(project, VAGRANT) == []


@pytest.mark.parametrize("target", [DOCKER, VAGRANT])
@pytest.mark.parametrize(
    ("source", "shown"), [("./.git", "./.git"), ("./.git/hooks", "./.git"), ("./link", "./.git")]
)
def test_a_mount_of_git_s_own_that_can_be_written_is_asked_for(project, source, shown, target):
    (project.root / "link").symlink_to(".git")
    text = f"web can change {shown}, which names programs that git runs on this host"
    assert asked(spec(project, mount(source)), target) == [text]
    assert asked(spec(project, mount(source, read_only="true")), target) == []


@pytest.mark.parametrize("source", [".", "./kept"])
def test_a_repository_that_is_a_link_can_be_exchanged_so_it_is_asked_for(project, source):
    (project.root / ".git").rename(project.root / "kept")
    (project.root / ".git").symlink_to("kept")
    assert protected(spec(project, mount(source))) == [()]
    (text,) = asked(project, DOCKER)
    assert "web can change ./" in text
    assert "programs that git runs" in text


@pytest.mark.parametrize(("layout", "shown"), [("machine", 1), ("single", 1)])
def test_who_is_root_of_a_machine_can_undo_it_so_it_is_asked_for(project, layout, shown):
    options = f"options: {{vagrant: {{layout: {layout}}}}}"
    spec(project, mount("."), f"user: root, {options}")
    assert len(asked(project, VAGRANT)) == shown
    assert asked(project, DOCKER) == []


def test_who_shares_a_machine_with_its_root_is_asked_for_too(project):
    project.spec(
        """
        web: {packages: [bash], command: [x], mounts: {.: /app}, options: {vagrant: {layout: single}}}
        job: {packages: [bash], command: [x], user: root, options: {vagrant: {layout: single}}}
        """
    )
    assert asked(project, VAGRANT) == [
        "web can change ./.git, which names programs that git runs on this host"
    ]
    files = project.workspace().render(VAGRANT)
    for unit in ("web", "job"):
        assert b"remount,bind,ro -- /app/.git" in files[f"units/{unit}/start.sh"]
