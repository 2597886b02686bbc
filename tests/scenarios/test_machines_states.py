"""A machine that is paused, cut off, or switched off behind envctl's back, and one that lost what it forwards."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.inside import as_root
from tests.support.machines import boot_id, end_connections, key_of, virsh

pytestmark = [pytest.mark.engine, pytest.mark.machines, pytest.mark.slow, pytest.mark.timeout(1800)]

SPEC = """
web:
  command: [sleep, infinity]
  packages: [procps]
  ports: ["80"]
  hooks: {after_start: ["echo hooked >> /var/tmp/hooked"]}
  options: {vagrant: {layout: single}}
job:
  kind: task
  command: [sh, -c, "echo done"]
  options: {vagrant: {layout: single}}
"""
QUICK = 3.0
"""Seconds that a look at a machine takes of which libvirt tells all there is."""
BOUNDED = 20.0
"""Seconds that a look takes at a machine that does not answer; no more than some, on a host that has much to do."""


@pytest.fixture
def project(machines, make_project):
    return make_project(backend="vagrant").spec(SPEC)


def seen(project):
    """The state and the cause of each unit, and the seconds it took to ask for them."""
    before = time.monotonic()
    found = project.workspace().status(project.target)
    states = {row.unit: (row.state, row.cause) for row in found}
    return states, time.monotonic() - before


def answered(project):
    """The states, once the machine answers: a host that has much to do may keep it from that for longer than one waits."""
    deadline = time.monotonic() + 120
    states, _ = seen(project)
    while states["web"][0] == "unreachable" and time.monotonic() < deadline:
        states, _ = seen(project)
    return states


def process(project):
    """The process of `web`, in this very boot."""
    return boot_id(project, "dev", "web"), project.run("web", "pgrep", "-xo", "sleep")[1]


def test_a_unit_is_not_said_to_have_ended_for_what_happened_to_its_machine(project):
    project.up()
    (domain,) = [one for one in virsh("list", "--all", "--name").split() if key_of(project) in one]
    before = process(project)

    # Paused: told at once, and resumed with all that ran in it.
    virsh("suspend", domain)
    states, took = seen(project)
    assert states["web"] == ("paused", "it is paused: its machine is paused")
    assert took < QUICK
    done = project.cli("exec", "dev", "web", "--", "true")
    assert (done.returncode, "web is not running (paused)" in done.stderr) == (1, True)
    assert sorted(project.up()) == ["start job", "start web"]
    assert process(project) == before
    assert project.states() == {"web": "running", "job": "completed"}
    assert project.run("web", "cat", "/var/tmp/hooked")[1] == "hooked\n"

    # Without what forwards its ports: it runs, and `up` gives them back.
    end_connections(project)
    (port,) = project.workspace().plan(project.target).unit("web").run.ports
    state, cause = answered(project)["web"]
    assert state == "running"
    assert cause == f"port {port.host} is not forwarded"
    assert project.up() == ["start web"]
    assert process(project) == before
    assert answered(project)["web"] == ("running", "")

    # Behind, as a machine is whose host slept.
    assert "clock" not in project.cli("verify", "dev").stdout
    as_root(project, "web", "date -s @$(($(date +%s) - 240))")
    found = project.cli("verify", "dev")
    assert (found.returncode, "clock" in found.stdout) == (3, True), found.stdout
    project.up()
    assert abs(int(project.run("web", "date", "+%s")[1]) - time.time()) < 3
    assert process(project) == before
    assert "clock" not in project.cli("verify", "dev").stdout

    # Cut off: nobody can tell how it is, and it takes seconds to know that.
    (link,) = [line.split()[4] for line in virsh("domiflist", domain).splitlines() if line.split()]
    virsh("domif-setlink", domain, link, "down")
    states, took = seen(project)
    assert states["web"][0] == states["job"][0] == "unreachable"
    assert states["web"][1].startswith("it is unreachable: ")
    assert took < BOUNDED
    virsh("domif-setlink", domain, link, "up")
    project.up()
    assert process(project) == before

    # Without power, all at once: what is not known is not made up, and a task that has completed does not run again.
    virsh("destroy", domain)
    states, took = seen(project)
    assert states["web"] == ("exited", "it is not running (its machine is off)")
    assert states["job"] == ("unknown", "its state is unknown: its machine is off")
    assert took < QUICK
    done = project.cli("logs", "dev")
    assert (done.returncode, done.stdout) == (1, "")
    assert "web: its machine is shut off" in done.stderr
    project.up()
    assert project.states() == {"web": "running", "job": "completed"}
    assert project.run("web", "cat", "/var/tmp/hooked")[1] == "hooked\nhooked\n"
    lines = project.workspace().logs(project.target, ["job"])
    assert [line.text for line in lines] == ["done"]

    found = json.loads(project.cli("status", "--json").stdout)
    assert [one["state"] for one in found] == ["running", "completed"]
