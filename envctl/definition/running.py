"""How a service runs: ports, storage, secrets, health, limits."""

from __future__ import annotations

import posixpath
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from envctl.definition import forms
from envctl.definition.fields import (
    COMMAND,
    NUMERIC,
    STRING,
    TEXT,
    Boolean,
    Command,
    Commands,
    Duration,
    Form,
    HostPath,
    MountTarget,
    Name,
    Owner,
    PortNumber,
    Reads,
    Short,
    Time,
    UserName,
    Variable,
    bounded,
    mapping_or,
    words,
)
from envctl.definition.forms import Wrong
from envctl.definition.tree import Table, Text, shown


def _url(value: Any) -> str:
    url = forms.filled(value)
    if not url.startswith(("http://", "https://")) or any(char.isspace() for char in url):
        raise Wrong(f"{shown(url)} is no address", expected="http://127.0.0.1:8000/healthz")
    return url


def _tcp(value: Any) -> str:
    """Read a port, or host:port, as host:port."""
    host, colon, port = forms.text(value).rpartition(":")
    if colon and not host:
        raise Wrong(f"{shown(value)} is no address", expected="a port, or 127.0.0.1:5432")
    return f"{host or '127.0.0.1'}:{forms.whole(port, low=1, high=65_535, name='a port')}"


class PortForm(Form):
    """A port of the service that the host can reach, on 127.0.0.1 unless public."""

    container: PortNumber = Field(description="The port inside.", examples=[8000])
    host: PortNumber | None = Field(
        None, description="The host's; the engine chooses one if missing.", examples=[8080]
    )
    public: Boolean = Field(False, description="Reachable from other machines.", examples=[True])
    protocol: Annotated[str, words("tcp", "udp")] = Field(
        "tcp", description="tcp or udp.", examples=["udp"]
    )


def _port(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise forms.wrong_type(value, "a port")
    rest, slash, protocol = str(value).partition("/")
    address, colon, ports = rest.rpartition(":") if rest.count(":") < 2 else _addressed(rest)
    expected = '"8080:8000", "8000", or {host: 8080, container: 8000}'
    result: dict[str, Any] = {}
    for key, part in (("host", address), ("container", ports)):
        if part or key == "container" or colon:
            if not part.isascii() or not part.isdigit() or len(part) > 9:
                hint = "list the ports one by one" if "-" in part else ""
                raise Wrong(f"{shown(value)} is no port", expected=expected, hint=hint)
            result[key] = part
    return {**result, "protocol": protocol} if slash else result


def _addressed(text: str) -> tuple[str, str, str]:
    """A port with an address before it: fine if it is the one that holds anyway."""
    address, _, rest = text.partition(":")
    if address in ("127.0.0.1", "localhost") and rest.count(":") == 1:
        return rest.rpartition(":")
    host, _, container = text.rpartition(":")[0].rpartition(":")[2], "", text.rpartition(":")[2]
    raise Wrong(
        f"{shown(text)}: an address does not stand before the port",
        expected='"8080:8000", reachable on 127.0.0.1',
        hint=f"to let other machines reach it: {{host: {host or container}, container: {container}, public: true}}",
    )


Port: TypeAlias = Annotated[PortForm, Short(_port, NUMERIC)]


class MountForm(Form):
    """A path of the host, live inside."""

    source: HostPath = Field(
        description="A path relative to the project, or absolute.", examples=["./app"]
    )
    target: MountTarget = Field(description="Where it appears.", examples=["/srv/web"])
    read_only: Boolean = Field(False, description="Cannot be written from inside.", examples=[True])


def _mounts(value: Any) -> Any:
    """The mapping form as a list."""
    if not isinstance(value, dict):
        return forms.items(value, of="mounts")
    result: list[Any] = []
    for source, target in value.items():
        place = value.spots[source] if isinstance(value, Table) else ("", 1, 1)
        entry: dict[str, Any] = {"source": Text(source, place)}
        result.append({**entry, **(target if isinstance(target, dict) else {"target": target})})
    return result


Mounts: TypeAlias = Annotated[
    list[MountForm],
    Short(
        _mounts,
        {
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    STRING,
                    {"type": "object", "properties": {"target": STRING, "read_only": {}}},
                ]
            },
        },
    ),
]


class VolumeForm(Form):
    """Storage that outlives the service."""

    target: MountTarget = Field(description="Where it appears.", examples=["/var/lib/data"])
    read_only: Boolean = Field(
        False, description="Cannot be written from this service.", examples=[True]
    )
    owner: Owner = Field(
        "",
        description="Whose it is when it is made: a user of the service's image, or a number; "
        "`user:group` sets the group too. What the image has there by default.",
        examples=["app", "1000:1000"],
    )


Volume: TypeAlias = Annotated[VolumeForm, Short(mapping_or("target", str, "a path"), STRING)]


_SECRETS = "/run/secrets"


def _secret_target(value: Any) -> str:
    """Read where a secret appears; what lies in /run/secrets is one plain file for each."""
    result = forms.mount_target(value)
    folder, name = posixpath.split(result)
    within = f"{result}/".startswith((f"{_SECRETS}/", f"/var{_SECRETS}/"))
    if within and (folder != _SECRETS or name.startswith(".")):
        raise Wrong(
            f"{shown(result)} cannot be a secret's file",
            expected=f"{_SECRETS}/NAME, where NAME begins with no dot, or a path elsewhere",
        )
    return result


