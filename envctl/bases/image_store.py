"""Where base images are stored: what a backend offers, and the result of making a base available."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Literal, Protocol

from envctl.lazy_dataclass import dataclass

LABEL = "dev.envctl.base"
"""Label of every bootstrapped image: the base's name. More stand below it, see `bootstrap.labels`."""


class Loader(Protocol):
    """Receives a root filesystem."""

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
        """Return the id of the image with that name; None if it does not exist."""

    def at_hand(self, name: str) -> str | None:
        """Return the id of the image; None if it does not exist. An image for a platform that has the usual name gets the platform's."""

    def content(self, name: str) -> str:
        """Return a digest of an image's layers and configuration; "" if the image does not exist."""

    def pull(self, name: str) -> None:
        """Fetch the image from its registry. EnvctlError if that fails."""

    def info(self, name: str) -> Mapping[str, Any] | None:
        """`id`, `size` (bytes), `created` (RFC 3339) and `labels` of an image; None if it does not exist."""

    def read_file(self, image: str, path: str) -> bytes:
        """Return the content of a file in an image. EnvctlError if the file does not exist."""


@dataclass(frozen=True, slots=True)
class AvailableBase:
    """A base that exists: its image, how it was made available, and the image's id."""

    name: str
    how: Literal["local", "registry", "bootstrapped"]
    id: str
