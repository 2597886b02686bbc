"""The authoring forms: what may be written in `envctl.yaml` and an overlay.

These models check one form at a time; what concerns several values is in `check`. The JSON
Schema and the reference are generated from them.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from envctl.definition.fields import (
    Anything,
    Command,
    EnvName,
    EnvText,
    Filled,
    Form,
    Free,
    Image,
    Name,
    Package,
    Platform,
    Stored,
    UnitFolder,
    Variable,
    bounded,
    words,
)
from envctl.definition.running import (
    Capability,
    Check,
    Depends,
    HealthForm,
    HooksForm,
    Mounts,
    Port,
    ResourcesForm,
    SecretUse,
    User,
    Volume,
)
from envctl.definition.steps import Base, Dockerfile, SecretForm, Step
from envctl.plan.categories import COMPARED
from envctl.plan.target import DEFAULT_BACKEND


class ServiceForm(Form):
    """One service: exactly one of base, image, dockerfile says what it is made from."""

    extends: Name | None = Field(
        None,
        description="Another service that this one is like, but for what it sets.",
        examples=["web"],
    )
    kind: Annotated[str, words("service", "task")] = Field(
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
    platform: Platform | None = Field(
        None,
        description="The platform of its image, as Docker writes it; the engine's own by default.",
        examples=["linux/arm64"],
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
    depends_on: Depends = Field(
        {},
        description="Services that come first. By default a task must be completed, "
        "a service with a healthcheck healthy, any other started.",
        examples=[["db"]],
    )
    replicas: Annotated[int, bounded(1, 1000)] = Field(
        1, description="How many of it.", examples=[2]
    )
    resources: ResourcesForm = Field(
        ResourcesForm.model_construct(),
        description="Limits.",
        examples=[{"cpus": 0.5, "memory": "512M"}],
    )
    restart: Annotated[str, words("no", "on-failure", "always")] = Field(
        "no",
        description="When the engine starts it again.",
        examples=["on-failure"],
        json_schema_extra={"enum": ["no", "on-failure", "always", False]},
    )
    checks: dict[Stored, Check] = Field(
        {}, description="Commands that `verify` runs inside.", examples=[{"tests": "pytest -q"}]
    )
    hooks: HooksForm = Field(
        HooksForm.model_construct(),
        description="Commands around its life.",
        examples=[{"after_start": ["touch /tmp/up"]}],
    )
    capabilities: list[Capability] = Field(
        [], description="Linux capabilities; none by default.", examples=[["NET_BIND_SERVICE"]]
    )
    options: dict[Name, Free] = Field(
        {},
        description="Settings of one backend, by its name.",
        examples=[{"docker": {"shm_size": "64m"}}],
    )


class AcceptForm(Form):
    """Differences that `parity` may find, and why they are no mistake."""

    category: Annotated[str, words(*COMPARED)] = Field(
        description="What facts it is about.", examples=["packages"]
    )
    reason: Filled = Field(
        description="Why the two may differ there; stands in the report.",
        examples=["dev has tools for debugging"],
    )
    unit: Filled = Field(
        "*", description="The units, by name; `*`, `?` and `[…]` work.", examples=["web*"]
    )
    key: Filled = Field(
        "*",
        description="The facts of the category, by key; `*`, `?` and `[…]` work.",
        examples=["/etc/ssl/*"],
    )


class OverlayForm(Form):
    """`environments/NAME.yaml`, or an entry of `environments`: what differs in one environment."""

    backend: Name = Field(
        DEFAULT_BACKEND,
        description="Where it runs unless asked otherwise.",
        examples=[DEFAULT_BACKEND],
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
    options: dict[Name, Free] = Field(
        {},
        description="Settings of one backend, by its name, that every service has unless it says otherwise.",
        examples=[{"vagrant": {"layout": "single"}}],
    )
    services: dict[Name, ServiceForm] = Field(
        {}, description="Services, by name.", examples=[{"web": {"image": "redis:7"}}]
    )
    accept: list[AcceptForm] = Field(
        [],
        description="Differences that `parity` accepts.",
        examples=[[{"category": "packages", "key": "strace", "reason": "for debugging in dev"}]],
    )


class SpecForm(OverlayForm):
    """`envctl.yaml`: what all environments share."""

    project: Name = Field(description="The project's name.", examples=["guestbook"])
    environments: dict[Name, OverlayForm] = Field(
        {},
        description="Overlays kept in this file.",
        examples=[{"dev": {"backend": DEFAULT_BACKEND}}],
    )


class HeadForm(Form):
    """The file without its services, which are validated one by one."""

    project: Name
    backend: Name = DEFAULT_BACKEND
    base: Base | None = None
    secrets: dict[Variable, SecretForm] = Field({})
    options: dict[Name, Free] = Field({})
    accept: list[AcceptForm] = Field([])


class PartialHeadForm(HeadForm):
    """What is valid of it."""

    project: Name = ""
