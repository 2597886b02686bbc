"""The data of a resolved spec: plain and JSON-able, every short form expanded.

This is what the rest of envctl reads. The authoring forms and their validation stay in `schema`;
so a command that finds a resolved spec in the cache never imports pydantic.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypedDict


class CanonicalBase(TypedDict):
    """A base: the catalogue's name ("" for one given by image and box), and a dated mirror if set."""

    name: str
    image: str
    box: str
    snapshot: str


class CanonicalDockerfile(TypedDict):
    """The project's own Dockerfile; paths are project-relative POSIX paths."""

    file: str
    context: str
    target: str
    args: dict[str, str]


class CanonicalUser(TypedDict):
    """The unit's user; `uid` is None unless the spec fixes it."""

    name: str
    uid: int | None


class CopyStep(TypedDict):
    """Copy `source` (project-relative) to `target`."""

    step: Literal["copy"]
    source: str
    target: str
    owner: str
    mode: str
    exclude: list[str]


class RunStep(TypedDict):
    """Run `command`: a string written in the spec has become ["/bin/sh", "-ec", script].

    `secrets` are names of declared ones.
    """

    step: Literal["run"]
    command: list[str]
    user: str
    workdir: str
    env: dict[str, str]
    secrets: list[str]


class PipStep(TypedDict):
    """Install Python packages: `requirements` is a path inside the unit, or ""."""

    step: Literal["pip"]
    venv: str
    requirements: str
    packages: list[str]


class NpmStep(TypedDict):
    """Install npm packages in `directory`, or `packages` globally."""

    step: Literal["npm"]
    directory: str
    packages: list[str]
    production: bool


class TemplateStep(TypedDict):
    """Render `source` (a project file, Jinja2) with `values`, spec vars included, to `target`."""

    step: Literal["template"]
    source: str
    target: str
    values: dict[str, Any]
    owner: str
    mode: str


CanonicalStep: TypeAlias = CopyStep | RunStep | PipStep | NpmStep | TemplateStep


class CanonicalPort(TypedDict):
    """Host port 0 lets the engine choose."""

    container: int
    host: int
    address: str
    protocol: str


class CanonicalMount(TypedDict):
    """`source` is project-relative or absolute."""

    source: str
    target: str
    read_only: bool


class CanonicalVolume(TypedDict):
    """Where a named volume appears; `owner` is whose it is when it is made, or ""."""

    target: str
    read_only: bool
    owner: str


class CanonicalSecretUse(TypedDict):
    """A secret as a file in the unit."""

    name: str
    target: str


class CanonicalProbe(TypedDict):
    """`test`: [url], [host, port] or an argv, by kind. Durations in seconds."""

    kind: Literal["http", "tcp", "command"]
    test: list[str]
    interval: float
    timeout: float
    retries: int
    start_period: float
    start_interval: float


class CanonicalResources(TypedDict):
    """Whole cores and bytes; None is no limit."""

    cpus: float | None
    memory: int | None


class CanonicalCheck(TypedDict):
    """A named command that `verify` runs; time-out in seconds."""

    name: str
    command: list[str]
    timeout: float


class CanonicalHooks(TypedDict):
    """Argvs run inside the unit after it is ready, and before it is stopped."""

    after_start: list[list[str]]
    before_stop: list[list[str]]


class CanonicalService(TypedDict):
    """Exactly one of `base`, `image`, `dockerfile` is not None."""

    kind: Literal["service", "task"]
    base: CanonicalBase | None
    image: str | None
    dockerfile: CanonicalDockerfile | None
    platform: str | None
    packages: list[str]
    build: list[CanonicalStep]
    user: CanonicalUser | None
    workdir: str | None
    env: dict[str, str]
    command: list[str] | None
    ports: list[CanonicalPort]
    mounts: list[CanonicalMount]
    volumes: dict[str, CanonicalVolume]
    secrets: list[CanonicalSecretUse]
    healthcheck: CanonicalProbe | None
    depends_on: dict[str, Literal["started", "healthy", "completed"]]
    replicas: int
    resources: CanonicalResources
    restart: Literal["no", "on-failure", "always"]
    checks: list[CanonicalCheck]
    hooks: CanonicalHooks
    capabilities: list[str]
    options: dict[str, dict[str, Any]]


class CanonicalSecret(TypedDict):
    """Where a secret's value comes from, tried in this order; `generate` is a length in characters."""

    env: str | None
    file: str | None
    command: list[str] | None
    generate: int | None


class CanonicalAcceptance(TypedDict):
    """A difference that `parity` accepts: `unit` and `key` are patterns, `category` is a word of facts."""

    unit: str
    category: str
    key: str
    reason: str


class CanonicalSpec(TypedDict):
    """One environment of a project, resolved."""

    project: str
    environment: str
    backend: str
    vars: dict[str, str]
    secrets: dict[str, CanonicalSecret]
    services: dict[str, CanonicalService]
    accept: list[CanonicalAcceptance]
