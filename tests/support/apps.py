"""The small applications of tests/scenarios/apps, each brought up as its user would, and asked whether it works."""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.project import TREE, Project

FOLDER = TREE / "tests" / "scenarios" / "apps"
NAMES = ("jobs", "shop", "site")


@dataclass
class App:
    """A checkout of an application, whose one published port is `port` of the host; `target` is what is up."""

    name: str
    project: Project
    port: int
    target: str = "dev"

    def cli(self, *argv: str, **options: Any) -> str:
        """Run envctl on the port; it has to succeed. Its standard output."""
        environ = {"ENVCTL_VAR_http_port": str(self.port)}
        done = self.project.cli(*argv, environ=environ, **options)
        assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def secret(self, unit: str, name: str) -> str:
        """A secret's value, as the unit has it."""
        return self.cli("exec", self.target, unit, "--", "cat", f"/run/secrets/{name}")

    def ask(
        self, path: str, body: bytes | None = None, *, method: str = "", **headers: str
    ) -> tuple[int, Any]:
        """Ask over HTTP: the status, and the body, JSON read."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            body,
            {name.replace("_", "-"): value for name, value in headers.items()},
            method=method or None,
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                data, kind = answer.read(), answer.headers.get_content_type()
                status = int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code, None
        return status, json.loads(data) if kind == "application/json" else data.decode()

    def works(self) -> None:
        """Assert that it does what it is for."""
        _WORKS[self.name](self)


def checkout(name: str, project: Project, port: int) -> App:
    """An application's files in the folder of a project, whose name it takes."""
    shutil.copytree(
        FOLDER / name,
        project.root,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__", ".envctl"),
    )
    spec = project.root / "envctl.yaml"
    text = spec.read_text()
    assert f"project: {name}\n" in text
    spec.write_text(text.replace(f"project: {name}\n", f"project: {project.name}\n"))
    return App(name, project, port)


def _shop(app: App) -> None:
    status, page = app.ask("/")
    assert status == 200
    # The variable has quotes of both kinds; the hook has put the catalogue there.
    assert "<title>Müller &amp; Söhne&#39;s &quot;shop&quot;</title>" in page
    assert "Käse &amp; Brot: 4,20 €" in page
    status, made = app.ask("/orders", b'{"item": "tea"}')
    assert status == 201
    assert app.ask("/orders")[0] == 403
    status, told = app.ask("/orders", authorization="Bearer the admin's token")
    assert status == 200
    assert made in told["orders"]
    assert told["noon"] == "14:00:00"


def _site(app: App) -> None:
    status, page = app.ask("/")
    assert (status, page.splitlines()[1]) == (200, "<title>site</title>")
    assert app.ask("/a%20file.txt") == (200, "its name has a space\n")
    assert app.ask("/api/about") == (
        200,
        {
            "greeting": 'it\'s $5 "off"',
            "level": "debug",
            "noon": "08:00",
            "started": True,
            "user": "www-data",
        },
    )
    assert app.ask("/api/file", b"x", method="PUT")[0] == 403
    key = app.secret("php", "upload_key")
    assert app.ask("/api/file", "grüß\0".encode(), method="PUT", x_key=key)[0] == 201
    assert app.ask("/api/file") == (200, "grüß\0")
    # More than the template allows.
    assert app.ask("/api/file", b"x" * 3 * 2**20, method="PUT", x_key=key)[0] == 413


def _jobs(app: App) -> None:
    given = [app.ask("/", f"job {number}".encode()) for number in range(20)]
    assert {status for status, _ in given} == {202}
    done = [_done(app, job["id"]) for _, job in given]
    assert [one["text"] for one in done] == [f"job {number}"[::-1] for number in range(20)]
    _, marks = app.ask("/marks")
    assert int(marks["started"]) >= 1


def _done(app: App, job: str) -> Mapping[str, str]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        status, told = app.ask(f"/{job}")
        if status == 200:
            assert isinstance(told, dict)
            return told
        time.sleep(0.1)
    raise AssertionError(f"no worker has done {job}")


_WORKS: Mapping[str, Callable[[App], None]] = {"jobs": _jobs, "shop": _shop, "site": _site}


def findings(app: App, *targets: str) -> Iterator[str]:
    """What differs between targets that no machine brings along: "undeclared web files /etc/x: … | …"."""
    done = app.project.cli("parity", *targets, "--json")
    assert done.returncode in (0, 3), done.stderr
    (found,) = json.loads(done.stdout)["comparisons"]
    for one in found["findings"]:
        if one["verdict"] not in ("substrate", "equal"):
            yield (
                f"{one['verdict']} {one['unit']} {one['category']} {one['key']}:"
                f" {one['before']} | {one['after']}"
            )
