"""A model of Compose to the data of a spec. Every key is reported; what no rule reads is reported as dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from envctl.conversion.conversion_report import ConversionReport, KeyOutcome
from envctl.definition.keys.scalars import ENV_NAME
from envctl.definition.problems import Problems
from envctl.definition.tree import MapNode, Node, NullNode, ScalarNode, describe
from envctl.definition.value_readers import InvalidValue
from envctl.imports.compose.filled_text import spec_text
from envctl.imports.compose.limit_rules import finish_capabilities
from envctl.imports.compose.rule_table import RULES
from envctl.imports.compose.service_import import (
    ProjectImport,
    ServiceImport,
    flag,
    slug,
)
from envctl.imports.compose.source_rules import finish_source
from envctl.imports.imported_project import ImportChoices

_SHARED: Final = ("volumes", "networks", "secrets", "configs")


def translated(
    model: MapNode,
    project_name: str,
    choices: ImportChoices,
    report: ConversionReport,
    problems: Problems,
) -> dict[str, Any]:
    """The spec of a model, in which variables and files with variables are still missing."""
    services = model.get("services")
    table = services if isinstance(services, MapNode) else MapNode(model.position)
    secrets, secret_names = _secrets(model, report)
    project = ProjectImport(
        choices,
        report,
        problems,
        service_names(table, problems),
        model,
        secrets,
        secret_names,
        _tasks(table),
        {},
    )
    _report_top(model, project_name, report)
    spec: dict[str, Any] = {"project": project_name, "default": "dev"}
    written = {
        project.names[name]: _service(project, name, node)
        for name, node in table.items()
        if isinstance(node, MapNode)
    }
    if project.secrets:
        spec["secrets"] = project.secrets
    spec["services"] = written
    return spec


def service_names(services: MapNode, problems: Problems) -> Mapping[str, str]:
    """The services' names in the spec. Two that would get the same name are an error."""
    names: dict[str, str] = {}
    for name in services:
        word = slug(name)
        if word in names.values():
            problems.add(
                services.positions[name],
                f"services {name!r} and another one would both be called {word!r}",
                hint="rename one of them",
            )
        names[name] = word
    return names


def _tasks(services: MapNode) -> frozenset[str]:
    """The services that others wait for until they are completed."""
    names = set()
    for service in services.values():
        needed = service.get("depends_on") if isinstance(service, MapNode) else None
        for name, node in needed.items() if isinstance(needed, MapNode) else ():
            if (
                isinstance(node, MapNode)
                and node.get("condition") == "service_completed_successfully"
            ):
                names.add(name)
    return frozenset(names)


def _service(project: ProjectImport, name: str, source: MapNode) -> dict[str, Any]:
    service = ServiceImport(project, name, source)
    if name in project.tasks:
        service.write("task", "kind")
    for key in source:
        rule = RULES.get(key)
        if rule is None:
            reason = (
                "nothing reads extension fields; what aliases take from it is written out"
                if key.startswith("x-")
                else "it is no key of Compose that envctl knows; remedy: look for a misspelt name"
            )
            service.drop(key, reason)
        elif isinstance(source[key], NullNode) and rule.apply is not None and key != "entrypoint":
            service.keep(key, note="nothing")
        elif rule.apply is None:
            service.drop(key, rule.note)
        else:
            rule.apply(service, key)
    finish_source(service)
    finish_capabilities(service)
    if service.spec_name != name:
        note = f"the service {service.spec_name}, which is its host name too"
        at = project.model["services"].positions[name]  # type: ignore[union-attr]
        project.report.add(
            at,
            f"services.{name}",
            KeyOutcome.TRANSLATED,
            note,
            ("services", service.spec_name),
            is_claim=False,
        )
    return in_order(service.spec)


def in_order(spec: dict[str, Any]) -> dict[str, Any]:
    """The keys of a service in the order in which they are written."""
    return {key: spec[key] for key in dict.fromkeys([*_ORDER, *spec]) if key in spec}


_ORDER: Final = (
    "kind",
    "image",
    "dockerfile",
    "platform",
    "user",
    "workdir",
    "env_file",
    "env",
    "command",
    "ports",
    "mounts",
    "volumes",
    "secrets",
    "healthcheck",
    "depends_on",
    "profiles",
    "replicas",
    "resources",
    "restart",
    "restart_on",
    "hooks",
    "capabilities",
    "options",
)


# --- what is outside of services ---------------------------------------------------------------


