"""Platforms, as Docker writes them ("linux/arm64"), and what images of one are called. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from envctl.lazy_dataclass import dataclass

UNSET: Final = "unset"
"""What is said where no platform is asked for: the engine's own is taken."""
_PREFIX: Final = "envctl-platform/"
_DIGEST: Final = re.compile(r"sha256-([0-9a-f]{64})")
_PORT: Final = re.compile(r"(.+)__(\d+)")


@dataclass(frozen=True, slots=True)
class Processor:
    """What others call the processor of a platform.

    `debian` is Debian's and Ubuntu's word for it, "" where they have none; `architectures` are the words that a system inside may
    have for it, those of a kernel that runs it on a larger one included; `qemu` is the end of the name of the emulator that runs its programs.
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
"""Two ways of writing one platform."""
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
"""What others than Docker call processors."""

PLATFORMS: Final = (*_PROCESSORS, *_SAME)
"""All that may be written."""


def normalized(text: str) -> str:
    """A platform in the one way that it is written from then on; "" for what is none."""
    text = _SAME.get(text, text)
    return text if text in _PROCESSORS else ""


def meant(text: str) -> str:
    """The platform that somebody means who calls it by its processor alone, or by another word; "" if nobody can tell."""
    word = text.lower().removeprefix("linux/")
    return _OTHER_WORDS.get(word) or normalized(f"linux/{word}")


def processor(platform: str) -> Processor:
    """What others call a platform's processor. KeyError for what is no platform."""
    return _PROCESSORS[normalized(platform)]


def of_image(system: str, architecture: str, variant: str = "") -> str:
    """The platform of an image, by what it says of itself; in its own words if that is none of the known ones."""
    text = "/".join(part for part in (system or "linux", architecture, variant) if part)
    return normalized(text) or text


def architecture(platform: str) -> str:
    """Docker's word for the processor: "arm" of linux/arm/v7."""
    return platform.split("/")[1] if "/" in platform else ""


def variant(platform: str) -> str:
    """Docker's word for the kind of it: "v7" of linux/arm/v7; "" without one."""
    return "/".join(platform.split("/")[2:])


def runs(platform: str, image: str) -> bool:
    """Whether an image of one platform is what was asked for as another: later processors run what earlier ones do."""
    if architecture(platform) != architecture(image):
        return False
    if architecture(platform) not in ("amd64", "arm"):
        return variant(platform) == variant(image)
    return variant(image) <= variant(platform)


# --- what images are called ------------------------------------------------------------------


def image_name(image: str, platform: str) -> str:
    """What an image of a platform is called on an engine, which keeps one image of a name: that one may be another platform's."""
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
    """The image and the platform that `image_name` made a name of; the name itself and "" for any other."""
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
