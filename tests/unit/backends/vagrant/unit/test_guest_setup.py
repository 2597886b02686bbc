"""What a machine is told about its unit: run by a real shell, read by hand."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from envctl.backends.vagrant.unit import guest_setup
from envctl.backends.vagrant.unit.unit_paths import UnitPaths
from envctl.plan.model import Kind, Mount, ReadyImage, Resources, Restart, Run, Secret
from tests.support.plans import script as step
from tests.support.plans import unit


def test_secrets_of_a_number_are_given_to_it_without_a_group():
    web = unit("web", secrets=(Secret("a", "/run/secrets/a"),))
    numbered = replace(web, run=replace(web.run, process=replace(web.run.process, user="1000")))
    assert "chown -- 1000 /run/secrets/a" in guest_setup.setup_script(numbered, UnitPaths("web"))
    assert "chown -- root: /run/secrets/a" in guest_setup.setup_script(web, UnitPaths("web"))


def test_a_service_has_the_units_user_limits_and_no_privileges():
    web = unit("web", step("true"), resources=Resources(0.5, 64 * 1024**2), restart=Restart.ALWAYS)
    text = guest_setup.service(web, UnitPaths("web"))

    for line in (
        "Type=exec", "User=root", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "Restart=always",
        "MemoryMax=67108864", "MemorySwapMax=0", "CPUQuota=50%", "KillMode=mixed",
    ):  # fmt: skip
        assert line in text.splitlines()


def test_a_unit_is_stopped_with_its_own_signal():
    web = unit("web", step("true"), options={"stop_signal": "SIGQUIT"})

    assert "KillSignal=SIGQUIT" in guest_setup.service(web, UnitPaths("web")).splitlines()
    assert "KillSignal=SIGTERM" in guest_setup.service(unit("web"), UnitPaths("web")).splitlines()


def test_a_container_counts_as_started_when_it_runs_and_not_when_its_client_does():
    web = replace(unit("web"), source=ReadyImage("web:1"))
    job = replace(unit("job", kind="task"), source=ReadyImage("job:1"))

    assert "inspect -f {{.State.Running}} envctl" in guest_setup.service(web, UnitPaths("web"))
    assert "{{.State.Running}}" not in guest_setup.service(job, UnitPaths("job"))
    assert "ExecStartPost" not in guest_setup.service(unit("web"), UnitPaths("web"))


def test_a_task_runs_once():
    text = guest_setup.service(
        unit("job", kind="task", restart=Restart.ON_FAILURE), UnitPaths("job")
    ).splitlines()
    assert {"Type=oneshot", "RemainAfterExit=yes", "Restart=no"} <= set(text)
    assert unit("job", kind="task").kind is Kind.TASK


def test_no_value_of_the_spec_stands_in_the_inits_own_file():
    awkward = unit("web", env={"A": "%n $X\nExecStart=/bin/evil"}, argv=["sh", "%i\n[Service]"])
    assert guest_setup.service(awkward, UnitPaths("web")) == guest_setup.service(
        unit("web"), UnitPaths("web")
    )


def test_secrets_travel_as_files_of_the_archive_only():
    web = unit("web", secrets=(Secret("a", "/run/secrets/a"), Secret("b", "/etc/b key")))
    data = guest_setup.archive(web, UnitPaths("web"), {"a": b"one", "b": b"two"})
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = {one.name: (one.mode, tar.extractfile(one).read()) for one in tar}

    assert members["run/secrets/a"] == (0o400, b"one")
    assert members["run/secrets/.b"] == (0o400, b"two")
    settled = guest_setup.setup_script(web, UnitPaths("web"))
    assert "one" not in settled.split()
    assert "ln -sfn -- /run/secrets/.b '/etc/b key'" in settled
    assert subprocess.run(["/bin/sh", "-n", "-c", settled], check=False).returncode == 0


def test_systemd_is_asked_to_stop_forget_and_read_no_more_than_it_must(tmp_path):
    web, room = unit("web"), UnitPaths("web")
    for name in ("etc/systemd/system", "bin"):
        (tmp_path / name).mkdir(parents=True)
    init = tmp_path / "bin" / "systemctl"
    init.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    init.chmod(0o755)
    inside = guest_setup.setup_script(web, room).replace("-C /", f"-C {tmp_path}")
    for folder in ("/etc/", "/run/", "/var/"):
        inside = inside.replace(folder, f"{tmp_path}{folder}")
    inside = inside.replace("$(device /)", f"$(device {tmp_path})")

    def asked() -> Sequence[str]:
        subprocess.run(
            ["/bin/sh", "-c", inside],
            input=guest_setup.archive(web, room, {}),
            env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"},
            check=True,
        )
        told: str = (tmp_path / "asked").read_text()
        (tmp_path / "asked").unlink()
        return told.splitlines()

    both = "envctl-log@web.service envctl-web.service"
    start = f"start --no-block {both}"
    assert asked() == [start]
    stop, reset = (
        "stop envctl-web.service envctl-log@web.service",
        "reset-failed envctl-web.service",
    )
    assert asked() == [stop, reset, start]

    # Its service file is read again if it is another now, or may not have been read since it became another.
    with (tmp_path / "etc/systemd/system/envctl-web.service").open("a") as file:
        file.write("Nice=1\n")
    assert asked() == [stop, "daemon-reload", reset, start]
    (tmp_path / "etc/envctl/web/unread").touch()
    assert asked() == [stop, "daemon-reload", reset, start]
    assert asked() == [stop, reset, start]


def test_what_is_put_in_place_for_a_command_is_not_started_and_not_put_there_twice(tmp_path):
    web, room = unit("web"), UnitPaths("web")
    for name in ("etc/systemd/system", "bin", "run/envctl/settled"):
        (tmp_path / name).mkdir(parents=True)
    init = tmp_path / "bin" / "systemctl"
    init.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    init.chmod(0o755)
    inside = guest_setup.setup_script(web, room, start=False).replace("-C /", f"-C {tmp_path}")
    for folder in ("/etc/", "/run/", "/var/"):
        inside = inside.replace(folder, f"{tmp_path}{folder}")
    inside = inside.replace("$(device /)", f"$(device {tmp_path})")
    script = tmp_path / "etc/envctl/web/run"

    def put_in_place() -> bool:
        script.unlink(missing_ok=True)
        subprocess.run(
            ["/bin/sh", "-c", inside],
            input=guest_setup.archive(web, room, {}),
            env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"},
            check=True,
        )
        return bool(script.exists())

    assert put_in_place()
    assert not (tmp_path / "asked").exists()
    assert not put_in_place()
    # After a start of the machine it is; but not if the unit was started since.
    (tmp_path / "run/envctl/in-place/web").unlink()
    (tmp_path / "run/envctl/settled/web").touch()
    assert not put_in_place()
    (tmp_path / "etc/envctl/web/unread").touch()
    assert put_in_place()
    assert not any("start" in line for line in (tmp_path / "asked").read_text().splitlines())


def test_a_unit_of_a_shared_machine_alone_sees_its_secrets():
    web, room = unit("web", secrets=(Secret("a", "/run/secrets/a"),)), UnitPaths("web", shared=True)
    assert "BindReadOnlyPaths=/run/envctl/secrets/web:/run/secrets" in guest_setup.service(
        web, room
    )
    assert "BindReadOnlyPaths" not in guest_setup.service(web, UnitPaths("web"))
    with tarfile.open(fileobj=io.BytesIO(guest_setup.archive(web, room, {"a": b"one"}))) as tar:
        assert "run/envctl/secrets/web/a" in tar.getnames()


def test_names_of_one_address_stand_on_one_line():
    names = {"10.1.2.3": ["db"], "10.1.2.4": ["web", "web-2"], "10.1.2.5": []}
    text = guest_setup.hosts_file(names)
    assert text.splitlines()[2:] == ["10.1.2.3 db", "10.1.2.4 web web-2"]


def test_a_run_with_every_default_is_a_service_too():
    assert "Restart=no" in guest_setup.service(unit("web"), UnitPaths("web")).splitlines()
    assert Run().kind is Kind.SERVICE


ELSEWHERE = Path("/dev/shm")
"""A disk of its own, as what is mounted in a machine is."""


@pytest.fixture
def mounted():
    assert ELSEWHERE.stat().st_dev not in (Path("/").stat().st_dev, Path("/run").stat().st_dev)
    folder = ELSEWHERE / f"envctl-test-{os.getpid()}"
    folder.mkdir()
    (folder / ".env").write_text("MINE")
    yield folder
    (folder / ".env").unlink()
    folder.rmdir()


@pytest.mark.parametrize("target", ["link/.env", "link/deep/er/.env", "chain/.env"])
def test_a_link_to_a_secret_is_not_made_where_links_of_the_image_lead_into_a_mount(
    tmp_path, mounted, target
):
    (tmp_path / "link").symlink_to(mounted)
    (tmp_path / "chain").symlink_to("link")
    web = unit("web", secrets=(Secret("a", str(tmp_path / target)),))

    done = settled_links(web, tmp_path)

    assert done.returncode == 1
    assert f"{tmp_path / target} is inside a mount" in done.stderr
    assert [one.name for one in mounted.iterdir()] == [".env"]
    assert (mounted / ".env").read_text() == "MINE"


def test_a_link_to_a_secret_replaces_a_file_or_link_of_the_image_and_makes_folders(
    tmp_path, mounted
):
    (tmp_path / "old").symlink_to(mounted / ".env")
    for name in ("old", "new/deep/file"):
        web = unit("web", secrets=(Secret("a", str(tmp_path / name)),))
        done = settled_links(web, tmp_path)
        assert done.returncode == 0, done.stderr
        assert str((tmp_path / name).readlink()) == "/run/secrets/.a"
    assert (mounted / ".env").read_text() == "MINE"


def settled_links(web, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run what a unit's settling does for secrets elsewhere, as if `tmp_path` were on the machine's own disk."""
    lines = guest_setup.setup_script(web, UnitPaths("web")).split("\n")
    own = "\n".join(lines[: next(i for i, line in enumerate(lines) if line == "}") + 1])
    own = own.split("device()", 1)[1].replace("$(device /)", f"$(device {tmp_path})")
    wanted = [line for line in lines if str(tmp_path) in line and not line.startswith("chown")]
    script = "\n".join(["set -e", f"device(){own}", *wanted])
    return subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)


def test_envctl_s_own_state_below_a_mount_is_covered_before_the_unit_starts():
    web = unit("web", mounts=(Mount("/home/me", "/home/me", hidden=(".local/state/envctl",)),))
    lines = guest_setup.setup_script(web, UnitPaths("web")).split("\n")
    (cover,) = [index for index, line in enumerate(lines) if "tmpfs" in line]
    assert lines[cover] == (
        "mountpoint -q -- /home/me/.local/state/envctl || mount -t tmpfs -o"
        " ro,mode=555,size=4k,nosuid,nodev,noexec envctl /home/me/.local/state/envctl"
    )
    assert cover < next(index for index, line in enumerate(lines) if "systemctl start" in line)


def test_units_that_share_a_machine_cover_each_other_s():
    web = unit("web", mounts=(Mount("/p", "/app", hidden=(".envctl",)),))
    shared = {"volumes": [], "mounts": [["/p", "/app", False, [".envctl"]]], "cpus": 1}
    job = unit("job", options={"machine": {**shared, "memory": 512, "disk_size": "1G"}})
    for one in (web, job):
        assert "mountpoint -q -- /app/.envctl ||" in guest_setup.setup_script(
            one, UnitPaths(one.name)
        )
