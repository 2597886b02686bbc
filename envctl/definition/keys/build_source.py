"""What a service is made from: bases, Dockerfiles, build steps."""

import posixpath
from typing import Annotated, Any, Final, Literal, TypeAlias, TypedDict

from envctl.definition.form import Form, Shorthand, Tagged
from envctl.definition.key import Key
from envctl.definition.keys.scalars import (
    BOOLEAN,
    COMMAND,
    COMMAND_SCHEMAS,
    ENV,
    FILLED,
    FILLED_TEXTS,
    IMAGE,
    MODE,
    OWNER,
    PACKAGE,
    PROJECT_PATH,
    REQUIREMENTS,
    SETTINGS,
    SNAPSHOT,
    STAGE_PATH,
    STORED,
    STRING,
    TEXT,
    UNIT_FOLDER,
    UNIT_PATH,
    USER_NAME,
    VARIABLE,
)
from envctl.definition.kinds import ListOf, MapOf
from envctl.definition.tree import MapNode
from envctl.definition.value_readers import InvalidValue


class BaseData(TypedDict):
    """What a service's build starts from."""

    # "" if it is given by image and box: the catalogue knows those of a name.
    name: Annotated[str, Key(IMAGE, "A name from the base catalogue.", "debian:bookworm", "")]
    image: Annotated[str, Key(IMAGE, "A container image.", "debian:bookworm", "")]
    box: Annotated[str, Key(FILLED, "A Vagrant box.", "debian/bookworm64", "")]
    snapshot: Annotated[
        str,
        Key(
            SNAPSHOT,
            "A dated mirror that its packages come from, instead of the current one.",
            "http://snapshots.example/archive/debian/20260801T000000Z/",
            "",
        ),
    ]


def _check_base(base: MapNode) -> None:
    if not {"name", "image", "box"} & set(base):
        raise InvalidValue(
            "a base needs a name or an image", expected="debian:bookworm, or {image: …, box: …}"
        )
    if "name" in base and {"image", "box"} & set(base):
        raise InvalidValue("a base has either a name, or an image and a box")
    if "snapshot" in base and "name" not in base:
        raise InvalidValue(
            "a snapshot needs a base with a name",
            expected="{name: debian:bookworm, snapshot: …}",
        )


BASE: Final = Form(
    BaseData,
    title="Base",
    shorthand=Shorthand((STRING,), "name", expected="a base (a name, or image and box)"),
    check=_check_base,
)


class DockerfileData(TypedDict):
    """The project's own Dockerfile."""

    file: Annotated[str, Key(PROJECT_PATH, "The Dockerfile.", "docker/Dockerfile", "")]
    inline: Annotated[
        str,
        Key(FILLED, "The text of the Dockerfile, in place of a file.", "FROM redis:7", ""),
    ]
    context: Annotated[
        str,
        Key(
            PROJECT_PATH,
            "The build context; by default the folder of the Dockerfile, or of the project for inline text.",
            ".",
            "",
        ),
    ]
    target: Annotated[str, Key(TEXT, "The stage to build.", "runtime", "")]
    args: Annotated[dict[str, str], Key(ENV, "Build arguments.", {"VERSION": "3"}, {})]


def _with_context(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "context": data["context"] or posixpath.dirname(data["file"]) or "."}


def _check_dockerfile(dockerfile: MapNode) -> None:
    if len({"file", "inline"} & set(dockerfile)) != 1:
        raise InvalidValue(
            "a Dockerfile is either a file or inline text",
            expected="{file: …} or {inline: …}",
        )


DOCKERFILE: Final = Form(
    DockerfileData,
    title="Dockerfile",
    check=_check_dockerfile,
    choices=("file", "inline"),
    choice_reason="a Dockerfile has one text",
    shorthand=Shorthand((STRING,), "file", expected="a Dockerfile (a path or a mapping)"),
    complete=_with_context,
)


class CopyStep(TypedDict):
    """Copy a file or a folder of the project."""

    step: Literal["copy"]
    source: Annotated[
        str, Key(PROJECT_PATH, "What to copy, relative to the project.", "app/", name="from")
    ]
    target: Annotated[
        str,
        Key(
            UNIT_PATH,
            "Where to copy it; with a trailing / this is a folder.",
            "/srv/web/",
            name="to",
        ),
    ]
    owner: Annotated[str, Key(OWNER, "The owner of the files; root by default.", "web", "")]
    mode: Annotated[str, Key(MODE, "The permissions of the files.", "0644", "")]
    exclude: Annotated[
        list[str], Key(FILLED_TEXTS, "Patterns of what is not copied.", ["*.pyc"], [])
    ]


class CopyFromStep(TypedDict):
    """Copy a file or a folder out of a stage of the service, with the permissions that it has there."""

    step: Literal["copy_from"]
    stage: Annotated[str, Key(STORED, "The stage, from `stages` of the service.", "compile")]
    source: Annotated[
        str,
        Key(
            STAGE_PATH,
            "What to copy: an absolute path in the stage. Of a folder, the content is copied.",
            "/out/app",
            name="from",
        ),
    ]
    target: Annotated[
        str,
        Key(
            UNIT_PATH,
            "Where to copy it; with a trailing / this is a folder.",
            "/usr/local/bin/",
            name="to",
        ),
    ]
    owner: Annotated[str, Key(OWNER, "The owner of the files; root by default.", "web", "")]


