"""The authoring forms: what may be written in `envctl.yaml` and an overlay.

These models check one form at a time; what concerns several values is in `check`. The JSON
Schema and the reference are generated from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from envctl.spec import forms
from envctl.spec.forms import Wrong
from envctl.spec.tree import Table, Text, shown, what

NAME = "[a-z][a-z0-9-]{0,39}"
VARIABLE = "[a-z_][a-z0-9_]{0,63}"
ENV = "[A-Za-z_][A-Za-z0-9_]{0,254}"
STORED = "[a-z][a-z0-9_-]{0,39}"
IMAGE = r"[a-z0-9][a-zA-Z0-9._/:-]*(@sha256:[0-9a-f]{64})?"
PACKAGE = r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?"
USER = "[a-z_][a-z0-9_-]{0,31}|[0-9]{1,9}"

_TEXT: Mapping[str, Any] = {"type": ["string", "number"]}
_STRING: Mapping[str, Any] = {"type": "string"}
_COMMAND: Mapping[str, Any] = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": _TEXT, "minItems": 1},
    ]
}
_NUMERIC: Mapping[str, Any] = {"type": ["integer", "string"]}


class Reads:
    """A scalar field: the function that reads it, and what an editor should know about it."""

    def __init__(self, read: Callable[[Any], Any], schema: Mapping[str, Any]) -> None:
        self.read = read
        self.schema = schema

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, _: Any, __: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.schema)


class Short:
    """A form that has short forms: the function that expands them, and their JSON Schemas."""

    def __init__(self, expand: Callable[[Any], Any], *schemas: Mapping[str, Any]) -> None:
        self.expand = expand
        self.schemas = schemas

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.expand, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [*map(dict, self.schemas), handler(schema)]}


def _matching(expression: str, expected: str, *, longest: int = 255) -> Reads:
    schema = {"type": "string", "pattern": f"^({expression})$"}
    return Reads(forms.pattern(expression, expected, longest=longest), schema)


def _bounded(low: int, high: int) -> Reads:
    schema = {"anyOf": [{"type": "integer", "minimum": low, "maximum": high}, _STRING]}
    return Reads(partial(forms.whole, low=low, high=high), schema)


def _words(*words: str) -> Reads:
    return Reads(forms.one_of(*words), {"enum": list(words)})


_small = "small letters, digits and"
Name: TypeAlias = Annotated[str, _matching(NAME, f"at most 40 {_small} -, a letter first")]
Variable: TypeAlias = Annotated[str, _matching(VARIABLE, f"{_small} _, no digit first")]
EnvName: TypeAlias = Annotated[str, _matching(ENV, "letters, digits and _, no digit first")]
Stored: TypeAlias = Annotated[str, _matching(STORED, f"at most 40 {_small} - or _, a letter first")]
Image: TypeAlias = Annotated[str, _matching(IMAGE, "an image name, such as debian:bookworm")]
Package: TypeAlias = Annotated[
    str, _matching(PACKAGE, "a package name, such as python3, or name=version")
]
Snapshot: TypeAlias = Annotated[
    str, _matching("[0-9]{8}T[0-9]{6}Z", "a time, such as 20260801T000000Z")
]
Anything: TypeAlias = Annotated[str, Reads(forms.text, _TEXT)]
Filled: TypeAlias = Annotated[str, Reads(forms.filled, _TEXT)]
EnvText: TypeAlias = Annotated[str, Reads(forms.plain_text, _TEXT)]
Boolean: TypeAlias = Annotated[bool, Reads(forms.boolean, {"type": ["boolean", "string"]})]
PortNumber: TypeAlias = Annotated[int, _bounded(1, 65_535)]
Duration: TypeAlias = Annotated[float, Reads(forms.duration, _TEXT)]
Time: TypeAlias = Annotated[float, Reads(forms.positive_duration, _TEXT)]
Command: TypeAlias = Annotated[list[str], Reads(forms.command, _COMMAND)]
Commands: TypeAlias = Annotated[
    list[list[str]],
    Reads(forms.commands, {"anyOf": [_STRING, {"type": "array", "items": _COMMAND}]}),
]
UnitPath: TypeAlias = Annotated[str, Reads(forms.unit_path, {"type": "string", "pattern": "^[/$]"})]
UnitFolder: TypeAlias = Annotated[
    str, Reads(forms.unit_folder, {"type": "string", "pattern": "^[/$]"})
]
MountTarget: TypeAlias = Annotated[
    str, Reads(forms.mount_target, {"type": "string", "pattern": "^[/$]"})
]
ProjectPath: TypeAlias = Annotated[str, Reads(forms.project_path, _STRING)]
HostPath: TypeAlias = Annotated[str, Reads(forms.host_path, _STRING)]
Mode: TypeAlias = Annotated[str, Reads(forms.mode, _NUMERIC)]
Owner: TypeAlias = Annotated[str, Reads(forms.owner, _STRING)]
UserName: TypeAlias = Annotated[str, _matching(USER, "a user name, such as web, or a number")]
Free: TypeAlias = Annotated[dict[str, Any], Reads(forms.free, {"type": "object"})]


def _argument(value: Any) -> str:
    """A word that pip or npm must not take for an option."""
    word = forms.filled(value)
    if word.startswith("-") or "\n" in word:
        raise Wrong(f"{shown(word)} is no package", expected="a package, such as flask==3.1")
    return word


def _url(value: Any) -> str:
    url = forms.filled(value)
    if not url.startswith(("http://", "https://")) or any(char.isspace() for char in url):
        raise Wrong(f"{shown(url)} is no address", expected="http://127.0.0.1:8000/healthz")
    return url


def _tcp(value: Any) -> str:
    """ "host:port", from that or from a port alone."""
    host, colon, port = forms.text(value).rpartition(":")
    if colon and not host:
        raise Wrong(f"{shown(value)} is no address", expected="a port, or 127.0.0.1:5432")
    return f"{host or '127.0.0.1'}:{forms.whole(port, low=1, high=65_535, name='a port')}"


Argument: TypeAlias = Annotated[str, Reads(_argument, _STRING)]


class Form(BaseModel):
    """A mapping with known keys."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _mapping_or(key: str, kind: type, expected: str) -> Callable[[Any], Any]:
    """Expand a short form that stands for one key of the mapping."""

    def expand(value: Any) -> Any:
        if isinstance(value, kind):
            return {key: value}
        if not isinstance(value, dict):
            raise forms.wrong_type(value, expected)
        return value

    return expand


