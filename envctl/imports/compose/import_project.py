"""A project's Compose files to the files of a spec, with the report. Nothing is written here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from envctl.conversion.conversion_report import ConversionReport, KeyOutcome, is_empty
from envctl.definition.problems import Problems
from envctl.definition.tree import ListNode, MapNode, Node, Position, ScalarNode, children
from envctl.errors import EnvctlError
from envctl.imports.compose.compose_files import (
    ComposeFiles,
    overlay_names,
    resets_removed,
)
from envctl.imports.compose.declared_variables import report_variables, with_variables
from envctl.imports.compose.merge_files import RESET
from envctl.imports.compose.service_import import slug
from envctl.imports.compose.source_rules import BUILD_REASON
from envctl.imports.compose.translate import translated
from envctl.imports.imported_project import ImportChoices, ImportedProject
from envctl.imports.spec_writer import spec_files

_DEV: Final = "dev"


def import_project(root: Path, file: str, choices: ImportChoices) -> ImportedProject:
    """Import a Compose file with all that belongs to it. SpecError with every mistake that makes this impossible."""
    return ComposeImport(root, file, choices).run()


class ComposeImport:
    """Compose files of a project on their way to a spec."""

    def __init__(self, root: Path, file: str, choices: ImportChoices) -> None:
        self.root = root
        self.file = file
        self.choices = choices
        self.problems = Problems()
        self.report = ConversionReport()
        self.files = ComposeFiles(root, self.problems)
        self.models: dict[str, MapNode] = {}

    def run(self) -> ImportedProject:
        """Import the file, and those beside it as environments."""
        base_model = self.files.model(self.file)
        _refuse_other_formats(self.file, base_model)
        self.problems.stop()
        name = self.project_name(base_model)
        self.models[""] = resets_removed(base_model, self.files)
        for environment, overlay in overlay_names(self.root, self.file).items():
            self.models[environment] = self.files.merge(base_model, self.files.model(overlay))
        self.problems.stop()
        self.require_sources()
        specs = {
            environment: self.with_variables(self.spec(environment, name))
            for environment in self.models
        }
        self.problems.stop()
        self.report_rest()
        base = specs.pop("")
        specs.setdefault(_DEV, base)
        return ImportedProject(spec_files(base, specs), self.report, tuple(self.files.trees))

    def project_name(self, model: MapNode) -> str:
        """The name that the file, `.env` or the folder gives."""
        name = model.get("name")
        if not isinstance(name, ScalarNode):
            name = self.files.dotenv.get("COMPOSE_PROJECT_NAME")
        text = str(name) if isinstance(name, ScalarNode) and name else self.root.resolve().name
        return slug(text) or "project"

    def require_sources(self) -> None:
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

    def spec(self, environment: str, name: str) -> dict[str, Any]:
        """The spec of an environment, in which variables are not declared yet."""
        self.report.environment = environment
        model = self.models[environment]
        return translated(model, name, self.choices, self.report, self.problems)

    def with_variables(self, spec: dict[str, Any]) -> dict[str, Any]:
        """The spec with the variables that it uses."""
        return with_variables(spec, self.files.variables, self.files.dotenv)

    # --- the report

    def report_rest(self) -> None:
        """Report variables, and what no rule has reported: nothing of the source is without a line."""
        report_variables(self.report, self.files.variables, self.files.dotenv)
        for tree in self.files.trees.values():
            self._report_remaining(tree)

    def _report_remaining(self, tree: MapNode) -> None:
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


def _refuse_other_formats(file: str, model: MapNode) -> None:
    if "apiVersion" in model and "kind" in model:
        raise EnvctlError(
            f"{file} is a Kubernetes manifest, which is out of scope: `envctl import` reads Compose files",
            hint="describe the services in envctl.yaml: `envctl init` writes a first one",
        )
