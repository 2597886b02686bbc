"""The sources of units: a base with ordered steps, a Dockerfile, or a ready image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import TypeAlias

from envctl.errors import Place
from envctl.host.source_tree import NOTHING, SourceTree
from envctl.lazy_dataclass import dataclass
from envctl.plan.model_fields import added_field, metadata_field


@dataclass(frozen=True, slots=True)
class Base:
    """What a build starts from: an image on a container engine, a box on a VM provider.

    `name` is the catalogue's ("debian:bookworm") or empty; `snapshot` a dated mirror, if one is set. With a `platform`
    ("linux/arm64") the image is for that platform, and `image` has another name; "" means the engine's own platform.
    """

    name: str
    image: str
    box: str = ""
    snapshot: str = ""
    where: Place | None = metadata_field()
    platform: str = added_field("")
    platform_at: Place | None = metadata_field()


@dataclass(frozen=True, slots=True)
class InstallPackages:
    """Packages of the distribution, sorted."""

    names: tuple[str, ...]
    where: Place | None = metadata_field()


@dataclass(frozen=True, slots=True)
class CreateUser:
    """A system user, created unless a package already did so; `uid` is also the gid.

    With a `gid` both numbers are those of a user of the host; others in the image may have them, too.
    """

    name: str
    uid: int
    home: str
    where: Place | None = metadata_field()
    gid: int | None = added_field(None)


@dataclass(frozen=True, slots=True)
class MakeDirectories:
    """Folders that the unit's user owns; existing ones are left alone."""

    paths: tuple[str, ...]
    owner: str
    where: Place | None = metadata_field()


@dataclass(frozen=True, slots=True)
class CopyFiles:
    """A file or folder of the project (`source`, relative, POSIX) put at `target`.

    A folder's content goes into `target`; a file goes into `target` if that ends in "/", else it
    becomes `target`. `content` is the hash of what is copied, names and execute bits included; `tree` is what that
    consists of, without what is left out.
    """

    source: str
    target: str
    content: str
    owner: str = ""
    mode: str = ""
    tree: SourceTree = metadata_field(NOTHING)
    where: Place | None = metadata_field()


@dataclass(frozen=True, slots=True)
class CopyFromStage:
    """A file or folder (`source`, absolute) of another build, put at `target` as `CopyFiles` would; modes stay.

    `digest` is that of the other build, which has the name `stage` in the spec; another name changes nothing.
    """

    source: str
    target: str
    digest: str
    stage: str = metadata_field("")
    build: Build = metadata_field()
    owner: str = ""
    where: Place | None = metadata_field()


@dataclass(frozen=True, slots=True)
class WriteFile:
    """A text that is filled in when the plan is made (the `template` step)."""

    target: str
    text: str
    owner: str = ""
    mode: str = "0644"
    where: Place | None = metadata_field()


@dataclass(frozen=True, slots=True)
class BuildSecret:
    """A secret that a build command reads at /run/secrets/NAME. The image does not contain it.

    A build is identified by the secret's name: another value does not rebuild it. `env` is the environment variable that
    the spec names as the source, or "".
    """

    name: str
    env: str = metadata_field("")


@dataclass(frozen=True, slots=True)
class RunCommand:
    """A command of a build: its `argv`; a shell script is ("/bin/sh", "-ec", script)."""

    argv: tuple[str, ...]
    user: str = "root"
    workdir: str = "/"
    env: Mapping[str, str] = field(default_factory=dict)
    where: Place | None = metadata_field()
    secrets: tuple[BuildSecret, ...] = added_field(())


@dataclass(frozen=True, slots=True)
class PipInstall:
    """Python packages, in a virtual environment that is created if missing. `requirements` is a path inside."""

    venv: str
    requirements: str = ""
    packages: tuple[str, ...] = ()
    where: Place | None = metadata_field()


@dataclass(frozen=True, slots=True)
class NpmInstall:
    """`npm ci` (without a lock file `npm install`) in `directory`, or named packages globally."""

    directory: str = ""
    packages: tuple[str, ...] = ()
    production: bool = False
    where: Place | None = metadata_field()


Step: TypeAlias = (
    InstallPackages
    | CreateUser
    | MakeDirectories
    | CopyFiles
    | CopyFromStage
    | WriteFile
    | RunCommand
    | PipInstall
    | NpmInstall
)


@dataclass(frozen=True, slots=True)
class BuildStage:
    """A build that another one copies files from, and the name that it has in the spec."""

    name: str
    build: Build


@dataclass(frozen=True, slots=True)
class Build:
    """An image to build: a base and ordered steps.

    `digest` names what it is (see `digest.build_digest`), however its package installs are laid
    out in steps; units with the same digest share one image. `strategy` is a wish to the backend, in its
    own words, of the way it is made. `template_digest` is the digest of the project's own templates
    it is made by, "" without any; `digest` covers it. `args` are the variables of its commands that are build arguments.
    """

    base: Base
    steps: tuple[Step, ...]
    digest: str = ""
    where: Place | None = metadata_field()
    strategy: str = metadata_field("")
    template_digest: str = metadata_field("")
    args: tuple[tuple[str, str], ...] = metadata_field(())

    @property
    def stages(self) -> tuple[BuildStage, ...]:
        """The builds that it copies from, directly or through another stage. Each comes once, before the builds that copy from it."""
        stages: dict[str, BuildStage] = {}

        def add(steps: Iterable[Step]) -> None:
            for step in steps:
                if isinstance(step, CopyFromStage) and step.digest not in stages:
                    add(step.build.steps)
                    stages[step.digest] = BuildStage(step.stage, step.build)

        add(self.steps)
        return tuple(stages.values())

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """The steps of its stages, and its own."""
        return (*(step for stage in self.stages for step in stage.build.steps), *self.steps)

    @property
    def bases(self) -> tuple[Base, ...]:
        """Its own base, and those of its stages, each once."""
        return tuple(dict.fromkeys((self.base, *(stage.build.base for stage in self.stages))))

    @property
    def platform(self) -> str:
        """The platform that it is made for; "" for the engine's own."""
        return self.base.platform

    @property
    def platform_at(self) -> Place | None:
        """The place that asks for that platform."""
        return self.base.platform_at


@dataclass(frozen=True, slots=True)
class DockerfileBuild:
    """An image made from the project's own Dockerfile; paths are project-relative.

    `dockerfile_digest` is the hash of the Dockerfile itself; `digest` covers it. `tree` is what the context consists of,
    `own_file` the Dockerfile, or else `text` is its text. `platform` is the one that it is made for, "" for the engine's own.
    """

    dockerfile: str
    context: str
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    content: str = ""
    digest: str = ""
    tree: SourceTree = metadata_field(NOTHING)
    own_file: SourceTree = metadata_field(NOTHING)
    where: Place | None = metadata_field()
    dockerfile_digest: str = metadata_field("")
    platform: str = added_field("")
    platform_at: Place | None = metadata_field()
    text: str = added_field("")


@dataclass(frozen=True, slots=True)
class ReadyImage:
    """A container image used as it is; of a `platform`, if one is given, and not of the engine's own."""

    image: str
    where: Place | None = metadata_field()
    platform: str = added_field("")


Source: TypeAlias = Build | DockerfileBuild | ReadyImage
