"""The keys of a service."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypedDict

from envctl.definition.form import Form
from envctl.definition.key import Key
from envctl.definition.keys.build_source import (
    BASE,
    DOCKERFILE,
    PACKAGES,
    STAGES,
    STEPS,
    BaseData,
    DockerfileData,
    StageData,
    StepData,
)
from envctl.definition.keys.scalars import (
    COMMAND,
    ENV,
    EXTENDED,
    IMAGE,
    NAME,
    OPTIONS,
    PLATFORM,
    PROJECT_PATH,
    STORED,
    TEXT,
    UNIT_FOLDER,
    VARIABLE,
    whole_number,
    words,
)
from envctl.definition.keys.service_values import (
    CAPABILITY,
    CHECK,
    DEPENDS_ON,
    ENV_FILE,
    HEALTHCHECK,
    HOOKS,
    MOUNT,
    PORT,
    RESOURCES,
    SECRET_USE,
    SERVICE_ENV,
    USER,
    VOLUME,
    CheckData,
    HooksData,
    MountData,
    PortData,
    ProbeData,
    ResourcesData,
    SecretUseData,
    SecretVariableData,
    UserData,
    VolumeData,
)
from envctl.definition.kinds import ListOf, MapOf


class ServiceData(TypedDict):
    """One service: exactly one of base, image, dockerfile says what it is made from."""

    kind: Annotated[
        Literal["service", "task"],
        Key(
            words("service", "task"),
            "A task runs once to completion.",
            "task",
            "service",
            run="kind",
        ),
    ]
    base: Annotated[
        BaseData | None,
        Key(
            BASE,
            "What its build starts from; by default the base of the file.",
            "debian:bookworm",
            None,
            replaces="image and box belong together",
        ),
    ]
    image: Annotated[str | None, Key(IMAGE, "A ready container image.", "redis:7", None)]
    dockerfile: Annotated[
        DockerfileData | None,
        Key(DOCKERFILE, "An existing Dockerfile.", "docker/Dockerfile", None),
    ]
    platform: Annotated[
        str | None,
        Key(
            PLATFORM,
            "The platform of its image, as Docker writes it; by default that of the engine.",
            "linux/arm64",
            None,
            run="platform",
        ),
    ]
    packages: Annotated[
        list[str],
        Key(
            PACKAGES,
            "Distribution packages to install.",
            ["python3", "curl"],
            [],
        ),
    ]
    build: Annotated[
        list[StepData], Key(STEPS, "Ordered build steps.", [{"run": "make install"}], [])
    ]
    build_args: Annotated[
        dict[str, str],
        Key(
            ENV,
            "Environment variables of the `run` steps of its build and its stages; the service itself does not have them.",
            {"VERSION": "3"},
            {},
        ),
    ]
    stages: Annotated[
        dict[str, StageData],
        Key(
            STAGES,
            "Builds by name that `copy_from` steps of its build copy files from; nothing else of them is in the image.",
            {"compile": {"packages": ["golang"], "build": [{"run": "go build -o /out/app ."}]}},
            {},
        ),
    ]
    user: Annotated[
        UserData | None,
        Key(
            USER,
            "The user that it runs as; by default one with the service's name.",
            "web",
            None,
            run="process.user",
        ),
    ]
    workdir: Annotated[
        str | None,
        Key(UNIT_FOLDER, "The folder that it runs in.", "/srv/web", None, run="process.workdir"),
    ]
    env: Annotated[
        dict[str, str | SecretVariableData],
        Key(
            SERVICE_ENV,
            "Its environment variables.",
            {"LOG_LEVEL": "info"},
            {},
            run="process.env",
        ),
    ]
    command: Annotated[
        list[str] | None,
        Key(
            COMMAND,
            "What it runs: a list of arguments, or a shell script.",
            ["/opt/web/bin/gunicorn", "app:app"],
            None,
            run="process.argv",
        ),
    ]
    ports: Annotated[
        list[PortData],
        Key(
            ListOf(PORT), "Ports that are reachable from the host.", ["8080:8000"], [], run="ports"
        ),
    ]
    mounts: Annotated[
        list[MountData],
        Key(
            ListOf(MOUNT, items_name="mounts", map_keys=("source", "target")),
            "Paths of the host that appear inside; changes show at once.",
            {"./app": "/srv/web"},
            [],
            run="mounts",
        ),
    ]
    volumes: Annotated[
        dict[str, VolumeData],
        Key(
            MapOf(STORED, VOLUME),
            "Storage that is kept when the service is replaced, by name.",
            {"data": "/var/lib/data"},
            {},
            run="volumes",
        ),
    ]
    secrets: Annotated[
        list[SecretUseData],
        Key(ListOf(SECRET_USE), "Secrets that it can read.", ["db_password"], [], run="secrets"),
    ]
    healthcheck: Annotated[
        ProbeData | None,
        Key(
            HEALTHCHECK,
            "How to tell that it is healthy.",
            {"http": "http://127.0.0.1:8000/healthz"},
            None,
            run="probe",
        ),
    ]
    depends_on: Annotated[
        dict[str, Literal["started", "healthy", "completed"]],
        Key(
            DEPENDS_ON,
            "Services that start first. By default a task must be completed, "
            "a service with a healthcheck healthy, any other started.",
            ["db"],
            {},
        ),
    ]
    profiles: Annotated[
        list[str],
        Key(
            ListOf(NAME, items_name="names", unique=True),
            "Profiles that it belongs to. It is then left out, unless one of them is chosen (`up --profile debug`), it is named, "
            "or another service depends on it.",
            ["debug"],
            [],
        ),
    ]
    replicas: Annotated[int, Key(whole_number(1, 1000), "The number of replicas.", 2, 1)]
    resources: Annotated[
        ResourcesData,
        Key(
            RESOURCES,
            "Limits of CPU and memory.",
            {"cpus": 0.5, "memory": "512M"},
            RESOURCES.defaults,
            run="resources",
        ),
    ]
    restart: Annotated[
        Literal["no", "on-failure", "always"],
        Key(
            words("no", "on-failure", "always", also=(False,)),
            "When the engine restarts it.",
            "on-failure",
            "no",
            run="restart",
        ),
    ]
    restart_on: Annotated[
        list[str],
        Key(
            ListOf(PROJECT_PATH, items_name="paths", unique=True, takes_one=True),
            "Files and folders of the project: `watch` restarts the service when something there changes.",
            ["app/"],
            [],
        ),
    ]
    checks: Annotated[
        list[CheckData],
        Key(
            MapOf(STORED, CHECK, name_key="name"),
            "Commands that `verify` runs inside its units.",
            {"tests": "pytest -q"},
            [],
        ),
    ]
    hooks: Annotated[
        HooksData,
        Key(
            HOOKS,
            "Commands that run after it started and before it stops.",
            {"after_start": ["touch /tmp/up"]},
            HOOKS.defaults,
        ),
    ]
    capabilities: Annotated[
        list[str],
        Key(
            ListOf(CAPABILITY, items_name="texts", unique=True),
            "Linux capabilities that it has; none by default.",
            ["NET_BIND_SERVICE"],
            [],
            run="process.capabilities",
        ),
    ]
    options: Annotated[
        dict[str, dict[str, Any]],
        Key(
            OPTIONS,
            "Settings of one backend, by its name.",
            {"docker": {"shm_size": "64m"}},
            {},
            run="options",
        ),
    ]


SERVICE: Final = Form(
    ServiceData,
    title="Service",
    extra_keys={
        "env_file": Key(
            ListOf(ENV_FILE, items_name="files", takes_one=True),
            "Files of the project with environment variables, a later one wins; `env` wins over them.",
            [".env", ".env.dev"],
            None,
        ),
        "extends": Key(
            EXTENDED,
            "Another service, or an entry of a catalogue, whose keys this one takes over, unless it sets them itself.",
            "catalogue/postgresql",
            None,
        ),
        "with": Key(
            MapOf(VARIABLE, TEXT),
            "The parameters of the entry of a catalogue that it extends.",
            {"database": "app", "password": "db_password"},
            None,
        ),
    },
    choices=("base", "image", "dockerfile"),
    choice_reason="a service has one source",
)
RUN_PATHS: Final[Mapping[str, str]] = {
    word: field.key.run for word, field in SERVICE.fields.items() if field.key.run
}
"""The keys that are part of the run identity, each with its path in the run."""
