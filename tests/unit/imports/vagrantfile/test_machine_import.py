"""What Vagrant knows of machines becomes services; everything of it is reported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from envctl.conversion.conversion_report import KeyOutcome
from envctl.imports.imported_project import ImportChoices, ImportedProject
from envctl.imports.vagrantfile.machine_import import VagrantSource, imported_machines
from tests.unit.cli.conftest import Run, envctl

__all__ = ["envctl"]

VAGRANTFILE = """\
Vagrant.configure("2") do |config|
  config.vm.define "web" do |web|
    web.vm.box = "debian/bookworm64"
    web.vm.provision "shell", path: "setup.sh"
  end
end
"""


def machine(**values: Any) -> Mapping[str, Any]:
    return {"name": "web", "box": "debian/bookworm64", **values}


def imported(folder: Path, *machines: Mapping[str, Any], **choices: bool) -> ImportedProject:
    source = VagrantSource(folder, "Vagrantfile", VAGRANTFILE, ImportChoices(**choices))
    return imported_machines(source, machines)


def service(folder: Path, data: Mapping[str, Any], **choices: bool) -> Any:
    import yaml

    text = imported(folder, data, **choices).files["envctl.yaml"].text
    return yaml.safe_load(text)["services"]["web"]


def outcomes(project: ImportedProject) -> dict[str, KeyOutcome]:
    return {line.path: line.outcome for line in project.report.lines}


def shell(**options: Any) -> Mapping[str, Any]:
    return {
        "type": "shell",
        "run": options.pop("run", None),
        "options": {"privileged": True, **options},
    }


@pytest.mark.parametrize(
    ("box", "base"),
    [
        ("debian/bookworm64", "debian:bookworm"),
        ("generic/debian12", "debian:bookworm"),
        ("debian/trixie64", "debian:trixie"),
        ("bento/ubuntu-24.04", "ubuntu:24.04"),
        ("ubuntu/jammy64", "ubuntu:22.04"),
    ],
)
def test_a_box_of_a_known_distribution_is_its_base(tmp_path: Path, box: str, base: str) -> None:
    assert service(tmp_path, machine(box=box))["base"] == base


def test_another_box_is_reported_as_dropped(tmp_path: Path) -> None:
    project = imported(tmp_path, machine(box="acme/windows"))

    assert outcomes(project)["web.vm.box"] is KeyOutcome.DROPPED


def test_forwarded_ports_are_on_loopback_unless_they_say_otherwise(tmp_path: Path) -> None:
    networks = [
        ["forwarded_port", {"guest": 80, "host": 8080}],
        ["forwarded_port", {"guest": 81, "host": 8081, "host_ip": "0.0.0.0"}],
        ["forwarded_port", {"guest": 22, "host": 2222}],
        ["private_network", {"ip": "192.168.56.10"}],
        ["public_network", {}],
    ]
    data = machine(networks=networks)

    ports = service(tmp_path, data)["ports"]
    exposed = service(tmp_path, data, keep_exposure=True)["ports"]

    assert ports == ["8080:80", {"host": 8081, "container": 81, "public": True}]
    assert exposed[0] == {"host": 8080, "container": 80, "public": True}
    reported = outcomes(imported(tmp_path, data))
    assert reported["web.vm.network[3]"] is KeyOutcome.TRANSLATED
    assert reported["web.vm.network[4]"] is KeyOutcome.DROPPED
    assert "web.vm.network[2]" not in reported


def test_synced_folders_are_mounts(tmp_path: Path) -> None:
    folders = [
        {"hostpath": "./app", "guestpath": "/srv/app", "disabled": False, "type": "rsync"},
        {"hostpath": ".", "guestpath": "/vagrant", "disabled": True},
    ]

    project = imported(tmp_path, machine(folders=folders))

    assert service(tmp_path, machine(folders=folders))["mounts"] == [
        {"source": "app", "target": "/srv/app"}
    ]
    notes = {line.path: line.note for line in project.report.lines}
    assert "its type rsync is not kept" in notes["web.vm.synced_folder /srv/app"]
    assert notes["web.vm.synced_folder /vagrant"] == "not mounted"


def test_shell_provisioners_are_build_steps_or_hooks(tmp_path: Path) -> None:
    (tmp_path / "setup.sh").write_text("true\n")
    provisioners = [
        shell(inline="echo $1", args="'a b' c", env={"X": "1"}),
        shell(path="setup.sh", args=["d"]),
        shell(inline="echo again", run="always"),
        {"type": "file", "run": None, "options": {"source": "a", "destination": "/b"}},
    ]

    spec = service(tmp_path, machine(provisioners=provisioners))

    assert spec["build"] == [
        {"run": {"command": ["/bin/sh", "-ec", "echo $$1", "provision", "a b", "c"], "env": {"X": "1"}}},
        {"copy": {"from": "setup.sh", "to": "/usr/local/share/provision/setup.sh", "mode": "0755"}},
        {"run": {"command": ["/usr/local/share/provision/setup.sh", "d"]}},
        {"copy": {"from": "a", "to": "/b"}},
    ]  # fmt: skip
    assert spec["hooks"] == {"after_start": [["/bin/sh", "-ec", "echo again", "provision"]]}


@pytest.mark.parametrize(
    "provisioner",
    [
        {"type": "ansible", "run": None, "options": {"playbook": "play.yml"}},
        shell(inline="true", run="never"),
        shell(path="absent.sh"),
        shell(path="https://example.org/setup.sh"),
        shell(path="/etc/setup.sh"),
    ],
)
def test_what_cannot_be_a_step_is_reported_as_dropped(
    tmp_path: Path, provisioner: Mapping[str, Any]
) -> None:
    project = imported(tmp_path, machine(provisioners=[provisioner]))

    assert outcomes(project)["web.vm.provision[0]"] is KeyOutcome.DROPPED


def test_sizes_are_options_of_machines(tmp_path: Path) -> None:
    providers = {
        "virtualbox": {"memory": 1024, "cpus": 2, "customizations": [["modifyvm"]]},
        "libvirt": {"memory": 2048},
    }

    project = imported(tmp_path, machine(providers=providers))

    spec = service(tmp_path, machine(providers=providers))
    assert spec["options"] == {"vagrant": {"memory": "2048m", "cpus": 2}}
    assert outcomes(project)["web.virtualbox.customize"] is KeyOutcome.DROPPED


def test_what_else_vagrant_knows_is_reported(tmp_path: Path) -> None:
    data = machine(
        hostname="other", box_version="1.2", communicator="winrm", post_up_message="hi", triggers=2
    )

    reported = outcomes(imported(tmp_path, data))

    assert reported.pop("web.vm.hostname") is KeyOutcome.TRANSLATED
    dropped = {key for key, outcome in reported.items() if outcome is KeyOutcome.DROPPED}
    assert dropped == {"web.box_version", "web.communicator", "web.post_up_message", "web.triggers"}


def test_lines_are_looked_for_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "setup.sh").write_text("true\n")
    project = imported(tmp_path, machine(provisioners=[shell(path="setup.sh")]))

    lines = {line.path: line.position[1] for line in project.report.lines}
    assert lines == {"web": 2, "web.vm.box": 3, "web.vm.provision[0]": 4}


def test_nothing_is_executed_unless_the_user_allows_it(
    envctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Vagrantfile").write_text(f'File.write("{tmp_path}/ran", "x")\n')

    ended = envctl("import")

    assert ended.code == 1
    assert "--run-vagrantfile" in ended.err
    assert not (tmp_path / "ran").exists()


def test_a_machine_that_says_nothing_more_has_no_other_lines(tmp_path: Path) -> None:
    usual = machine(box_version=">= 0", communicator="ssh", post_up_message=None, triggers=0)

    assert {*outcomes(imported(tmp_path, usual))} == {"web", "web.vm.box"}