SecretTarget: TypeAlias = Annotated[
    str, Reads(_secret_target, {"type": "string", "pattern": "^[/$]"})
]


class SecretUseForm(Form):
    """A declared secret, as a file that only the service's user can read."""

    name: Variable = Field(description="A name declared under `secrets`.", examples=["db_password"])
    target: SecretTarget | None = Field(
        None, description="The file; /run/secrets/NAME by default.", examples=["/run/secrets/db"]
    )


SecretUse: TypeAlias = Annotated[
    SecretUseForm, Short(mapping_or("name", str, "a secret's name"), STRING)
]


class HealthForm(Form):
    """When the service is healthy: exactly one of http, tcp, command, asked inside the unit."""

    http: Annotated[str, Reads(_url, STRING)] | None = Field(
        None,
        description="A URL that answers 2xx or 3xx.",
        examples=["http://127.0.0.1:8000/healthz"],
    )
    tcp: Annotated[str, Reads(_tcp, NUMERIC)] | None = Field(
        None,
        description="A port, or host:port, that accepts connections.",
        examples=["127.0.0.1:5432"],
    )
    command: Command | None = Field(
        None, description="A command that succeeds.", examples=["pg_isready"]
    )
    interval: Time = Field(5.0, description="Time between probes.", examples=["5s"])
    timeout: Time = Field(3.0, description="How long one probe may take.", examples=["3s"])
    retries: Annotated[int, bounded(1, 100)] = Field(
        3, description="Failures in a row that make it unhealthy.", examples=[3]
    )
    start_period: Duration = Field(
        30.0, description="Time in which failures do not count.", examples=["30s"]
    )
    start_interval: Time = Field(
        1.0,
        description="Time between probes in the start period, until it is healthy; never longer than interval.",
        examples=["1s"],
    )


class ResourcesForm(Form):
    """Limits."""

    cpus: Annotated[float, Reads(forms.number, TEXT)] | None = Field(
        None, description="CPU cores.", examples=[0.5]
    )
    memory: Annotated[int, Reads(forms.memory, NUMERIC)] | None = Field(
        None, description="Memory; K, M, G, T are powers of 1024.", examples=["512M"]
    )


class UserForm(Form):
    """The user a service runs as; made unless it is there."""

    name: UserName = Field(description="Its name.", examples=["web"])
    uid: Annotated[int, bounded(0, 2_000_000_000)] | None = Field(
        None, description="Its number.", examples=[1000]
    )


User: TypeAlias = Annotated[UserForm, Short(mapping_or("name", str, "a user"), NUMERIC)]


class CheckForm(Form):
    """A command that `verify` runs inside the unit."""

    command: Command = Field(
        description="A shell script, or a list of words.", examples=["pytest -q"]
    )
    timeout: Time = Field(300.0, description="How long it may take.", examples=["5m"])


Check: TypeAlias = Annotated[
    CheckForm, Short(mapping_or("command", str | list, "a command"), *COMMAND["anyOf"])
]


class HooksForm(Form):
    """Commands run inside the unit."""

    after_start: Commands = Field(
        [],
        description="Run when it is ready, each time that envctl started it; what has failed, changed or not been reached is run by the next `up`.",
        examples=[["touch /tmp/up"]],
    )
    before_stop: Commands = Field(
        [], description="Run before it is stopped.", examples=[["touch /tmp/down"]]
    )


USUAL = "usual"
"""Stands for the condition that follows from what a service is, until all services are known."""
CONDITIONS = ("started", "healthy", "completed")


def _depends(value: Any) -> Any:
    """A list names services; what to wait for follows from what they are."""
    if isinstance(value, dict):
        return value
    names = forms.items(value, of="services")
    for name in names:
        if not isinstance(name, str):
            raise forms.wrong_type(name, "the name of a service")
    return dict.fromkeys(map(str, names), USUAL)


def _condition(value: Any) -> str:
    if isinstance(value, dict) and "condition" in value:
        word = str(value["condition"]).removeprefix("service_").removesuffix("_successfully")
        hint = f"write it directly: {word}" if word in CONDITIONS else ""
        raise Wrong(
            "expected a condition, got a mapping", expected=" or ".join(CONDITIONS), hint=hint
        )
    return USUAL if value is USUAL else str(forms.one_of(*CONDITIONS)(value))


_CAPABILITIES = [
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "SYSLOG",
    "WAKE_ALARM",
]


def _capability(value: Any) -> str:
    name = forms.text(value).upper().removeprefix("CAP_")
    return str(forms.one_of(*_CAPABILITIES)(Text(name, getattr(value, "spot", ("", 1, 1)))))


Depends: TypeAlias = Annotated[
    dict[Name, Annotated[str, Reads(_condition, {"enum": list(CONDITIONS)})]],
    Short(_depends, {"type": "array", "items": STRING}),
]
Capability: TypeAlias = Annotated[
    str,
    Reads(_capability, {"enum": [*_CAPABILITIES, *map("CAP_{}".format, _CAPABILITIES)]}),
]
