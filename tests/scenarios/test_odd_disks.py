"""A project on disks of other kinds, really mounted: one that ignores case, and some without permissions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest

from envctl.cli import main
from envctl.host.atomic_write import write_user_file
from envctl.lock.file import parse_lock, save_lock
from envctl.lock.model import Lock
from tests.support.disks import exfat, without_permissions
from tests.support.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.as_root]
SECRET = "swordfish-and-custard"
COPYING = """
    web:
      build: [{copy: {from: %s, to: /srv/app/}}]
      command: [sleep, infinity]
"""


@pytest.fixture(scope="module")
def card():
    """A disk that ignores case and keeps no permissions."""
    with exfat() as disk:
        yield disk


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


class OnDisk(Project):
    """A project whose command line runs in this process: there are many of them."""

    capture: pytest.CaptureFixture[str]

    def cli(self, *argv, environ=None):
        """As Project says."""
        before = signal.getsignal(signal.SIGINT)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["envctl", *argv, "-C", str(self.root)])
            for name, value in (environ or {}).items():
                patch.setenv(name, value)
            try:
                with pytest.raises(SystemExit) as ended:
                    main()
            finally:
                signal.signal(signal.SIGINT, before)
        out, err = self.capture.readouterr()
        return Ended(ended.value.code or 0, out, err)


@pytest.fixture
def on(capfd, tmp_path, monkeypatch):
    """Makes a project in a folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def make(root, name="odd"):
        root.mkdir(exist_ok=True)
        project = OnDisk(root, "memory", name=name)
        project.capture = capfd
        return project

    return make


@pytest.fixture
def project(card, on):
    """A project on it, with what an earlier envctl kept in the project."""
    project = on(card / f"project-{os.urandom(4).hex()}")
    project.write(".envctl/secrets/dev/pw", SECRET).write("app/main.py", "print(1)\n")
    return project


def said(done: Ended) -> str:
    return done.stdout + done.stderr


def rendered(project, out, target="dev@docker"):
    """What a rendered folder has, by path."""
    done = project.cli("render", target, "--output", str(out))
    assert done.returncode == 0, said(done)
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file()
    }


# --- names


@pytest.mark.parametrize(
    "source",
    [".ENVCTL", "./.Envctl", ".eNvCtL/Secrets", ".ENVCTL/secrets/DEV/pw", "APP/../.ENVCTL"],
)
def test_private_state_is_not_copied_whatever_case_it_is_written_in(project, tmp_path, source):
    project.spec(COPYING % source)

    for verb in (["validate"], ["render", "dev@docker", "-o", str(tmp_path / "out")]):
        done = project.cli(*verb)
        assert done.returncode == 1
        assert "in envctl's own folder, which contains secrets" in done.stderr
        assert "envctl.yaml:5" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("source", ["./.Envctl", ".ENVCTL/secrets", "./.envctl/SECRETS/dev/PW"])
def test_private_state_is_not_mounted_whatever_case_it_is_written_in(project, source):
    project.spec(f"web: {{command: [sleep, '9'], mounts: {{{source}: /m}}}}")
    done = project.cli("validate")
    assert done.returncode == 1
    assert "cannot be mounted: envctl keeps secrets and keys in it" in done.stderr


def test_private_state_that_cannot_be_hidden_is_not_mounted_with_what_it_is_in(project):
    project.spec("web: {command: [sleep, '9'], mounts: {.: /m}}")
    done = project.cli("validate")
    assert done.returncode == 1
    assert ".envctl in what is mounted may have secrets" in done.stderr
    assert "cannot be hidden" in done.stderr
    assert "envctl trust --state" in done.stderr


@pytest.mark.parametrize("name", [".envctl", ".ENVCTL"])
def test_a_copy_of_the_project_has_no_private_state(project, tmp_path, name):
    (project.root / ".envctl").rename(project.root / name)
    project.spec(COPYING % ".")
    found = rendered(project, tmp_path / "out")
    assert any(path.endswith("app/main.py") for path in found)
    assert not [path for path, data in found.items() if SECRET.encode() in data]


