"""Finds and removes unused boxes and kernels on this host, for `envctl gc`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from envctl.backends.base import Garbage
from envctl.backends.vagrant.box.prune_boxes import remove_unused, unused_boxes
from envctl.backends.vagrant.box.unused_kernels import KIND, remove_kernel, unused_kernels
from envctl.progress import Report


def unused(needed: Collection[str], template_digest: str) -> Sequence[Garbage]:
    """The boxes that no machine uses, and kernels of earlier versions."""
    return (*unused_boxes(needed), *unused_kernels(needed, template_digest))


def remove(garbage: Garbage, report: Report) -> bool:
    """Remove a kernel, or a box unless it is in use by now. Returns whether it is gone."""
    if garbage.kind == KIND:
        return remove_kernel(garbage.id, report)
    return remove_unused(garbage.id, report)
