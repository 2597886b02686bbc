"""What people write who come from other tools, and how it is written here. A hint is shown only if it is valid."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from envctl.definition import running as run
from envctl.definition import schema as form
from envctl.definition import steps as step
from envctl.definition.forms import written
from envctl.definition.problems import near
from envctl.definition.tree import Table, Text
from envctl.suggest import nearest

_ALONE: Final = "services of an environment reach each other by name as it is"
_COMMAND: Final = "command is all there is: it holds the whole command line"
_SERVICE: Final = {
    "environment": "environment variables stand under env",
    "env_file": "list the variables under env; a different one per environment goes into its overlay",
    "working_dir": "the key is workdir",
    "entrypoint": _COMMAND,
    "args": _COMMAND,
    "cap_add": "the key is capabilities",
    "mem_limit": "write resources: {memory: …}",
    "cpus": "write resources: {cpus: …}",
    "memory": "write resources: {memory: …}",
    "deploy": "write replicas and resources directly in the service",
    "networks": _ALONE,
    "networks_mode": _ALONE,
    "links": _ALONE,
    "expose": "services of an environment reach each other's ports as it is",
    "container_name": "names are made from project, environment and service",
    "hostname": "a service's name is its host name",
    "privileged": "list the needed capabilities",
    "run": "commands of the build stand under build: [{run: …}]",
    "copy": "copies stand under build: [{copy: …}]",
    "pip": "Python packages stand under build: [{pip: …}]",
    "npm": "npm packages stand under build: [{npm: …}]",
    "apt": "the key is packages",
    "tmpfs": "give it under options.docker",
}
_COPY: Final = {
    "source": "the key is from",
    "src": "the key is from",
    "target": "the key is to",
    "dest": "the key is to",
    "destination": "the key is to",
}
ELSEWHERE: Final[Mapping[type[BaseModel], Mapping[str, str]]] = {
    form.ServiceForm: _SERVICE,
    form.SpecForm: {
        "version": "envctl.yaml has no version",
        "name": "the key is project",
        "networks": _ALONE,
        "volumes": "volumes stand in the services that use them",
    },
    step.CopyForm: _COPY,
    step.TemplateForm: _COPY,
    step.StepForm: {"apt": "packages of the distribution stand under packages of the service"},
    step.RunForm: {"working_dir": "the key is workdir", "environment": "the key is env"},
    step.DockerfileForm: {"dockerfile": "the key is file"},
    run.PortForm: {
        "host_port": "write {host: …, container: …}",
        "published": "the key is host",
        "target": "the key is container",
    },
    run.MountForm: {
        "readonly": "the key is read_only",
        "type": "a path of the host is all there is",
    },
    run.VolumeForm: {"readonly": "the key is read_only"},
    run.HealthForm: {
        "test": "write http, tcp or command",
        "disable": "null removes a health check",
    },
}
"""By form, what stands elsewhere, or is called otherwise, in the tools that people come from."""


def of_key(word: str, value: object, *, model: type[BaseModel], known: list[str]) -> str:
    """What helps with a key that a form does not have, and its value; "" if nothing comes near."""
    others = ELSEWHERE.get(model, {})
    if word in others:
        return others[word]
    found = nearest(word, [*known, *others])
    if found in others:
        return others[found]
    hint = near(word, known) if found else ""
    if not hint and model is form.SpecForm and word in form.ServiceForm.model_fields:
        return f"{word} is a key of a service: services: {{NAME: {{{word}: …}}}}"
    if not hint and model is form.SpecForm and isinstance(value, Table):
        keys = set(form.ServiceForm.model_fields)
        return f"a service stands below services: indent {word} deeper" if keys & set(value) else ""
    return hint


def of_value(field: FieldInfo | None, key: str, value: object) -> str:
    """How a value of the wrong kind is written, if it is clear what it should be; else ""."""
    if field is None:
        return ""
    if key == "build" and (instead := _dockerfile(value)):
        return instead
    for candidate in _candidates(key, value):
        if _is_valid(field, candidate):
            return f"write {written(candidate)}"
    return ""


def _is_valid(field: FieldInfo, value: Any) -> bool:
    kind: Any = field.annotation
    for extra in field.metadata:
        kind = Annotated[kind, extra]
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def _candidates(key: str, value: object) -> Iterator[Any]:
    if isinstance(value, Text):
        yield [str(value)]
        for between in (r"\s*,\s*", r"\s+"):
            yield [word for word in re.split(between, value.strip()) if word]
    words = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    texts = [str(word) for word in words if isinstance(word, str)]
    if key == "env" and texts and all("=" in word for word in texts):
        yield dict(word.partition("=")[::2] for word in texts)
    if key in ("mounts", "volumes") and texts:
        yield _paths(texts)


def _paths(texts: list[str]) -> dict[str, Any]:
    """What Compose writes as SOURCE:TARGET:OPTIONS."""
    found: dict[str, Any] = {}
    for text in texts:
        source, _, rest = text.partition(":")
        target, _, options = rest.partition(":")
        found[source] = {"target": target, "read_only": "true"} if options == "ro" else target
    return found


def _dockerfile(value: object) -> str:
    """What Compose's `build` is here."""
    if isinstance(value, Text) and "/" not in value and value != ".":
        return f"write {written([{'run': str(value)}])}"
    if isinstance(value, Text):
        folder = value.rstrip("/")
        file = "Dockerfile" if folder in (".", "") else f"{folder.removeprefix('./')}/Dockerfile"
    elif isinstance(value, Table) and {"context", "dockerfile"} & set(value):
        context = str(value.get("context", "."))
        file = f"{context}/{value.get('dockerfile', 'Dockerfile')}".removeprefix("./")
    else:
        return ""
    if not re.fullmatch(r"[\w./-]+", file):
        return ""
    return f"to build from a Dockerfile, write dockerfile: {file} in place of build"
