"""What two manifests, or two locks, differ in, by name. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from envctl.errors import Place
from envctl.lazy_dataclass import dataclass
from envctl.lock.model import Lock, Manifest


@dataclass(frozen=True, slots=True)
class Difference:
    """One name with another version, or with none (None), before and after. `units` are those it is in.

    What the spec asks for has the place that does, and of what is told by a hash `said`, what has changed, and
    `details`, line by line.
    """

    kind: str
    name: str
    before: str | None
    after: str | None
    units: tuple[str, ...] = ()
    where: Place | None = None
    said: str = ""
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.is_hidden:
            return f"{self.subject} {self.old}: other content under the same version"
        return f"{self.subject} {self.old or 'not there'} → {self.new or 'not there'}"

    @property
    def subject(self) -> str:
        """What has another version: "flask in /opt/web"."""
        folder = self.kind.partition(" ")[2]
        return f"{self.name} in {folder}" if folder else self.name

    @property
    def old(self) -> str:
        """The version before, without the hash that may be behind it; "" for none."""
        return self._version(self.before)

    @property
    def new(self) -> str:
        """The version after."""
        return self._version(self.after)

    @property
    def is_hidden(self) -> bool:
        """Whether both are called the same, and are not."""
        return self.old == self.new

    def _version(self, text: str | None) -> str:
        has_hash = self.kind.startswith(("pip", "npm"))
        return (text or "").partition(" ")[0] if has_hash else text or ""


def differences(
    before: Manifest, after: Manifest, units: Sequence[str] = ()
) -> tuple[Difference, ...]:
    """All names whose versions differ."""
    return _differences(_entries(before), _entries(after), units)


def base_differences(
    base: Manifest, build: Manifest, machine: Manifest, units: Sequence[str]
) -> tuple[Difference, ...]:
    """What a machine differs in from a locked base on which a build is to be done in it.

    It has more than an image: its init, its SSH server. What of that is neither the base's nor the build's is its own.
    What the build is to have and the machine brings along has to be as the build has it.
    """
    there, of_base = _entries(machine), _entries(base)
    locked = {**_entries(build), **of_base}
    old = {key: one for key, one in locked.items() if key in of_base or key in there}
    return _differences(old, {key: there[key] for key in old if key in there}, units)


def build_differences(
    base: Manifest, build: Manifest, before: Manifest, after: Manifest, units: Sequence[str]
) -> tuple[Difference, ...]:
    """What a machine differs in from a locked build that was done in it: without what was its own before."""
    locked = _entries(build)
    own = _entries(before).keys() - _entries(base).keys() - locked.keys()
    found = {key: one for key, one in _entries(after).items() if key not in own}
    return _differences(locked, found, units)


_Entries: TypeAlias = Mapping[tuple[str, str], str]


def _entries(manifest: Manifest) -> _Entries:
    """Versions by kind and name."""
    return {(kind, name): version for kind, name, version in manifest.items()}


def _differences(old: _Entries, new: _Entries, units: Sequence[str]) -> tuple[Difference, ...]:
    return tuple(
        Difference(kind, name, old.get((kind, name)), new.get((kind, name)), tuple(units))
        for kind, name in sorted({*old, *new})
        if old.get((kind, name)) != new.get((kind, name))
    )


def merged(found: Iterable[Difference]) -> tuple[Difference, ...]:
    """The same difference in several units told once, with all of them."""
    units: dict[Difference, dict[str, None]] = {}
    for one in found:
        units.setdefault(replace(one, units=()), {}).update(dict.fromkeys(one.units))
    every = [replace(one, units=tuple(sorted(units[one]))) for one in units]
    # A version that is not there sorts before all others.
    return tuple(
        sorted(every, key=lambda one: (one.kind, one.name, one.before or "", one.after or ""))
    )


def moved(before: Lock, after: Lock) -> tuple[Difference, ...]:
    """What moved from one lock to the next: by base, and by unit that both have."""
    return merged(_moved(before, after))


def _moved(before: Lock, after: Lock) -> Iterator[Difference]:
    for name in sorted({*before.bases} & {*after.bases}):
        old, new = before.bases[name], after.bases[name]
        yield from differences(Manifest(old.packages), Manifest(new.packages), [f"base {name}"])
    units = {unit for one in before.builds for unit in one.units}
    for build in after.builds:
        for unit in sorted(units & {*build.units}):
            known = before.of(unit)
            assert known is not None
            if known.image != build.image:
                yield Difference("image", "image", known.image, build.image, (unit,))
            yield from differences(known.manifest, build.manifest, [unit])