def test_the_context_of_a_dockerfile_has_no_private_state(project, tmp_path):
    (project.root / ".envctl").rename(project.root / ".EnvCtl")
    project.write("Dockerfile", "FROM scratch\nCOPY . /\n").spec("web: {dockerfile: Dockerfile}")
    found = rendered(project, tmp_path / "out")
    assert any(path.endswith("app/main.py") for path in found)
    assert not [path for path, data in found.items() if SECRET.encode() in data]


def test_git_is_left_out_of_a_copy_whatever_case_its_folder_has(project, tmp_path):
    project.spec(COPYING % ".")
    project.write(".GIT/config", SECRET).write("app/.Git/config", SECRET)
    found = rendered(project, tmp_path / "out")
    assert not [path for path, data in found.items() if SECRET.encode() in data]


def test_who_mounts_the_project_is_told_that_git_cannot_be_kept_from_the_unit(project):
    (project.root / ".envctl").rename(project.root / "former")
    project.write(".git/config", "").spec("web: {command: [sleep, '9'], mounts: {.: /m}}")
    done = project.cli("up", "dev", environ={"ENVCTL_TRUSTED": ""})
    assert done.returncode == 1
    assert "web can change ./.git, which names programs that git runs" in said(done)
    assert "ignores case" in said(done)


def test_what_is_written_in_another_case_is_refused_with_its_name(project):
    project.write("Dockerfile", "FROM scratch\n")
    project.spec(
        """
        web:
          build: [{copy: {from: APP, to: /srv/app/}}]
          command: [sleep, infinity]
          mounts: {./App: /m}
        own: {dockerfile: dockerfile}
        """
    )
    done = project.cli("validate")
    assert done.returncode == 1
    assert "envctl.yaml:5:" in done.stderr
    assert "'APP' is spelled 'app' on disk" in done.stderr
    assert "write app: this disk ignores case, others do not" in done.stderr
    assert "'./App' is spelled 'app' on disk" in done.stderr or "'App'" in done.stderr
    assert "'dockerfile' is spelled 'Dockerfile' on disk" in done.stderr


def test_an_ignore_file_in_another_case_is_followed_as_docker_does_and_told(project, tmp_path):
    project.spec(COPYING % ".").write(".DOCKERIGNORE", "app\n").write("page", "x")
    assert not [path for path in rendered(project, tmp_path / "out") if "main.py" in path]
    done = project.cli("validate")
    assert ".DOCKERIGNORE is used as .dockerignore" in done.stderr
    assert "rename it to .dockerignore" in done.stderr


@pytest.mark.parametrize("file", ["environments/DEV.yaml", "environments/Dev.yaml"])
def test_an_overlay_whose_name_is_in_capitals_is_named_with_the_remedy(project, file):
    project.spec("web: {command: [sleep, '9']}")
    (project.root / "environments/dev.yaml").rename(project.root / file)
    for verb in (["validate"], ["plan", "dev"], ["up", "dev"]):
        done = project.cli(*verb)
        assert done.returncode != 0
        assert file in done.stderr
        assert "rename it to environments/dev.yaml" in done.stderr


def test_the_project_is_one_and_the_same_however_its_folder_is_spelt(project, on):
    project.spec(
        "web: {command: [sleep, '9'], secrets: [pw]}", top="secrets: {pw: {generate: 24}}\n"
    )
    (project.root / ".envctl").rename(project.root / "former")
    assert project.cli("up", "dev").returncode == 0
    other = on(project.root.with_name(project.root.name.upper()))
    done = other.cli("plan", "dev", "--exit-code")
    assert done.returncode == 0, said(done)
    assert other.cli("down", "dev").returncode == 0
    assert "running" not in project.cli("status", "dev").stdout


