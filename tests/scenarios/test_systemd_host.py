"""A folder of `envctl export systemd` on a host whose first process is systemd: a container plays it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from envctl.exports.systemd.systemd_export import SYSTEMD
from envctl.plan.target import Target
from envctl.project import Project
from envctl.render import rendered_folder
from envctl.verbs.export_target import export
from tests.support.project import unique

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(900)]

SPEC = """\
project: shop
base: debian:bookworm
secrets: {password: {env: SHOP_PASSWORD}}
services:
  web:
    packages: [python3]
    build:
      - copy: {from: site, to: /srv/site/}
      - run: {command: "echo built $(wc -c </run/secrets/password) >>/srv/built", secrets: [password]}
    user: web
    workdir: /srv/site
    command: [python3, -m, http.server, "8000", --bind, 127.0.0.1]
    env:
      ODD: "100% $$HOME \\"q\\" it's \\\\ ü"
      URL: {template: "pg://x:${secret.password}@db/"}
    secrets: [password]
    ports: ["8080:8000"]
    volumes: {data: /srv/data}
    healthcheck: {http: "http://127.0.0.1:8000/"}
    depends_on: {seed: completed}
    hooks:
      after_start: [[sh, -c, "printf %s \\"$$URL\\" >/srv/data/started"]]
      before_stop: [[touch, /srv/data/stopped]]
    restart: always
  seed:
    kind: task
    user: web
    command: [sh, -c, "echo seeded >/srv/data/seed"]
    volumes: {data: /srv/data}
"""
HOST = """\
FROM debian:bookworm
RUN apt-get update -q && apt-get install -q --yes --no-install-recommends systemd systemd-sysv dbus curl
CMD ["/sbin/init"]
"""
RIGHTS = (
    *("--cap-add=ALL", "--cap-drop=SYS_RESOURCE", "--cgroupns=private"),
    *("--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined"),
    *("--tmpfs=/run", "--tmpfs=/run/lock", "--tmpfs=/tmp"),
)
VOLUME = "/var/lib/shop-dev/volumes/data"


def _docker(*words: str, text: str | None = None, timeout: float = 300) -> str:
    done = subprocess.run(
        ["docker", *words],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


class Host:
    """A running container with systemd, and the exported folder at /export."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, script: str) -> str:
        """Run a shell script, which has to succeed. Returns its output."""
        return _docker("exec", self.name, "timeout", "240", "sh", "-euc", script)


@pytest.fixture(scope="module")
def host(engine: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    root = tmp_path_factory.mktemp("host") / "shop"
    (root / "environments").mkdir(parents=True)
    (root / "site").mkdir()
    (root / "envctl.yaml").write_text(SPEC)
    (root / "environments/dev.yaml").write_text("{}\n")
    (root / "site/index.html").write_text("hello\n")
    made = export(Project(root, environ={}), SYSTEMD, [Target("dev")])
    assert not made.report.has_dropped
    rendered_folder.write(made.written.files, root / "out", root=root, modes=made.written.modes)
    name = unique("systemd-host")
    _docker("build", "--quiet", "--network=host", f"--tag={name}", "-", text=HOST)
    _docker("run", "--detach", f"--name={name}", *RIGHTS, f"--volume={root}/out:/export:ro", name)
    yield Host(name)
    _docker("rm", "--force", name)
    _docker("rmi", name)


def test_the_environment_runs_and_the_script_can_run_again(host: Host) -> None:
    host.run("until systemctl is-system-running | grep -q running; do sleep 1; done")
    refused = host.run("! /export/install.sh 2>&1; ls /etc/systemd/system")
    assert "put these secrets into files of their names in /etc/shop-dev/secrets" in refused
    assert "shop-dev" not in refused.partition("only: password")[2]
    host.run("(umask 077; printf s3cret >/etc/shop-dev/secrets/password)")
    host.run("printf '#!/bin/sh\\n' >/usr/sbin/policy-rc.d")

    host.run("/export/install.sh")

    assert host.run("curl --silent --max-time 20 http://127.0.0.1:8080/") == "hello\n"
    assert host.run(f"cat {VOLUME}/seed {VOLUME}/started") == "seeded\npg://x:s3cret@db/"
    assert host.run("cat /srv/built /usr/sbin/policy-rc.d") == "built 6\n#!/bin/sh\n"
    assert "127.0.0.1 seed web\n" in host.run("cat /etc/hosts")

    assert host.run("ls -a /run/secrets 2>&1 || :; ls /run/shop-dev* -d") == (
        ".\n..\n/run/shop-dev\n"
    )

    main = "systemctl show --property=MainPID --value shop-dev-web"
    before = host.run(main)
    host.run("/export/install.sh")
    assert host.run(main) == before
    assert host.run("cat /srv/built; grep -c '# begin' /etc/hosts") == "built 6\n1\n"

    environ = host.run(f"tr '\\0' '\\n' </proc/$({main})/environ").splitlines()
    assert 'ODD=100% $HOME "q" it\'s \\ ü' in environ
    assert "URL=pg://x:s3cret@db/" in environ
    mode = host.run(f"nsenter --target $({main}) --mount stat -c '%a %U' /run/secrets/password")
    assert mode == "400 web\n"
    status = host.run(f"cat /proc/$({main})/status")
    assert "CapBnd:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status

    host.run("printf other >/etc/shop-dev/secrets/password; systemctl restart shop-dev-web")
    assert host.run(f"ls {VOLUME}; cat {VOLUME}/started") == (
        "seed\nstarted\nstopped\npg://x:other@db/"
    )

    host.run("/export/uninstall.sh")
    left = host.run("ls /etc/systemd/system; cat /etc/hosts; systemctl list-units --all 'shop-*'")
    assert "shop" not in left.replace("0 loaded units", "")
    assert host.run(f"cat {VOLUME}/seed; ls /etc/shop-dev/secrets") == "seeded\npassword\n"
