"""The rendered folder as text: Ruby, shell and Vagrant read it, and find in it what the plan says."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from dataclasses import replace

import pytest

from envctl import files
from envctl.backends.base import Context
from envctl.backends.vagrant import VagrantBackend
from envctl.backends.vagrant.rendered import vagrant_folder
from envctl.errors import EnvctlError, Place
from envctl.plan.model import (
    Base,
    BuildSecret,
    CopyFiles,
    CopyFromStage,
    CreateUser,
    DockerfileBuild,
    MakeDirectories,
    Mount,
    NpmInstall,
    PipInstall,
    Plan,
    Port,
    Probe,
    ProbeKind,
    RunCommand,
    Secret,
    Volume,
    WriteFile,
)
from envctl.plan.scope import Scope
from envctl.render.rendered_files import modes, render
from envctl.render.rendered_folder import write
from envctl.render.templates import Templates
from tests.support.plans import build, packages, plan, unit
from tests.support.taken import tree_of

AWKWARD = ["it's", 'say "hi"', "$HOME `id` $(id)", "#{x}", "\\", "\\'", "a\nb", "-rf", "ü ☃", "%n", "~", "!", "*"]  # fmt: skip
TEXT = " ".join(AWKWARD)


def reads(test):
    """It asks Vagrant and the Ruby it brings, which are there once machines are."""
    for mark in (pytest.mark.engine, pytest.mark.machines):
        test = mark(test)
    return test


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    for folder in (root / "src", root / "it's #{x}", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    (root / "src" / "page").write_text("page")
    (root / "Dockerfile").write_text("FROM scratch\n")
    return root


def awkward_plan(root) -> Plan:
    """One of each: a built unit, a task, one from a Dockerfile, one from an image; values that need quoting."""
    steps = (
        packages("python3"),
        CreateUser("web", 1234, "/srv/it's"),
        MakeDirectories(("/srv/a b", "/srv/$x"), "web"),
        CopyFiles("src", "/srv/`id`/", "0123", tree=files.hash_copy(root, "src").tree),
        WriteFile("/etc/#{x}", TEXT, "web", "0600"),
        RunCommand(
            tuple(AWKWARD),
            user="web",
            workdir="/srv/it's",
            env={"A": TEXT},
            secrets=(BuildSecret("npm_token", "NPM_TOKEN"), BuildSecret("b")),
        ),
        RunCommand(("/bin/sh", "-ec", "echo ~ 'it' \\\n && :")),
        PipInstall("/opt/v", packages=("a==1",)),
        NpmInstall("/srv/it's", production=True),
    )
    web = unit(
        "web",
        *steps,
        argv=AWKWARD,
        env={"TEXT": TEXT},
        ports=(Port(8000, 8080), Port(9000)),
        volumes=(Volume("data", "/var/it's"),),
        mounts=(
            Mount(f"{root}/it's #{{x}}", "/mnt/a b", read_only=True),
            Mount(f"{root.parent}/elsewhere", "/x"),
        ),
        secrets=(Secret("token", "/run/secrets/it's", env="TOKEN"), Secret("b", "/etc/b c")),
        probe=Probe(ProbeKind.COMMAND, tuple(AWKWARD)),
    )
    own = DockerfileBuild(
        "Dockerfile",
        ".",
        args={"A": TEXT},
        digest="d" * 24,
        tree=tree_of(root, "src/page"),
        own_file=files.hash_file(root, "Dockerfile").tree,
    )
    asked = Probe(ProbeKind.HTTP, ("http://127.0.0.1:8000/it's",))
    return replace(
        plan(
            web,
            unit("once", packages("python3"), kind="task", argv=["true"]),
            replace(unit("theirs", argv=["x"]), source=own),
            unit("ready", image="redis:7", argv=["redis-server"], probe=asked),
        ),
        scope=Scope("it-shop", "0a1b2c3d", "dev", str(root)),
    )


def rendered(wanted: Plan, root, folder, **options):
    """Write the folder; its path."""
    backend = VagrantBackend(Context(wanted.scope))
    artifacts = backend.artifacts(backend.lay_out(wanted), **options)
    found = render(artifacts, templates=Templates(root))
    write(found, folder, root=root, modes=modes(artifacts))
    return folder


@pytest.fixture
def folder(project, tmp_path):
    trust = tmp_path / "ca.pem"
    trust.write_text("a bundle\n")
    return rendered(awkward_plan(project), project, tmp_path / "out", trust=trust)


@reads
def test_ruby_and_shellcheck_have_nothing_to_say_against_it(folder):
    for file in ("Vagrantfile", "provision/envctl.rb"):
        checked = subprocess.run(
            ["ruby", "-wc", folder / file], capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "Syntax OK\n", "")
    scripts = sorted(folder.rglob("*.sh"))
    names = ("once", "ready", "theirs", "web")
    assert [str(path.relative_to(folder)) for path in scripts] == [
        *(f"machines/{name}.sh" for name in names),
        *(f"provision/{name}.sh" for name in names),
        *(f"units/{name}/start.sh" for name in names),
    ]
    linted = subprocess.run(
        ["shellcheck", "--severity=style", *scripts], capture_output=True, text=True, check=False
    )
    assert (linted.returncode, linted.stdout) == (0, "")


@reads
def test_vagrant_has_nothing_to_say_against_it(folder):
    done = subprocess.run(
        ["vagrant", "validate", "--ignore-provider"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "validated successfully" in done.stdout


def test_the_same_plan_gives_the_same_bytes(folder, project, tmp_path):
    trust = tmp_path / "ca.pem"
    again = rendered(awkward_plan(project), project, tmp_path / "again", trust=trust)
    assert {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == {
        path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()
    }  # fmt: skip


def in_vagrant(folder, ruby: str) -> str:
    """What a Ruby script prints that Vagrant itself runs, with the folder's Vagrantfile loaded."""
    (folder / "asked.rb").write_text(ruby)
    vagrantfile = folder / "Vagrantfile"
    text = vagrantfile.read_text()
    vagrantfile.write_text(f"{text}\nload File.join(__dir__, 'asked.rb') if ENV.delete('ASKED')\n")
    done = subprocess.run(
        ["vagrant", "validate", "--ignore-provider"],
        cwd=folder,
        env={**os.environ, "ASKED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    vagrantfile.write_text(text)
    (folder / "asked.rb").unlink()
    match = re.search(r"<<<(.*)>>>", done.stdout, re.DOTALL)
    assert match, done.stdout + done.stderr
    return match[1]


READ_BACK = r"""
require "json"
read_back = lambda do
env = Vagrant::Environment.new(cwd: __dir__)
found = env.machine_names.to_h do |name|
  # The machine's configuration as Vagrant has put it together for this provider.
  config = env.vagrantfile.machine_config(name, :libvirt, env.boxes, nil)[:config]
  start = config.vm.provisioners.find { |one| one.name.to_s == "start" }.config
  [name, {
    "box" => config.vm.box,
    "folders" => config.vm.synced_folders.values.reject { |one| one[:disabled] }
                       .map { |one| [one[:hostpath], one[:guestpath], one[:type].to_s] },
    "ports" => config.vm.networks.select { |type, one| type == :forwarded_port && one[:id] != "ssh" }
                     .map { |_, one| [one[:host_ip], one[:host], one[:guest]] },
    "units" => start.units,
  }]
end
STDOUT.write("<<<#{JSON.generate(found)}>>>")
end
# Not while Vagrant is reading this very file.
at_exit { read_back.call }
"""


@reads
def test_vagrant_reads_from_it_what_the_plan_says(folder, project):
    found = json.loads(in_vagrant(folder, READ_BACK))
    web = found["web"]
    assert [*found] == ["web", "once", "theirs", "ready"]
    assert web["box"] == "debian/bookworm64"
    assert web["folders"] == [
        [f"{project}/it's #{{x}}", "/mnt/a b", "virtiofs"],
        [f"{project.parent}/elsewhere", "/x", "virtiofs"],
    ]
    assert web["ports"][0] == ["127.0.0.1", 8080, 8000]
    assert web["units"] == {"web": [["TOKEN", "/run/secrets/it's"], ["B", "/run/secrets/.b"]]}


def test_steps_are_called_with_the_words_of_the_spec(folder):
    script = (folder / "provision/web.sh").read_text()
    # What follows the preparations is calls; here these tell what they were given.
    calls = script[script.index("\nstep 1") : script.index("\nnow='cleaning up'")]
    functions = "".join(
        f"{name}() {{ printf '%s\\0' {name} \"$@\"; printf '\\n\\n'; }}\n"
        for name in (
            "step",
            "packages",
            "user",
            "directories",
            "copy",
            "run",
            "pip",
            "npm_install",
            "lend",
            "take_back",
        )
    )
    done = subprocess.run(
        ["/bin/sh", "-euc", "secret_npm_token=x secret_b=y\n" + functions + calls],
        capture_output=True,
        text=True,
        check=True,
    )
    said = [line.split("\0")[:-1] for line in done.stdout.split("\0\n\n") if line]
    told = {tuple(words) for words in (f"{line}\0".split("\0")[:-1] for line in done.stdout.split("\0\n\n") if line)}  # fmt: skip
    assert len(said) == 21
    assert ("user", "web", "1234", "/srv/it's") in told
    assert ("directories", "web", "/srv/a b", "/srv/$x") in told
    assert ("run", "web", "/usr/bin/env", "--chdir=/srv/it's", "--", f"A={TEXT}", *AWKWARD) in told
    assert ("lend", "web", "npm_token", "x") in told
    assert ("npm_install", "yes", "/srv/it's") in told


def test_a_disk_outlives_its_machine_and_nothing_is_reached_from_elsewhere(folder):
    text = (folder / "Vagrantfile").read_text()
    assert "path: 'it-shop-dev_data.volume.qcow2', size: '10G'" in text
    assert "allow_existing: true" in text
    assert "volume volume0 '/var/it'\"'\"'s'" in (folder / "machines/web.sh").read_text()
    assert "0.0.0.0" not in text
    ports = re.findall(r"guest: (\d+), host: (\d+)", text)
    assert ports[0] == ("8000", "8080")
    assert 20000 <= int(ports[1][1]) < 30000


def test_what_units_run_is_what_up_would_run(folder, project):
    from envctl.backends.vagrant.unit import guest_setup

    (web, *_) = awkward_plan(project).units
    assert (folder / "units/web/service").read_text() == guest_setup.service(
        web, guest_setup.UnitPaths("web")
    )
    assert (folder / "units/web/run").read_text() == guest_setup.run_script(
        web, guest_setup.UnitPaths("web")
    )


def test_no_machine_is_called_as_the_beginning_of_an_id(project, tmp_path):
    """Vagrant would take it for whichever machine has that id."""
    wanted = plan(unit("db"), unit("cafe-2"), unit("cafe"), unit("web"))
    wanted = replace(wanted, scope=Scope("shop", "0a1b2c3d", "dev", str(project)))
    text = (rendered(wanted, project, tmp_path / "named") / "Vagrantfile").read_text()
    assert re.findall(r"config.vm.define '(.*)' do", text) == ["db.vm", "cafe-2", "cafe.vm", "web"]


def test_units_that_share_a_machine_are_built_once_and_started_one_after_the_other(
    project, tmp_path
):
    together = {"options": {"layout": "single"}}
    wanted = replace(
        plan(unit("db", packages("a"), **together), unit("web", packages("b"), **together)),
        scope=Scope("shop", "0a1b2c3d", "dev", str(project)),
    )
    folder = rendered(wanted, project, tmp_path / "shared")
    assert sorted(path.name for path in (folder / "provision").glob("*.sh")) == ["dev.sh"]
    assert "packages a" in (folder / "provision/dev.sh").read_text()
    assert (folder / "units/db/run").exists()
    assert (folder / "Vagrantfile").read_text().index("'db' =>") < (
        folder / "Vagrantfile"
    ).read_text().index("'web' =>")
    assert "127.0.0.1" in (folder / "machines/dev.sh").read_text()


def test_a_projects_own_template_wins(project, tmp_path):
    own = project / "templates/vagrant"
    own.mkdir(parents=True)
    (own / "README.md.j2").write_text("ours: {{ markdown(project) }}\n")
    folder = rendered(awkward_plan(project), project, tmp_path / "own")
    assert (folder / "README.md").read_text() == "ours: it\\-shop\n"


def test_a_base_that_no_box_is_known_for_is_reported(project):
    wanted = plan(replace(unit("web"), source=build(base=Base("", "corp/base:1"))))
    with pytest.raises(EnvctlError, match="no box is known for the base corp/base:1"):
        VagrantBackend(Context(wanted.scope)).artifacts(wanted)


SENT = """
data = EnvctlFolder.tar(EnvctlFolder.entries("context/x"))
STDOUT.write("<<<#{[data].pack('m0')}>>>")
"""


@reads
def test_files_arrive_with_their_names_links_modes_and_bytes(folder, tmp_path):
    source = folder / "context" / "x"
    deep = source / ("d" * 90) / ("e" * 90)
    deep.mkdir(parents=True)
    (deep / ("f" * 120)).write_bytes(bytes(range(256)) * 5)
    (source / "it's `a` $x ü").write_text("x")
    (source / "tool").write_text("#!/bin/sh\n")
    (source / "tool").chmod(0o755)
    (source / "link").symlink_to("../" + "g" * 150)
    target = tmp_path / "unpacked"
    target.mkdir()
    data = base64.b64decode(in_vagrant(folder, SENT))
    subprocess.run(["tar", "-xpf", "-", "-C", target], input=data, check=True)
    listed = subprocess.run(
        ["diff", "-r", "--no-dereference", source, target / "context/x"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (listed.returncode, listed.stdout) == (0, "")
    assert (target / "context/x/tool").stat().st_mode & 0o777 == 0o755


@reads
@pytest.mark.parametrize(
    ("argv", "environ"),
    [
        (("up", "--provider", "virtualbox"), {}),
        (("up", "--provider=virtualbox"), {}),
        (("up", "web"), {"VAGRANT_DEFAULT_PROVIDER": "virtualbox"}),
        (("validate",), {"VAGRANT_DEFAULT_PROVIDER": "virtualbox"}),
    ],
)
def test_another_provider_is_refused_before_anything_is_done(folder, argv, environ):
    done = subprocess.run(
        ["vagrant", *argv],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "This folder needs libvirt and does not work with the provider virtualbox" in said
    assert "render ENVIRONMENT@docker" in said
    assert ("Downloading" in said, "rb:" in said) == (False, False)


def rendered_stage(base: Base) -> dict[str, object]:
    stage = build(packages("golang"), base=base)
    copy = CopyFromStage("/out/web", "/usr/local/bin/", stage.digest, "compile", stage)
    return {one.path: one for one in vagrant_folder.artifacts(plan(unit("web", copy)))}


def test_a_stage_from_another_box_is_not_rendered_and_the_error_names_its_place():
    other = Base("debian:trixie", "debian:trixie", where=Place("envctl.yaml", 5, 9))

    with pytest.raises(EnvctlError) as caught:
        rendered_stage(other)

    assert caught.value.where == other.where
    assert "same base" in caught.value.hint


def test_stages_from_the_same_box_are_rendered():
    slim = Base("debian:bookworm-slim", "debian:bookworm-slim")

    assert "provision/web.sh" in rendered_stage(slim)
