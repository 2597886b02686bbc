"""Base images: known by name, found here, pulled, or bootstrapped from the distribution's mirror."""

from envctl.bases.catalogue import CATALOGUE, Entry, image_for, resolve_name
from envctl.bases.commands import Row, build, inspect, listing
from envctl.bases.ensure import ensure, is_made, renew
from envctl.bases.store import Found, ImageStore

__all__ = [
    "CATALOGUE",
    "Entry",
    "Found",
    "ImageStore",
    "Row",
    "build",
    "ensure",
    "image_for",
    "inspect",
    "is_made",
    "listing",
    "renew",
    "resolve_name",
]
