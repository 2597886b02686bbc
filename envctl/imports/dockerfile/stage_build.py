"""A stage on its way to the spec: its base, packages and steps, and what they mean for later ones."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from envctl.bases.catalogue import CATALOGUE
from envctl.imports.dockerfile.image_settings import PATH, ImageSettings, UntranslatableError
from envctl.lazy_dataclass import dataclass

_FOLDERS: Final = (
    "/ /bin /etc /home /media /mnt /opt /root /run /srv /tmp /usr /usr/bin /usr/lib /usr/local /usr/local/bin"
    " /usr/local/lib /usr/local/share /usr/share /usr/src /var /var/lib /var/log /var/tmp /usr/local/sbin /usr/sbin"
)
FOLDERS: Final = frozenset(_FOLDERS.split())
"""Folders of every base."""
_RELEASES: Final = {
    "debian:12": "debian:bookworm",
    "debian:12-slim": "debian:bookworm-slim",
    "debian:13": "debian:trixie",
    "debian:13-slim": "debian:trixie-slim",
    "ubuntu:noble": "ubuntu:24.04",
    "ubuntu:jammy": "ubuntu:22.04",
}
"""Other names of bases."""


def catalogue_base(image: str) -> str:
    """The base with the content of an image. UntranslatableError if the catalogue does not have it."""
    name = image.removeprefix("docker.io/").removeprefix("library/")
    name = _RELEASES.get(name, name)
    if name in CATALOGUE:
        return name
    what = "it starts from nothing" if name == "scratch" else f"{image[:100]!r} is not a base"
    raise UntranslatableError(
        f"{what}, and only bases run on machines natively",
        f"FROM one of {', '.join(CATALOGUE)}, and install what it needs as packages",
    )


def is_plain_folder(root: Path, path: str) -> bool:
    """Whether a path of the project is a folder, and no link. A path that no disk can have is none."""
    place = os.fspath(root / path)
    return os.path.isdir(place) and not os.path.islink(place)  # noqa: PTH112, PTH114


class PlainCommand(list[str]):
    """A command that means the same whatever variables it has."""


@dataclass(slots=True)
class StageBuild:
    """The base, packages and steps of a stage."""

    root: Path
    base: str
    settings: ImageSettings
    packages: list[str] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    folders: set[str] = field(default_factory=lambda: {*FOLDERS})
    copies: list[tuple[str, str]] = field(default_factory=list)
    """Each path of the project that is copied, and where to."""
    venvs: set[str] = field(default_factory=set)
    touches_apt: bool = False
    """Whether a step changes where packages come from: later ones cannot be installed first."""
    needs_update: bool = False
    """Whether the package lists were updated by a command that is not a step."""
    user: str = ""
    """The user of the service, whom envctl creates."""
    uid: int | None = None

    def copy(self) -> StageBuild:
        """A build that goes on where this one ends."""
        return StageBuild(
            self.root,
            self.base,
            self.settings.copy(),
            [*self.packages],
            [*self.steps],
            {*self.folders},
            [*self.copies],
            {*self.venvs},
            self.touches_apt,
            self.needs_update,
            self.user,
            self.uid,
        )

    @property
    def run_env(self) -> dict[str, str]:
        """The variables of a RUN that are not those of every command."""
        variables = dict(self.settings.variables)
        if variables.get("PATH") == PATH:
            del variables["PATH"]
        return variables

    @property
    def user_name(self) -> str:
        """The user that commands run as; empty for root."""
        name = self.settings.user.partition(":")[0]
        return "" if name in ("root", "0") else name

    def add_folder(self, path: str) -> None:
        """A folder exists from now on, with those above it."""
        while path not in self.folders:
            self.folders.add(path)
            path = posixpath.dirname(path)

    def add_run(
        self, command: str | list[str], *, user: str = "", secrets: tuple[str, ...] = ()
    ) -> None:
        """Add a command, in the folder and with the variables that are set now."""
        self.make_workdir()
        options: dict[str, Any] = {}
        if user:
            options["user"] = user
        if self.settings.workdir != "/":
            options["workdir"] = self.settings.workdir
        if env := self.run_env:
            options["env"] = env
        if secrets:
            options["secrets"] = [*secrets]
        self.steps.append({"run": {"command": command, **options} if options else command})

    def make_workdir(self) -> None:
        """Make the folder that commands run in, as WORKDIR does."""
        folder = self.settings.workdir
        if folder in self.folders:
            return
        command = ["mkdir", "-p", "--", folder]
        if self.user_name:
            script = 'install -d -o "$1" -g "$(id -g -- "$1")" -- "$2"'
            command = ["/bin/sh", "-ec", script, "workdir", self.user_name, folder]
        self.steps.append({"run": PlainCommand(command)})
        self.add_folder(folder)

    def project_path(self, path: str) -> str:
        """The path in the project of a file that was copied; empty if it is not known."""
        for source, target in reversed(self.copies):
            folder = target.rstrip("/")
            name = posixpath.basename(source)
            if path == (f"{folder}/{name}" if target.endswith("/") else target):
                if not is_plain_folder(self.root, source):
                    return source
            elif path.startswith(f"{folder}/") and is_plain_folder(self.root, source):
                return posixpath.normpath(posixpath.join(source, path[len(folder) + 1 :]))
        return ""


def shared_env(steps: list[dict[str, Any]]) -> Mapping[str, str]:
    """The variables that all commands of a build have, if they all have the same."""
    runs = [
        step["run"] for step in steps if not isinstance(step.get("run"), PlainCommand | type(None))
    ]
    environments = [run.get("env", {}) if isinstance(run, dict) else {} for run in runs]
    is_shared = bool(environments) and all(each == environments[0] for each in environments)
    return environments[0] if is_shared else {}


def without_env(step: dict[str, Any]) -> dict[str, Any]:
    """A step whose variables are those of the build."""
    run = step.get("run")
    if not isinstance(run, dict):
        return step
    options = {key: value for key, value in run.items() if key != "env"}
    return {"run": options["command"] if [*options] == ["command"] else options}
