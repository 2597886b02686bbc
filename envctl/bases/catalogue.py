"""The bases envctl knows how to make."""

from __future__ import annotations

from typing import Final

from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.plan.image_names import base_image
from envctl.suggest import did_you_mean


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A base: which suite of which distribution, and what to verify its mirror with.

    `keyring` is where the distribution's archive keys are on a Debian or Ubuntu host, and
    `keyring_package` what puts them there. `architectures` are those of its mirrors. A `slim` base leaves out documentation and translations.
    """

    name: str
    distribution: str
    suite: str
    components: tuple[str, ...] = ("main",)
    keyring: str = "/usr/share/keyrings/debian-archive-keyring.gpg"
    keyring_package: str = "debian-archive-keyring"
    package_manager: str = "apt"
    slim: bool = False
    architectures: tuple[str, ...] = ()


_EVERYWHERE: Final = ("amd64", "arm64", "armhf", "ppc64el", "s390x")
_OF_A_SUITE: Final = {
    "bookworm": ("armel", "i386", "mips64el"),
    "trixie": ("armel", "i386", "riscv64"),
}


def _debian(suite: str, *, slim: bool = False) -> CatalogueEntry:
    return CatalogueEntry(
        f"debian:{suite}{'-slim' if slim else ''}",
        "debian",
        suite,
        slim=slim,
        architectures=tuple(sorted((*_EVERYWHERE, *_OF_A_SUITE[suite]))),
    )


def _ubuntu(version: str, suite: str) -> CatalogueEntry:
    return CatalogueEntry(
        f"ubuntu:{version}",
        "ubuntu",
        suite,
        components=("main", "restricted", "universe", "multiverse"),
        keyring="/usr/share/keyrings/ubuntu-archive-keyring.gpg",
        keyring_package="ubuntu-keyring",
        architectures=tuple(sorted((*_EVERYWHERE, "riscv64"))),
    )


CATALOGUE: dict[str, CatalogueEntry] = {
    entry.name: entry
    for entry in (
        _debian("bookworm"),
        _debian("bookworm", slim=True),
        _debian("trixie"),
        _debian("trixie", slim=True),
        _ubuntu("24.04", "noble"),
        _ubuntu("22.04", "jammy"),
    )
}
"""All bases by name; a name is also the name of the official image with the same content."""


def resolve_name(name: str) -> CatalogueEntry:
    """Return the entry with that name; EnvctlError with the most similar name if it does not exist."""
    entry = CATALOGUE.get(name)
    if entry is None:
        raise EnvctlError(
            f"there is no base {name!r} in the catalogue",
            hint=f"{did_you_mean(name, CATALOGUE)} (`envctl base list` shows all; "
            "for another image, write base: {image: …})",
        )
    return entry


def image_for(name: str, snapshot: str) -> str:
    """Return the image name of a base: the official one, or another for each dated mirror."""
    return base_image(name, snapshot)