# --- sources --------------------------------------------------------------------------------


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
        None, description="The state of the package mirror to use.", examples=["20260801T000000Z"]
    )


def _base(value: Any) -> Any:
    value = _mapping_or("name", str, "a base (a name, or image and box)")(value)
    if not {"name", "image", "box"} & set(value):
        raise Wrong(
            "a base needs a name or an image", expected="debian:bookworm, or {image: …, box: …}"
        )
    if "name" in value and {"image", "box"} & set(value):
        raise Wrong("a base has a name or an image and a box, not both")
    return value


Base: TypeAlias = Annotated[BaseForm, Short(_base, _STRING)]


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
    DockerfileForm, Short(_mapping_or("file", str, "a Dockerfile (a path or a mapping)"), _STRING)
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
    generate: Annotated[int, _bounded(8, 256)] | None = Field(
        None,
        description="Make a random one of this many characters, once, and keep it.",
        examples=[24],
    )


# --- build steps ----------------------------------------------------------------------------


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
    RunForm, Short(_mapping_or("command", str | list, "a command"), *_COMMAND["anyOf"])
]
_STEPS = ("copy", "run", "pip", "npm", "template")


def _step(value: Any) -> Any:
    if not isinstance(value, dict):
        hint = f"write - run: {value}" if isinstance(value, str) else ""
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


# --- running --------------------------------------------------------------------------------


