"""Node.js: a server, or a page that Vite builds."""

from __future__ import annotations

import re
from typing import Final

from envctl.detect.application_findings import HOME, Findings, Keys, copies, copy_all, served
from envctl.detect.folder_view import FolderView, table

PORT: Final = 3000
_LISTEN = re.compile(r"\.listen\(\s*(\d{2,5})\b")
_DEFAULT = re.compile(r"\bPORT\b[^\n]{0,20}?(?:\|\||\?\?|:)\s*['\"]?(\d{2,5})\b")
_HEALTH = re.compile(r"""\.get\(\s*["'`](/(?:healthz?|health_?check|livez|readyz|ping))["'`]""")
_LOCAL = re.compile(r"""\.listen\([^)\n]*["'](?:localhost|127\.0\.0\.1)["']""")
_MAIN: Final = ("server.js", "index.js", "app.js", "src/server.js", "src/index.js", "src/app.js")


def detect_node(folder: FolderView) -> Findings | None:
    """Find a Node.js application."""
    package = folder.json("package.json")
    if not package:
        return None
    scripts, names = table(package, "scripts"), dependencies(folder)
    if "vite" in names and "build" in scripts and "start" not in scripts:
        return _page(folder, names)
    main = _main(folder)
    if "start" not in scripts and main is None:
        return None
    command = ["npm", "start"] if "start" in scripts else ["node", main or ""]
    port, health, guesses = _address(folder)
    build = [["npm", "run", "build"]] if "build" in scripts else []
    return Findings(
        f"{'an Express' if 'express' in names else 'a Node.js'} application",
        ("package.json", f"{' '.join(command)}"),
        {
            "packages": ["nodejs", "npm"],
            "build": [*_install(folder), copy_all("node_modules/"), *({"run": {"command": argv, "workdir": HOME}} for argv in build)],
            "workdir": HOME,
            "env": {"NODE_ENV": "production", "PORT": str(port)},
            "command": command,
            **served(port, health),
        },
        {
            "mounts": {".": HOME},
            "env": {"NODE_ENV": "development"},
            "command": ["npm", "run", "dev"] if "dev" in scripts else _watched(command, main),
        },
        guesses=guesses,
        dependencies=names,
    )  # fmt: skip


def dependencies(folder: FolderView) -> frozenset[str]:
    """Return the names of its packages, including those for development."""
    package = folder.json("package.json")
    return frozenset((*table(package, "dependencies"), *table(package, "devDependencies")))


def _install(folder: FolderView) -> list[Keys]:
    """Install beside the application: Node.js looks for packages in parent folders, and a mount hides nothing."""
    files = [file for file in ("package.json", "package-lock.json") if folder.has(file)]
    return [*copies(*files, to="/srv/"), {"npm": {"directory": "/srv"}}]


def _main(folder: FolderView) -> str | None:
    main = folder.json("package.json").get("main")
    stated = main.removeprefix("./") if isinstance(main, str) else ""
    return folder.first(stated, f"{stated}.js", *_MAIN)


def _watched(command: list[str], main: str | None) -> list[str]:
    """Return the command that restarts when a file changes."""
    return ["node", "--watch", main] if command[0] == "node" and main else command


def _address(folder: FolderView) -> tuple[int, str | None, tuple[str, ...]]:
    """Return the port, the path for the health check, and what was guessed."""
    text = "\n".join(text for _, text in folder.sources(".js", ".mjs", ".cjs", ".ts"))
    match = _DEFAULT.search(text) or _LISTEN.search(text)
    port = int(match[1]) if match and 0 < int(match[1]) < 65536 else PORT
    health = _HEALTH.search(text)
    guesses = []
    if match is None:
        guesses.append(f"it listens on the port in the variable PORT, {PORT}")
    if health is None:
        guesses.append(f"healthy: as soon as port {port} accepts connections")
    if _LOCAL.search(text):
        guesses.append("it listens on localhost only: let it listen on 0.0.0.0 to be reachable")
    return port, health[1] if health else None, tuple(guesses)


def _page(folder: FolderView, names: frozenset[str]) -> Findings:
    """Return a site built and served by Vite: from memory in development, otherwise from the built files."""
    options = ["--host", "0.0.0.0", "--port", str(PORT)]  # noqa: S104 — within its own network
    build: Keys = {"run": {"command": ["npm", "run", "build"], "workdir": HOME}}
    return Findings(
        "a page that Vite builds",
        ("package.json",),
        {
            "packages": ["nodejs", "npm"],
            "build": [*_install(folder), copy_all("node_modules/"), build],
            "workdir": HOME,
            "command": ["npx", "vite", "preview", *options],
            **served(PORT),
        },
        {"mounts": {".": HOME}, "command": ["npx", "vite", *options]},
        guesses=("npm run build writes dist",),
        dependencies=names,
    )
