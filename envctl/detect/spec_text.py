"""Writes the spec of a detected application, with comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any, Final

import yaml

from envctl.detect.application_findings import Findings, Keys
from envctl.detect.backing_services import PASSWORD, Connections
from envctl.detect.static_site import Appended

SCHEMA_FILE: Final = "envctl.schema.json"
SCHEMA_LINE: Final = f"# yaml-language-server: $schema={SCHEMA_FILE}"
_VARIABLE: Final = re.compile(r"\$+\{|\$\$+")
"""Matches text that the spec would read as a variable or an escape."""
_LONGEST: Final = 108
"""The maximum length of a mapping with collections in it that is written on one line."""
_COMMENTS: Final = {
    "packages": "Packages from the distribution.",
    "build": "Build steps, in order. Each is a cached layer.",
    "stages": "Built first. The image has of it what copy_from copies: no compiler.",
    "dockerfile": "Built as this file says.",
    "ports": "A port of its own on 127.0.0.1: `up` prints the address. Write 8080:PORT for a fixed one.",
    "healthcheck": "`up` waits until this succeeds.",
    "mounts": "Your files, live.",
    "depends_on": "They start first, and have to be healthy or completed.",
    "env_file": "Variables of your own; `env` above wins over them.",
}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Whether to write no aliases: always, so that each value is written where it is used."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Items of lists are indented."""
        super().increase_indent(flow, indentless=False)


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)
_Dumper.add_representer(
    Appended, lambda dumper, items: dumper.represent_sequence("!append", items, flow_style=False)
)


def spec_text(project: str, findings: Findings, connections: Connections, *, env_file: bool) -> str:
    """Return the text of `envctl.yaml`. With `env_file`, development reads `.env`."""
    return "\n".join(_lines(project, findings, connections, env_file)) + "\n"


def _lines(
    project: str, findings: Findings, connections: Connections, env_file: bool
) -> Iterator[str]:
    yield SCHEMA_LINE
    yield f"# `envctl schema --output {SCHEMA_FILE}` writes that file, for completion in your editor."
    yield f"# Written by `envctl init` for {findings.title}: {_line(', '.join(findings.seen))}."
    yield from (
        f"# A guess: {_line(guess)}." for guess in (*findings.guesses, *connections.guesses)
    )
    yield f"project: {project}"
    if "dockerfile" not in findings.service or connections.services:
        yield f"base: {findings.base}"
    yield "default: dev"
    if connections.needs_password:
        yield from ("", "# Generated once, and kept outside of the project.", "secrets:")
        yield f"  {PASSWORD}: {{generate: 24}}"
    yield from ("", "services:")
    for name, keys in _services(findings, connections).items():
        yield f"  {name}:"
        yield from _keys(keys, indent=4, comments=name == "web")
        yield ""
    yield from _environments(findings, env_file=env_file)


def _services(findings: Findings, connections: Connections) -> Mapping[str, Keys]:
    """Return all services. Those of the application wait for the services that they talk to."""
    tasks = {name: {"depends_on": None} for name, keys in findings.others.items() if "kind" in keys}
    env = {**findings.service.get("env", {}), **connections.env}
    needs = [*connections.services, *tasks]
    web = {
        **findings.service,
        **({"env": env} if env else {}),
        **({"depends_on": needs} if needs else {}),
    }
    before = {"depends_on": [*connections.services] or None} if needs else {}
    others = {
        name: {**keys, **(before if name in tasks else {})}
        for name, keys in findings.others.items()
    }
    return {"web": web, **others, **connections.services}


def _environments(findings: Findings, *, env_file: bool) -> Iterator[str]:
    yield "environments:"
    differing = {
        key: value for key, value in findings.dev.items() if findings.service.get(key) != value
    }
    dev = {**differing, **({"env_file": [".env"]} if env_file else {})}
    yield "  # Your files are mounted: an edit takes effect at once, or when the process restarts."
    yield "  dev:" if dev else "  dev: {}"
    if dev:
        yield from ("    services:", "      web:", *_keys(dev, indent=8, comments=True))
    yield "  # As close to production as possible on this machine: limits, restarts, no mounts."
    yield from ("  prod:", "    services:", "      web:")
    yield from _keys(
        {"restart": "always", "resources": {"memory": "512M"}}, indent=8, comments=False
    )


def _keys(keys: Keys, *, indent: int, comments: bool) -> Iterator[str]:
    """Yield the lines of a service's keys."""
    margin = " " * indent
    for key, value in keys.items():
        if comments and key in _COMMENTS and value is not None:
            yield f"{margin}# {_COMMENTS[key]}"
        text = _yaml(key, _literal(value))
        yield from (f"{margin}{line}" if line else "" for line in text.splitlines())


def _yaml(key: str, value: Any) -> str:
    """Return a key and its value as YAML. A short mapping is on one line, as people write it."""
    dumper = _Dumper(StringIO(), default_flow_style=None, sort_keys=False)
    node = dumper.represent_data({key: value})
    assert isinstance(node, yaml.MappingNode)
    _fold(node)
    node.flow_style = False
    return _text(node)


def _fold(node: yaml.Node) -> bool:
    """Put mappings that are short on one line; return whether the whole node fits on one. A list of anything but words never does."""
    if isinstance(node, yaml.ScalarNode):
        return not node.style
    assert isinstance(node, yaml.CollectionNode)
    is_mapping = isinstance(node, yaml.MappingNode)
    values = [value for _, value in node.value] if is_mapping else node.value
    folded = [_fold(value) for value in values]
    if node.flow_style:  # it consists of words
        return True
    if not is_mapping:
        for item in node.value:
            if isinstance(item, yaml.CollectionNode):
                item.flow_style = False
        return False
    node.flow_style = True
    node.flow_style = all(folded) and len(_text(node)) <= _LONGEST
    return bool(node.flow_style)


def _text(node: yaml.Node) -> str:
    return yaml.serialize(node, Dumper=_Dumper, allow_unicode=True, width=100_000)


def _literal(value: Any) -> Any:
    """Escape a value, so that no text of the project is read as a variable of the spec."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: match[0].replace("$", "$$"), value)
    if isinstance(value, Mapping):
        return {k: v if k == "template" else _literal(v) for k, v in value.items()}
    if isinstance(value, Appended):
        return Appended(_literal(item) for item in value)
    return [_literal(item) for item in value] if isinstance(value, list | tuple) else value


def _line(text: str) -> str:
    """Return a text of the project in a form that is safe in a comment."""
    return " ".join(text.split())[:200]
