"""The resolved spec of a target, which may be broken or no longer have the environment."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from envctl import definition
from envctl.definition.names import ROOT_FILE, is_name
from envctl.definition.resolved import Resolved
from envctl.errors import Place, SpecError, UsageError
from envctl.plan.target import Target
from envctl.project import Project


class TargetSpec:
    """The spec of one environment. With `allow_missing_files`, project files for builds may be missing.

    With `allow_invalid`, a broken or removed spec is None instead of an error. `instead` is used in place of
    the project's spec.
    """

    def __init__(
        self,
        project: Project,
        target: Target,
        *,
        allow_missing_files: bool = False,
        allow_invalid: bool = False,
        instead: Resolved | None = None,
    ) -> None:
        self._project = project
        self._environment = target.environment
        self._allow_missing_files = allow_missing_files
        self._allow_invalid = allow_invalid
        self._instead = instead

    @property
    def resolved(self) -> Resolved | None:
        """The resolved spec; None only if an invalid spec is allowed, and the spec is broken or lacks the environment."""
        return self._loaded[0]

    @property
    def removed(self) -> UsageError | None:
        """The error, if the spec is None because it lacks the environment."""
        return self._loaded[1]

    def require(self) -> Resolved:
        """The resolved spec. SpecError or UsageError if it is None."""
        return self.resolved or self._load()

    def where(self, *path: str | int) -> Place | None:
        """The place of a value."""
        return self.resolved.where(*path) if self.resolved else None

    def where_secret(self, name: str) -> Place:
        """The place that declares a secret; the start of the spec if that is unknown."""
        return self.where("secrets", name) or Place(ROOT_FILE, 1, 1)

    def where_hook(self, service: str, index: int) -> Place | None:
        """The place of an `after_start` hook."""
        return self.where("services", service, "hooks", "after_start", index)

    def text(self, key: Literal["backend", "project"]) -> str | None:
        """The value of a key at the top level, even in a broken spec; None if it is unknown."""
        if self.resolved:
            return self.resolved.data[key]
        return definition.peek(self._project.root, self._environment, key)

    @cached_property
    def _loaded(self) -> tuple[Resolved | None, UsageError | None]:
        if self._instead:
            return self._instead, None
        try:
            return self._load(), None
        except SpecError:
            if self._allow_invalid:
                return None, None
            raise
        except UsageError as error:
            if self._allow_invalid and self._is_removed():
                return None, error
            raise

    def _load(self) -> Resolved:
        return self._project.resolved(
            self._environment, allow_missing_files=self._allow_missing_files
        )

    def _is_removed(self) -> bool:
        name = self._environment
        return is_name(name) and name not in self._project.environments()
