"""A Dockerfile of the project."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from envctl.detect.application_findings import Findings, Keys, served
from envctl.detect.dockerfile_reader import DockerfileError, Instruction, parse_dockerfile
from envctl.detect.folder_view import FolderView

_FILES: Final = ("Dockerfile", "docker/Dockerfile", "Containerfile")
_PORT: Final = re.compile(r"[0-9]{1,5}(?![0-9])")
_BUILDS: Final = frozenset(
    ["package.json", "go.mod", "Gemfile", "pom.xml", "build.gradle", "Cargo.toml", "composer.json"]
)
"""Files of projects whose image adds something to the application's folder. A mount would hide it."""


def detect_dockerfile(folder: FolderView) -> Findings | None:
    """Find a Dockerfile, which builds the service."""
    stages = ((path, _last_stage(folder.text(path))) for path in _FILES)
    file, last_stage = next(((path, stage) for path, stage in stages if stage), ("", ()))
    if not file:
        return None
    port = _port(last_stage)
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


def _last_stage(text: str) -> Sequence[Instruction]:
    """The instructions of the stage that is built, FROM first; none if the file is not a Dockerfile."""
    try:
        instructions = parse_dockerfile(text).instructions
    except DockerfileError:
        return ()
    starts = [index for index, each in enumerate(instructions) if each.name == "FROM"]
    return instructions[starts[-1] :] if starts else ()


def _port(stage: Sequence[Instruction]) -> int | None:
    texts = (each.text for each in stage if each.name == "EXPOSE")
    number = next((match[0] for text in texts if (match := _PORT.match(text))), "0")
    return int(number) if 0 < int(number) < 65536 else None


def _mount_target(stage: Sequence[Instruction]) -> str | None:
    """Return the folder that the project is copied to as a whole."""
    copies = (each.text.split() for each in stage if each.name in ("COPY", "ADD"))
    target = next((words[1] for words in copies if len(words) == 2 and words[0] in (".", "./")), "")
    workdir = next((each.text for each in stage if each.name == "WORKDIR"), "")
    folder = workdir if target in (".", "./") else target
    absolute = folder.rstrip("/")
    return absolute if re.fullmatch(r"(/[\w.-]+)+", absolute) and ".." not in absolute else None
