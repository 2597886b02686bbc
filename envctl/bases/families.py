"""What the names of base images show: their distribution, and whether it has apt."""

from __future__ import annotations

import re
from typing import Final

from envctl.bases.catalogue import CATALOGUE
from envctl.suggest import is_near

DISTRIBUTIONS: Final = frozenset(entry.distribution for entry in CATALOGUE.values())
_WITHOUT_APT: Final = frozenset(
    [
        "almalinux",
        "alpine",
        "alt",
        "amazonlinux",
        "archlinux",
        "busybox",
        "centos",
        "clearlinux",
        "clefos",
        "crux",
        "euleros",
        "fedora",
        "gentoo",
        "mageia",
        "nixos",
        "opensuse",
        "oraclelinux",
        "photon",
        "redhat",
        "rockylinux",
        "scratch",
        "sl",
        "slackware",
        "sles",
        "ubi",
        "ubi7",
        "ubi8",
        "ubi9",
        "ubi10",
        "voidlinux",
        "wolfi",
    ]
)
"""Distributions without apt."""
_MINIMAL: Final = frozenset({"alpine", "busybox", "scratch", "wolfi"})
"""Those of them without the programs of the shadow package: useradd, groupadd."""
_ALPINE_TAG: Final = re.compile(r"(?:^|[.-])alpine(?:\d[\d.]*)?$")
_DISTROLESS: Final = re.compile(r"(?:^|/)(?:distroless|chainguard)(?:/|$)")


def known_distribution(name: str) -> str:
    """Return the catalogue's distribution in a base's name, even misspelt; "" for any other."""
    distribution = name.partition(":")[0]
    if distribution in DISTRIBUTIONS:
        return distribution
    return next((known for known in sorted(DISTRIBUTIONS) if is_near(distribution, known)), "")


def without_apt(image: str) -> str:
    """Return the distribution without apt that an image's name shows, such as "alpine"; "" if it may have apt."""
    path, _, tag = image.partition("@")[0].rpartition(":")
    if not path or "/" in tag:
        path, tag = image.partition("@")[0], ""
    if _DISTROLESS.search(path):
        return "distroless"
    if _ALPINE_TAG.search(tag):
        return "alpine"
    # `NAME/alpine` shows its distribution, too; `registry.example/team/app` does not.
    return next((part for part in reversed(path.split("/")) if part in _WITHOUT_APT), "")


def without_useradd(image: str) -> str:
    """Return the distribution without useradd that an image's name shows; "" if it may have it."""
    family = without_apt(image)
    return family if family in _MINIMAL or family == "distroless" else ""
