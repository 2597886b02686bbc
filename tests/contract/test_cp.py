"""Copying files between this host and a unit, on every backend that runs processes."""

from __future__ import annotations

import pytest

from envctl.errors import EnvctlError

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


def test_what_does_not_exist_is_told(stage, tmp_path):
    stage.spec(IDLE).up()
    verbs = stage.workspace()

    with pytest.raises(EnvctlError, match="web has no /nothing"):
        verbs.copy_from(stage.target, "web", "/nothing", to=tmp_path)
    with pytest.raises(EnvctlError, match="web has no folder /nothing"):
        verbs.copy_to(stage.target, "web", "/nothing/a", source=str(tmp_path))
    with pytest.raises(EnvctlError, match="dev has no service 'wbe'"):
        verbs.copy_from(stage.target, "wbe", "/etc/hostname", to=tmp_path)
