"""The script that builds a machine makes the same of a build as the container engine does."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import tarfile

import pytest

from envctl.backends.vagrant.provision import provision_script
from envctl.backends.vagrant.provision.build_runner import BuildRunner
from envctl.plan.changes import Action, Change, because
from envctl.plan.model import Build
from envctl.plan.target import Target
from tests.scenarios.test_rendered import AWKWARD

pytestmark = [pytest.mark.engine, pytest.mark.slow]

LEFT_OUT = ("dev/", "proc/", "sys/", "run/", ".dockerenv", "var/log/", "usr/sbin/policy-rc.d",
            "var/cache/", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", "var/lib/dpkg/")  # fmt: skip
"""What an engine or a proper machine has of its own, and what tells when something was installed."""


SHADOW = ("etc/shadow", "etc/shadow-")


def undated(shadow: bytes) -> bytes:
    """The accounts' passwords without the day of their last change: one build may end before midnight, the other after."""
    return re.sub(rb"(?m)^([^:\n]*:[^:\n]*):\d*:", rb"\1::", shadow)


def files_of(container) -> dict[str, tuple[object, ...]]:
    """What is in a container by path: kind, mode, owner, content."""
    chunks, _ = container.get_archive("/")
    found: dict[str, tuple[object, ...]] = {}
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks)), mode="r") as tar:
        for member in tar:
            path = member.name.removeprefix("./").lstrip("/")
            if not path or path.startswith(LEFT_OUT):
                continue
            file = tar.extractfile(member) if member.isfile() else None
            content = member.linkname
            if file:
                data = file.read()
                content = hashlib.sha256(undated(data) if path in SHADOW else data).hexdigest()
            found[path] = (member.type, oct(member.mode), member.uid, member.gid, content)
    return found


@pytest.fixture
def awkward(make_project):
    """A project whose build has all kinds of steps, with values that need quoting everywhere."""
    project = make_project()
    project.write("it's `a` $x/page", "page").write("it's `a` $x/sub/.hidden", "hidden")
    project.write("it's `a` $x/tool", "#!/bin/sh\n")
    (project.root / "it's `a` $x/tool").chmod(0o755)
    (project.root / "it's `a` $x/link").symlink_to("sub/.hidden")
    service = {
        "packages": ["netcat-openbsd"],
        "user": "app",
        "workdir": "/srv/app dir",
        "build": [
            {"copy": {"from": "it's `a` $x", "to": "/srv/it's `a` $x/", "owner": "app"}},
            {"copy": {"from": "it's `a` $x/page", "to": "/opt/one/two", "mode": "0640"}},
            {"copy": {"from": "it's `a` $x", "to": "/usr/local/"}},
            {"run": {"command": ["sh", "-c", 'printf "%s\\n" "$@" > /srv/words', *AWKWARD]}},
            {"run": {"command": ["sh", "-c", "env | grep -v -e /ca.crt -e apt.conf -e HOSTNAME | sort > /tmp/app; pwd >> /tmp/app; id >> /tmp/app"],
                     "user": "app", "workdir": "/srv", "env": {"A": "".join(AWKWARD)}}},
            {"run": "umask > /srv/umask; env | grep -v -e /ca.crt -e apt.conf -e HOSTNAME | sort > /srv/env; echo it\\'s `id -u` > /srv/id"},
        ],
        "command": ["sleep", "infinity"],
    }  # fmt: skip
    return project.spec("web: " + json.dumps(service).replace("$", "$$"))


@pytest.fixture
def staged(make_project):
    """A project with a stage, a stage that copies from it, and everything that copies may meet."""
    project = make_project()
    stages = {
        "tools": {
            "packages": ["libcap2-bin"],
            "build": [
                {
                    "run": "mkdir -p /out/sub; echo a > /out/a; chmod 4750 /out/a; cp /bin/true /out/b;"
                    " setcap cap_net_raw+ep /out/b; ln -s /nowhere /out/l; chmod 700 /out /out/sub;"
                    " echo c > /out/sub/c; chown 7:8 /out/sub/c; ln -s /out/sub /away; sleep 987123 &"
                },
            ],
        },
        "compile": {
            "build": [
                {"run": "mkdir /given; ! command -v setcap; test ! -e /out"},
                {"copy_from": {"stage": "tools", "from": "/out", "to": "/given"}},
                {"run": "cat /given/a /given/sub/c > /it\\'s; echo $$ > /root/left"},
            ],
        },
    }
    service = {
        "user": "app",
        "stages": stages,
        "build": [
            {"run": "test ! -e /out; test ! -e /given; ! command -v setcap"},
            {"copy_from": {"stage": "tools", "from": "/out", "to": "/srv/whole"}},
            {"copy_from": {"stage": "tools", "from": "/out", "to": "/srv/own/", "owner": "app"}},
            {"copy_from": {"stage": "tools", "from": "/away/c", "to": "/srv/linked/"}},
            {"copy_from": {"stage": "compile", "from": "/it's", "to": "/usr/local/bin/one"}},
        ],
        "command": ["sleep", "infinity"],
    }  # fmt: skip
    return project.spec("web: " + json.dumps(service).replace("$", "$$"))


def test_a_script_and_an_image_come_to_the_same_files(awkward, engine, tmp_path):
    build = awkward.workspace().open(Target("dev", "docker")).plan.units[0].source
    assert isinstance(build, Build)
    assert {type(step).__name__ for step in build.steps} >= {"InstallPackages", "CreateUser",
        "MakeDirectories", "CopyFiles", "RunCommand"}  # fmt: skip
    made = same_files(awkward, engine, tmp_path)
    assert "srv/words" in made
    assert "srv/it's `a` $x/link" in made


def test_a_script_and_an_image_copy_the_same_from_stages(staged, engine, tmp_path):
    made = same_files(staged, engine, tmp_path)
    assert made["srv/whole/sub/c"][2:4] == (0, 0)
    assert not [path for path in made if path.startswith(("var/tmp/envctl", "out", "given"))]


def same_files(project, engine, tmp_path) -> dict[str, tuple[object, ...]]:
    """What the script makes of the project's build, after it was held against what the engine makes."""
    session = project.workspace().open(Target("dev", "docker"))
    build = session.plan.units[0].source
    assert isinstance(build, Build)
    session.backend.apply(Change(Action.BUILD, "web", because("for the test"), target=build))
    image = engine.containers.create(f"envctl/{project.name}:{build.digest}", ["-"])
    script = engine.containers.create(
        "debian:bookworm",
        ["sh", "-ec", f"mv {provision_script.FILES}/build.sh /run/build.sh; exec sh /run/build.sh"],
        # Stages are mounted and have namespaces.
        cap_add=["SYS_ADMIN"],
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
    )
    try:
        archive = io.BytesIO()
        BuildRunner(build, "web", session.backend.context).write(archive)
        (tmp_path / "files").mkdir()
        subprocess.run(["tar", "-xC", tmp_path / "files"], input=archive.getvalue(), check=True)
        sent = io.BytesIO()
        with tarfile.open(fileobj=sent, mode="w") as tar:
            tar.add(tmp_path / "files", provision_script.FILES.lstrip("/"))
        script.put_archive("/", sent.getvalue())
        script.start()
        assert script.wait(timeout=300)["StatusCode"] == 0, script.logs().decode()[-3000:]

        made, wanted = files_of(script), files_of(image)
        differences = {
            path: (wanted.get(path), made.get(path))
            for path in {*made, *wanted}
            if made.get(path) != wanted.get(path)
        }
        assert differences == {}
        return made
    finally:
        for container in (image, script):
            container.remove(force=True)