def test_names_that_differ_in_case_only_are_not_rendered_over_each_other(card, on, tmp_path):
    root = tmp_path / "project"
    project = on(root).spec(COPYING % "app")
    project.write("app/Makefile", "one").write("app/makefile", "two").write("app/x/y", "")
    out = card / f"out-{root.parent.name}"
    done = project.cli("render", "dev@docker", "--output", str(out))
    assert done.returncode == 1
    assert "Makefile" in done.stderr
    assert "makefile" in done.stderr
    assert "ignores case" in done.stderr
    assert "render to another disk" in done.stderr
    assert [path for path in out.rglob("*") if path.is_file()] == []
    rendered(project, tmp_path / "out")


def test_a_folder_is_rendered_again_on_such_a_disk_and_tells_what_it_cannot_keep(
    card, on, tmp_path
):
    root = tmp_path / "project"
    project = on(root).spec(COPYING % "app").write("app/run.sh", "#!/bin/sh\n")
    project.write("app/old", "1")
    out = card / f"again-{root.parent.name}"
    elsewhere = rendered(project, tmp_path / "out")
    assert rendered(project, out) == elsewhere
    (root / "app/old").unlink()
    done = project.cli("render", "dev@docker", "--output", str(out))
    assert done.returncode == 0, said(done)
    assert "keeps no permissions" in done.stderr
    assert done.stderr.count("keeps no permissions") == 1
    assert not list(out.rglob("old"))


def test_a_link_that_a_disk_cannot_have_is_named_when_it_is_rendered(card, on, tmp_path):
    root = tmp_path / "project"
    project = on(root).spec(COPYING % "app").write("app/run.sh", "#!/bin/sh\n")
    (root / "app/current").symlink_to("run.sh")
    done = project.cli("render", "dev@docker", "--output", str(card / f"link-{root.parent.name}"))
    assert done.returncode == 1
    assert "current" in done.stderr
    assert "cannot have links" in done.stderr
    assert "render to another disk" in done.stderr


# --- permissions


@pytest.fixture(params=["exfat", "ignored", "refused"])
def bare(request, card):
    """A folder on a disk where all is open to everybody and every file is a program."""
    if request.param == "exfat":
        root = card / f"bare-{os.urandom(4).hex()}"
        root.mkdir()
        yield root
    else:
        with without_permissions(refused=request.param == "refused") as disk:
            yield disk


def test_secrets_and_locks_are_never_on_a_disk_without_permissions(bare, on, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(bare / "state"))
    project = on(bare / "project").spec(
        "web: {command: [sleep, '9'], secrets: [pw]}", top="secrets: {pw: {generate: 24}}\n"
    )
    done = project.cli("up", "dev")
    assert done.returncode == 1
    assert "its file system has no permissions" in done.stderr
    assert "XDG_STATE_HOME" in done.stderr
    assert [path for path in (bare / "state").rglob("*") if path.is_file()] == []


def test_secrets_can_be_on_a_disk_without_permissions_that_is_closed_as_a_whole(
    on, tmp_path, monkeypatch
):
    """It has no hard links, by which secrets are else written once."""
    with exfat(umask="077") as disk:
        monkeypatch.setenv("XDG_STATE_HOME", str(disk / "state"))
        project = on(tmp_path / "project").spec(
            "web: {command: [sleep, '9'], secrets: [pw]}", top="secrets: {pw: {generate: 24}}\n"
        )
        for verb in (["up", "dev"], ["plan", "dev", "--exit-code"]):
            done = project.cli(*verb)
            assert done.returncode == 0, said(done)
        (value,) = (path for path in disk.rglob("secrets/dev/pw"))
        kept = value.read_bytes()
        assert value.stat().st_mode & 0o077 == 0
        assert project.cli("down", "dev").returncode == 0
        assert project.cli("up", "dev").returncode == 0
        assert value.read_bytes() == kept
        assert not list(disk.rglob(".new-*"))


