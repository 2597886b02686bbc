"""What the doctor finds where environments are to run as virtual machines."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from envctl.backends.docker.doctor import findings as engine_findings
from envctl.backends.docker.doctor.start import START as START_DOCKER
from envctl.backends.vagrant.doctor import findings as machine_findings
from envctl.backends.vagrant.doctor.kvm import GIVE_ACCESS
from envctl.backends.vagrant.doctor.libvirt_daemon import START as START_LIBVIRT
from envctl.doctor.findings import DaemonState
from envctl.doctor.host import Outcome
from envctl.errors import EnvctlError
from tests.support.fake_host import ABSENT, NO_LIBVIRT, RUNNING, VIRSH, FakeHost

EVERYTHING = (
    *["apt-get", "dockerd", "mmdebstrap", "vagrant", "libvirtd", "virtlogd", "virsh", "ssh"],
    *["qemu-system-x86_64", "qemu-img", "dnsmasq", "iptables", "mke2fs"],
)
PLUGIN = "usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json"
GEM = "usr/share/rubygems-integration/all/gems/vagrant-libvirt-0.11.2/x"
FILES = {
    PLUGIN: "{}",
    GEM: "",
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nlibvirt-qemu:x:1:2::/:/x\n",
    "etc/group": f"kvm:x:{os.getgid()}:\n",
    "proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu vmx sse\n",
    "dev/kvm": "",
}


def answering(**changed):
    """Commands of a machine where all is well, but for some: a text, (code, text), or an error."""
    said = {"vagrant": "Vagrant 2.3.4\n", "virsh": VIRSH, "list": "", **changed}

    def answers(argv):
        key = argv[-1] if argv[-1] in said else argv[0].rpartition("/")[2]
        answer = said[key]
        if isinstance(answer, Exception):
            raise answer
        return Outcome(*answer) if isinstance(answer, tuple) else Outcome(0, answer)

    return answers


@pytest.fixture
def well(machine, tmp_path):
    """Make a machine with everything, but for what is said."""

    def make(*, lacks=(), files=None, answers=None, **options):
        given = {path: text for path, text in FILES.items() if path not in lacks} | (files or {})
        programs = tuple(one for one in EVERYTHING if one not in lacks)
        made = machine(*programs, files=given, answers=answers or answering(), **options)
        if "dev/kvm" in given:
            (tmp_path / "dev/kvm").chmod(0o660)
        return made

    return make


def findings(host, engine=RUNNING):
    """The findings by name."""

    def of_engine(host):
        return engine_findings(host, images_only=True, ask=lambda: engine)

    return {finding.name: finding for finding in machine_findings(host, engine=of_engine)}


def test_nothing_is_wrong_where_everything_is_there(well):
    found = findings(well())

    assert [one.name for one in found.values() if not one.ok] == []
    assert found["vagrant"].observed == "2.3.4"
    assert found["vagrant-libvirt"].observed == "0.11.2"
    assert found["libvirt"].observed == "9.0.0 with QEMU 7.2.22 at qemu:///system"
    assert found["KVM"].observed == "machines run on the processor itself"
    assert found["machine disk space"].observed == "50.0 GB free at /var/lib/libvirt/images"
    assert {"docker engine", "engine API", "BuildKit", "disk space", "base bootstrap"} <= set(found)
    assert "docker compose" not in found


def test_where_all_is_well_vagrant_is_called_for_its_version_only(well):
    host = well()
    findings(host)

    assert [argv for argv in host.ran if argv[0].endswith("vagrant")] == [
        ("/usr/bin/vagrant", "--version")
    ]


@pytest.mark.parametrize(
    ("program", "name", "package"),
    [
        ("vagrant", "vagrant", "vagrant"),
        ("qemu-system-x86_64", "qemu", "qemu-system-x86"),
        ("qemu-img", "qemu-img", "qemu-utils"),
        ("dnsmasq", "dnsmasq", "dnsmasq-base"),
        ("iptables", "iptables", "iptables"),
        ("mke2fs", "mke2fs", "e2fsprogs"),
        ("ssh", "ssh", "openssh-client"),
        (PLUGIN, "vagrant-libvirt", "vagrant-libvirt"),
    ],
)
def test_on_debian_what_is_missing_is_a_package(well, program, name, package):
    wrong = [one for one in findings(well(lacks=(program,))).values() if not one.ok]

    assert [(one.name, one.observed, one.packages, one.needed) for one in wrong] == [
        (name, "not installed", (package,), True)
    ]
    assert wrong[0].remedy == f"sudo apt-get install --no-install-recommends {package}"


@pytest.mark.parametrize("processor", ["aarch64", "s390x", "mips"])
def test_on_other_processors_machines_are_not_promised(well, processor):
    found = findings(well(machine=processor))

    assert found["platform"].observed == f"Linux on {processor}"
    assert "machines need Linux on x86_64" in found["platform"].remedy
    assert list(found) == ["platform"]
    assert not found["platform"].fixable


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("Vagrant 2.2.19\n", "2.2.19"),
        ((1, "in `require': cannot load\n"), "`vagrant --version`: in `require': cannot load"),
        ("", "`vagrant --version`: no output"),
        (EnvctlError("it took longer"), "it took longer"),
    ],
)
def test_a_vagrant_that_will_not_do_is_reported_and_not_promised_to_be_mended(well, said, found):
    finding = findings(well(answers=answering(vagrant=said)))["vagrant"]

    assert (finding.ok, finding.observed, finding.fixable) == (False, found, False)
    assert finding.remedy.startswith("install Vagrant 2.3 or newer")


def test_a_newer_vagrant_will_do(well):
    said = "==> vagrant: A new version is available\nVagrant 2.4.1\n"

    assert findings(well(answers=answering(vagrant=said)))["vagrant"].observed == "2.4.1"


def test_a_plugin_of_the_users_own_is_found_where_vagrant_keeps_it(well):
    entry = '{"version":"1","installed":{"vagrant-libvirt":{"installed_gem_version":"0.12.2"}}}'
    host = well(
        lacks=(PLUGIN,),
        files={"home/me/v/plugins.json": entry},
        environ={"VAGRANT_HOME": "/home/me/v"},
    )

    assert findings(host)["vagrant-libvirt"].observed == "0.12.2"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"installed": []}', "no json"])
def test_a_list_of_plugins_that_makes_no_sense_is_none(well, text):
    host = well(lacks=(PLUGIN,), files={"root/.vagrant.d/plugins.json": text})

    assert findings(host)["vagrant-libvirt"].packages == ("vagrant-libvirt",)


@pytest.mark.parametrize(
    ("said", "ok", "needed", "found"),
    [
        ("vagrant-libvirt (0.12.2, global)\n", True, True, "0.12.2"),
        ("No plugins installed.\n", False, True, "not installed"),
        ((1, "boom"), False, False, "unknown: `vagrant plugin list` exits with 1"),
        (EnvctlError("too slow"), False, False, "unknown: too slow"),
    ],
)
def test_vagrants_own_package_knows_nothing_of_debians_plugin_and_is_asked(
    well, said, ok, needed, found
):
    host = well(files={"opt/vagrant/bin/vagrant": ""}, answers=answering(list=said))
    finding = findings(host)["vagrant-libvirt"]

    assert (finding.ok, finding.needed, finding.observed) == (ok, needed, found)
    assert finding.remedy == ("" if ok else "vagrant plugin install vagrant-libvirt")
    assert not finding.fixable


def test_a_libvirt_that_is_installed_is_started(well):
    finding = findings(well(answers=answering(virsh=(1, NO_LIBVIRT))))["libvirt"]

    assert finding.observed == "installed, not running"
    assert finding.remedy == "sudo virtlogd -d; sudo libvirtd -d"
    assert (finding.packages, finding.repairs) == ((), (START_LIBVIRT,))


def test_where_systemd_runs_it_starts_libvirt(well):
    host = well(answers=answering(virsh=(1, NO_LIBVIRT)), files={"run/systemd/system/x": ""})

    assert findings(host)["libvirt"].remedy == "sudo systemctl enable --now libvirtd"


@pytest.mark.parametrize("lacking", ["libvirtd", "virsh", "etc/passwd"])
def test_a_libvirt_that_lacks_a_part_is_installed_and_started(well, lacking):
    finding = findings(well(lacks=(lacking,), answers=answering(virsh=(1, NO_LIBVIRT))))["libvirt"]

    assert finding.observed == "not installed"
    assert finding.packages == ("libvirt-daemon-system", "libvirt-clients")
    assert finding.repairs == (START_LIBVIRT,)
    assert finding.remedy.endswith("libvirt-clients && sudo virtlogd -d; sudo libvirtd -d")


def test_a_user_whom_libvirt_refuses_is_told_the_group(well):
    said = "error: Failed to connect socket to '/var/run/libvirt/libvirt-sock': Permission denied\n"
    finding = findings(well(answers=answering(virsh=(1, said))))["libvirt"]

    assert finding.observed == "qemu:///system refuses this user"
    assert finding.remedy.startswith("sudo usermod -aG libvirt $USER")
    assert not finding.fixable


def test_without_a_system_bus_no_group_helps_a_user(well):
    said = (
        "error: failed to connect to the hypervisor\nerror: internal error: Unable to get system"
        " bus connection: Could not connect: No such file or directory\n"
    )
    finding = findings(well(answers=answering(virsh=(1, said)), root_user=False))["libvirt"]

    assert finding.observed.startswith("qemu:///system serves root only")
    assert finding.remedy.startswith("run envctl as root, or start the system bus")
    assert not finding.fixable


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ((1, "error: failed to connect\nerror: boom\n"), "boom"),
        ((1, "\n"), "virsh prints nothing"),
        (EnvctlError("`virsh` took longer than 20 s"), "`virsh` took longer than 20 s"),
    ],
)
def test_a_libvirt_that_fails_is_reported_with_its_own_words(well, said, found):
    finding = findings(well(answers=answering(virsh=said)))["libvirt"]

    assert (finding.ok, finding.observed, finding.fixable) == (False, found, False)
    assert "libvirtd.log" in finding.remedy


def test_a_libvirt_without_any_emulator_answers_anyway(well):
    said = VIRSH.partition("Running")[0] + "error: failed to get the hypervisor version\n"
    found = findings(well(lacks=("qemu-system-x86_64",), answers=answering(virsh=(1, said))))

    assert found["libvirt"].observed == "9.0.0 at qemu:///system"
    assert not found["qemu"].ok


@pytest.mark.parametrize(
    ("version", "found"), [("9.0.0", "not installed"), ("10.4.0", "nft instead")]
)
def test_a_newer_libvirt_takes_nft_in_place_of_iptables(machine, version, found):
    host = machine("nft", "virsh", answers=answering(virsh=VIRSH.replace("9.0.0", version)))

    assert findings(host)["iptables"].observed == found


@pytest.mark.parametrize(
    ("lacks", "files", "found"),
    [
        ((), {"proc/cpuinfo": "flags : fpu svmx\n"}, "the processor has no vmx or svm flag"),
        (("dev/kvm",), {}, "/dev/kvm does not exist"),
    ],
)
def test_without_kvm_machines_are_emulated_which_is_advice(well, lacks, files, found):
    finding = findings(well(lacks=lacks, files=files))["KVM"]

    assert (finding.ok, finding.needed, finding.fixable) == (False, False, False)
    assert finding.observed == f"emulation: {found}"
    assert finding.remedy.endswith("without KVM, a machine is emulated and boots in 20–60 s")


def test_a_kvm_that_this_user_cannot_open_is_reported_with_its_group(well, monkeypatch):
    monkeypatch.setattr(FakeHost, "opens", lambda _self, _path: False)
    finding = findings(well())["KVM"]

    assert finding.observed == "emulation: /dev/kvm cannot be opened"
    assert finding.remedy.startswith("sudo usermod -aG kvm $USER, then log in again")


@pytest.mark.parametrize(
    ("mode", "group", "ok"),
    [
        (0o600, FILES["etc/group"], False),
        (0o640, FILES["etc/group"], False),
        (0o660, "", False),
        (0o660, f"kvm:x:{os.getgid() + 1}:\n", False),
        (0o660, FILES["etc/group"], True),
        (0o666, "", True),
    ],
)
def test_a_kvm_closed_to_machines_makes_libvirt_slow_and_can_be_opened_to_them(
    well, tmp_path, mode, group, ok
):
    host = well(files={"etc/group": group})
    (tmp_path / "dev/kvm").chmod(mode)
    finding = findings(host)["/dev/kvm"]

    assert (finding.ok, finding.needed, finding.fixable) == (ok, False, not ok)
    assert finding.observed.startswith(f"mode {mode:04o}")
    if not ok:
        assert finding.repairs == (GIVE_ACCESS,)
        assert finding.remedy == "sudo chgrp kvm /dev/kvm && sudo chmod 660 /dev/kvm"


def test_without_the_device_nothing_is_said_of_its_mode(well):
    assert "/dev/kvm" not in findings(well(lacks=("dev/kvm",)))


def test_a_full_disk_is_reported(well):
    finding = findings(well(free_bytes=10**9))["machine disk space"]

    assert finding.observed == "1.0 GB free at /var/lib/libvirt/images"
    assert not finding.ok


def test_an_engine_is_needed_for_it_makes_the_images(well):
    finding = findings(well(lacks=("dockerd",)), ABSENT)["docker engine"]

    assert finding.needed
    assert finding.remedy.endswith("\nmachines are made from its images")
    assert finding.packages == ("docker.io", "iptables")
    assert finding.repairs == (START_DOCKER,)


def test_without_apt_the_user_is_reported_in_words_and_nothing_is_promised(machine):
    found = findings(machine(), replace(ABSENT, state=DaemonState.DENIED))

    assert not any(one.fixable for one in found.values())
    assert found["dnsmasq"].remedy == (
        "install dnsmasq with this system's package manager: it gives machines addresses"
    )
    assert found["vagrant-libvirt"].remedy == "vagrant plugin install vagrant-libvirt"
    assert found["libvirt"].remedy.startswith(
        "install libvirt's daemon and virsh with this system's"
    )


def test_where_libvirt_comes_in_many_daemons_their_sockets_are_named(machine):
    host = machine(
        *["virsh", "virtqemud"],
        files={"run/systemd/system/x": ""},
        answers=answering(virsh=(1, NO_LIBVIRT)),
    )
    finding = findings(host)["libvirt"]

    assert "virtqemud.socket virtnetworkd.socket" in finding.remedy
    assert not finding.fixable


def test_on_macos_machines_are_not_promised(machine):
    found = findings(machine("apt-get", kernel="Darwin", machine="aarch64"))

    assert list(found) == ["platform"]
    assert found["platform"].observed == "Darwin on aarch64"
    assert not found["platform"].fixable
