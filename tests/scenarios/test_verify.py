"""Drift, planted in a running container in all the ways that people cause it, and found with its line of the spec."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.engine

SPEC = """
web:
  packages: [less, socat]
  build:
    - copy: {from: page.txt, to: /srv/page.txt}
    - copy: {from: settings/, to: /etc/web/, owner: web}
  user: web
  env: {LOG_LEVEL: debug}
  secrets: [token]
  ports: ["8000"]
  resources: {memory: 64M}
  command: [sh, -c, "socat TCP-LISTEN:8000,fork,reuseaddr OPEN:/srv/page.txt,rdonly & while :; do sleep 3600; done"]
  checks: {page: grep -q hello /srv/page.txt}
other:
  packages: [less, socat]
  command: [sleep, infinity]
"""
LINES = dict(enumerate(SPEC.strip().splitlines(), 5))


def place(text):
    """The first line of envctl.yaml that has a text."""
    return next(f"envctl.yaml:{number}" for number, line in LINES.items() if text in line)


END_SOCAT = (
    'for one in /proc/[0-9]*; do [ "$(cat $one/comm)" != socat ] || kill ${one#/proc/}; done'
)


@pytest.fixture
def web(make_project, engine):
    project = make_project()
    project.write("page.txt", "hello\n").write("settings/a.conf", "a\n")
    project.write("settings/b.conf", "b\n")
    project.spec(SPEC, top="secrets: {token: {generate: 24}}\n").up()
    return Web(project, engine)


class Web:
    def __init__(self, project, engine):
        self.project = project
        self.api = engine.api

    @property
    def container(self):
        return self.project.ids()["web"]

    def by_hand(self, script, user):
        """As somebody would who has the engine. Root has no power over the files and processes of others."""
        command = self.api.exec_create(self.container, ["sh", "-ec", script], user=user)["Id"]
        said = self.api.exec_start(command)
        assert self.api.exec_inspect(command)["ExitCode"] == 0, said

    def verify(self):
        done = self.project.cli("verify", "dev", "--json")
        assert done.stdout, done.stderr
        told = json.loads(done.stdout)
        assert done.returncode == (3 if told["findings"] else 0)
        return told

    def found(self):
        """What `verify` finds, each as its subject and the line of the spec that says otherwise."""
        return {
            f"{one['unit']} {one['category']} {one['key']}".strip(): (
                one["found"],
                (one["where"] or "").rpartition(":")[0],
            )
            for one in self.verify()["findings"]
            # Where root may not do everything it cannot read what is another's.
            if not one["unchecked"]
        }

    def replace(self, **changes):
        """Make the container anew by other means, with the same name, labels and mounts."""
        old = self.api.inspect_container(self.container)
        config = {**old["Config"], **changes}
        self.api.remove_container(old["Id"], force=True)
        body = {**config, "HostConfig": old["HostConfig"]}
        made = self.api.create_container_from_config(body, old["Name"].lstrip("/"))["Id"]
        self.api.start(made)
        return made


def test_what_is_as_it_was_made_has_no_findings(web):
    told = web.verify()
    assert told["findings"] == []
    assert [(one["unit"], one["check"], one["exit_code"]) for one in told["checks"]] == [
        ("web", "page", 0)
    ]
    assert min(one["holding"] for one in told["units"]) >= 4
    # Looking, and a restart, make no drift.
    web.project.run("web", "sh", "-c", "cat /etc/passwd; dpkg -l; touch /tmp/new")
    web.api.restart(web.container, timeout=0)
    assert web.verify()["findings"] == []


def test_every_drift_is_found_where_it_was_planted(web):
    planted = {}

    def plant(script, subject, found, line, *, user="root"):
        web.by_hand(script, user)
        planted[subject] = (found, place(line))
        assert web.found() == planted

    plant(
        "chmod 666 /etc/web/a.conf",
        "web files /etc/web/a.conf",
        "mode 666",
        "/etc/web/",
        user="web",
    )
    plant("rm /etc/web/b.conf", "web files /etc/web/b.conf", "not present", "/etc/web/", user="web")
    plant(
        "echo hello again > /srv/page.txt",
        "web files /srv/page.txt",
        "different content",
        "/srv/page.txt",
    )
    plant("dpkg --purge less", "web packages less", "not installed", "packages:")
    planted["web checks page"] = ("exit code 1", place("checks:"))
    plant(
        "echo bye > /srv/page.txt", "web files /srv/page.txt", "different content", "/srv/page.txt"
    )
    # While `web` is still who runs it.
    web.by_hand(END_SOCAT, "web")
    planted["web sockets tcp 8000"] = ("not listened on within 5 s", place("ports:"))
    planted["web files /etc/passwd"] = ("changed or added since it was created", place("build:"))
    plant("sed -i 's/^web:x:[0-9]*/web:x:7777/' /etc/passwd", "web users web", "uid 7777", "user:")


def test_what_was_done_to_the_container_is_found_and_repaired_and_no_claim_is_lost(web):
    counted = [one["claims"] for one in web.verify()["units"]]
    network = web.api.inspect_container(web.container)["HostConfig"]["NetworkMode"]
    web.api.disconnect_container_from_network(web.container, network)
    web.api.update_container(web.container, mem_limit=96 * 1024**2, memswap_limit=192 * 1024**2)
    web.by_hand("rm /usr/bin/perl; chmod u+s /usr/bin/env; echo >/usr/local/bin/evil", "root")
    rest = set(web.found().items())
    assert rest > {
        ("web files /usr/bin/perl", ("missing", place("build:"))),
        ("web files /usr/bin/env", ("changed since it was created, setuid", place("build:"))),
        (
            "web files /usr/local/bin/evil",
            ("changed or added since it was created", place("build:")),
        ),
    }
    (unit,) = [text for subject, (text, _) in rest if subject == "web unit"]
    assert unit == (
        "changed by other means: memory 64 MiB → 96 MiB; "
        f"it is not connected to the environment's network {network}"
    )
    # Without its user most cannot be asked for; nothing of it is forgotten.
    web.by_hand("rm /etc/passwd", "root")
    told = web.verify()
    assert [one["claims"] for one in told["units"]] == counted
    assert any(one["unchecked"] for one in told["findings"])

    assert web.project.up() == ["replace web"]
    told = web.verify()
    assert told["findings"] == []
    assert [one["claims"] for one in told["units"]] == counted


def test_what_was_replaced_by_other_means_is_found(web):
    web.replace(Env=["LOG_LEVEL=info"], Hostname="elsewhere")
    changed = 'env LOG_LEVEL "debug" → "info"; the name web does not resolve to it'
    assert web.found() == {
        "web unit": (f"changed by other means: {changed}", place("env:")),
        "web environment LOG_LEVEL": ('"info"', place("env:")),
        # It was not connected by its name.
        "other names web": ("not known within 5 s", place("other:")),
    }

    stranger = web.replace(Labels={})
    found = web.found()
    assert found["web unit"] == ("does not exist yet", place("web:"))
    # What was claimed of it before is not forgotten.
    assert {one["unchecked"] for one in web.verify()["findings"]} > {"it does not exist yet"}
    web.api.remove_container(stranger, force=True)

    web.project.up()
    assert web.verify()["findings"] == []
