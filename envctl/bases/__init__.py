"""Base images: known by name, found on the engine, pulled, or bootstrapped from the distribution's mirror."""

from envctl.bases.catalogue import CATALOGUE, CatalogueEntry, image_for, resolve_name
from envctl.bases.ensure import ensure, is_made, renew
from envctl.bases.image_store import AvailableBase, ImageStore
from envctl.bases.local_images import BaseRow, build, inspect, listing

__all__ = [
    "CATALOGUE",
    "AvailableBase",
    "BaseRow",
    "CatalogueEntry",
    "ImageStore",
    "build",
    "ensure",
    "image_for",
    "inspect",
    "is_made",
    "listing",
    "renew",
    "resolve_name",
]
