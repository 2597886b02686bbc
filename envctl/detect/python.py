"""Python: Django, Flask, FastAPI, or a program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from envctl.detect.application_findings import HOME, TASK, Findings, Keys, copies, copy_all, served
from envctl.detect.folder_view import FolderView, table, texts
from envctl.lazy_dataclass import dataclass

PORT: Final = 8000
VENV: Final = "/opt/web"
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_PLAIN = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,._-]+\])?([<>=!~]=?[A-Za-z0-9.*<>=!~,]+)?"
)
_APP = re.compile(r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:\w+\.)?(Flask|FastAPI|Celery)\(", re.MULTILINE)
_FACTORY = re.compile(r"^def create_app\(", re.MULTILINE)
_SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE["']\s*,\s*["']([A-Za-z_][\w.]*)["']""")
_HEALTH = re.compile(
    r"""@\w+\.(?:route|get)\(\s*["'](/(?:healthz?|health_?check|livez|readyz|ping))["']"""
)
_MODULE = re.compile(r"[A-Za-z_]\w*(/[A-Za-z_]\w*)*\.py")
_NEEDS = re.compile(r"3\.(\d{1,2})")


@dataclass(frozen=True, slots=True)
class _App:
    """An application object: where gunicorn or uvicorn finds it."""

    framework: str
    address: str
    folder: str
    health: str | None
    file: str


def detect_python(folder: FolderView) -> Findings | None:
    """Find a Python application."""
    names = dependencies(folder)
    apps = {app.framework: app for app in reversed(list(_apps(folder, names)))}
    install = _install(folder)
    program = folder.first("app.py", "main.py", "server.py")
    files = [file for file in _DECLARING if folder.has(file)]
    seen = tuple(f"{file}" for file in files)
    base = "debian:trixie" if _minor(folder) > 11 else "debian:bookworm"
    if folder.has("manage.py"):
        findings = _django(folder)
    elif app := apps.get("FastAPI") or apps.get("Flask"):
        findings = _web(app)
    elif program and (names or files):
        findings = _program(program)
    else:
        return None
    extra = _worker(apps.get("Celery"), names)
    service = {
        "packages": ["python3", "python3-venv", *_libraries(names)],
        "build": [*install, *_server(findings.title, names), copy_all()],
        "workdir": HOME,
        **findings.service,
    }
    return Findings(
        findings.title,
        (*seen, *findings.seen),
        service,
        {"mounts": {".": HOME}, **findings.dev},
        {**findings.others, **extra},
        findings.guesses,
        names,
        base,
    )


_DECLARING: Final = ("requirements.txt", "pyproject.toml", "uv.lock", "poetry.lock")


def dependencies(folder: FolderView) -> frozenset[str]:
    """Return the names of the project's dependencies, normalized as on PyPI."""
    project = folder.toml("pyproject.toml")
    poetry = table(project, "tool", "poetry")
    declared = [
        *folder.text("requirements.txt").splitlines(),
        *texts(table(project, "project").get("dependencies")),
        *table(poetry, "dependencies"),
    ]
    matches = map(_REQUIREMENT.match, declared)
    names = {re.sub(r"[-_.]+", "-", match[1]).lower() for match in matches if match}
    return frozenset(names - {"python"})


def _minor(folder: FolderView) -> int:
    """Return the lowest minor version of Python 3 that the project supports."""
    project = folder.toml("pyproject.toml")
    needs = table(project, "project").get("requires-python") or table(
        project, "tool", "poetry", "dependencies"
    ).get("python")
    match = _NEEDS.search(needs) if isinstance(needs, str) else None
    return int(match[1]) if match else 0


def _install(folder: FolderView) -> list[Keys]:
    """Return the steps that install the dependencies: the locked versions if there is a lock file."""
    project = folder.toml("pyproject.toml")
    if project and folder.has("uv.lock"):
        sync = "uv sync --frozen --no-dev --no-install-project"
        return _with_tool("uv", folder, f"UV_PROJECT_ENVIRONMENT={VENV} /opt/tool/bin/{sync}")
    if table(project, "tool", "poetry"):
        script = f"python3 -m venv {VENV}\nVIRTUAL_ENV={VENV} /opt/tool/bin/poetry install --no-root --without dev --no-interaction"
        return _with_tool("poetry", folder, script)
    if folder.has("requirements.txt"):
        target = f"{HOME}/requirements.txt"
        return [*copies("requirements.txt"), {"pip": {"venv": VENV, "requirements": target}}]
    declared = texts(table(project, "project").get("dependencies"))
    packages = ["".join(text.split()) for text in declared]
    packages = [text for text in packages if _PLAIN.fullmatch(text)]
    return [{"pip": {"venv": VENV, "packages": packages}}] if packages else []


def _with_tool(tool: str, folder: FolderView, script: str) -> list[Keys]:
    files = [file for file in ("pyproject.toml", f"{tool}.lock") if folder.has(file)]
    return [
        {"pip": {"venv": "/opt/tool", "packages": [tool]}},
        *copies(*files),
        {"run": {"command": script, "workdir": HOME}},
    ]


