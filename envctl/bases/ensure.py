"""Makes a base available: a local image, otherwise from its registry, otherwise bootstrapped. Reports which."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envctl.bases.image_store import LABEL, AvailableBase, ImageStore
from envctl.bases.rootfs import RootfsSpec
from envctl.errors import AccessError, EnvctlError
from envctl.host.cache_folders import shared
from envctl.host.run_lock import exclusive
from envctl.plan.image_names import base_image
from envctl.plan.model import Base
from envctl.plan.platforms import image_name
from envctl.progress import Progress, Report, Stage


def ensure(base: Base, store: ImageStore, report: Report, *, force: bool = False) -> AvailableBase:
    """Return the base's image, pulled or bootstrapped if necessary. EnvctlError if that fails.

    Of two runs at the same time, the second waits for the first. With `force`, a base of the
    catalogue is bootstrapped again even if it exists.
    """
    available = None if force else _local(base, store)
    if available is None:
        with exclusive(_locks(), _slug(base.image), report):
            available = None if force else _local(base, store)
            if available is None:
                return _fetch(base, store, report, force=force)
    report(Progress(f"base {base.image}", Stage.DONE, "local image"))
    return available


def renew(base: Base, store: ImageStore, report: Report) -> AvailableBase:
    """Return the base's newest image, from the source of the existing one: its registry or the mirror."""
    info = store.info(base.image)
    if base.snapshot or info is None:
        return ensure(base, store, report)
    if is_made(base.image, info):
        return ensure(base, store, report, force=True)
    try:
        return _pulled(base, store, report)
    except EnvctlError as error:
        note = _not_pulled(error)
        report(Progress(f"base {base.image}", Stage.NOTE, note))
        from envctl.bases.bootstrap import rootfs_spec

        # An image that was loaded by hand has no newer version.
        return ensure(base, store, report, force=rootfs_spec(base) is not None)


def is_made(image: str, info: Mapping[str, Any]) -> bool:
    """Whether an image is a base that was made here. Images built on one have its labels, too."""
    labels = info.get("labels", {})
    name = base_image(labels.get(LABEL, ""), labels.get(f"{LABEL}.snapshot", ""))
    return image_name(name, labels.get(f"{LABEL}.platform", "")) == image


def _local(base: Base, store: ImageStore) -> AvailableBase | None:
    image = store.at_hand(base.image)
    if image is None:
        return None
    if base.snapshot:
        info = store.info(base.image) or {}
        if info.get("labels", {}).get(f"{LABEL}.snapshot") != base.snapshot:
            return None
    return AvailableBase(base.image, "local", image)


def _fetch(base: Base, store: ImageStore, report: Report, *, force: bool) -> AvailableBase:
    from envctl.bases.bootstrap import rootfs_spec

    work = f"base {base.image}"
    report(Progress(work, Stage.STARTED))
    rootfs = rootfs_spec(base)
    registry_error = None
    if not base.snapshot and not force:
        try:
            return _pulled(base, store, report)
        except EnvctlError as error:
            registry_error = error
            report(Progress(work, Stage.NOTE, _not_pulled(error)))
    try:
        if rootfs is None:
            raise _nowhere(base, registry_error)
        started = time.monotonic()
        identity = _bootstrapped(base, rootfs, store, report, registry_error)
    except BaseException:
        report(Progress(work, Stage.FAILED))
        raise
    mirror = "a dated mirror" if base.snapshot else "the distribution's mirror"
    seconds = time.monotonic() - started
    done = f"bootstrapped with mmdebstrap from {mirror} in {seconds:.0f} s"
    report(Progress(work, Stage.DONE, done))
    return AvailableBase(base.image, "bootstrapped", identity)


def _nowhere(base: Base, registry_error: EnvctlError | None) -> EnvctlError:
    remedy = registry_error.hint if registry_error and registry_error.hint else "check the name"
    return EnvctlError(
        f"base image {base.image} not found, locally or in its registry",
        details=_error_text(registry_error) if registry_error else "",
        hint=f"{remedy}; or take a base of the catalogue (`envctl base list`)",
        where=base.where,
    )


def _bootstrapped(
    base: Base,
    rootfs: RootfsSpec,
    store: ImageStore,
    report: Report,
    registry_error: EnvctlError | None,
) -> str:
    """Bootstrap a base; its id. An error also shows why its registry refused it: that is the first thing to fix."""
    from envctl.bases.bootstrap import bootstrap

    try:
        return bootstrap(base, rootfs, store, report)
    except EnvctlError as error:
        if not isinstance(registry_error, AccessError):
            raise
        raise EnvctlError(
            f"the base image {base.image} can be neither pulled nor bootstrapped",
            details=f"{_error_text(registry_error)}\n{_error_text(error)}",
            hint="; or ".join(hint for hint in (registry_error.hint, error.hint) if hint),
            where=base.where,
        ) from error


def _not_pulled(error: EnvctlError) -> str:
    if isinstance(error, AccessError):
        return f"registry: {error.brief}"
    return f"registry: not reachable ({_reason(error)})"


def _error_text(error: EnvctlError) -> str:
    return "\n".join(part for part in (error.brief, error.details.rstrip()) if part)


def _pulled(base: Base, store: ImageStore, report: Report) -> AvailableBase:
    report(Progress(f"base {base.image}", Stage.WORKING, "asking the registry"))
    store.pull(base.image)
    image = store.find(base.image)
    if image is None:
        raise EnvctlError(f"{base.image} was pulled, but does not exist")
    report(Progress(f"base {base.image}", Stage.DONE, "pulled from its registry"))
    return AvailableBase(base.image, "registry", image)


def _reason(error: EnvctlError) -> str:
    """Return an error in one line, with the last line of its details."""
    lines = [line.strip() for line in error.details.splitlines() if line.strip()]
    return lines[-1] if lines else error.brief


def _slug(image: str) -> str:
    return "base-" + re.sub(r"[^A-Za-z0-9.-]+", "-", image)


def _locks(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the user's own folder for locks: bases belong to no project."""
    return shared("locks", environ=environ)
