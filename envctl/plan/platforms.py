"""Platforms, as Docker writes them ("linux/arm64"), and the names of images for a platform. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from envctl.lazy_dataclass import dataclass

UNSET: Final = "unset"
"""Shown if the spec sets no platform: the engine's own is used."""
_PREFIX: Final = "envctl-platform/"
_DIGEST: Final = re.compile(r"sha256-([0-9a-f]{64})")
_PORT: Final = re.compile(r"(.+)__(\d+)")


@dataclass(frozen=True, slots=True)
class Processor:
    """Other names of a platform's processor.

    `debian` is its name in Debian and Ubuntu, or "". `architectures` are the names that a system inside may report,
    including those of a larger processor that also runs its programs. `qemu` is the suffix of its QEMU emulator.
    """

    debian: str
    architectures: tuple[str, ...]
    qemu: str


_ARM: Final = ("armv6l", "armv7l", "armv8l", "aarch64")
_PROCESSORS: Final[Mapping[str, Processor]] = {
    "linux/386": Processor("i386", ("i386", "i686", "x86", "x86_64"), "i386"),
    "linux/amd64": Processor("amd64", ("amd64", "x86_64"), "x86_64"),
    "linux/amd64/v2": Processor("amd64", ("amd64", "x86_64"), "x86_64"),
    "linux/amd64/v3": Processor("amd64", ("amd64", "x86_64"), "x86_64"),
    "linux/arm/v5": Processor("armel", ("armel", "armv5tel", *_ARM), "arm"),
    "linux/arm/v6": Processor("", ("armhf", "armel", "armv6hl", *_ARM), "arm"),
    "linux/arm/v7": Processor("armhf", ("armhf", "armv7", "armv7hl", *_ARM), "arm"),
    "linux/arm64": Processor("arm64", ("arm64", "aarch64"), "aarch64"),
    "linux/loong64": Processor("loong64", ("loong64", "loongarch64"), "loongarch64"),
    "linux/mips64le": Processor("mips64el", ("mips64el",), "mips64el"),
    "linux/ppc64le": Processor("ppc64el", ("ppc64el", "ppc64le"), "ppc64le"),
    "linux/riscv64": Processor("riscv64", ("riscv64",), "riscv64"),
    "linux/s390x": Processor("s390x", ("s390x",), "s390x"),
}
_SAME: Final = {"linux/arm64/v8": "linux/arm64", "linux/arm": "linux/arm/v7"}
"""Other spellings of a platform."""
_OTHER_WORDS: Final = {
    "x86_64": "linux/amd64",
    "x86-64": "linux/amd64",
    "aarch64": "linux/arm64",
    "armhf": "linux/arm/v7",
    "armv7": "linux/arm/v7",
    "armv7l": "linux/arm/v7",
    "armel": "linux/arm/v5",
    "armv6": "linux/arm/v6",
    "i386": "linux/386",
    "i686": "linux/386",
    "ppc64el": "linux/ppc64le",
    "mips64el": "linux/mips64le",
    "loongarch64": "linux/loong64",
}
"""Names of processors outside Docker."""

PLATFORMS: Final = (*_PROCESSORS, *_SAME)
"""All spellings that the spec accepts."""


def normalized(text: str) -> str:
    """Return the usual spelling of a platform; "" if it is unknown."""
    text = _SAME.get(text, text)
    return text if text in _PROCESSORS else ""


def meant(text: str) -> str:
    """Return the platform of a processor's name, in Docker's words or others; "" if it is unknown."""
    word = text.lower().removeprefix("linux/")
    return _OTHER_WORDS.get(word) or normalized(f"linux/{word}")


def processor(platform: str) -> Processor:
    """Other names of a platform's processor. KeyError if the platform is unknown."""
    return _PROCESSORS[normalized(platform)]


def of_image(system: str, architecture: str, variant: str = "") -> str:
    """Return the platform that an image records, in its usual spelling if it is a known one."""
    text = "/".join(part for part in (system or "linux", architecture, variant) if part)
    return normalized(text) or text


def architecture(platform: str) -> str:
    """Docker's name of the processor: "arm" for linux/arm/v7."""
    return platform.split("/")[1] if "/" in platform else ""


def variant(platform: str) -> str:
    """Docker's name of the processor's version: "v7" for linux/arm/v7; "" if it has none."""
    return "/".join(platform.split("/")[2:])


def runs(platform: str, image: str) -> bool:
    """Whether an image of platform `image` can be used for `platform`: later processors run programs of earlier ones."""
    if architecture(platform) != architecture(image):
        return False
    if architecture(platform) not in ("amd64", "arm"):
        return variant(platform) == variant(image)
    return variant(image) <= variant(platform)


# --- names of images ------------------------------------------------------------------


def image_name(image: str, platform: str) -> str:
    """Return the name of an image for a platform on the engine, which keeps only one image per name."""
    if not platform:
        return image
    repository, at, digest = image.partition("@")
    host, slash, path = repository.partition("/")
    if slash and ":" in host:
        repository = f"{host.replace(':', '__')}/{path}"
    if at:
        # A name has a tag or a digest, and only an engine can give the latter.
        named, colon, tag = repository.rpartition(":")
        repository = named if colon and "/" not in tag else repository
        repository = f"{repository}:{digest.replace(':', '-')}"
    return f"{_PREFIX}{platform.replace('/', '-')}/{repository}"


def plain_name(name: str) -> tuple[str, str]:
    """Return the inverse of `image_name`: image and platform. Any other name is returned as it is, with ""."""
    if not name.startswith(_PREFIX):
        return name, ""
    marked, _, image = name.removeprefix(_PREFIX).partition("/")
    platform = normalized(marked.replace("-", "/"))
    if not platform or not image:
        return name, ""
    host, slash, path = image.partition("/")
    port = _PORT.fullmatch(host) if slash else None
    if port:
        image = f"{port[1]}:{port[2]}/{path}"
    repository, _, tag = image.rpartition(":")
    digest = _DIGEST.fullmatch(tag)
    return (f"{repository}@sha256:{digest[1]}" if digest else image), platform
