"""Names and labels of resources. Labels hold the state."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from envctl.lazy_dataclass import dataclass
from envctl.plan.digest import run_text
from envctl.plan.image_volumes import parted
from envctl.plan.model import Build, DockerfileBuild, ReadyImage, Source, Unit
from envctl.plan.platforms import image_name
from envctl.plan.scope import Scope

PREFIX: Final = "dev.envctl."
PROJECT: Final = PREFIX + "project"
PROJECT_ID: Final = PREFIX + "project-id"
ENVIRONMENT: Final = PREFIX + "environment"
UNIT: Final = PREFIX + "unit"
SERVICE: Final = PREFIX + "service"
REPLICA: Final = PREFIX + "replica"
BUILD: Final = PREFIX + "build"
IMAGE: Final = PREFIX + "image"
RUN: Final = PREFIX + "run"
STEPS: Final = PREFIX + "steps"
VOLUME: Final = PREFIX + "volume"
SECRETS_CONTAINER: Final = PREFIX + "keeper"
ROOT: Final = PREFIX + "root"
SECRETS: Final = PREFIX + "secrets-of"
HELPER: Final = PREFIX + "helper"
ONE_OFF: Final = PREFIX + "one-off"
RECORD: Final = PREFIX + "record"
RECORD_OF: Final = PREFIX + "record-of"
RECORD_KIND: Final = PREFIX + "record-kind"
RECORD_VALUE: Final = PREFIX + "record-value"


@dataclass(frozen=True, slots=True)
class Names:
    """The names and labels of one scope's resources."""

    scope: Scope

    @property
    def prefix(self) -> str:
        """The prefix of every name; it differs between projects, checkouts and environments."""
        scope = self.scope
        return f"{slug(scope.project)}-{scope.project_id[:6]}-{slug(scope.environment)}"

    def container(self, unit: str) -> str:
        """A unit's container."""
        return f"{self.prefix}_{slug(unit)}"

    def secrets_container(self, identity: str) -> str:
        """A secrets container. There may be two while a new one takes over."""
        return f"{self.prefix}.keeper-{identity}"

    @property
    def network(self) -> str:
        """The environment's network."""
        return self.prefix

    def volume(self, name: str) -> str:
        """A named volume of the spec, or one that a unit's image declares."""
        parts = parted(name)
        if parts is None:
            return f"{self.prefix}_{slug(name)}"
        unit, path = parts
        mark = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return f"{self.prefix}_{slug(unit)}.{slug(path)[:100]}-{mark}"

    def helper(self, volume: str) -> str:
        """The helper container of a volume, given by its name on the engine."""
        return f"{volume}.helper"

    def is_helper(self, container: str) -> bool:
        """Whether a container of this name may be a helper, including those of an earlier project name."""
        return f"-{self.scope.project_id[:6]}-{slug(self.scope.environment)}_" in container and (
            container.endswith(".helper")
        )

    def secrets(self, unit: str) -> str:
        """The volume in memory that holds a unit's secrets."""
        return f"{self.prefix}_{slug(unit)}.secrets"

    def record(self, unit: str, text: str) -> str:
        """The empty volume whose labels record an event of a unit."""
        return f"{self.prefix}_{slug(unit)}.record-{text}"

    def image(self, build: Build | DockerfileBuild) -> str:
        """The image of a build; checkouts of one project share it."""
        return f"{self.repository}:{build.digest}"

    @property
    def repository(self) -> str:
        """The name of all images of the project."""
        return f"envctl/{slug(self.scope.project)}"

    def image_of(self, unit: Unit) -> str:
        """The image that a unit is created from."""
        return self.image_of_source(unit.source)

    def image_of_source(self, source: Source) -> str:
        """The image of a unit's source."""
        if isinstance(source, ReadyImage):
            return image_name(source.image, source.platform)
        return self.image(source)

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of everything that belongs to the environment."""
        return {**self.own_labels, PROJECT: self.scope.project, ROOT: self.scope.root}

    @property
    def own_labels(self) -> Mapping[str, str]:
        """Labels that identify this environment's resources. They exclude the project's name, which may change."""
        return {PROJECT_ID: self.scope.project_id, ENVIRONMENT: self.scope.environment}

    @property
    def filters(self) -> Mapping[str, list[str]]:
        """The engine's filter for the environment's resources."""
        return {"label": [f"{key}={value}" for key, value in self.own_labels.items()]}

    def unit_filters(self, unit: str) -> Mapping[str, list[str]]:
        """The engine's filter for the containers of one unit."""
        return {"label": [*self.filters["label"], f"{UNIT}={unit}"]}

    def unit_labels(self, unit: Unit) -> Mapping[str, str]:
        """Labels of a unit's container: its unit, and exactly what it was created from.

        Always sets all of them, if only to "". Otherwise a container would inherit those of its image, which may be a
        committed unit.
        """
        source = unit.source
        ready = isinstance(source, ReadyImage)
        return {
            **self.labels,
            UNIT: unit.name,
            SERVICE: unit.service,
            REPLICA: str(unit.replica),
            BUILD: "" if isinstance(source, ReadyImage) else source.digest,
            IMAGE: self.image_of(unit) if ready else "",
            RUN: run_text(unit.run),
            SECRETS_CONTAINER: "",
        }

    @property
    def secrets_container_labels(self) -> Mapping[str, str]:
        """Labels of a secrets container. Unit labels of the image are overridden."""
        return {**self.labels, SECRETS_CONTAINER: "secrets", UNIT: "", SERVICE: ""}

    def one_off_labels(self, unit: str) -> Mapping[str, str]:
        """Labels of the containers of a one-off, which is not a unit itself."""
        return {**self.labels, ONE_OFF: unit, SECRETS_CONTAINER: "", UNIT: "", SERVICE: ""}

    @property
    def helper_labels(self) -> Mapping[str, str]:
        """Labels of a helper container, which is neither a unit nor a secrets container."""
        return {**self.labels, HELPER: "volume", SECRETS_CONTAINER: "", UNIT: "", SERVICE: ""}


def slug(text: str) -> str:
    """A text in a form that is valid in all kinds of names on the engine."""
    return re.sub(r"[^a-z0-9_.-]+", "-", text.lower()).strip("-_.") or "x"
