"""Differences between manifests, and between locks, by name. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from envctl.errors import Place
from envctl.lazy_dataclass import dataclass
from envctl.lock.model import Lock, Manifest


@dataclass(frozen=True, slots=True)
class LockDifference:
    """A name whose version, or presence (None), differs between `before` and `after`. It affects `units`.

    `where` is the place in the spec. If the lock has only a hash of an input, `summary` says what has changed.
    `details` has one line per package.
    """

    kind: str
    name: str
    before: str | None
    after: str | None
    units: tuple[str, ...] = ()
    where: Place | None = None
    summary: str = ""
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.is_hidden:
            return f"{self.subject} {self.old}: different content, same version"
        return f"{self.subject} {self.old or 'not installed'} → {self.new or 'not installed'}"

    @property
    def subject(self) -> str:
        """The package, and its folder if it has one: "flask in /opt/web"."""
        folder = self.kind.partition(" ")[2]
        return f"{self.name} in {folder}" if folder else self.name

    @property
    def old(self) -> str:
        """The version before, without its hash; "" for none."""
        return self._version(self.before)

    @property
    def new(self) -> str:
        """The version after, without its hash; "" for none."""
        return self._version(self.after)

    @property
    def is_hidden(self) -> bool:
        """Whether both versions are equal, but the contents differ."""
        return self.old == self.new

    def _version(self, text: str | None) -> str:
        has_hash = self.kind.startswith(("pip", "npm"))
        return (text or "").partition(" ")[0] if has_hash else text or ""


def package_differences(
    before: Manifest, after: Manifest, units: Sequence[str] = ()
) -> tuple[LockDifference, ...]:
    """All packages whose versions differ."""
    return _differences(_entries(before), _entries(after), units)


def base_differences(
    base: Manifest, build: Manifest, machine: Manifest, units: Sequence[str]
) -> tuple[LockDifference, ...]:
    """Differences between a machine, before its build starts, and the locked base.

    A machine has more packages than an image, for its init and SSH server. Packages that neither base nor build have
    are ignored. Packages that the build has, too, must have the build's version.
    """
    installed, base_entries = _entries(machine), _entries(base)
    locked = {**_entries(build), **base_entries}
    old = {key: locked[key] for key in locked if key in base_entries or key in installed}
    return _differences(old, {key: installed[key] for key in old if key in installed}, units)


def build_differences(
    base: Manifest, build: Manifest, before: Manifest, after: Manifest, units: Sequence[str]
) -> tuple[LockDifference, ...]:
    """Differences between a machine, after its build, and the locked build; the machine's own packages are ignored."""
    locked = _entries(build)
    ignored = _entries(before).keys() - _entries(base).keys() - locked.keys()
    installed = {key: version for key, version in _entries(after).items() if key not in ignored}
    return _differences(locked, installed, units)


_Entries: TypeAlias = Mapping[tuple[str, str], str]


def _entries(manifest: Manifest) -> _Entries:
    """Versions by kind and name."""
    return {(kind, name): version for kind, name, version in manifest.items()}


def _differences(old: _Entries, new: _Entries, units: Sequence[str]) -> tuple[LockDifference, ...]:
    return tuple(
        LockDifference(kind, name, old.get((kind, name)), new.get((kind, name)), tuple(units))
        for kind, name in sorted({*old, *new})
        if old.get((kind, name)) != new.get((kind, name))
    )


def merged(differences: Iterable[LockDifference]) -> tuple[LockDifference, ...]:
    """Equal differences of several units as one, sorted."""
    units: dict[LockDifference, dict[str, None]] = {}
    for item in differences:
        units.setdefault(replace(item, units=()), {}).update(dict.fromkeys(item.units))
    combined = [replace(item, units=tuple(sorted(names))) for item, names in units.items()]
    # No version sorts before all versions.
    return tuple(
        sorted(
            combined, key=lambda item: (item.kind, item.name, item.before or "", item.after or "")
        )
    )


def lock_changes(before: Lock, after: Lock) -> tuple[LockDifference, ...]:
    """What changed between two locks: by base, and by unit that is in both."""
    return merged(_lock_changes(before, after))


def _lock_changes(before: Lock, after: Lock) -> Iterator[LockDifference]:
    for name in sorted({*before.bases} & {*after.bases}):
        old, new = before.bases[name].manifest, after.bases[name].manifest
        yield from package_differences(old, new, [f"base {name}"])
    units = {unit for build in before.builds for unit in build.units}
    for build in after.builds:
        for unit in sorted(units & {*build.units}):
            old_build = before.of(unit)
            assert old_build is not None
            if old_build.image != build.image:
                yield LockDifference("image", "image", old_build.image, build.image, (unit,))
            yield from package_differences(old_build.manifest, build.manifest, [unit])
