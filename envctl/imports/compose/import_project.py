"""A project's Compose files to the files of a spec, with the report. Nothing is written here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from envctl.conversion.conversion_report import ConversionReport, KeyOutcome, is_empty
from envctl.definition.problems import Problems
from envctl.definition.tree import ListNode, MapNode, Node, Position, ScalarNode, children
from envctl.errors import EnvctlError
from envctl.imports.compose.compose_files import (
    ENV_FILE,
    ComposeFiles,
    overlay_names,
    resets_removed,
)
from envctl.imports.compose.merge_files import RESET
from envctl.imports.compose.service_import import slug
from envctl.imports.compose.source_rules import BUILD_REASON
from envctl.imports.compose.translate import translated
from envctl.imports.imported_project import ImportChoices, ImportedProject
from envctl.imports.spec_writer import spec_files

_DEV: Final = "dev"
_REFERENCE: Final = re.compile(r"\$\{([a-z_][a-z0-9_]*)\}")


def import_project(root: Path, file: str, choices: ImportChoices) -> ImportedProject:
    """Import a Compose file with all that belongs to it. SpecError with every mistake that makes this impossible."""
    return _Import(root, file, choices).run()


class _Import:
    def __init__(self, root: Path, file: str, choices: ImportChoices) -> None:
        self.root = root
        self.file = file
        self.choices = choices
        self.problems = Problems()
        self.report = ConversionReport()
        self.files = ComposeFiles(root, self.problems)
        self.models: dict[str, MapNode] = {}

    def run(self) -> ImportedProject:
        base_model = self.files.model(self.file)
        _refuse_other_formats(self.file, base_model)
        self.problems.stop()
        name = self._project_name(base_model)
        self.models[""] = resets_removed(base_model, self.files)
        for environment, overlay in overlay_names(self.root, self.file).items():
            self.models[environment] = self.files.merge(base_model, self.files.model(overlay))
        self.problems.stop()
        self._require_sources()
        specs = {environment: self._spec(environment, name) for environment in self.models}
        self.problems.stop()
        self._report_variables()
        for tree in self.files.trees.values():
            self._report_remaining(tree)
        base = specs.pop("")
        specs.setdefault(_DEV, base)
        return ImportedProject(spec_files(base, specs), self.report, tuple(self.files.trees))

    def _project_name(self, model: MapNode) -> str:
        name = model.get("name")
        if not isinstance(name, ScalarNode):
            name = self.files.dotenv.get("COMPOSE_PROJECT_NAME")
        text = str(name) if isinstance(name, ScalarNode) and name else self.root.resolve().name
        return slug(text) or "project"

    def _require_sources(self) -> None:
        """In every environment, each service has an image or a build."""
        base_services = self.models[""].get("services")
        if not isinstance(base_services, MapNode) or not base_services:
            position = self.models[""].position
            self.problems.add(position, "there are no services", expected="services: {NAME: …}")
            self.problems.stop()
        environments = {name: model for name, model in self.models.items() if name}
        for model in {_DEV: self.models[""], **environments}.values():
            services = model.get("services")
            for name, service in services.items() if isinstance(services, MapNode) else ():
                assert isinstance(services, MapNode)
                if isinstance(service, MapNode) and not {"image", "build"} & {*service}:
                    self.problems.add(
                        services.positions[name],
                        f"services.{name} has neither image nor build",
                        expected="what it is made from",
                    )
        self.problems.stop()

    def _spec(self, environment: str, name: str) -> dict[str, Any]:
        self.report.environment = environment
        spec = translated(self.models[environment], name, self.choices, self.report, self.problems)
        used = {*_references(spec)}
        variables = self.files.variables
        defaults: dict[str, str] = {}
        pending = [*used]
        while pending:
            word = pending.pop()
            if word in variables.defaults and word not in defaults:
                defaults[word] = variables.defaults[word]
                pending += _REFERENCE.findall(defaults[word])
                used.update(_REFERENCE.findall(defaults[word]))
        in_file = {key.lower() for key in self.files.dotenv}
        head = {key: spec.pop(key) for key in ("project", "default")}
        if variables.spec_reads_file and used & in_file:
            head["vars_file"] = [ENV_FILE]
        if defaults:
            head["vars"] = {word: variables.spec_default(word) for word in sorted(defaults)}
        return {**head, **spec}

    # --- the report

    def _report_variables(self) -> None:
        variables = self.files.variables
        if self.files.dotenv and variables.spec_reads_file:
            self.report.add(
                (ENV_FILE, 1, 1), ENV_FILE, KeyOutcome.SAME, "vars_file", ("vars_file",)
            )
        elif self.files.dotenv:
            note = "vars: a spec cannot have some of the names"
            self.report.add((ENV_FILE, 1, 1), ENV_FILE, KeyOutcome.TRANSLATED, note, ("vars",))
        for name, position in variables.unset.items():
            note = f"an empty text: it is set nowhere; `--set {name.lower()}=…` or ENVCTL_VAR_{name.lower()} sets it"
            self.report.add(
                position,
                f"${{{name}}}",
                KeyOutcome.TRANSLATED,
                note,
                ("vars", name.lower()),
                is_claim=False,
            )

    def _report_remaining(self, tree: MapNode) -> None:
        """Report what no rule has reported: nothing of the source is without a line."""
        self.report.environment = ""
        self._report_includes(tree)
        in_models = self._positions()
        for position, path, node in [*self.report.unreported(tree)]:
            outcome, note = self._remaining(path, node, is_used=position in in_models)
            self.report.add(position, path, outcome, note)

    def _remaining(self, path: str, node: Node, *, is_used: bool) -> tuple[KeyOutcome, str]:
        if self.files.tags.get(node.position) == RESET:
            return KeyOutcome.TRANSLATED, "its absence"
        if re.match(r"x-[^.]*[.\[]", path):
            return (
                KeyOutcome.TRANSLATED,
                "nothing: no alias takes it, or another value replaces it there",
            )
        if re.match(r"(services\.[^.]+\.)?x-", path):
            return (
                KeyOutcome.DROPPED,
                "nothing reads extension fields; what aliases take from it is written out",
            )
        if is_empty(node):
            return KeyOutcome.SAME, "nothing"
        if not is_used:
            return (
                KeyOutcome.TRANSLATED,
                "nothing: another file or service replaces it, or does not use it",
            )
        if ".build." in path:
            return KeyOutcome.DROPPED, BUILD_REASON
        return (
            KeyOutcome.DROPPED,
            "no rule of `envctl import` reads it; remedy: look for a misspelt name",
        )

    def _positions(self) -> set[Position]:
        """Where the keys and values of all environments are written."""
        positions: set[Position] = set()
        pending: list[Node] = [*self.models.values()]
        while pending:
            node = pending.pop()
            if isinstance(node, MapNode):
                positions.update(node.positions.values())
            elif not isinstance(node, ListNode):
                positions.add(node.position)
            pending += children(node)
        return positions

    def _report_includes(self, tree: MapNode) -> None:
        node = tree.get("include")
        for index, item in enumerate(node if isinstance(node, ListNode) else []):
            path = f"include[{index}]"
            if not isinstance(item, MapNode):
                self.report.add(item.position, path, KeyOutcome.TRANSLATED, "what the file says")
                continue
            for key, at in item.positions.items():
                if key in ("path", "env_file"):
                    self.report.add(
                        at, f"{path}.{key}", KeyOutcome.TRANSLATED, "what the file says"
                    )
                else:
                    reason = "paths are relative to the file that names them; remedy: move the file"
                    self.report.add(at, f"{path}.{key}", KeyOutcome.DROPPED, reason)


def _references(value: Any) -> Iterator[str]:
    """The variables in all texts of a spec."""
    match value:
        case str():
            yield from _REFERENCE.findall(value.replace("$$", ""))
        case dict():
            for item in value.values():
                yield from _references(item)
        case list():
            for item in value:
                yield from _references(item)


def _refuse_other_formats(file: str, model: MapNode) -> None:
    if "apiVersion" in model and "kind" in model:
        raise EnvctlError(
            f"{file} is a Kubernetes manifest, which is out of scope: `envctl import` reads Compose files",
            hint="describe the services in envctl.yaml: `envctl init` writes a first one",
        )
