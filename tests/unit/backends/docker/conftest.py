"""A unit with everything in it, and an engine that answers from a list."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from envctl.backends.docker.engine_errors import NotFoundError
from envctl.backends.docker.names import Names
from envctl.plan.model import (
    Condition,
    CopyFiles,
    CreateUser,
    DockerfileBuild,
    Kind,
    MakeDirectories,
    Mount,
    NpmInstall,
    PipInstall,
    Plan,
    Port,
    Probe,
    ProbeKind,
    Process,
    ReadyImage,
    Resources,
    Restart,
    Run,
    RunCommand,
    Secret,
    Unit,
    Volume,
    WriteFile,
)
from tests.support.plans import SCOPE, build, packages, script
from tests.support.taken import tree

STEPS = (
    packages("python3", "curl"),
    CreateUser("web", 20001, "/home/web"),
    MakeDirectories(("/srv/web",), "web"),
    CopyFiles("app", "/srv/web", "c0ffee", "web", tree=tree("app", "main.py", "lib/x.py")),
    CopyFiles("app/main.py", "/opt/", "beef", mode="0755", tree=tree("app/main.py")),
    WriteFile("/etc/web.conf", "workers = 4\n", mode="0600"),
    script("make install"),
    RunCommand(("make", "$HOME"), "web", "/srv/web", {"A": "b c"}),
    PipInstall("/opt/web", "/srv/r.txt", ("flask",)),
    NpmInstall("/srv/web", production=True),
)


def rich(**changes: Any) -> Unit:
    """A service that uses every field."""
    given: dict[str, Any] = {
        "source": build(*STEPS),
        "run": Run(
            Process(("serve", "two words"), "web", "/srv", {"B": "2", "A": "$x"}, ("NET_ADMIN",)),
            (Port(8000, 8080), Port(9000), Port(53, 5353, "0.0.0.0", "udp")),
            (Mount("/srv/shop/app", "/mnt/app"), Mount("/etc/x", "/x", read_only=True)),
            (Volume("data", "/var/data"),),
            (Secret("token", "/run/secrets/token", "d1", "TOKEN"), Secret("key", "/etc/key", "d2")),
            Probe(ProbeKind.COMMAND, ("ready", "-q"), 2.5, 1, 4, 10),
            Restart.ALWAYS,
            Resources(1.5, 512 * 1024**2),
            ("web", "www"),
        ),
        "depends_on": {"db": Condition.HEALTHY},
    }
    return Unit("web", "web", **{**given, **changes})


def rich_plan() -> Plan:
    """Three units: an image, the rich service, and a project's own Dockerfile."""
    db = Unit("db", "db", ReadyImage("postgres:16"), Run(aliases=("db",)))
    own = DockerfileBuild(
        "own/Dockerfile",
        "own",
        "run",
        {"V": "$1"},
        "c",
        "f00d",
        tree("own", "Dockerfile"),
        tree("own/Dockerfile"),
    )
    job = Unit("job", "job", own, Run(aliases=("job",), kind=Kind.TASK))
    return Plan(SCOPE, "docker", (db, rich(), job))


@pytest.fixture
def names() -> Names:
    return Names(SCOPE)


class CannedEngine:
    """Answers lists that a test wrote; `details` are of single containers, `tags` ids of images.

    `images_by_id` are inspected images, `files` what every container has in /run/secrets. `waited_for` gets the
    containers whose removal was waited for.
    """

    def __init__(
        self,
        containers=(),
        volumes=(),
        networks=(),
        images=(),
        details=None,
        tags=None,
        images_by_id=None,
        files=(),
    ) -> None:
        self.waited_for: list[str] = []
        self.api = SimpleNamespace(
            containers=lambda **_: list(containers),
            volumes=lambda **_: list(volumes),
            networks=lambda **_: list(networks),
            images=lambda **_: list(images),
            inspect_container=lambda name: (details or {})[name],
            wait_until_removed=lambda name, **_: self.waited_for.append(name),
            path_stat=lambda _container, path: _path_stat(files, path),
            inspect_image=lambda name: (
                (images_by_id or {}).get(name) or _inspected(tags or {}, name)
            ),
        )

    @contextmanager
    def doing(self, _what: str, **_options: Any) -> Iterator[Any]:
        yield self.api


def _path_stat(files: Sequence[str], path: str) -> bytes | None:
    found = path.removeprefix("/run/secrets/") in files
    return base64.b64encode(json.dumps({"mode": 0o400, "size": 3}).encode()) if found else None


def _inspected(tags: dict[str, str], name: str) -> dict[str, str]:
    if name not in tags:
        raise NotFoundError(404, "no such image")
    return {"Id": tags[name]}
