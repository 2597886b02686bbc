"""What a service is made from: bases, Dockerfiles, build steps."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import Field

from envctl.definition import forms
from envctl.definition.fields import (
    COMMAND,
    STRING,
    Anything,
    Boolean,
    Command,
    EnvName,
    EnvText,
    Filled,
    Form,
    Free,
    Image,
    Mode,
    Owner,
    ProjectPath,
    Reads,
    Short,
    Snapshot,
    UnitFolder,
    UnitPath,
    UserName,
    Variable,
    bounded,
    mapping_or,
)
from envctl.definition.forms import Wrong
from envctl.definition.tree import shown, what


class BaseForm(Form):
    """What a service's build starts from."""

    name: Image | None = Field(
        None, description="A name of the base catalogue.", examples=["debian:bookworm"]
    )
    image: Image | None = Field(
        None, description="A container image.", examples=["debian:bookworm"]
    )
    box: Filled | None = Field(None, description="A Vagrant box.", examples=["debian/bookworm64"])
    snapshot: Snapshot | None = Field(
        None,
        description="The dated mirror that its packages come from, instead of today's.",
        examples=["http://snapshots.example/archive/debian/20260801T000000Z/"],
    )


def _base(value: Any) -> Any:
    value = mapping_or("name", str, "a base (a name, or image and box)")(value)
    if not {"name", "image", "box"} & set(value):
        raise Wrong(
            "a base needs a name or an image", expected="debian:bookworm, or {image: …, box: …}"
        )
    if "name" in value and {"image", "box"} & set(value):
        raise Wrong("a base has a name or an image and a box, not both")
    if "snapshot" in value and "name" not in value:
        raise Wrong(
            "a dated mirror is for a base that is made from it",
            expected="{name: debian:bookworm, snapshot: …}",
        )
    return value


Base: TypeAlias = Annotated[BaseForm, Short(_base, STRING)]


class DockerfileForm(Form):
    """The project's own Dockerfile."""

    file: ProjectPath = Field(description="The Dockerfile.", examples=["docker/Dockerfile"])
    context: ProjectPath | None = Field(
        None, description="The build context; by default the Dockerfile's folder.", examples=["."]
    )
    target: Anything = Field("", description="The stage to build.", examples=["runtime"])
    args: dict[EnvName, EnvText] = Field(
        {}, description="Build arguments.", examples=[{"VERSION": "3"}]
    )


Dockerfile: TypeAlias = Annotated[
    DockerfileForm, Short(mapping_or("file", str, "a Dockerfile (a path or a mapping)"), STRING)
]


class SecretForm(Form):
    """Where a secret's value comes from: tried in the order env, file, command, generate."""

    env: EnvName | None = Field(
        None, description="An environment variable of envctl's own process.", examples=["APP_TOKEN"]
    )
    file: Filled | None = Field(None, description="A file of the host.", examples=["secrets/token"])
    command: Command | None = Field(
        None, description="A command on the host that prints it.", examples=["pass show app/token"]
    )
    generate: Annotated[int, bounded(8, 256)] | None = Field(
        None,
        description="Make a random one of this many characters, once, and keep it.",
        examples=[24],
    )


def _argument(value: Any) -> str:
    """A word that pip or npm must not take for an option."""
    word = forms.filled(value)
    if word.startswith("-") or "\n" in word:
        raise Wrong(f"{shown(word)} is no package", expected="a package, such as flask==3.1")
    return word


Argument: TypeAlias = Annotated[str, Reads(_argument, STRING)]


class CopyForm(Form):
    """Copy a file or a folder of the project."""

    source: ProjectPath = Field(
        alias="from", description="What to copy, relative to the project.", examples=["app/"]
    )
    to: UnitPath = Field(
        description="Where to; a trailing / makes it a folder.", examples=["/srv/web/"]
    )
    owner: Owner = Field("", description="The files' owner; root by default.", examples=["web"])
    mode: Mode = Field("", description="The files' permissions.", examples=["0644"])
    exclude: list[Filled] = Field([], description="Patterns left out.", examples=[["*.pyc"]])


class RunForm(Form):
    """Run a command while building."""

    command: Command = Field(
        description="A shell script, or a list of words.", examples=["make install"]
    )
    user: UserName = Field("", description="Who runs it; root by default.", examples=["web"])
    workdir: UnitFolder = Field("", description="Where; / by default.", examples=["/srv/web"])
    env: dict[EnvName, EnvText] = Field(
        {}, description="Its environment.", examples=[{"LANG": "C.UTF-8"}]
    )
    secrets: list[Variable] = Field(
        [],
        description="Secrets it can read at /run/secrets/NAME while it runs; the image has none of them.",
        examples=[["npm_token"]],
    )


class PipForm(Form):
    """Install Python packages into a virtual environment, made if missing."""

    venv: UnitFolder = Field(description="The virtual environment.", examples=["/opt/web"])
    requirements: UnitPath = Field(
        "",
        description="A requirements file inside the unit (copy it first).",
        examples=["/srv/requirements.txt"],
    )
    packages: list[Argument] = Field([], description="Packages.", examples=[["flask==3.1.0"]])


class NpmForm(Form):
    """Install npm packages: those of a folder with a package.json, or named ones globally."""

    directory: UnitFolder = Field(
        "", description="A folder with a package.json.", examples=["/srv/web"]
    )
    packages: list[Argument] = Field([], description="Packages.", examples=[["serve@14"]])
    production: Boolean = Field(
        False, description="Leave development packages out.", examples=[True]
    )


class TemplateForm(Form):
    """Fill in a Jinja2 template of the project."""

    source: ProjectPath = Field(alias="from", description="The template.", examples=["web.conf.j2"])
    to: UnitPath = Field(description="The file to write.", examples=["/etc/web.conf"])
    values: Free = Field(
        {}, description="Values, besides the spec's vars.", examples=[{"workers": 4}]
    )
    owner: Owner = Field("", description="The file's owner; root by default.", examples=["web"])
    mode: Mode = Field(
        "", description="The file's permissions; 0644 by default.", examples=["0600"]
    )


Run: TypeAlias = Annotated[
    RunForm, Short(mapping_or("command", str | list, "a command"), *COMMAND["anyOf"])
]
_STEPS = ("copy", "run", "pip", "npm", "template")


def _step(value: Any) -> Any:
    if not isinstance(value, dict):
        hint = f"write {forms.written({'run': str(value)})}" if isinstance(value, str) else ""
        raise Wrong(
            f"expected a build step, got {what(value)}", expected=" or ".join(_STEPS), hint=hint
        )
    if len(value) != 1:
        given = ", ".join(value) or "none"
        raise Wrong(
            f"a build step has exactly one kind, this one has {given}", expected=" or ".join(_STEPS)
        )
    return value


class StepForm(Form):
    """One build step: exactly one of these."""

    copy_: CopyForm | None = Field(None, alias="copy", description="Copy files of the project.")
    run: Run | None = Field(None, description="Run a command.", examples=["make install"])
    pip: PipForm | None = Field(None, description="Install Python packages.")
    npm: NpmForm | None = Field(None, description="Install npm packages.")
    template: TemplateForm | None = Field(None, description="Fill in a template.")


Step: TypeAlias = Annotated[StepForm, Short(_step)]
