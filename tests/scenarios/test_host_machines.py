"""Nothing of the host is written or seen that is not to be, whatever a spec says: on machines."""

from __future__ import annotations

import time

import pytest

from envctl.errors import EnvctlError
from envctl.host.private_state import state_path
from tests.support.machines import key_of, virsh

pytestmark = [pytest.mark.engine, pytest.mark.machines]

SERVICE = """
web:
  packages: [procps]
  build: [{run: "ln -s /app /srv/link"}]
  command: [sleep, infinity]
  user: root
  secrets: [SECRET]
  mounts: {.: /app}
"""


def test_private_state_is_not_seen_and_no_secret_is_written_through_a_mount_of_the_project(
    machines, make_project
):
    top = "secrets: {key: {generate: 24}}\n"
    project = make_project(backend="vagrant")
    project.spec(SERVICE.replace("SECRET", "key"), top=top)
    project.write(".envctl/cache/old", "old").write(".env", "MINE=1\n")
    project.up()

    secret = state_path(project.root, "secrets", "dev", "key")
    assert project.run("web", "cat", "/run/secrets/key")[1] == secret.read_text()
    assert project.run("web", "cat", "/app/.env")[1] == "MINE=1\n"
    assert project.run("web", "ls", "-A", "/app/.envctl") == (0, "", "")
    assert project.run("web", "touch", "/app/.envctl/x")[0] != 0
    assert project.run("web", "grep", "-rl", secret.read_text(), "/app")[:2] == (1, "")
    # Root there can take the cover away: what was below it is no secret.
    assert project.run("web", "cat", "/app/.envctl/cache/old")[0] == 1

    project.spec(SERVICE.replace("SECRET", "{name: key, target: /srv/link/.env}"), top=top)
    with pytest.raises(EnvctlError, match="is inside a mount"):
        project.up()
    assert not (project.root / ".env").is_symlink()
    assert (project.root / ".env").read_text() == "MINE=1\n"

    # A host that is shut down presses the power button: what runs is stopped, and then the machine.
    (domain,) = [one for one in virsh("list", "--name").split() if key_of(project) in one]
    virsh("shutdown", domain)
    deadline = time.monotonic() + 60
    while virsh("domstate", domain).strip() != "shut off" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert project.states() == {"web": "exited"}
