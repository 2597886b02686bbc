"""Go."""

from __future__ import annotations

import re
from typing import Final

from envctl.detect.application_findings import HOME, Findings, copies, copy_all, served
from envctl.detect.folder_view import FolderView

PORT: Final = 8080
_VERSION = re.compile(r"^go 1\.(\d{1,3})", re.MULTILINE)
_REQUIRED = re.compile(r"^(?:require)?\s+([\w.-]+\.[\w.-]+/[\w./-]+) v", re.MULTILINE)
_LISTEN = re.compile(r'"[\w.]*:(\d{2,5})"')
_HEALTH = re.compile(r'"(?:GET )?(/(?:healthz?|livez|readyz|ping))"')
_COMMAND = re.compile(r"cmd/([A-Za-z0-9_-]+)/main\.go")
_BOOKWORM: Final = 19
"""The minor version of Go in Debian bookworm."""


def detect_go(folder: FolderView) -> Findings | None:
    """Find a program in Go."""
    package = _package(folder)
    if not folder.has("go.mod") or package is None:
        return None
    text = "\n".join(text for path, text in folder.sources(".go") if not path.endswith("_test.go"))
    listens, health = _LISTEN.search(text), _HEALTH.search(text)
    port = int(listens[1]) if listens and 0 < int(listens[1]) < 65536 else PORT
    version = _VERSION.search(folder.text("go.mod"))
    files = [file for file in ("go.mod", "go.sum") if folder.has(file)]
    compiler = ["golang", "ca-certificates"]
    modules = {"GOMODCACHE": "/opt/go", "GOFLAGS": "-buildvcs=false"}
    newer = version and int(version[1]) > _BOOKWORM
    base = "debian:trixie" if newer else "debian:bookworm"
    download = [
        *copies(*files),
        {"run": {"command": "go mod download", "workdir": HOME, "env": modules}},
    ]
    return Findings(
        "a program in Go",
        ("go.mod", f"package {package}"),
        {
            # A Go program needs little, so its base is slim. Other services use the full base.
            "base": f"{base}-slim",
            "packages": ["ca-certificates"],
            "stages": {
                "compile": {
                    "packages": compiler,
                    "build": [
                        *download,
                        copy_all(),
                        {"run": {"command": ["go", "build", "-o", "/out/web", package], "workdir": HOME, "env": modules}},
                    ],
                }
            },
            "build": [
                {"copy_from": {"stage": "compile", "from": "/out/web", "to": "/usr/local/bin/web"}},
                copy_all("*.go", "/go.mod", "/go.sum", "/vendor/"),
            ],
            "workdir": HOME,
            "env": {"PORT": str(port)},
            "command": ["/usr/local/bin/web"],
            **served(port, health[1] if health else None),
        },
        {
            "stages": None,
            "packages": compiler,
            "build": download,
            "mounts": {".": HOME},
            "env": {**modules, "GOCACHE": "/tmp/go-cache", "HOME": "/tmp"},  # noqa: S108 — in its unit
            "command": ["go", "run", package],
        },
        guesses=() if listens else (f"it listens on port {PORT}, or on that in the variable PORT",),
        dependencies=dependencies(folder),
        base=base,
    )  # fmt: skip


def dependencies(folder: FolderView) -> frozenset[str]:
    """Return the modules that the project requires, without their major version."""
    modules = _REQUIRED.findall(folder.text("go.mod"))
    return frozenset(re.sub(r"/v\d+$", "", module) for module in modules)


def _package(folder: FolderView) -> str | None:
    """Return the package with the program."""
    sources = list(folder.sources(".go"))
    if any(
        "/" not in path and re.search(r"^package main\b", text, re.MULTILINE)
        for path, text in sources
    ):
        return "."
    commands = (_COMMAND.fullmatch(path) for path, _ in sources)
    return next((f"./cmd/{match[1]}" for match in commands if match), None)
