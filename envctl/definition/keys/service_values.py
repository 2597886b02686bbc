"""The values of a service that have keys of their own: ports, storage, secrets, health, limits."""

from typing import Annotated, Any, Final, Literal, TypedDict

from envctl.definition import path_readers, service_readers, value_readers
from envctl.definition.form import ExactlyOne, Form, Shorthand
from envctl.definition.key import Key
from envctl.definition.keys.scalars import (
    BOOLEAN,
    COMMAND,
    COMMAND_SCHEMAS,
    COMMANDS,
    CORES,
    DURATION,
    ENV_NAME,
    ENV_TEXT,
    HOST_PATH,
    MOUNT_TARGET,
    NAME,
    NUMERIC,
    OWNER,
    PORT_NUMBER,
    PROJECT_PATH,
    SECRET_TARGET,
    SIZE,
    STRING,
    TIME,
    USER_NAME,
    VARIABLE,
    whole_number,
    words,
)
from envctl.definition.kinds import MapOf, Scalar, ScalarOr
from envctl.definition.tree import MapNode
from envctl.definition.value_readers import InvalidValue
from envctl.plan.secret_templates import of_secret

LOOPBACK: Final = "127.0.0.1"
_EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - asked for by `public`


def _address(node: Any) -> str:
    return _EVERYWHERE if value_readers.boolean(node) else LOOPBACK


class PortData(TypedDict):
    """A port of the service that is reachable from the host, on 127.0.0.1 unless public."""

    host: Annotated[
        int,
        Key(
            PORT_NUMBER,
            "The port of the host; by default a free one, which stays the same for a checkout.",
            8080,
            0,
            write=lambda port: port or None,
        ),
    ]
    container: Annotated[int, Key(PORT_NUMBER, "The port inside the service.", 8000)]
    address: Annotated[
        str,
        Key(
            Scalar(_address, "boolean", BOOLEAN.schema),
            "Whether other machines can reach it.",
            True,
            LOOPBACK,
            name="public",
            write=lambda address: True if address == _EVERYWHERE else None,
        ),
    ]
    protocol: Annotated[str, Key(words("tcp", "udp"), "The protocol.", "udp", "tcp")]


PORT: Final = Form(
    PortData, title="Port", shorthand=Shorthand((NUMERIC,), expand=service_readers.port_parts)
)


class EnvFileData(TypedDict):
    """A file of the project with environment variables, in the syntax of `.env` files."""

    path: Annotated[str, Key(PROJECT_PATH, "The file.", ".env.dev")]
    required: Annotated[
        bool, Key(BOOLEAN, "Whether it is a mistake if the file does not exist.", False, True)
    ]


ENV_FILE: Final = Form(
    EnvFileData,
    title="Env file",
    shorthand=Shorthand((STRING,), "path", expected="a file (a path or a mapping)"),
)


class SecretVariableData(TypedDict):
    """An environment variable that is made of secrets when the process starts: exactly one of secret, template."""

    kind: Literal["secret", "template"]
    value: Annotated[
        str,
        ExactlyOne(
            "kind",
            {
                "secret": Key(VARIABLE, "A name declared under `secrets`.", "db_password"),
                "template": Key(
                    Scalar(service_readers.secret_template, "template", STRING, is_template=True),
                    "A text in which `${secret.NAME}` stands for the value of a secret.",
                    "postgres://app:${secret.db_password}@db/app",
                ),
            },
        ),
    ]


def as_template(variable: SecretVariableData) -> str:
    """What a variable is made of: `${secret.NAME}` is a secret's value (see `plan.secret_templates`)."""
    value = variable["value"]
    return of_secret(value) if variable["kind"] == "secret" else value


SECRET_VARIABLE: Final = Form(SecretVariableData, title="Variable made of secrets")
SERVICE_ENV: Final = MapOf(ENV_NAME, ScalarOr(ENV_TEXT, SECRET_VARIABLE))


class MountData(TypedDict):
    """A path of the host that appears inside."""

    source: Annotated[str, Key(HOST_PATH, "A path relative to the project, or absolute.", "./app")]
    target: Annotated[str, Key(MOUNT_TARGET, "Where it appears.", "/srv/web")]
    read_only: Annotated[bool, Key(BOOLEAN, "Whether it is read-only inside.", True, False)]


MOUNT: Final = Form(MountData, title="Mount")


class VolumeData(TypedDict):
    """Storage that is kept when the service is replaced."""

    target: Annotated[str, Key(MOUNT_TARGET, "Where it appears.", "/var/lib/data")]
    read_only: Annotated[
        bool, Key(BOOLEAN, "Whether it is read-only for this service.", True, False)
    ]
    owner: Annotated[
        str,
        Key(
            OWNER,
            "Its owner when it is created: a user of the service's image, or a number; "
            "`user:group` sets the group too. By default the owner that the image has there.",
            "app",
            "",
        ),
    ]


VOLUME: Final = Form(
    VolumeData, title="Volume", shorthand=Shorthand((STRING,), "target", expected="a path")
)


