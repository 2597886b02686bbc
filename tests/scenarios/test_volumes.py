"""Data: what images declare as volumes, and volumes that several services share."""

from __future__ import annotations

import pytest

from envctl.backends.docker.names import Names

pytestmark = pytest.mark.engine

KEEPS = """
db:
  dockerfile: own/Dockerfile
  env: {COLOUR: blue}
  volumes: {named: /named}
"""
DOCKERFILE = """
FROM debian:bookworm
RUN mkdir -p /var/lib/db/sub /named && echo seed > /var/lib/db/seed && chown -R 33:33 /var/lib/db
VOLUME /var/lib/db /named /run/secrets
CMD ["sleep", "infinity"]
"""


def test_what_an_image_declares_as_a_volume_outlives_replace_and_down(make_project, engine):
    project = make_project().spec(KEEPS).write("own/Dockerfile", DOCKERFILE)
    project.up()
    project.run("db", "sh", "-c", "echo mine > /var/lib/db/own", user="33:33")
    mounts = {
        one["Destination"]: one["Name"]
        for one in engine.api.inspect_container(project.ids()["db"])["Mounts"]
    }
    assert not any(len(name) == 64 for name in mounts.values())
    volumes = {"named", "db:/var/lib/db", "db:/run/secrets"}
    assert project.workspace().observed(project.target).volumes == volumes

    # The rendered folder names it too, and so keeps it.
    assert project.cli("render", "dev", "-o", "out").returncode == 0
    compose = (project.root / "out" / "compose.yaml").read_text()
    assert compose.count("db.var-lib-db") == 2
    assert (
        project.cli("down", "dev").stderr.count("data stay: db:/run/secrets, db:/var/lib/db, named")
        == 1
    )
    project.up()

    project.spec(KEEPS.replace("blue", "red"))
    plan = project.cli("plan", "dev").stdout
    assert (
        "db keeps /var/lib/db, a volume of its image that is not in the spec, as db:/var/lib/db"
        in plan
    )
    assert project.up() == ["replace db"]
    told = "cat /var/lib/db/seed /var/lib/db/own; stat -c %u:%g /var/lib/db"
    assert project.run("db", "sh", "-c", told)[1] == "seed\nmine\n33:33\n"
    project.down()
    assert project.workspace().observed(project.target).volumes == volumes
    project.up()
    assert project.run("db", "sh", "-c", told)[1] == "seed\nmine\n33:33\n"

    assert "discard db:/var/lib/db" in project.down(volumes=True)
    assert project.workspace().observed(project.target).volumes == frozenset()


def test_volumes_without_names_of_an_earlier_version_are_carried_over(make_project, engine):
    project = make_project().spec(KEEPS).write("own/Dockerfile", DOCKERFILE)
    project.up()
    api = engine.api
    # As the versions before had it: the engine names what the image declares.
    made = api.inspect_container(project.ids()["db"])
    api.remove_container(made["Id"], force=True)
    for name in [one["Name"] for one in made["Mounts"] if "named" not in one["Destination"]]:
        api.remove_volume(name)
    host = made["HostConfig"]
    host["Mounts"] = [one for one in host["Mounts"] if one["Target"] == "/named"]
    body = {"Image": made["Config"]["Image"], "Labels": made["Config"]["Labels"],
            "Cmd": made["Config"]["Cmd"], "HostConfig": host}  # fmt: skip
    old = api.create_container_from_config(body, made["Name"].lstrip("/"))["Id"]
    api.start(old)
    nameless = [
        one["Name"] for one in api.inspect_container(old)["Mounts"] if len(one["Name"]) == 64
    ]
    assert len(nameless) == 2
    filled = "cd /var/lib/db; echo mine > own; ln own two; mkfifo p; rm seed"
    assert project.run("db", "sh", "-c", filled, user="33:33")[0] == 0

    assert "db:/var/lib/db" in project.workspace().observed(project.target).volumes
    project.spec(KEEPS.replace("blue", "red"))
    assert project.up() == ["replace db"]
    told = "cd /var/lib/db; cat own; ls; stat -c %u:%g:%h . own"
    assert project.run("db", "sh", "-c", told)[1] == "mine\nown\np\nsub\ntwo\n33:33:3\n33:33:2\n"
    left = {one["Name"] for one in api.volumes()["Volumes"]}
    assert not left & {*nameless}