class RunStep(TypedDict):
    """Run a command while building."""

    step: Literal["run"]
    command: Annotated[
        list[str], Key(COMMAND, "A shell script, or a list of arguments.", "make install")
    ]
    user: Annotated[str, Key(USER_NAME, "The user that runs it; root by default.", "web", "")]
    workdir: Annotated[
        str, Key(UNIT_FOLDER, "The folder that it runs in; / by default.", "/srv/web", "")
    ]
    env: Annotated[dict[str, str], Key(ENV, "Its environment variables.", {"LANG": "C.UTF-8"}, {})]
    secrets: Annotated[
        list[str],
        Key(
            ListOf(VARIABLE, items_name="texts"),
            "Secrets that it can read at /run/secrets/NAME while it runs; they are not part of the image.",
            ["npm_token"],
            [],
        ),
    ]


class PipStep(TypedDict):
    """Install Python packages into a virtual environment, which is created if it does not exist."""

    step: Literal["pip"]
    venv: Annotated[str, Key(UNIT_FOLDER, "The virtual environment.", "/opt/web")]
    requirements: Annotated[
        str,
        Key(
            UNIT_PATH,
            "A requirements file inside the unit (copy it first).",
            "/srv/requirements.txt",
            "",
        ),
    ]
    packages: Annotated[list[str], Key(REQUIREMENTS, "Packages to install.", ["flask==3.1.0"], [])]


class NpmStep(TypedDict):
    """Install npm packages: those of a folder with a package.json, or named ones globally."""

    step: Literal["npm"]
    directory: Annotated[str, Key(UNIT_FOLDER, "A folder with a package.json.", "/srv/web", "")]
    packages: Annotated[list[str], Key(REQUIREMENTS, "Packages to install.", ["serve@14"], [])]
    production: Annotated[
        bool,
        # Written only where it is true.
        Key(
            BOOLEAN,
            "Whether to leave out development packages.",
            True,
            False,
            write=lambda it: it or None,
        ),
    ]


class TemplateStep(TypedDict):
    """Fill in a Jinja2 template of the project."""

    step: Literal["template"]
    source: Annotated[str, Key(PROJECT_PATH, "The template.", "web.conf.j2", name="from")]
    target: Annotated[str, Key(UNIT_PATH, "The file to write.", "/etc/web.conf", name="to")]
    values: Annotated[
        dict[str, Any],
        Key(SETTINGS, "Values for the template, besides the spec's vars.", {"workers": 4}, {}),
    ]
    owner: Annotated[str, Key(OWNER, "The owner of the file; root by default.", "web", "")]
    mode: Annotated[str, Key(MODE, "The permissions of the file; 0644 by default.", "0600", "")]


StepData: TypeAlias = CopyStep | CopyFromStep | RunStep | PipStep | NpmStep | TemplateStep


class AnyStep(TypedDict):
    """One build step: exactly one of these."""

    step: str


COPY: Final = Form(CopyStep, title="Copy")
COPY_FROM: Final = Form(CopyFromStep, title="Copy from")
TEMPLATE: Final = Form(TemplateStep, title="Template")
RUN: Final = Form(
    RunStep,
    title="Run",
    shorthand=Shorthand(COMMAND_SCHEMAS, "command", types=(str, list), expected="a command"),
)
STEP: Final = Tagged(
    AnyStep,
    "step",
    {
        "copy": Key(COPY, "Copy files of the project.", {"from": "app/", "to": "/srv/web/"}, None),
        "copy_from": Key(
            COPY_FROM,
            "Copy files of a stage.",
            {"stage": "compile", "from": "/out/app", "to": "/usr/local/bin/"},
            None,
        ),
        "run": Key(RUN, "Run a command.", "make install", None),
        "pip": Key(
            Form(PipStep, title="Pip"),
            "Install Python packages.",
            {"venv": "/opt/web", "packages": ["flask"]},
            None,
        ),
        "npm": Key(
            Form(NpmStep, title="Npm"), "Install npm packages.", {"directory": "/srv/web"}, None
        ),
        "template": Key(
            TEMPLATE, "Fill in a template.", {"from": "web.conf.j2", "to": "/etc/web.conf"}, None
        ),
    },
    title="Build step",
    noun="a build step",
    other_keys={
        "id": Key(
            STORED,
            "A name for `!remove` in an overlay or a service that extends this one; several steps may share it.",
            "copy-code",
            None,
        )
    },
)
STEPS: Final = ListOf(STEP)
PACKAGES: Final = ListOf(PACKAGE, items_name="texts", unique=True)


class StageData(TypedDict):
    """A build whose result is thrown away, but for what `copy_from` steps copy out of it: a compiler is not in the image."""

    base: Annotated[
        BaseData | None,
        Key(
            BASE,
            "What it starts from; by default the base of the service.",
            "debian:trixie",
            None,
            replaces="image and box belong together",
        ),
    ]
    packages: Annotated[
        list[str], Key(PACKAGES, "Distribution packages to install.", ["golang"], [])
    ]
    build: Annotated[
        list[StepData],
        Key(STEPS, "Ordered build steps.", [{"run": "go build -o /out/app ."}], []),
    ]
    build_args: Annotated[
        dict[str, str],
        Key(
            ENV,
            "Environment variables of its `run` steps, besides those of the service's `build_args`.",
            {"VERSION": "3"},
            {},
        ),
    ]


STAGE: Final = Form(StageData, title="Stage")
STAGES: Final = MapOf(STORED, STAGE)