def _secrets(model: MapNode, report: ConversionReport) -> tuple[dict[str, Any], Mapping[str, str]]:
    """The secrets of the spec, and their names there by those in the source."""
    section = model.get("secrets")
    sources: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, node in section.items() if isinstance(section, MapNode) else ():
        assert isinstance(section, MapNode)
        word = slug(name, also="_", longest=64).replace("-", "_")
        names[name] = word
        path = f"secrets.{name}"
        if not isinstance(node, MapNode):
            reason = f"a secret needs a file or an environment, got {describe(node)}"
            report.add(section.positions[name], path, KeyOutcome.DROPPED, reason)
            sources[word] = {"env": word.upper()}
            continue
        sources[word] = _secret_source(node, path, word, report)
    return sources, names


def _secret_source(node: MapNode, path: str, word: str, report: ConversionReport) -> dict[str, Any]:
    source: dict[str, Any] = {}
    for key, value in node.items():
        at, new = node.positions[key], ("secrets", word)
        if key == "file" and isinstance(value, ScalarNode) and value:
            source["file"] = spec_text(value)
            report.add(at, f"{path}.file", KeyOutcome.SAME, "", new)
        elif key == "environment" and isinstance(value, ScalarNode) and _is_variable(value):
            source["env"] = spec_text(value)
            report.add(at, f"{path}.environment", KeyOutcome.TRANSLATED, "env", new)
        elif key == "external":
            reason = f"envctl keeps secrets itself; remedy: set {word.upper()}, which the spec reads, or name a file"
            outcome = KeyOutcome.SAME if flag(value) is False else KeyOutcome.DROPPED
            report.add(
                at,
                f"{path}.external",
                outcome,
                reason if outcome is KeyOutcome.DROPPED else "",
                new,
            )
        else:
            reason = "a secret has a file or a variable, and its name here"
            report.add(at, f"{path}.{key}", KeyOutcome.DROPPED, reason)
    return source or {"env": word.upper()}


def _is_variable(node: ScalarNode) -> bool:
    try:
        ENV_NAME.parse(ScalarNode(str(node), node.position))
    except InvalidValue:
        return False
    return True


def _report_top(model: MapNode, project_name: str, report: ConversionReport) -> None:
    for key, node in model.items():
        at = model.positions[key]
        if key == "name":
            outcome = KeyOutcome.SAME if node == project_name else KeyOutcome.TRANSLATED
            note = "" if node == project_name else f"project: {project_name}"
            report.add(at, key, outcome, note, ("project",))
        elif key == "version":
            report.add(at, key, KeyOutcome.DROPPED, "Compose itself ignores it")
        elif key in ("volumes", "networks"):
            _report_section(key, node, report)
        elif key == "configs":
            _report_configs(node, report)
        elif key == "models":
            report.add(at, key, KeyOutcome.DROPPED, "AI models are not supported")
        if isinstance(node, NullNode) and key in _SHARED:
            report.add(at, key, KeyOutcome.SAME, "nothing")


def _report_section(key: str, node: Node, report: ConversionReport) -> None:
    """Volumes and networks are made by themselves; only what says more about them is dropped."""
    notes = {
        "volumes": "nothing: a volume is made for each name that services use",
        "networks": "nothing: each environment has a network",
    }
    remedies = {
        "volumes": "volumes are the engine's own, one for each environment; remedy: for existing data, a mount",
        "networks": "the network of an environment is the engine's own; remedy: publish ports to reach others",
    }
    for name, entry in node.items() if isinstance(node, MapNode) else ():
        assert isinstance(node, MapNode)
        path = f"{key}.{name}"
        if not isinstance(entry, MapNode) or not entry:
            report.add(node.positions[name], path, KeyOutcome.TRANSLATED, notes[key])
            continue
        for word, value in entry.items():
            is_usual = (word == "driver" and value in ("local", "bridge", "default")) or (
                word in ("external", "internal", "attachable") and flag(value) is False
            )
            outcome = KeyOutcome.TRANSLATED if is_usual else KeyOutcome.DROPPED
            note = notes[key] if is_usual else remedies[key]
            report.add(entry.positions[word], f"{path}.{word}", outcome, note)


def _report_configs(node: Node, report: ConversionReport) -> None:
    if not isinstance(node, MapNode):
        return
    reason = "only configs with a file can be mounted; remedy: write its content into a file of the project"
    for name, entry in node.items():
        path = f"configs.{name}"
        if not isinstance(entry, MapNode):
            report.add(node.positions[name], path, KeyOutcome.DROPPED, reason)
            continue
        for word, at in entry.positions.items():
            if word == "file":
                report.add(at, f"{path}.file", KeyOutcome.TRANSLATED, "mounts where it is used")
            else:
                report.add(at, f"{path}.{word}", KeyOutcome.DROPPED, reason)
