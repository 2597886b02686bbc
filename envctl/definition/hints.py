"""Hints for people who know other tools: how to write their keys and values here. Only valid suggestions are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from envctl.definition.inline_yaml import inline_yaml
from envctl.definition.key import Key, KnownKeys, Reading
from envctl.definition.keys.build_source import COPY, COPY_FROM, DOCKERFILE, RUN, STEP, TEMPLATE
from envctl.definition.keys.service import SERVICE
from envctl.definition.keys.service_values import HEALTHCHECK, MOUNT, PORT, VOLUME
from envctl.definition.keys.spec_file import SPEC
from envctl.definition.kinds import is_valid
from envctl.definition.problems import suggestion
from envctl.definition.tree import MapNode, Node, ScalarNode
from envctl.suggest import nearest

_ALONE: Final = "services of an environment reach each other by name without it"
_COMMAND: Final = "command holds the whole command line"
_SERVICE: Final = {
    "environment": "environment variables go under env",
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
    "expose": "services of an environment reach each other's ports without it",
    "container_name": "names are made from project, environment and service",
    "hostname": "a service's name is its host name",
    "privileged": "list the needed capabilities",
    "run": "build commands go under build: [{run: …}]",
    "copy": "copies go under build: [{copy: …}]",
    "pip": "Python packages go under build: [{pip: …}]",
    "npm": "npm packages go under build: [{npm: …}]",
    "apt": "the key is packages",
    "tmpfs": "set it under options.docker",
}
_COPY: Final = {
    "source": "the key is from",
    "src": "the key is from",
    "target": "the key is to",
    "dest": "the key is to",
    "destination": "the key is to",
}
_COPY_FROM: Final = "files of a stage are copied by copy_from: {stage: …, from: …, to: …}"
OTHER_TOOLS: Final[Mapping[object, Mapping[str, str]]] = {
    SERVICE: _SERVICE,
    SPEC: {
        "version": "envctl.yaml has no version",
        "name": "the key is project",
        "networks": _ALONE,
        "volumes": "declare volumes in the services that use them",
    },
    COPY: {**_COPY, "stage": _COPY_FROM, "from_stage": _COPY_FROM},
    COPY_FROM: {
        **_COPY,
        "mode": "files keep the permissions that they have in the stage: a `run` step there sets them",
        "exclude": "let a `run` step of the stage put the files into a folder of their own",
    },
    TEMPLATE: _COPY,
    STEP: {"apt": "distribution packages go under packages of the service"},
    RUN: {"working_dir": "the key is workdir", "environment": "the key is env"},
    DOCKERFILE: {"dockerfile": "the key is file", "dockerfile_inline": "the key is inline"},
    PORT: {
        "host_port": "write {host: …, container: …}",
        "published": "the key is host",
        "target": "the key is container",
    },
    MOUNT: {
        "readonly": "the key is read_only",
        "type": "only paths of the host can be mounted",
    },
    VOLUME: {"readonly": "the key is read_only"},
    HEALTHCHECK: {
        "test": "write http, tcp or command",
        "disable": "null removes a health check",
    },
}
"""By form, keys of other tools, and what to write instead."""


class ReadingWithHints(Reading):
    """A reading that gives these hints."""

    def hint_for_key(self, form: KnownKeys, word: str, node: Node) -> str:
        """Return a hint about a key that the form does not have; "" if nothing is similar."""
        known, others = list(form.fields), OTHER_TOOLS.get(form, {})
        if word in others:
            return others[word]
        nearest_key = nearest(word, [*known, *others])
        if nearest_key in others:
            return others[nearest_key]
        hint = suggestion(word, known) if nearest_key else ""
        if not hint and form is SPEC and word in SERVICE.fields:
            return f"{word} is a key of a service: services: {{NAME: {{{word}: …}}}}"
        if (
            not hint
            and form is SPEC
            and isinstance(node, MapNode)
            and set(SERVICE.fields) & set(node)
        ):
            return f"services go below services: indent {word} deeper"
        return hint

    def hint_for_value(self, key: Key, word: str, node: Node) -> str:
        """Return how to write a value of the wrong type; "" if it is not clear what was meant."""
        if word == "build" and (instead := _dockerfile(node)):
            return instead
        for candidate in _candidates(word, node):
            if is_valid(key.kind, candidate):
                return f"write {inline_yaml(candidate)}"
        return ""


def _candidates(key: str, value: object) -> Iterator[Any]:
    if isinstance(value, ScalarNode):
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
    """Paths that are written as in Compose, SOURCE:TARGET:OPTIONS, as a mapping."""
    paths: dict[str, Any] = {}
    for text in texts:
        source, _, mount = text.partition(":")
        target, _, options = mount.partition(":")
        paths[source] = {"target": target, "read_only": "true"} if options == "ro" else target
    return paths


def _dockerfile(value: object) -> str:
    """Return a hint for Compose's `build`."""
    if isinstance(value, ScalarNode) and "/" not in value and value != ".":
        return f"write {inline_yaml([{'run': str(value)}])}"
    if isinstance(value, ScalarNode):
        folder = value.rstrip("/")
        file = "Dockerfile" if folder in (".", "") else f"{folder.removeprefix('./')}/Dockerfile"
    elif isinstance(value, MapNode) and {"context", "dockerfile"} & set(value):
        context = str(value.get("context", "."))
        file = f"{context}/{value.get('dockerfile', 'Dockerfile')}".removeprefix("./")
    else:
        return ""
    if not re.fullmatch(r"[\w./-]+", file):
        return ""
    return f"to build from a Dockerfile, write dockerfile: {file} in place of build"