def _server(title: str, names: frozenset[str]) -> list[Keys]:
    """Return the step that installs a server for the application, unless it brings one."""
    server = {"a FastAPI application": "uvicorn", "a Python program": ""}.get(title, "gunicorn")
    if not server or server in names:
        return []
    return [{"pip": {"venv": VENV, "packages": [server]}}]


def _libraries(names: frozenset[str]) -> list[str]:
    """Return the distribution packages that are needed to compile dependencies."""
    packages = {
        "psycopg2": ["libpq-dev"],
        "psycopg": ["libpq5"],
        "mysqlclient": ["libmariadb-dev", "pkg-config"],
    }
    needed = [package for name in sorted(names) for package in packages.get(name, [])]
    compiled = any(package.endswith("-dev") for package in needed)
    return [*(["python3-dev", "build-essential"] if compiled else []), *needed]


def _apps(folder: FolderView, names: frozenset[str]) -> Iterator[_App]:
    """Yield the application objects in its sources, upper folders first."""
    for file, text in folder.sources(".py"):
        if not _MODULE.fullmatch(file) or "test" in file:
            continue
        below, path = (f"{HOME}/src", file[4:]) if file.startswith("src/") else (HOME, file)
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        health = _HEALTH.search(text)
        path_of_health = health[1] if health else None
        for match in _APP.finditer(text):
            address = f"{module}:{match[1]}"
            yield _App(match[2], address, below, path_of_health, file)
        if "flask" in names and _FACTORY.search(text):
            yield _App("Flask", f"{module}:create_app()", below, path_of_health, file)


def _env(folder: str) -> Keys:
    """Return the variables for modules in another folder and for unbuffered output."""
    path = {"PYTHONPATH": folder} if folder != HOME else {}
    return {"env": {"PYTHONUNBUFFERED": "1", **path}}


def _web(app: _App) -> Findings:
    if app.framework == "FastAPI":
        serve = [
            f"{VENV}/bin/python",
            "-m",
            "uvicorn",
            app.address,
            "--host=0.0.0.0",
            f"--port={PORT}",
        ]
        command, dev = [*serve, "--proxy-headers"], [*serve, "--reload"]
    else:
        command = [f"{VENV}/bin/gunicorn", f"--bind=0.0.0.0:{PORT}", "--workers=2", app.address]
        address = app.address.removesuffix("()")
        python = [f"{VENV}/bin/python", "-m", "flask", "--app", address]
        dev = [*python, "run", "--debug", "--host=0.0.0.0", f"--port={PORT}"]
    what = f"{app.framework} application"
    return Findings(
        f"a {what}",
        (f"{app.address} in {app.file}",),
        {**_env(app.folder), "command": command, **served(PORT, app.health)},
        {"command": dev},
        guesses=() if app.health else (f"healthy: as soon as port {PORT} accepts connections",),
    )


def _django(folder: FolderView) -> Findings:
    match = _SETTINGS.search(folder.text("manage.py"))
    package = match[1].partition(".")[0] if match else "config"
    asgi = " and its settings" if match else ", and the package config, which is a guess"
    python = f"{VENV}/bin/python"
    return Findings(
        "a Django application",
        (f"manage.py{asgi}",),
        {
            **_env(HOME),
            "command": [f"{VENV}/bin/gunicorn", f"--bind=0.0.0.0:{PORT}", "--workers=2", f"{package}.wsgi:application"],
            **served(PORT),
        },
        {"command": [python, "manage.py", "runserver", f"0.0.0.0:{PORT}"]},
        {"migrate": {**_part_of_web([python, "manage.py", "migrate", "--noinput"]), **TASK}},
        guesses=(
            f"healthy: as soon as port {PORT} accepts connections",
            "ALLOWED_HOSTS in its settings has to allow the address in prod",
        ),
    )  # fmt: skip


def _program(file: str) -> Findings:
    return Findings(
        "a Python program",
        (file,),
        {
            "env": {"PYTHONUNBUFFERED": "1", "PORT": str(PORT)},
            "command": [f"{VENV}/bin/python", file],
            **served(PORT),
        },
        guesses=(f"it listens on port {PORT}, or on that in the variable PORT",),
    )


def _worker(celery: _App | None, names: frozenset[str]) -> dict[str, Keys]:
    """Return the worker of an application that has Celery."""
    if celery is None or "celery" not in names:
        return {}
    module = celery.address.partition(":")[0]
    command = [f"{VENV}/bin/celery", "-A", module, "worker", "--loglevel=info", "--concurrency=2"]
    return {"worker": _part_of_web(command)}


def _part_of_web(command: list[str]) -> Keys:
    """Return a service with the image of `web` that publishes no port."""
    return {"extends": "web", "ports": None, "healthcheck": None, "command": command}
