"""How a service runs: ports, storage, secrets, health, limits."""

from typing import Annotated, Any, Final, Literal, TypedDict

from envctl.definition import value_readers as values
from envctl.definition.form import ExactlyOne, Form, Mapped, Scalar, Short
from envctl.definition.key import Key
from envctl.definition.keys.scalars import (
    BOOLEAN,
    COMMAND,
    COMMAND_SCHEMAS,
    COMMANDS,
    CORES,
    DURATION,
    HOST_PATH,
    MOUNT_TARGET,
    NAME,
    NUMERIC,
    OWNER,
    PORT_NUMBER,
    SECRET_TARGET,
    SIZE,
    STRING,
    TIME,
    USER_NAME,
    VARIABLE,
    bounded,
    words,
)

LOOPBACK: Final = "127.0.0.1"
_EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - asked for by `public`


def _address(node: Any) -> str:
    return _EVERYWHERE if values.boolean(node) else LOOPBACK


class CanonicalPort(TypedDict):
    """A port of the service that the host can reach, on 127.0.0.1 unless public."""

    host: Annotated[
        int,
        Key(
            PORT_NUMBER,
            "The host's; the engine chooses one if missing.",
            8080,
            0,
            write=lambda port: port or None,
        ),
    ]
    container: Annotated[int, Key(PORT_NUMBER, "The port inside.", 8000)]
    address: Annotated[
        str,
        Key(
            Scalar(_address, "boolean", BOOLEAN.schema),
            "Reachable from other machines.",
            True,
            LOOPBACK,
            name="public",
            write=lambda address: True if address == _EVERYWHERE else None,
        ),
    ]
    protocol: Annotated[str, Key(words("tcp", "udp"), "tcp or udp.", "udp", "tcp")]


PORT: Final = Form(CanonicalPort, title="Port", short=Short((NUMERIC,), expand=values.port_parts))


class CanonicalMount(TypedDict):
    """A path of the host, live inside."""

    source: Annotated[str, Key(HOST_PATH, "A path relative to the project, or absolute.", "./app")]
    target: Annotated[str, Key(MOUNT_TARGET, "Where it appears.", "/srv/web")]
    read_only: Annotated[bool, Key(BOOLEAN, "Cannot be written from inside.", True, False)]


MOUNT: Final = Form(CanonicalMount, title="Mount")


class CanonicalVolume(TypedDict):
    """Storage that outlives the service."""

    target: Annotated[str, Key(MOUNT_TARGET, "Where it appears.", "/var/lib/data")]
    read_only: Annotated[bool, Key(BOOLEAN, "Cannot be written from this service.", True, False)]
    owner: Annotated[
        str,
        Key(
            OWNER,
            "Whose it is when it is made: a user of the service's image, or a number; "
            "`user:group` sets the group too. What the image has there by default.",
            "app",
            "",
        ),
    ]


VOLUME: Final = Form(
    CanonicalVolume, title="Volume", short=Short((STRING,), "target", expected="a path")
)


class CanonicalSecretUse(TypedDict):
    """A declared secret, as a file that only the service's user can read."""

    name: Annotated[str, Key(VARIABLE, "A name declared under `secrets`.", "db_password")]
    target: Annotated[
        str,
        Key(SECRET_TARGET, "The file; /run/secrets/NAME by default.", "/run/secrets/db", ""),
    ]


def _with_target(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "target": data["target"] or f"{values.SECRETS}/{data['name']}"}


SECRET_USE: Final = Form(
    CanonicalSecretUse,
    title="Secret's use",
    short=Short((STRING,), "name", expected="a secret's name"),
    finish=_with_target,
)


class CanonicalProbe(TypedDict):
    """When the service is healthy: exactly one of http, tcp, command, asked inside the unit."""

    kind: Literal["http", "tcp", "command"]
    # [url], [host, port] or an argv, by kind.
    test: Annotated[
        list[str],
        ExactlyOne(
            "kind",
            {
                "http": Key(
                    Scalar(values.url, "text", STRING),
                    "A URL that answers 2xx or 3xx.",
                    "http://127.0.0.1:8000/healthz",
                    write=lambda test: test[0],
                ),
                "tcp": Key(
                    Scalar(values.tcp, "number or text", NUMERIC),
                    "A port, or host:port, that accepts connections.",
                    "127.0.0.1:5432",
                    write=":".join,
                ),
                "command": Key(COMMAND, "A command that succeeds.", "pg_isready"),
            },
        ),
    ]
    interval: Annotated[float, Key(TIME, "Time between probes.", "5s", 5.0)]
    timeout: Annotated[float, Key(TIME, "How long one probe may take.", "3s", 3.0)]
    retries: Annotated[int, Key(bounded(1, 100), "Failures in a row that make it unhealthy.", 3, 3)]
    start_period: Annotated[
        float, Key(DURATION, "Time in which failures do not count.", "30s", 30.0)
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


HEALTHCHECK: Final = Form(CanonicalProbe, title="Healthcheck", why="one kind of probe")


class CanonicalResources(TypedDict):
    """Limits."""

    cpus: Annotated[float | None, Key(CORES, "CPU cores.", 0.5, None)]
    memory: Annotated[int | None, Key(SIZE, "Memory; K, M, G, T are powers of 1024.", "512M", None)]


RESOURCES: Final = Form(CanonicalResources, title="Resources")


class CanonicalUser(TypedDict):
    """The user a service runs as; made unless it is there."""

    name: Annotated[str, Key(USER_NAME, "Its name.", "web")]
    uid: Annotated[int | None, Key(bounded(0, 2_000_000_000), "Its number.", 1000, None)]


USER: Final = Form(CanonicalUser, title="User", short=Short((NUMERIC,), "name", expected="a user"))


class CanonicalCheck(TypedDict):
    """A command that `verify` runs inside the unit."""

    name: str
    command: Annotated[list[str], Key(COMMAND, "A shell script, or a list of words.", "pytest -q")]
    timeout: Annotated[float, Key(TIME, "How long it may take.", "5m", 300.0)]


CHECK: Final = Form(
    CanonicalCheck,
    title="Check",
    short=Short(COMMAND_SCHEMAS, "command", types=(str, list), expected="a command"),
)


class CanonicalHooks(TypedDict):
    """Commands run inside the unit."""

    after_start: Annotated[
        list[list[str]],
        Key(
            COMMANDS,
            "Run when it is ready, each time that envctl started it; what has failed, changed or not been reached is run by the next `up`.",
            ["touch /tmp/up"],
            [],
        ),
    ]
    before_stop: Annotated[
        list[list[str]], Key(COMMANDS, "Run before it is stopped.", ["touch /tmp/down"], [])
    ]


HOOKS: Final = Form(CanonicalHooks, title="Hooks")

DEPENDS_ON: Final = Mapped(
    NAME,
    Scalar(
        values.condition,
        " or ".join(f"`{word}`" for word in values.CONDITIONS),
        {"enum": list(values.CONDITIONS)},
    ),
    listed=values.USUAL,
    of="services",
)
CAPABILITY: Final = Scalar(
    values.capability,
    "capability",
    {"enum": [*values.CAPABILITIES, *map("CAP_{}".format, values.CAPABILITIES)]},
)