class SecretUseData(TypedDict):
    """A declared secret as a file that only the service's user can read."""

    name: Annotated[str, Key(VARIABLE, "A name declared under `secrets`.", "db_password")]
    target: Annotated[
        str,
        Key(
            SECRET_TARGET,
            "The path of the file; /run/secrets/NAME by default.",
            "/run/secrets/db",
            "",
        ),
    ]


def _with_target(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "target": data["target"] or f"{path_readers.SECRETS}/{data['name']}"}


SECRET_USE: Final = Form(
    SecretUseData,
    title="Secret's use",
    shorthand=Shorthand((STRING,), "name", expected="a secret's name"),
    complete=_with_target,
)


class ProbeData(TypedDict):
    """How to tell that the service is healthy: exactly one of http, tcp, command, checked inside the unit."""

    kind: Literal["http", "tcp", "command"]
    # [url], [host, port] or an argv, by kind.
    test: Annotated[
        list[str],
        ExactlyOne(
            "kind",
            {
                "http": Key(
                    Scalar(service_readers.url, "text", STRING),
                    "A URL that answers 2xx or 3xx.",
                    "http://127.0.0.1:8000/healthz",
                    write=lambda test: test[0],
                ),
                "tcp": Key(
                    Scalar(service_readers.tcp, "number or text", NUMERIC),
                    "A port, or host:port, that accepts connections.",
                    "127.0.0.1:5432",
                    write=":".join,
                ),
                "command": Key(COMMAND, "A command that succeeds.", "pg_isready"),
            },
        ),
    ]
    interval: Annotated[float, Key(TIME, "The time between two probes.", "5s", 5.0)]
    timeout: Annotated[float, Key(TIME, "The time that one probe may take.", "3s", 3.0)]
    retries: Annotated[
        int, Key(whole_number(1, 100), "Failures in a row that make it unhealthy.", 3, 3)
    ]
    start_period: Annotated[
        float,
        Key(DURATION, "The time after the start in which failures do not count.", "30s", 30.0),
    ]
    start_interval: Annotated[
        float,
        Key(
            TIME,
            "Time between probes in the start period, until it is healthy; never longer than interval.",
            "1s",
            1.0,
        ),
    ]


HEALTHCHECK: Final = Form(ProbeData, title="Healthcheck", choice_reason="one kind of probe")


class ResourcesData(TypedDict):
    """Limits of CPU and memory."""

    cpus: Annotated[float | None, Key(CORES, "CPU cores.", 0.5, None)]
    memory: Annotated[int | None, Key(SIZE, "Memory; K, M, G, T are powers of 1024.", "512M", None)]


RESOURCES: Final = Form(ResourcesData, title="Resources")


class UserData(TypedDict):
    """The user that a service runs as; created if it does not exist."""

    name: Annotated[str, Key(USER_NAME, "Its name; by default that of the service.", "web", "")]
    uid: Annotated[
        int | Literal["host"] | None,
        Key(
            Scalar(service_readers.uid, "number or `host`", NUMERIC),
            "Its number (uid). With `host`, uid and gid are those of the owner of the project's folder, unless that is root; "
            "so it is by default where the service can write to a mount of the project.",
            "host",
            None,
        ),
    ]


def _check_user(user: MapNode) -> None:
    if not user:
        raise InvalidValue("a user needs a name or a uid", expected="web, or {uid: host}")


USER: Final = Form(
    UserData,
    title="User",
    shorthand=Shorthand((NUMERIC,), "name", expected="a user"),
    check=_check_user,
)


class CheckData(TypedDict):
    """A command that `verify` runs inside the unit."""

    name: str
    command: Annotated[
        list[str], Key(COMMAND, "A shell script, or a list of arguments.", "pytest -q")
    ]
    timeout: Annotated[float, Key(TIME, "The time that it may take.", "5m", 300.0)]


CHECK: Final = Form(
    CheckData,
    title="Check",
    shorthand=Shorthand(COMMAND_SCHEMAS, "command", types=(str, list), expected="a command"),
)


class HooksData(TypedDict):
    """Commands run inside the unit."""

    after_start: Annotated[
        list[list[str]],
        Key(
            COMMANDS,
            "Run when it is ready, each time after envctl started it. The next `up` runs what failed, changed or was not reached.",
            ["touch /tmp/up"],
            [],
        ),
    ]
    before_stop: Annotated[
        list[list[str]], Key(COMMANDS, "Run before it is stopped.", ["touch /tmp/down"], [])
    ]


HOOKS: Final = Form(HooksData, title="Hooks")

DEPENDS_ON: Final = MapOf(
    NAME,
    Scalar(
        service_readers.condition,
        " or ".join(f"`{word}`" for word in service_readers.CONDITIONS),
        {"enum": list(service_readers.CONDITIONS)},
    ),
    list_value=service_readers.DEFAULT_CONDITION,
    items_name="services",
)
CAPABILITY: Final = Scalar(
    service_readers.capability,
    "capability",
    {"enum": [*service_readers.CAPABILITIES, *map("CAP_{}".format, service_readers.CAPABILITIES)]},
)