def test_a_folder_is_rendered_and_a_lock_written_where_no_permissions_can_be_set(
    bare, on, tmp_path
):
    project = on(tmp_path / "project").spec(COPYING % "app").write("app/run.sh", "#!/bin/sh\n")
    (project.root / "app/sub").mkdir()
    for _ in range(2):
        assert rendered(project, bare / "out") == rendered(project, tmp_path / "out")
    for _ in range(2):
        save_lock(Lock("amd64", {}, ()), bare)
        assert parse_lock((bare / "envctl.lock").read_bytes()) == Lock("amd64", {}, ())


def test_files_that_a_user_asks_for_are_replaced_whole_on_such_a_disk(bare):
    file = bare / "written"
    for text in ("one", "two"):
        write_user_file(file, text)
        assert file.read_text() == text
    assert [path.name for path in bare.iterdir()] == ["written"]


def test_every_verb_works_with_a_project_on_such_a_disk(bare, on):
    project = on(bare).spec(
        COPYING % "app" + "      secrets: [pw]\n", top="secrets: {pw: {generate: 24}}\n"
    )
    project.write("app/main.py", "print(1)\n").write("app/sub/data", "x")
    for verb in (
        ["validate"],
        ["plan", "dev"],
        ["up", "dev"],
        ["plan", "dev", "--exit-code"],
        ["status", "dev"],
        ["config", "dev"],
        ["down", "dev", "--volumes"],
    ):
        done = project.cli(*verb)
        assert done.returncode == 0, said(done)
    assert sorted(path.name for path in bare.iterdir()) == ["app", "envctl.yaml", "environments"]


def test_files_that_are_all_programs_are_reported_once(bare, on):
    project = on(bare).spec(
        """
        web:
          build: [{copy: {from: app, to: /srv/app/}}, {copy: {from: more, to: /srv/more/}}]
          command: [sleep, infinity]
        """
    )
    project.write("app/main.py", "print(1)\n").write("more/data", "x")
    for verb in ("validate", "plan", "up"):
        done = project.cli(verb, "dev")
        assert done.stderr.count("keeps no permissions") == 1, said(done)
        assert f"every file of {bare} is a program" in done.stderr
        assert "builds differ from those of other machines" in done.stderr


@pytest.mark.parametrize(
    "bare", ["exfat", "ignored"], indirect=True
)  # git itself needs one of these
def test_what_git_knows_of_programs_counts_where_the_disk_does_not(bare, on, tmp_path):
    """A checkout has the same builds there as elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    digests = []
    for root in (bare, elsewhere):
        project = on(root).spec(COPYING % "app")
        project.write("app/main.py", "print(1)\n").write("app/run.sh", "#!/bin/sh\n")
        if root is elsewhere:
            (root / "app/run.sh").chmod(0o755)
        git = ["git", "-c", "init.defaultBranch=main", "-C", str(root)]
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "add", "app"], check=True)
        subprocess.run([*git, "update-index", "--chmod=+x", "app/run.sh"], check=True)
        done = project.cli("plan", "dev", "--json")
        assert done.returncode == 0, said(done)
        assert "keeps no permissions" not in done.stderr
        digests.append(project.workspace().plan(project.target).units[0].source)
    assert digests[0] == digests[1]


def test_a_script_with_the_line_ends_of_windows_is_reported_once_where_it_is_copied_and_mounted(
    project,
):
    (project.root / ".envctl").rename(project.root / "former")
    project.spec(COPYING % "app" + "      mounts: {./app: /srv/live}\n")
    project.write("app/start.sh", "#!/bin/sh\r\nexec app\r\n")
    for verb in ("validate", "plan", "up"):
        done = project.cli(verb, "dev")
        assert done.returncode == 0, said(done)
        assert done.stderr.count("app/start.sh: the line that says what runs the script") == 1
        assert "`*.sh text eol=lf` in .gitattributes" in done.stderr
