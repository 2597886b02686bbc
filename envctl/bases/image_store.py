"""Where base images are kept: what a backend offers, and what came of asking for a base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Literal, Protocol

from envctl.lazy_dataclass import dataclass

LABEL = "dev.envctl.base"
"""Label of every bootstrapped image: the base's name. More stand below it, see `bootstrap.labels`."""


class Loader(Protocol):
    """What takes in a root filesystem."""

    def load(
        self,
        tar: BinaryIO,
        *,
        name: str,
        labels: Mapping[str, str],
        changes: Sequence[str] = (),
        platform: str = "",
    ) -> str:
        """Make an image of one layer from a root filesystem; its id.

        `changes` are Dockerfile instructions for its configuration; `platform` is what it is for, "" for the
        engine's own. If reading `tar` raises, no
        image is made and the error comes out as it is.
        """


class ImageStore(Loader, Protocol):
    """The images of one engine."""

    def find(self, name: str) -> str | None:
        """The id of the image of that name, None if there is none."""

    def at_hand(self, name: str) -> str | None:
        """The id of the image, None if there is none; one for a platform may be there under its usual name, and gets its own."""

    def content(self, name: str) -> str:
        """A digest of an image's layers and configuration, "" if it is not there."""

    def pull(self, name: str) -> None:
        """Fetch the image from its registry; EnvctlError if that cannot be done."""

    def info(self, name: str) -> Mapping[str, Any] | None:
        """`id`, `size` (bytes), `created` (RFC 3339) and `labels` of an image; None if not there."""

    def read_file(self, image: str, path: str) -> bytes:
        """The content of a file in an image; EnvctlError if there is no such file."""


@dataclass(frozen=True, slots=True)
class AvailableBase:
    """A base that is at hand: its image, which way it came, the image's id."""

    name: str
    how: Literal["local", "registry", "bootstrapped"]
    id: str
