"""What is up though the folder of its project was moved, copied or deleted: nothing of it is out of reach."""

from __future__ import annotations

import json
import shutil

from envctl.host.private_state import state_path

SPEC = """
db:
  command: [sleep, infinity]
  volumes: {data: /data}
  secrets: [token]
"""
TOP = "secrets: {token: {generate: 24}}\n"


def test_what_was_brought_up_from_a_folder_that_is_gone_is_found_adopted_or_removed(
    project, make_project
):
    target, old = str(project.target), project.root
    project.spec(SPEC, top=TOP).up()
    before, identity = project.ids(), project.workspace().plan(project.target).scope.project_id
    token = state_path(old, "secrets", "dev", "token").read_text()
    project.root = old.rename(old.with_name("moved"))

    # It is found by what the engine knows of it, and `down` deletes nothing of what it does not find.
    assert project.states() == {"db": "missing"}
    hint = (
        f"dev of {project.name} is up on {project.backend} from {old}, which no longer exists:"
        f" `envctl adopt {target}` takes it over, `envctl down {target} --id {identity}` removes it"
    )
    assert hint in project.cli("status", target).stderr
    assert hint in project.cli("status").stderr
    assert hint in project.cli("plan", target).stderr
    verified = project.cli("verify", target)
    assert hint in verified.stderr
    assert "`envctl up" not in verified.stderr
    assert hint in project.cli("logs", target).stderr
    down = project.cli("down", target, "--volumes")
    assert (down.returncode, down.stdout) == (0, "dev: nothing is up\n")
    assert hint in down.stderr
    assert state_path(old, "secrets", "dev", "token").read_text() == token

    # It is the moved folder's again, as if nothing had been.
    adopted = project.cli("adopt", target)
    assert adopted.returncode == 0, adopted.stderr
    assert project.ids() == before
    assert project.up() == []
    assert state_path(project.root, "secrets", "dev", "token").read_text() == token
    assert project.cli("adopt", target).returncode == 1

    # A copy is a checkout of its own, and takes nothing over unless it has to.
    copy = make_project("copy", backend=project.backend, name=project.name)
    shutil.copytree(project.root, copy.root, dirs_exist_ok=True)
    assert copy.states() == {"db": "missing"}
    assert "adopt" not in copy.cli("status", target).stderr
    refused = copy.cli("adopt", target)
    assert refused.returncode == 1
    assert f"belongs to {project.root}, which still exists" in refused.stderr
    forced = copy.cli("adopt", target, "--force")
    assert (forced.returncode, "not confirmed" in forced.stderr) == (1, True)
    forced = copy.cli("adopt", target, "--force", "--yes")
    assert forced.returncode == 0, forced.stderr
    assert (copy.ids(), project.ids()) == (before, {})

    # Of a folder that was deleted it is removed from anywhere, by its id.
    shutil.rmtree(copy.root)
    everything = json.loads(project.cli("status", "--all", "--json").stdout)
    (found,) = (one for one in everything if one["id"] == identity)
    assert (found["units"], found["volumes"], found["exists"]) == (["db"], ["data"], False)
    removed = project.cli("down", target, "--volumes", "--id", identity)
    assert removed.returncode == 0, removed.stderr
    assert "- remove db" in removed.stdout
    everything = json.loads(project.cli("status", "--all", "--json").stdout)
    assert [one for one in everything if one["id"] == identity] == []
    assert project.cli("down", "--id", identity).returncode == 2
    copy.root.mkdir()
