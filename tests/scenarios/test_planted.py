"""Differences planted in what runs, behind envctl's back or in the spec: all are found, called right, and no others."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from envctl.parity.comparing import compare
from envctl.parity.facts import Facts
from tests.support.inside import as_root
from tests.support.project import Project

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(1800)]

LISTEN = 'use IO::Socket::INET; $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "0.0.0.0:{}") or die; sleep 1 while 1'
WEB = {
    "build": [
        {"copy": {"from": "plant_1_all.deb", "to": "/opt/debs/"}},
        {"copy": {"from": "plant_2_all.deb", "to": "/opt/debs/"}},
        {"copy": {"from": "extra_1_all.deb", "to": "/opt/debs/"}},
        {"copy": {"from": "settings.ini", "to": "/srv/web/"}},
        {"run": "dpkg -i /opt/debs/plant_1_all.deb && ln -s settings.ini /srv/web/current"},
        {"run": "echo one >/etc/app.key && chmod 600 /etc/app.key"},
    ],
    "user": "games",
    "workdir": "/srv/web",
    "env": {"LOG_LEVEL": "info", "LANG": "C.UTF-8"},
    "secrets": ["token"],
    "command": ["perl", "-e", LISTEN.format(8000)],
}
SERVICES = {"web": WEB, "other": {"command": ["sleep", "infinity"]}}
TOKEN = "/run/secrets/token"
PASSWD, GROUP = "files /etc/passwd", "files /etc/group"


@dataclass(frozen=True)
class Plant:
    """What is done, as root inside or to the spec of `web`, how it is undone, and what must be found."""

    name: str
    found: tuple[str, ...]
    script: str = ""
    undo: str = ""
    web: dict[str, object] | None = None
    machines: bool = True
    """Also tried on machines, where each costs many seconds."""
    also: tuple[str, ...] = ()
    """What the beginnings of findings are that come with it."""
    containers: bool = True
    """Also tried in containers."""


DPKG = ("files /var/lib/dpkg/",)
PROCESSES = ("processes ",)
MAIN = "$(pidof -s perl)"
SETCAP = """perl -e 'my ($f, $n, $v) = ("/usr/bin/env", "security.capability", pack("V5", 0x02000001, 0x2000, 0, 0, 0)); exit 1 if syscall(188, $f, $n, $v, length($v), 0)'"""
"""CAP_NET_RAW, as `setcap` would give it: setxattr(2) on x86."""
SYSCTL = "mkdir -p /run/p; mount -t proc proc /run/p; echo {} >/run/p/sys/net/core/somaxconn; umount /run/p"
INSIDE = [
    Plant("a packaged file edited", ("files /usr/bin/ldd",), "cp -p /usr/bin/ldd /run/ldd; echo '# x' >>/usr/bin/ldd", "cp -p /run/ldd /usr/bin/ldd"),
    Plant("a packaged file edited, its size and time kept", ("files /usr/bin/ldd",), "cp -p /usr/bin/ldd /run/ldd; sed -i s/GNU/XNU/ /usr/bin/ldd; touch -r /run/ldd /usr/bin/ldd", "cp -p /run/ldd /usr/bin/ldd"),
    Plant("a program that is setuid", ("files /usr/bin/env",), "chmod u+s /usr/bin/env", "chmod u-s /usr/bin/env"),
    Plant("an extra program", ("files /usr/bin/extra",), "cp /usr/bin/env /usr/bin/extra", "rm /usr/bin/extra"),
    Plant("a file in /var/lib", ("files /var/lib/extra",), "touch /var/lib/extra", "rm /var/lib/extra", machines=False),
    Plant("a cron job", ("files /var/spool/cron",), "mkdir -p /var/spool/cron/crontabs; echo x >/var/spool/cron/crontabs/root", "rm -r /var/spool/cron", machines=False, also=("files /var/spool/cron/",)),
    Plant("a file in a folder that only root may enter", ("files /root/.profile2",), "echo x >/root/.profile2", "rm /root/.profile2"),
    Plant("a file in a home folder", ("files /home/extra",), "touch /home/extra", "rm /home/extra", machines=False),
    Plant("a Python package of a user", ("python /home/.local/lib/python3.11/site-packages: extra",), "mkdir -p /home/.local/lib/python3.11/site-packages/extra-1.0.dist-info", "rm -r /home/.local", also=("files /home/.local",)),
    Plant("an npm package of a user", ("npm /home: extra",), "mkdir -p /home/node_modules/extra; echo '\n  \"version\": \"1.0\",' >/home/node_modules/extra/package.json", "rm -r /home/node_modules", also=("files /home/node_modules",), machines=False),
    Plant("another content in a file that only root may read", ("files /etc/app.key",), "echo two >/etc/app.key", "echo one >/etc/app.key"),
    Plant("a capability of a program", ("files /usr/bin/env",), SETCAP, "cp -p /usr/bin/env /run/env; rm /usr/bin/env; cp -p /run/env /usr/bin/env"),
    Plant("a file system mounted", ("files /mnt",), "mount -t tmpfs -o mode=755 tmpfs /mnt", "umount /mnt", machines=False),
    Plant("another setting of the kernel", ("sysctls net.core.somaxconn",), SYSCTL.format(77), SYSCTL.format(4096)),
    Plant("a process that is nicer", (), f"renice -n 5 -p {MAIN}", f"renice -n 0 -p {MAIN}", also=PROCESSES),
    Plant("a process to be killed first", (), f"echo 300 >/proc/{MAIN}/oom_score_adj", f"echo 0 >/proc/{MAIN}/oom_score_adj", also=PROCESSES, machines=False),
    Plant("a second process", ('processes ["sleep", "1234"]',), "setsid sleep 1234 >/dev/null 2>&1 & sleep 1", "kill $(pidof -s sleep)"),
    Plant("a limit of a control group above", ("limits memory",), "systemctl set-property --runtime system.slice MemoryMax=400M", "systemctl set-property --runtime system.slice MemoryMax=infinity", containers=False),
    Plant("another version of a package", ("packages plant",), "dpkg -i /opt/debs/plant_2_all.deb", "dpkg -i /opt/debs/plant_1_all.deb", also=DPKG),
    Plant("an extra package", ("packages extra",), "dpkg -i /opt/debs/extra_1_all.deb", "dpkg --purge extra", also=DPKG),
    Plant("a package that is gone", ("packages plant",), "dpkg --purge plant", "dpkg -i /opt/debs/plant_1_all.deb", also=DPKG),
    Plant("a file edited", ("files /srv/web/settings.ini",), "echo x >>/srv/web/settings.ini", "printf a=1 >/srv/web/settings.ini"),
    Plant("a mode changed", ("files /srv/web/settings.ini",), "chmod 666 /srv/web/settings.ini", "chmod 644 /srv/web/settings.ini"),
    Plant("an owner changed", ("files /srv/web/settings.ini",), "chown 1:1 /srv/web/settings.ini", "chown 0:0 /srv/web/settings.ini"),
    Plant("a mode of a folder changed", ("files /opt/debs",), "chmod 700 /opt/debs; chown games /opt/debs", "chmod 755 /opt/debs; chown 0 /opt/debs", machines=False),
    Plant("a file that nobody may read", ("files /srv/web/settings.ini",), "chmod 600 /srv/web/settings.ini", "chmod 644 /srv/web/settings.ini", machines=False),
    Plant("a file added", ("files /etc/extra.conf",), "touch /etc/extra.conf", "rm /etc/extra.conf"),
    Plant("a file that is gone", ("files /srv/web/settings.ini",), "rm /srv/web/settings.ini", "printf a=1 >/srv/web/settings.ini"),
    Plant("a link that leads elsewhere", ("files /srv/web/current",), "ln -sfn /etc/passwd /srv/web/current", "ln -sfn settings.ini /srv/web/current"),
    Plant("an extra user", (PASSWD, "users extra"), "echo extra:x:4242:4242::/:/bin/sh >>/etc/passwd", "sed -i /^extra:/d /etc/passwd"),
    Plant("another uid", (PASSWD, "users news"), "sed -i s/^news:x:9:/news:x:99:/ /etc/passwd", "sed -i s/^news:x:99:/news:x:9:/ /etc/passwd", machines=False),
    Plant("another shell", (PASSWD, "users news"), "sed -i '/^news:/s,/[^:]*$,/bin/sh,' /etc/passwd", "sed -i '/^news:/s,/[^:/]*/[^:/]*$,/usr/sbin/nologin,' /etc/passwd", machines=False),
    Plant("an extra group", (GROUP, "groups extra"), "echo extra:x:4242: >>/etc/group", "sed -i /^extra:/d /etc/group"),
    Plant("a member of a group", (GROUP, "groups adm"), "sed -i s/^adm:.*/\\&games/ /etc/group", "sed -i /^adm:/s/games// /etc/group", machines=False),
    Plant("another time zone", ("files /etc/localtime", "locale /etc/localtime", "locale time zone"), "ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime", "ln -sfn /usr/share/zoneinfo/Etc/UTC /etc/localtime"),
    Plant("another locale", ("locale available",), "cp -r /usr/lib/locale/C.utf8 /usr/lib/locale/xx_XX.utf8", "rm -r /usr/lib/locale/xx_XX.utf8", also=("files /usr/lib/locale/xx_XX",)),
    Plant("a Python package", ("files /usr/local/lib/extra-1.0.dist-info", "python /usr/local/lib: extra"), "mkdir /usr/local/lib/extra-1.0.dist-info", "rmdir /usr/local/lib/extra-1.0.dist-info"),
    Plant("an extra port that listens", ("sockets tcp 0.0.0.0:9000",), f"setsid perl -e '{LISTEN.format(9000)}' >/dev/null 2>&1 & echo $! >/tmp/pid; sleep 2", "kill $(cat /tmp/pid); rm /tmp/pid; sleep 1", also=PROCESSES),
    Plant("a secret that is gone", (f"secrets {TOKEN}", f"secrets {TOKEN} digest"), f"mount -o remount,rw /run/secrets 2>/dev/null || :; mv {TOKEN} /run/secrets/.gone", f"mv /run/secrets/.gone {TOKEN}"),
    Plant("a secret of another value", (f"secrets {TOKEN} digest",), f"cp -p {TOKEN} /run/secrets/.was; chmod u+w {TOKEN}; echo more >>{TOKEN}; chmod u-w {TOKEN}", f"mv /run/secrets/.was {TOKEN}"),
    Plant("a secret that others may read", (f"secrets {TOKEN}",), f"chmod 444 {TOKEN}", f"chmod 400 {TOKEN}"),
]  # fmt: skip
IN_THE_SPEC = [
    Plant("a variable changed", ("environment LOG_LEVEL",), web={"env": {"LOG_LEVEL": "debug"}}),
    Plant("a variable that is gone", ("environment LOG_LEVEL",), web={"env": {"LOG_LEVEL": None}}, machines=False),
    Plant("an extra variable", ("environment EXTRA",), web={"env": {"EXTRA": ""}}, machines=False),
    Plant("another locale asked for", ("environment LANG",), web={"env": {"LANG": "de_DE.UTF-8"}}, machines=False),
    Plant("another time zone asked for", ("environment TZ", "locale time zone"), web={"env": {"TZ": "Asia/Tokyo"}}),
    Plant("another working directory", ("process directory",), web={"workdir": "/opt"}),
    Plant("another command and port", ("process argv", "sockets tcp 0.0.0.0:8000", "sockets tcp 0.0.0.0:8001"), web={"command": ["perl", "-e", LISTEN.format(8001)]}, also=PROCESSES),
    Plant("another user", ("environment HOME", "process gid", "process groups", "process uid", f"secrets {TOKEN}", "sockets tcp 0.0.0.0:8000"), web={"user": "news"}, also=PROCESSES),
    Plant("less memory", ("limits memory", "limits swap"), web={"resources": {"memory": "64M"}}),
    Plant("less of a processor", ("limits processors",), web={"resources": {"cpus": 0.5}}, machines=False),
    Plant("a limit of files", ("limits open files",), web={"options": {"docker": {"ulimits": {"nofile": 99}}}}, machines=False),
    Plant("a capability", ("process capabilities at most",), web={"capabilities": ["NET_BIND_SERVICE"]}, machines=False),
    Plant("a secret that is not given", (f"secrets {TOKEN}", f"secrets {TOKEN} digest"), web={"secrets": []}, machines=False),
]  # fmt: skip
assert len(INSIDE) + len(IN_THE_SPEC) >= 30


def planted(backend: str, plants: list[Plant]) -> list[Plant]:
    return [one for one in plants if (one.containers if backend == "docker" else one.machines)]


@pytest.fixture(params=["docker", pytest.param("vagrant", marks=pytest.mark.machines)])
def project(request, make_project) -> Project:
    if request.param == "vagrant":
        request.getfixturevalue("machines")
    project = make_project(backend=request.param)
    project.environ = {**project.environ, "TOKEN": "the token"}
    for name, version in (("plant", 1), ("plant", 2), ("extra", 1)):
        package(project.root, name, version)
    project.write("settings.ini", "a=1")
    specify(project)
    project.up()
    assert isinstance(project, Project)
    return project


def package(folder: Path, name: str, version: int) -> None:
    """Make a Debian package with nothing in it."""
    control = folder / "making" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True, exist_ok=True)
    control.write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\n"
        "Description: a test\n"
    )
    target = folder / f"{name}_{version}_all.deb"
    subprocess.run(["dpkg-deb", "-b", control.parents[1], target], check=True, capture_output=True)


def specify(project: Project, **web: object) -> None:
    """Write the spec, with this of `web` changed."""
    spec = {
        "project": project.name,
        "base": "debian:bookworm",
        "secrets": {"token": {"env": "TOKEN"}},
        "services": SERVICES,
    }
    project.write("envctl.yaml", yaml.safe_dump(spec, sort_keys=False))
    overlay = {"backend": project.backend, "services": {"web": web}}
    project.write("environments/dev.yaml", yaml.safe_dump(overlay))


def facts(project: Project) -> Facts:
    return project.workspace().facts(project.target)


def findings(before: Facts, after: Facts, plant: Plant | None = None) -> tuple[str, ...]:
    """All that needs a reason; of what comes with a plant that there is something at all."""
    found = sorted(f"{one.category} {one.key}" for one in compare(before, after).open)
    also = plant.also if plant else ()
    rest = [one for one in found if not one.startswith(also)] if also else found
    missing = [one for one in also if not any(each.startswith(one) for each in found)]
    expected = sorted(plant.found) if plant else []
    kept = [one for one in found if one in expected and one not in rest]
    return (*kept, *rest, *map("no {}".format, missing))


def test_every_planted_difference_is_found_and_nothing_else(project):
    before = facts(project)
    # Untouched, it is equal each time.
    for _ in range(20 if project.backend == "docker" else 5):
        assert compare(before, facts(project)).findings == []

    missed = {}
    for plant in planted(project.backend, INSIDE):
        as_root(project, "web", plant.script)
        if (found := findings(before, facts(project), plant)) != tuple(sorted(plant.found)):
            missed[plant.name] = found
        as_root(project, "web", plant.undo)
    # Undone, nothing of them is left to be found.
    assert findings(before, facts(project)) == ()

    stop_other(project)
    if (found := findings(before, facts(project))) != ("names other", "units other"):
        missed["a service that stopped"] = found

    for plant in planted(project.backend, IN_THE_SPEC):
        specify(project, **plant.web or {})
        project.up()
        if (found := findings(before, facts(project), plant)) != tuple(sorted(plant.found)):
            missed[plant.name] = found
    assert missed == {}


def stop_other(project: Project) -> None:
    """Stop a service behind envctl's back, and have its name forgotten."""
    if project.backend == "docker":
        import docker

        client = docker.from_env()
        client.api.stop(project.ids()["other"], timeout=1)
        client.close()
    else:
        as_root(project, "other", "systemctl stop envctl-other")
        # The network's own name server knows it, too.
        as_root(
            project,
            "web",
            "sed -i '/ other/d' /etc/hosts; cp /etc/resolv.conf /run; : >/etc/resolv.conf",
        )
