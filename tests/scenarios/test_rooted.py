"""What a machine is made of without a container engine is what it is made of with one."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from envctl.backends.vagrant.box import boot
from envctl.bases.build_in_folder import bootstrap_build
from envctl.plan.model import Base
from envctl.plan.target import Target
from envctl.progress import no_progress

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SUBSTRATE = "/usr/lib/envctl/substrate"


def undated(lines: list[str]) -> list[str]:
    """Without the content of /etc/shadow now: it has the day on which an account was made, which may end in between."""
    shadow = r"(files\t/etc/shadow-?\t[^\t]*sha256) [0-9a-f]+"
    return [re.sub(shadow, r"\1", line) for line in lines]


def test_a_machine_has_the_same_substrate_with_an_engine_and_without(
    engine, make_project, tmp_path
):
    build = boot.machine_build("debian:bookworm")
    project = make_project().spec("web: {command: [sleep, infinity]}")
    made = project.workspace().open(Target("dev", "docker")).engine
    told = made.images.read_file(made.have("web", build), SUBSTRATE).decode()
    made.close()

    root = tmp_path / "root"
    root.mkdir()
    named = replace(build, base=Base("debian:bookworm", "debian:bookworm"))
    bootstrap_build(named, root, no_progress)

    found = (root / SUBSTRATE.lstrip("/")).read_text("utf-8")
    assert {"packages\topenssh-server", "packages\tsystemd-sysv", "users\tsshd"} <= {
        *found.splitlines()
    }
    # Without an engine packages' services are kept from starting by a file, which goes when the machine is made.
    own = "files\t/usr/sbin/policy-rc.d\t"
    lines = [line for line in found.splitlines() if not line.startswith(own)]
    assert undated(lines) == undated(told.splitlines())
    # What a changed file was before stands beside it.
    assert [
        line
        for line in lines
        if re.match(r"files\t/etc/passwd\tmode 644, owner 0:0, sha256 ", line)
    ]
