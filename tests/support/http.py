"""The guestbook as its visitors see it."""

from __future__ import annotations

import json
import socket
import urllib.request
from dataclasses import dataclass
from typing import Any

from tests.support.project import Project


def free_port() -> int:
    """A port of loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Guestbook:
    """A checkout of the root example, whose `web` is published on `port`."""

    project: Project
    port: int

    def cli(self, *argv: str, **options: Any) -> str:
        """Run envctl on the port; it has to succeed. Its standard output."""
        done = self.project.cli(*argv, *self.sets(argv[0]), **options)
        assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def sets(self, verb: str) -> list[str]:
        """The options that choose the port."""
        return ["--set", f"http_port={self.port}"] if verb in ("up", "plan", "status") else []

    def get(self, path: str = "/entries") -> Any:
        """What a GET answers, JSON read."""
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            body = answer.read()
            kind = answer.headers.get_content_type()
        return json.loads(body) if kind == "application/json" else body.decode()

    def post(self, text: str) -> int:
        """Write an entry; the status."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/entries",
            json.dumps({"text": text}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)

    def texts(self) -> list[str]:
        """The texts of all entries."""
        return [entry["text"] for entry in self.get()]

    def containers(self, client: Any) -> dict[str, str]:
        """The ids of the checkout's containers by name, keeper and all."""
        found = client.api.containers(
            all=True, filters={"label": f"dev.envctl.project={self.project.name}"}
        )
        return {one["Names"][0].lstrip("/"): one["Id"] for one in found}
