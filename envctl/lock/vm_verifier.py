"""Verifies a build in the machine that makes it, because such a build has no image."""

from __future__ import annotations

from dataclasses import field

from envctl.backends.common.build_inputs import OtherBaseError, RunScript
from envctl.lazy_dataclass import dataclass
from envctl.lock.inspect import read_manifest
from envctl.lock.lock_differences import base_differences, build_differences
from envctl.lock.messages import mismatch_error, require_architecture
from envctl.lock.model import Lock, Manifest


@dataclass(slots=True)
class MachineVerifier:
    """Compares the machine of a build with the lock.

    `units` are the units of the build, `base` is the image name of its base, `expected` is the locked result.
    """

    environment: str
    lock: Lock
    units: tuple[str, ...]
    base: str
    expected: Manifest
    _before: Manifest = field(default_factory=Manifest)

    @property
    def source_id(self) -> str:
        """The digest of the locked result."""
        return self.expected.digest

    def before(self, run: RunScript) -> None:
        """Before the steps, raise OtherBaseError unless the machine matches the locked base."""
        self._before = self._read(run)
        units = (f"base {self.base}",)
        differences = base_differences(self._base, self.expected, self._before, units)
        if differences:
            raise mismatch_error(self.environment, differences, kind=OtherBaseError)

    def after(self, run: RunScript) -> None:
        """After the steps, raise EnvctlError unless the machine matches the locked build."""
        after = self._read(run)
        differences = build_differences(self._base, self.expected, self._before, after, self.units)
        if differences:
            raise mismatch_error(self.environment, differences)

    @property
    def _base(self) -> Manifest:
        locked = self.lock.bases.get(self.base)
        return locked.manifest if locked else Manifest()

    def _read(self, run: RunScript) -> Manifest:
        subject = "the build machine"
        architecture, manifest = read_manifest(run, subject)
        require_architecture(self.lock, architecture, subject)
        return manifest
