"""Copying files between this host and a unit, its processes, and what is told of it, where processes really run."""

from __future__ import annotations

import pytest

from envctl.errors import EnvctlError
from envctl.session import Session

pytestmark = pytest.mark.executes

IDLE = "web: {command: [sleep, infinity]}"


def test_files_are_copied_both_ways_and_belong_to_the_units_user(stage, tmp_path):
    stage.spec(IDLE).up()
    source = tmp_path / "seed"
    (source / "sub").mkdir(parents=True)
    (source / "a").write_text("x")
    (source / "sub" / "b").write_text("y")
    (source / "out").symlink_to("/etc/passwd")
    stage.run("web", "rm", "-rf", "/tmp/cp", user="root")
    verbs = stage.workspace()

    verbs.copy_to(stage.target, "web", "/tmp/cp", source=str(source))
    verbs.copy_to(stage.target, "web", "/tmp/cp/c", source=str(source / "a"))
    back = verbs.copy_from(stage.target, "web", "/tmp/cp", to=tmp_path / "back")

    assert stage.run("web", "stat", "-c", "%U %a", "/tmp/cp/c")[1].split()[0] == "web"
    assert stage.run("web", "readlink", "/tmp/cp/out")[1].strip() == "/etc/passwd"
    assert (tmp_path / "back" / "sub" / "b").read_text() == "y"
    assert sorted(path.name for path in (tmp_path / "back").iterdir()) == ["a", "c", "sub"]
    assert "out" in back.left_out[0]


def test_what_does_not_exist_is_reported(stage, tmp_path):
    stage.spec(IDLE).up()
    verbs = stage.workspace()

    with pytest.raises(EnvctlError, match="web has no /nothing"):
        verbs.copy_from(stage.target, "web", "/nothing", to=tmp_path)
    with pytest.raises(EnvctlError, match="web has no folder /nothing"):
        verbs.copy_to(stage.target, "web", "/nothing/a", source=str(tmp_path))
    with pytest.raises(EnvctlError, match="dev has no service 'wbe'"):
        verbs.copy_from(stage.target, "wbe", "/etc/hostname", to=tmp_path)


def test_the_processes_of_a_unit_are_listed(stage):
    stage.spec("web: {command: [sleep, '98772']}").up()

    by_unit = stage.workspace().top(stage.target, ("web",))

    (process,) = [one for one in by_unit["web"] if one.command == "sleep 98772"]
    uid = int(stage.run("web", "id", "-u")[1])
    assert (process.user, process.pid > 1, (process.memory or 0) > 0) == (uid, True, True)


def test_a_unit_is_described_with_the_versions_of_its_packages(stage):
    stage.spec("web: {command: [sleep, infinity]}").up()

    description = stage.workspace().describe(stage.target)

    (web,) = [unit for unit in description.units if unit.row.unit == "web"]
    _, version, _ = stage.run("web", "dpkg-query", "-W", "-f", "${Version}", "procps")
    assert web.packages["procps"] == version
    (data,) = [volume for volume in description.volumes if volume.name == "data"]
    assert data.exists
    assert f"envctl shell {stage.target} web" in description.logins


def test_an_image_or_box_that_a_unit_uses_is_not_garbage(stage):
    stage.spec("web: {command: [sleep, infinity]}").up()
    backend = Session(stage.workspace().project, stage.target).backend
    digests = {unit.source.digest for unit in stage.workspace().plan(stage.target).units}

    unused = backend.garbage(frozenset())

    # An image of another project that was built from the same is somebody else's.
    ours = [one for one in unused if one.kind != "image" or stage.name in one.name]
    assert not [one for one in ours if any(digest in one.name for digest in digests)]
