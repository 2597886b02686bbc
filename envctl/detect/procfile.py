"""A Procfile: the processes of an application, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from envctl.detect.application_findings import HOME, TASK, Findings, Keys, copy_all, served
from envctl.detect.folder_view import FolderView

PORT: Final = 8000
MOST: Final = 20
"""The maximum number of processes."""
_LINE = re.compile(r"^([A-Za-z][A-Za-z0-9_-]{0,30})[ \t]*:[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
_INTERPRETERS: Final = {
    "python": "python3",
    "python3": "python3",
    "node": "nodejs",
    "ruby": "ruby",
    "php": "php-cli",
}
_PATH: Final = "/opt/web/bin:/srv/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def processes(folder: FolderView) -> Mapping[str, str]:
    """Return the commands of a Procfile by name."""
    lines = _LINE.findall(folder.text("Procfile"))
    return {service_name(name): command for name, command in lines[:MOST]}


def process_line(line: str) -> tuple[str, str] | None:
    """Return the name and the command of a line; None if it has none."""
    match = _LINE.match(line)
    return (match[1], match[2]) if match else None


def service_name(process: str) -> str:
    """Return the name of a process in a spec."""
    return process.lower().replace("_", "-").rstrip("-")


def detect_procfile(folder: FolderView, language: Findings | None) -> Findings | None:
    """Find a Procfile. `language` describes the application itself, which determines the build."""
    commands = dict(processes(folder))
    main = commands.pop("web", None)
    if main is None:
        return None
    built = language or _bare(main)
    path = {"PATH": _PATH, "PORT": str(PORT)}
    # The first process keeps the health check that was found. Its port is the one in the variable.
    service = {
        **built.service,
        "env": {**built.service.get("env", {}), **path},
        "command": _script(main),
        **served(PORT),
    }
    mounts = {name: value for name, value in built.dev.items() if name == "mounts"}
    others: dict[str, Keys] = {}
    for name, command in commands.items():
        kind: Keys = TASK if name == "release" else {}
        part = {"extends": "web", "ports": None, "healthcheck": None, "command": _script(command)}
        others[name] = {**part, **kind}
    return replace(
        built,
        title="a project with a Procfile",
        seen=("Procfile", *built.seen),
        service=service,
        dev=mounts,
        others=others,
        guesses=(f"web listens on the port in the variable PORT, {PORT}",),
    )  # fmt: skip


def _script(command: str) -> str:
    """Return the command of a process, which is a line for a shell; a single command replaces the shell."""
    return command if re.search(r"[;&|(){}`]|^\w+=", command) else f"exec {command}"


def _bare(command: str) -> Findings:
    """Return a project of which only the interpreter is known."""
    word = command.split(maxsplit=1)[0]
    package = _INTERPRETERS.get(word)
    link = [{"run": "ln -s python3 /usr/bin/python"}] if word == "python" else []
    packages = {"packages": [package]} if package else {}
    return Findings(
        "",
        (),
        {**packages, "build": [*link, copy_all()], "workdir": HOME},
        {"mounts": {".": HOME}},
    )
