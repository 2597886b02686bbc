"""A Dockerfile of the project."""

from __future__ import annotations

import re
from typing import Final

from envctl.detect.application_findings import Findings, Keys, served
from envctl.detect.folder_view import FolderView

_FILES: Final = ("Dockerfile", "docker/Dockerfile", "Containerfile")
_FROM = re.compile(r"^[ \t]*FROM\b", re.MULTILINE | re.IGNORECASE)
_EXPOSE = re.compile(r"^[ \t]*EXPOSE[ \t]+(\d{1,5})", re.MULTILINE | re.IGNORECASE)
_WORKDIR = re.compile(r"^[ \t]*WORKDIR[ \t]+(/[\w./-]*\w)[ \t]*$", re.MULTILINE | re.IGNORECASE)
_COPY = re.compile(r"^[ \t]*(?:COPY|ADD)[ \t]+\./?[ \t]+(\S+)[ \t]*$", re.MULTILINE | re.IGNORECASE)
_BUILDS: Final = frozenset(
    ["package.json", "go.mod", "Gemfile", "pom.xml", "build.gradle", "Cargo.toml", "composer.json"]
)
"""Files of projects whose image adds something to the application's folder. A mount would hide it."""


def detect_dockerfile(folder: FolderView) -> Findings | None:
    """Find a Dockerfile, which builds the service."""
    file = next((path for path in _FILES if _FROM.search(folder.text(path))), None)
    if file is None:
        return None
    last_stage = _FROM.split(folder.text(file))[-1]
    expose = _EXPOSE.search(last_stage)
    port = int(expose[1]) if expose and 0 < int(expose[1]) < 65536 else None
    source: Keys = {"dockerfile": file if "/" not in file else {"file": file, "context": "."}}
    target = _mount_target(last_stage)
    live = target if not any(map(folder.has, _BUILDS)) else None
    guesses = [
        *([] if port else ["no port: add `ports` if it answers on one (there is no EXPOSE)"]),
        *([f"{live} in the image is the project's folder"] if live else []),
        *([] if live else ["no live code: an edit needs a new build, `envctl up dev`"]),
    ]
    return Findings(
        "a project with a Dockerfile",
        (file,),
        {**source, **(served(port) if port else {})},
        {"mounts": {".": live}} if live else {},
        guesses=tuple(guesses),
    )


def _mount_target(stage: str) -> str | None:
    """Return the folder that the project is copied to as a whole."""
    copy, workdir = _COPY.search(stage), _WORKDIR.search(stage)
    if copy is None:
        return None
    if copy[1] in (".", "./"):
        return workdir[1] if workdir else None
    absolute = copy[1].rstrip("/")
    return absolute if re.fullmatch(r"(/[\w.-]+)+", absolute) and ".." not in absolute else None
