"""What a build that is to come out as it is locked is given: versions for apt and pip to keep to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from envctl.backends.base import Supplies
from envctl.lock.model import Manifest

_APT: Final = 'Dir::Etc::Preferences "/media/preferences";\n'
_TOOLS: Final = frozenset(("pip", "setuptools", "wheel"))
"""Come with Python itself. Held here they would be held in the rooms where pip builds packages, too."""


def pins(manifest: Manifest) -> Supplies:
    """Settings by which apt and pip take the versions of a manifest, where they are still to be had."""
    preferences = "\n".join(_preferences(manifest))
    constraints = "".join(f"{name}=={version}\n" for name, version in _constraints(manifest))
    return Supplies(
        {"apt.conf": _APT, "preferences": preferences, "constraints.txt": constraints},
        {"APT_CONFIG": "/media/apt.conf", "PIP_CONSTRAINT": "/media/constraints.txt"},
    )


def _preferences(manifest: Manifest) -> Iterator[str]:
    for name, version in sorted(manifest.packages.items()):
        # A version that is older than what is there is taken from 1000 on.
        yield f"Package: {name}\nPin: version {version}\nPin-Priority: 1001\n"


def _constraints(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """A version of each package that has the same one wherever it is."""
    found: dict[str, set[str]] = {}
    for versions in manifest.pip.values():
        for name, version in versions.items():
            found.setdefault(name, set()).add(version.partition(" ")[0])
    for name, one in sorted(found.items()):
        if len(one) == 1 and name not in _TOOLS:
            yield name, one.pop()
