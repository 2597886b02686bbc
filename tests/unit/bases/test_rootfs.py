"""Where packages come from, and what mmdebstrap is asked to do."""

from __future__ import annotations

import subprocess

import pytest

from envctl.bases.catalogue import CATALOGUE
from envctl.bases.mirrors import sources_for
from envctl.bases.rootfs import TWEAKS, RootfsSpec, hook, source_date
from envctl.plan.platforms import PLATFORMS, processor

BOOKWORM = CATALOGUE["debian:bookworm"]
TRIXIE = CATALOGUE["debian:trixie"]
NOBLE = CATALOGUE["ubuntu:24.04"]
DATED = "http://snapshots.example/archive/debian/20250520T000000Z/"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


@pytest.fixture
def host(tmp_path):
    """A Debian bookworm machine with its own mirror, whose apt sources a test writes."""
    (tmp_path / "etc/apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')

    def write(path: str, text: str):
        (tmp_path / "etc/apt" / path).write_text(text)
        return tmp_path

    return write


ONE_LINE = """\
# deb http://old.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib  # ours
deb http://mirror.example/debian bookworm-updates main
deb http://security.example/debian-security bookworm-security main
deb-src http://mirror.example/debian bookworm main
"""
STANZAS = """\
# the distribution
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /k.gpg

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
"""
EXPECTED = [
    f"deb [signed-by={KEYS}] http://mirror.example/debian bookworm main",
    f"deb [signed-by={KEYS}] http://mirror.example/debian bookworm-updates main",
    f"deb [signed-by={KEYS}] http://security.example/debian-security bookworm-security main",
]


def lines(entry, root, **options):
    return [source.line() for source in sources_for(entry, root=root, **options)]


def test_the_mirror_of_the_host_is_used_as_written_in_one_line_format(host):
    assert lines(BOOKWORM, host("sources.list", ONE_LINE)) == EXPECTED


def test_the_mirror_of_the_host_is_used_as_written_in_stanzas(host):
    assert lines(BOOKWORM, host("sources.list.d/debian.sources", STANZAS)) == EXPECTED


def test_another_suite_of_the_same_distribution_comes_from_the_same_mirror(host):
    found = lines(TRIXIE, host("sources.list", ONE_LINE))
    assert found == [line.replace("bookworm", "trixie") for line in EXPECTED]


def test_another_distribution_is_left_to_mmdebstrap(host):
    assert lines(NOBLE, host("sources.list", ONE_LINE)) == []


@pytest.mark.parametrize(
    "line",
    [
        "deb cdrom:[Debian]/ bookworm main",
        "deb http://user:secret@mirror.example/debian bookworm main",
        "deb file:/srv/debian bookworm main",
        "deb http://elsewhere.example/tool stable main",
    ],
)
def test_a_source_that_an_image_cannot_use_is_not_taken(host, line):
    assert lines(BOOKWORM, host("sources.list", line + "\n")) == []


def test_a_stanza_with_a_password_is_passed_over_for_one_without(host):
    text = STANZAS.replace(
        "URIs: http://mirror", "URIs: https://me:secret@m.example/debian http://mirror", 1
    )
    assert lines(BOOKWORM, host("sources.list.d/debian.sources", text)) == EXPECTED


def test_sources_that_cannot_be_read_are_passed_over(host):
    host("sources.list.d/broken.list", "x")
    root = host("sources.list", ONE_LINE)
    (root / "etc/apt/sources.list.d/broken.list").write_bytes(b"\xff\xfe")
    (root / "etc/apt/sources.list.d/folder.sources").mkdir()
    assert lines(BOOKWORM, root) == EXPECTED


def test_a_dated_mirror_of_another_distribution_has_all_its_suites_at_one_address(tmp_path):
    found = lines(NOBLE, tmp_path, snapshot="https://snapshots.example/ubuntu/20260801T000000Z")
    assert [line.split("] ")[1].split(" ")[:2] for line in found] == [
        ["https://snapshots.example/ubuntu/20260801T000000Z", suite]
        for suite in ("noble", "noble-updates", "noble-security")
    ]


def test_a_dated_mirror_goes_before_the_hosts(host):
    found = lines(BOOKWORM, host("sources.list", ONE_LINE), snapshot=DATED)
    assert all("snapshots.example" in line for line in found)


def test_a_dated_mirrors_signatures_may_be_past_their_date():
    option = '--aptopt=Acquire::Check-Valid-Until "false"'
    assert option in RootfsSpec(BOOKWORM, snapshot=DATED).argv("mmdebstrap")
    assert option not in RootfsSpec(BOOKWORM).argv("mmdebstrap")


def test_a_machine_without_apt_leaves_the_mirror_to_mmdebstrap(tmp_path):
    assert lines(BOOKWORM, tmp_path) == []


def test_a_dated_mirror_brings_its_security_updates(tmp_path):
    assert [line.split("] ")[1] for line in lines(BOOKWORM, tmp_path, snapshot=DATED)] == [
        "http://snapshots.example/archive/debian/20250520T000000Z bookworm main",
        "http://snapshots.example/archive/debian/20250520T000000Z bookworm-updates main",
        "http://snapshots.example/archive/debian-security/20250520T000000Z bookworm-security main",
    ]


def test_a_dated_mirror_gives_the_same_bytes_on_any_day():
    assert RootfsSpec(BOOKWORM, snapshot=DATED).environment() == {"SOURCE_DATE_EPOCH": "1747699200"}
    assert RootfsSpec(BOOKWORM).environment() == {}
    assert source_date("http://mirror.example/debian") is None


def test_mmdebstrap_is_asked_for_a_minimal_system_with_certificates():
    argv = RootfsSpec(BOOKWORM).argv("mmdebstrap")

    assert argv[0] == "mmdebstrap"
    assert "--variant=minbase" in argv
    assert "--include=ca-certificates" in argv
    assert argv[-2:] == ("bookworm", "-")
    assert not any("path-exclude" in word for word in argv)


def test_a_slim_base_leaves_out_documentation_and_keeps_licences():
    argv = RootfsSpec(CATALOGUE["debian:bookworm-slim"]).argv("mmdebstrap")

    assert "--dpkgopt=path-exclude=/usr/share/doc/*" in argv
    assert "--dpkgopt=path-include=/usr/share/doc/*/copyright" in argv


def test_the_hook_writes_the_files_of_an_official_image(tmp_path):
    root = tmp_path / "it's a root"
    for folder in ("usr/sbin", "etc/dpkg/dpkg.cfg.d", "etc/apt/apt.conf.d", "var/cache/apt", "bin"):
        (root / folder).mkdir(parents=True)
    (root / "etc/hostname").write_text("buildhost\n")
    (root / "etc/apt/sources.list").write_text(
        "deb [signed-by=/k] http://m.example/ bookworm main\n"
    )
    (root / "var/cache/apt/pkgcache.bin").touch()
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "chroot").write_text('#!/bin/sh\nprintf "envctl-package %s 1\\n" bash\n')
    (bin_folder / "chroot").chmod(0o755)

    done = subprocess.run(
        ["sh", "-c", hook(), "exec", str(root)],
        env={"PATH": f"{bin_folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )

    for path, mode, text in TWEAKS:
        assert (root / path).read_text() == text
        assert (root / path).stat().st_mode & 0o777 == mode
    assert not (root / "etc/hostname").exists()
    assert (root / "etc/resolv.conf").read_text() == ""
    assert not (root / "var/cache/apt/pkgcache.bin").exists()
    assert done.stderr.splitlines() == [
        "envctl-package bash 1",
        "envctl-source http://m.example/ bookworm main",
        "envctl-end",
    ]


def test_a_base_for_another_platform_is_made_of_its_packages_and_nothing_else_is_another():
    plain, arm = (
        RootfsSpec(BOOKWORM).argv("m"),
        RootfsSpec(BOOKWORM, platform="linux/arm64").argv("m"),
    )
    more = [word for word in arm if word not in plain]

    assert more[0] == "--architectures=arm64"
    assert set(more[1:]) <= {"--skip=check/qemu"}
    assert [word for word in arm if word in plain] == list(plain)


def test_every_architecture_of_a_base_is_one_of_a_platform():
    known = {processor(one).debian for one in PLATFORMS}

    for entry in CATALOGUE.values():
        assert {"amd64", "arm64"} <= {*entry.architectures} <= known


def test_ubuntu_for_another_platform_comes_from_the_mirror_that_has_it(tmp_path):
    (tmp_path / "etc/apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    (tmp_path / "etc/apt/sources.list").write_text("deb http://mirror.example/ubuntu noble main\n")

    assert lines(NOBLE, tmp_path)
    assert lines(NOBLE, tmp_path, platform="linux/arm64") == []