class PortForm(Form):
    """A port of the service that the host can reach, on 127.0.0.1 unless public."""

    container: PortNumber = Field(description="The port inside.", examples=[8000])
    host: PortNumber | None = Field(
        None, description="The host's; the engine chooses one if missing.", examples=[8080]
    )
    public: Boolean = Field(False, description="Reachable from other machines.", examples=[True])
    protocol: Annotated[str, _words("tcp", "udp")] = Field(
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


Port: TypeAlias = Annotated[PortForm, Short(_port, _NUMERIC)]


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
                    _STRING,
                    {"type": "object", "properties": {"target": _STRING, "read_only": {}}},
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


Volume: TypeAlias = Annotated[VolumeForm, Short(_mapping_or("target", str, "a path"), _STRING)]


class SecretUseForm(Form):
    """A declared secret, as a file that only the service's user can read."""

    name: Variable = Field(description="A name declared under `secrets`.", examples=["db_password"])
    target: MountTarget | None = Field(
        None, description="The file; /run/secrets/NAME by default.", examples=["/run/secrets/db"]
    )


SecretUse: TypeAlias = Annotated[
    SecretUseForm, Short(_mapping_or("name", str, "a secret's name"), _STRING)
]


class HealthForm(Form):
    """When the service is healthy: exactly one of http, tcp, command, asked inside the unit."""

    http: Annotated[str, Reads(_url, _STRING)] | None = Field(
        None,
        description="A URL that answers 2xx or 3xx.",
        examples=["http://127.0.0.1:8000/healthz"],
    )
    tcp: Annotated[str, Reads(_tcp, _NUMERIC)] | None = Field(
        None,
        description="A port, or host:port, that accepts connections.",
        examples=["127.0.0.1:5432"],
    )
    command: Command | None = Field(
        None, description="A command that succeeds.", examples=["pg_isready"]
    )
    interval: Time = Field(5.0, description="Time between probes.", examples=["5s"])
    timeout: Time = Field(3.0, description="How long one probe may take.", examples=["3s"])
    retries: Annotated[int, _bounded(1, 100)] = Field(
        3, description="Failures in a row that make it unhealthy.", examples=[3]
    )
    start_period: Duration = Field(
        30.0, description="Time in which failures do not count.", examples=["30s"]
    )


class ResourcesForm(Form):
    """Limits."""

    cpus: Annotated[float, Reads(forms.number, _TEXT)] | None = Field(
        None, description="CPU cores.", examples=[0.5]
    )
    memory: Annotated[int, Reads(forms.memory, _NUMERIC)] | None = Field(
        None, description="Memory; K, M, G, T are powers of 1024.", examples=["512M"]
    )


class UserForm(Form):
    """The user a service runs as; made unless it is there."""

    name: UserName = Field(description="Its name.", examples=["web"])
    uid: Annotated[int, _bounded(0, 2_000_000_000)] | None = Field(
        None, description="Its number.", examples=[1000]
    )


User: TypeAlias = Annotated[UserForm, Short(_mapping_or("name", str, "a user"), _NUMERIC)]


class CheckForm(Form):
    """A command that `verify` runs inside the unit."""

    command: Command = Field(
        description="A shell script, or a list of words.", examples=["pytest -q"]
    )
    timeout: Time = Field(300.0, description="How long it may take.", examples=["5m"])


Check: TypeAlias = Annotated[
    CheckForm, Short(_mapping_or("command", str | list, "a command"), *_COMMAND["anyOf"])
]


class HooksForm(Form):
    """Commands run inside the unit."""

    after_start: Commands = Field(
        [], description="Run when it is ready.", examples=[["touch /tmp/up"]]
    )
    before_stop: Commands = Field(
        [], description="Run before it is stopped.", examples=[["touch /tmp/down"]]
    )


CONDITIONS = ("started", "healthy", "completed")


def _depends(value: Any) -> Any:
    """A list names services; what to wait for follows from what they are."""
    if isinstance(value, dict):
        return value
    names = forms.items(value, of="services")
    for name in names:
        if not isinstance(name, str):
            raise forms.wrong_type(name, "the name of a service")
    return {str(name): "" for name in names}


def _condition(value: Any) -> str:
    if isinstance(value, dict) and "condition" in value:
        word = str(value["condition"]).removeprefix("service_").removesuffix("_successfully")
        hint = f"write it directly: {word}" if word in CONDITIONS else ""
        raise Wrong(
            "expected a condition, got a mapping", expected=" or ".join(CONDITIONS), hint=hint
        )
    return "" if value == "" and not isinstance(value, Text) else forms.one_of(*CONDITIONS)(value)


_CAPABILITIES = (
    "ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE "
    "DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE "
    "MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID "
    "SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE "
    "SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM"
).split()


def _capability(value: Any) -> str:
    name = forms.text(value).upper().removeprefix("CAP_")
    return str(forms.one_of(*_CAPABILITIES)(Text(name, getattr(value, "spot", ("", 1, 1)))))


class ServiceForm(Form):
    """One service: exactly one of base, image, dockerfile says what it is made from."""

    extends: Name | None = Field(
        None,
        description="Another service that this one is like, but for what it sets.",
        examples=["web"],
    )
    kind: Annotated[str, _words("service", "task")] = Field(
        "service", description="A task runs once to completion.", examples=["task"]
    )
    base: Base | None = Field(
        None,
        description="What its build starts from; the file's base by default.",
        examples=["debian:bookworm"],
    )
    image: Image | None = Field(None, description="A ready container image.", examples=["redis:7"])
    dockerfile: Dockerfile | None = Field(
        None, description="An existing Dockerfile.", examples=["docker/Dockerfile"]
    )
    packages: list[Package] = Field(
        [], description="Packages of the distribution.", examples=[["python3", "curl"]]
    )
    build: list[Step] = Field(
        [], description="Ordered build steps.", examples=[[{"run": "make install"}]]
    )
    user: User | None = Field(
        None, description="Who runs it; a user of the service's name by default.", examples=["web"]
    )
    workdir: UnitFolder | None = Field(None, description="Where it runs.", examples=["/srv/web"])
    env: dict[EnvName, EnvText] = Field(
        {}, description="Its environment.", examples=[{"LOG_LEVEL": "info"}]
    )
    command: Command | None = Field(
        None,
        description="What it runs: a list of words, or a shell script.",
        examples=[["/opt/web/bin/gunicorn", "app:app"]],
    )
    ports: list[Port] = Field(
        [], description="Ports that the host can reach.", examples=[["8080:8000"]]
    )
    mounts: Mounts = Field(
        [], description="Paths of the host, live inside.", examples=[{"./app": "/srv/web"}]
    )
    volumes: dict[Stored, Volume] = Field(
        {}, description="Storage that outlives it, by name.", examples=[{"data": "/var/lib/data"}]
    )
    secrets: list[SecretUse] = Field(
        [], description="Secrets it can read.", examples=[["db_password"]]
    )
    healthcheck: HealthForm | None = Field(
        None,
        description="When it is healthy.",
        examples=[{"http": "http://127.0.0.1:8000/healthz"}],
    )
    depends_on: Annotated[
        dict[Name, Annotated[str, Reads(_condition, {"enum": list(CONDITIONS)})]],
        Short(_depends, {"type": "array", "items": _STRING}),
    ] = Field(
        {},
        description="Services that come first. By default a task must be completed, "
        "a service with a healthcheck healthy, any other started.",
        examples=[["db"]],
    )
    replicas: Annotated[int, _bounded(1, 1000)] = Field(
        1, description="How many of it.", examples=[2]
    )
    resources: ResourcesForm = Field(
        ResourcesForm(), description="Limits.", examples=[{"cpus": 0.5, "memory": "512M"}]
    )
    restart: Annotated[str, _words("no", "on-failure", "always")] = Field(
        "no",
        description="When the engine starts it again.",
        examples=["on-failure"],
        json_schema_extra={"enum": ["no", "on-failure", "always", False]},
    )
    checks: dict[Stored, Check] = Field(
        {}, description="Commands that `verify` runs inside.", examples=[{"tests": "pytest -q"}]
    )
    hooks: HooksForm = Field(
        HooksForm(),
        description="Commands around its life.",
        examples=[{"after_start": ["touch /tmp/up"]}],
    )
    capabilities: list[
        Annotated[
            str,
            Reads(_capability, {"enum": [*_CAPABILITIES, *map("CAP_{}".format, _CAPABILITIES)]}),
        ]
    ] = Field(
        [], description="Linux capabilities; none by default.", examples=[["NET_BIND_SERVICE"]]
    )
    options: dict[Name, Free] = Field(
        {},
        description="Settings of one backend, by its name.",
        examples=[{"docker": {"shm_size": "64m"}}],
    )


class OverlayForm(Form):
    """`environments/NAME.yaml`, or an entry of `environments`: what differs in one environment."""

    backend: Name = Field(
        "docker", description="Where it runs unless asked otherwise.", examples=["docker"]
    )
    base: Base | None = Field(
        None,
        description="What builds start from, unless a service says.",
        examples=["debian:bookworm"],
    )
    vars: dict[Variable, Anything] = Field(
        {}, description="Variables, used as ${name}.", examples=[{"http_port": 8080}]
    )
    secrets: dict[Variable, SecretForm] = Field(
        {}, description="Secrets, by name.", examples=[{"db_password": {"generate": 24}}]
    )
    services: dict[Name, ServiceForm] = Field(
        {}, description="Services, by name.", examples=[{"web": {"image": "redis:7"}}]
    )


class SpecForm(OverlayForm):
    """`envctl.yaml`: what all environments share."""

    project: Name = Field(description="The project's name.", examples=["guestbook"])
    environments: dict[Name, OverlayForm] = Field(
        {}, description="Overlays kept in this file.", examples=[{"dev": {"backend": "docker"}}]
    )


class HeadForm(Form):
    """The file without its services, which are validated one by one."""

    project: Name
    backend: Name = "docker"
    base: Base | None = None
    secrets: dict[Variable, SecretForm] = {}
