"""The environments of a project in one run of envctl: each is loaded once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from envctl import definition
from envctl.definition.resolved import Resolved
from envctl.errors import SpecError


class SpecLoader:
    """Loads the environments of one project, and remembers each until the run ends.

    A run sees a spec as it was when first asked for, whatever happens to the files meanwhile.
    """

    def __init__(self, root: Path, *, sets: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self._root = root
        self._sets = sets
        self._environ = environ
        self._loaded: dict[tuple[str, bool], Resolved | SpecError] = {}

    @cached_property
    def environments(self) -> tuple[str, ...]:
        """The names of the project's environments."""
        return definition.environments(self._root)

    @cached_property
    def alike(self) -> Mapping[str, None]:
        """The environments that certainly have the same mounts."""
        return definition.alike(self._root)

    def load(
        self, environment: str, *, allow_missing_files: bool = False, cache: bool = True
    ) -> Resolved:
        """Return the resolved spec of an environment. Options and errors are those of `definition.load`."""
        loaded = self._loaded.get((environment, allow_missing_files))
        if loaded is None and allow_missing_files:
            # If no file is missing, the result is the same either way.
            whole = self._loaded.get((environment, False))
            loaded = whole if isinstance(whole, Resolved) else None
        if loaded is None:
            loaded = self._load(environment, allow_missing_files=allow_missing_files, cache=cache)
            self._loaded[environment, allow_missing_files] = loaded
        if isinstance(loaded, SpecError):
            # The error is raised several times, each time with its own traceback.
            raise loaded.with_traceback(None)
        return loaded

    def _load(
        self, environment: str, *, allow_missing_files: bool, cache: bool
    ) -> Resolved | SpecError:
        try:
            return definition.load(
                self._root,
                environment,
                sets=self._sets,
                environ=self._environ,
                allow_missing_files=allow_missing_files,
                cache=cache,
            )
        except SpecError as error:
            return error
