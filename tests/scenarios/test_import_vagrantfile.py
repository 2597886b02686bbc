"""Vagrantfiles as Vagrant itself reads them: their machines come up, and bad ones end with an error."""

from __future__ import annotations

import time

import pytest

from envctl.errors import EnvctlError
from envctl.imports.vagrantfile import ask_vagrant
from envctl.imports.vagrantfile.machine_import import RULES
from tests.support.project import unique

pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.slow]

VAGRANTFILE = """\
MACHINES = { "web" => 8080, "db" => 5432 }
Vagrant.configure("2") do |config|
  config.vm.box = "debian/bookworm64"
  config.vm.synced_folder ".", "/vagrant", disabled: true
  MACHINES.each do |name, port|
    config.vm.define name do |machine|
      machine.vm.hostname = name
      machine.vm.network "forwarded_port", guest: port, host: port + 10000
      machine.vm.synced_folder "./app", "/srv/app"
      machine.vm.provider("libvirt") { |libvirt| libvirt.memory = 384 }
      machine.vm.provision "shell", path: "setup.sh", args: [name], env: { "GREETING" => "hello" }
    end
  end
end
"""
SETUP = '#!/bin/sh\necho "$GREETING $1" >/greeting\n'


def project_with(make_project, vagrantfile):
    name = unique()  # that of the folder, which the import takes for the project
    project = make_project(name, backend="vagrant", name=name)
    project.write("Vagrantfile", vagrantfile)
    project.write("setup.sh", SETUP)
    project.write("app/page.txt", "live\n")
    return project


def test_a_machine_of_a_vagrantfile_comes_up_after_its_import(make_project, machines):
    project = project_with(make_project, VAGRANTFILE)

    done = project.cli("import", "--run-vagrantfile")

    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in project.root.iterdir()) == [
        "Vagrantfile", "app", "envctl.yaml", "environments", "setup.sh",
    ]  # fmt: skip
    assert "libvirt.memory: translated to options.vagrant.memory: 384m" in done.stdout
    assert {"+ create web", "+ create db"} <= {
        line.split("  ")[0].strip() for line in project.cli("plan", "dev").stdout.splitlines()
    }
    done = project.cli("up", "dev", "web", "--yes")
    assert done.returncode == 0, done.stderr
    greeting = project.cli("exec", "dev", "web", "--", "cat", "/greeting", "/srv/app/page.txt")
    assert greeting.stdout == "hello web\nlive\n"
    again = project.cli("import", "--run-vagrantfile")
    assert (again.returncode, "wrote" in again.stdout) == (0, False)


def test_nothing_that_vagrant_tells_is_left_unread(tmp_path, machines):
    (tmp_path / "Vagrantfile").write_text(VAGRANTFILE)

    for machine in ask_vagrant.machines_of(tmp_path, "Vagrantfile"):
        assert {*machine} == {"name"} | {key for rule in RULES for key in rule.reads}


@pytest.mark.parametrize(
    "text",
    [
        "exit 0\n",
        "raise 'no'\n",
        "this is not Ruby (\n",
        "loop { puts 'x' * 100_000 }\n",
        "fork { sleep 600 }\nsleep 600\n",
    ],
)
def test_a_bad_vagrantfile_ends_with_an_error_and_leaves_nothing(
    tmp_path, machines, monkeypatch, text
):
    monkeypatch.setattr(ask_vagrant, "TIMEOUT", 10)
    (tmp_path / "Vagrantfile").write_text(text)
    before = time.monotonic()

    with pytest.raises(EnvctlError, match="Vagrantfile: Vagrant"):
        ask_vagrant.machines_of(tmp_path, "Vagrantfile")

    assert time.monotonic() - before < 30
    assert [path.name for path in tmp_path.iterdir()] == ["Vagrantfile"]