SHARED = """
web: {command: [sleep, infinity], user: {name: web, uid: 2001}, volumes: {data: /data}, build: [run: 'install -d -o 2001 -g 2001 /data; echo seed > /data/seed']}
worker: {command: [sleep, infinity], user: {name: worker, uid: 2002}, volumes: {data: /srv/data}}
reader: {command: [sleep, infinity], user: {name: reader, uid: 2003}, volumes: {data: {target: /d, read_only: true}}}
"""


def test_a_shared_volume_belongs_to_the_first_in_dependency_order_every_time(make_project):
    project = make_project().spec(SHARED)
    seen = set()
    for _ in range(4):
        project.up()
        seen.add(project.run("worker", "stat", "-c", "%u:%g %n", "/srv/data", "/srv/data/seed")[1])
        project.down(volumes=True)

    assert seen == {"2001:2001 /srv/data\n0:0 /srv/data/seed\n"}


def test_a_volume_belongs_to_whom_the_spec_says_though_it_is_empty(make_project, engine):
    spec = SHARED.replace("{data: /srv/data}", "{data: {target: /srv/data, owner: OWNER}}")
    spec = spec.replace(
        ", build: [run: 'install -d -o 2001 -g 2001 /data; echo seed > /data/seed']", ""
    )
    project = make_project().spec(spec.replace("OWNER", "web:daemon"))
    project.up("worker")
    assert project.run("worker", "stat", "-c", "%u:%g %a", "/srv/data")[1] == "2001:1 755\n"
    project.up()
    assert project.run("worker", "stat", "-c", "%u:%g", "/srv/data")[1] == "2001:1\n"
    # It is made once: what it is like now is its users' business.
    project.spec(spec.replace("OWNER", "'33:33'")).down()
    project.up()
    assert project.run("worker", "stat", "-c", "%u:%g", "/srv/data")[1] == "2001:1\n"
    project.down(volumes=True)
    # What a killed run left half made is made anew.
    names = Names(project.workspace().plan(project.target).scope)
    volume = names.volume("data")
    engine.api.create_volume(volume, labels={**names.labels, "dev.envctl.volume": "data"})
    body = {"Image": "debian:bookworm", "Cmd": ["-"], "Labels": dict(names.helper_labels)}
    engine.api.create_container_from_config(body, names.helper(volume))
    project.up()
    assert project.run("web", "stat", "-c", "%u:%g", "/data")[1] == "33:33\n"
    project.down(volumes=True)
    project.spec(spec.replace("OWNER", "nobodys"))
    refused = project.cli("up", "dev")
    assert refused.returncode == 1
    assert (
        "cannot be owned by nobodys: the image of web has no such user or group" in refused.stderr
    )


def test_of_what_is_up_from_a_folder_that_was_moved_every_command_tells(make_project):
    project = make_project()
    project.spec("db: {command: [sleep, infinity], volumes: {data: /data}}").up()
    assert project.run("db", "sh", "-c", "echo mine > /data/x")[0] == 0
    project.root = project.root.rename(project.root.with_name("moved"))
    for command in (
        ["exec", "dev", "db", "true"],
        ["facts", "dev"],
        ["stop", "dev"],
        ["plan", "dev"],
    ):
        told = project.cli(*command).stderr
        assert "`envctl adopt dev@docker` takes it over" in told
        assert "`envctl up" not in told

    # What was brought up beside it is in the way, and is named.
    project.up()
    told = project.cli("adopt", "dev")
    assert (told.returncode, "dev@docker is up from this folder, too: db" in told.stderr) == (
        1,
        True,
    )
    project.down()
    told = project.cli("adopt", "dev")
    assert told.returncode == 1
    assert "dev@docker is not up, but this folder has data of it already: data" in told.stderr
    assert "`envctl adopt dev@docker` takes it over" in project.cli("down", "dev").stderr
    assert "`envctl down dev@docker --volumes` deletes that data" in told.stderr
    assert project.cli("down", "dev", "--volumes").returncode == 0
    assert project.cli("adopt", "dev").returncode == 0
    assert project.run("db", "cat", "/data/x")[1] == "mine\n"
