"""What `render` writes works without envctl, and the field's own tools have nothing to say against it."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
import yaml

pytestmark = [pytest.mark.engine, pytest.mark.slow]

AWKWARD = [
    'say "hi"',
    "it's",
    "two\nlines",
    "$HOME ${HOME}",
    "`id`",
    "# no",
    "ü ☃",
    "-rf",
    "\\",
    "<<EOF",
    "{{ x }}",
]
OPTIONS = {
    "cpu_shares": 512,
    "devices": ["/dev/fuse"],
    "dns_opt": ["ndots:1"],
    "dns_search": ["example.org"],
    "domainname": "example.org",
    "labels": {"team": "a shop", "empty": ""},
    "extra_hosts": {"gateway": "127.0.0.1"},
    "hostname": "web-1",
    "pids_limit": 50,
    "read_only": True,
    "shm_size": "256m",
    "stop_signal": "SIGINT",
    "stop_timeout": 90,
    "sysctls": {"net.core.somaxconn": 1024},
    "tmpfs": {"/scratch": "size=1m"},
    "ulimits": {"nofile": {"soft": 1024, "hard": 4096}, "nproc": 99},
}


def compose(folder, *argv, **environ):
    return subprocess.run(
        ["docker-compose", *argv],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )


@pytest.mark.parametrize("environment", ["dev", "test", "prod"])
def test_the_fields_linters_have_nothing_to_say(guestbook, environment, tmp_path):
    folder = tmp_path / "rendered"
    guestbook.cli("render", f"{environment}@docker", "-o", str(folder))

    dockerfiles = sorted(str(path) for path in folder.glob("*Dockerfile*"))
    assert dockerfiles
    linted = subprocess.run(["hadolint", *dockerfiles], capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout) == (0, "")
    checked = compose(folder, "config", GUESTBOOK_DB_PASSWORD="x", DB_PASSWORD="x")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert set(yaml.safe_load(checked.stdout)["services"]) >= {"web", "db", "migrate"}


def test_awkward_values_and_options_are_read_back_by_the_fields_tools(make_project, tmp_path):
    project = make_project()
    project.write("it's `a` $x/page", "page")
    service = {
        "build": [
            {"copy": {"from": "it's `a` $x", "to": "/srv/it's `a` $x/"}},
            {"run": {"command": ["printf", "%s", *AWKWARD], "env": {"A": "".join(AWKWARD)}}},
            {"run": 'echo it\'s `id` \\\n  && echo "$HOME" # <<EOF'},
        ],
        "command": ["echo", *AWKWARD],
        "env": {"AWKWARD": "".join(AWKWARD)},
        "options": {"docker": OPTIONS},
    }
    project.spec("web: " + json.dumps(service).replace("$", "$$"))
    folder = tmp_path / "rendered"
    assert project.cli("render", "dev", "-o", str(folder)).returncode == 0

    linted = subprocess.run(
        ["hadolint", str(folder / "web.Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (linted.returncode, linted.stdout) == (0, "")
    read = compose(folder, "config", "--format", "json", "--no-interpolate")
    assert (read.returncode, read.stderr) == (0, "")
    read = compose(folder, "config", "--format", "json")
    web = json.loads(read.stdout)["services"]["web"]
    assert [word.replace("$$", "$") for word in web["command"]] == ["echo", *AWKWARD]
    assert web["environment"]["AWKWARD"].replace("$$", "$") == "".join(AWKWARD)
    assert web["ulimits"]["nofile"] == {"soft": 1024, "hard": 4096}
    assert web["ulimits"]["nproc"] == 99
    assert web["ulimits"]["core"] == {"hard": -1}
    assert web["stop_grace_period"] == "1m30s"
    assert web["tmpfs"] == ["/scratch:size=1m"]
    assert web["shm_size"] == str(256 * 1024**2)
    assert (web["read_only"], web["pids_limit"], web["hostname"]) == (True, 50, "web-1")
    assert web["devices"][0]["source"] == "/dev/fuse"
    assert (web["cpu_shares"], web["domainname"]) == (512, "example.org")
    assert (web["dns_opt"], web["dns_search"]) == (["ndots:1"], ["example.org"])
    assert web["labels"] == {"team": "a shop", "empty": ""}


def test_a_container_has_the_options_of_its_service(make_project, engine):
    project = make_project()
    options = {name: value for name, value in OPTIONS.items() if name != "devices"}
    service = {"command": ["sleep", "infinity"], "options": {"docker": options}}
    project.spec("web: " + json.dumps(service))

    assert project.cli("up", "dev").returncode == 0

    label = f"dev.envctl.project={project.name}"
    (container,) = engine.containers.list(filters={"label": label})
    attributes = container.attrs
    host, own = attributes["HostConfig"], attributes["Config"]
    assert (host["CpuShares"], host["PidsLimit"], host["ReadonlyRootfs"]) == (512, 50, True)
    assert (host["DnsOptions"], host["DnsSearch"]) == (["ndots:1"], ["example.org"])
    assert (own["Domainname"], own["Hostname"]) == ("example.org", "web-1")
    assert (own["Labels"]["team"], own["Labels"]["empty"]) == ("a shop", "")
    assert own["Labels"]["dev.envctl.unit"] == "web"
    assert "no changes" in project.cli("plan", "dev").stdout
    verified = project.cli("verify", "dev")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_rendering_twice_gives_the_same_bytes(guestbook, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        guestbook.cli("render", "prod@docker", "-o", str(folder))
    contents = [
        {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        for folder in folders
    ]

    assert contents[0] == contents[1]


def test_compose_alone_serves_the_guestbook_from_the_rendered_folder(guestbook, engine, tmp_path):
    folder = tmp_path / "rendered"
    guestbook.cli(
        "render",
        "prod@docker",
        "-o",
        str(folder),
        "--with-host-ca",
        "--set",
        f"http_port={guestbook.port}",
    )
    secret = {"DB_PASSWORD": "compose-alone", "GUESTBOOK_DB_PASSWORD": "compose-alone"}
    try:
        done = compose(folder, "up", "-d", "--build", "--wait", **secret)
        assert done.returncode == 0, done.stdout + done.stderr
        assert guestbook.post("by compose") == 201
        assert guestbook.texts() == ["by compose"]
    finally:
        compose(folder, "down", "--volumes", "--rmi", "local", **secret)
