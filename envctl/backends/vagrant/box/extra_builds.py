"""The builds that a machine needs in addition to its unit's build: a kernel, and an image that can boot."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from envctl.backends.common.build_inputs import ExtraBuild
from envctl.backends.vagrant.box import boot
from envctl.backends.vagrant.box.engine_boxes import engine_build
from envctl.plan.model import Base, Build, Source


def extra_builds(
    source: Source | Base, name_of: Callable[[Source], str], *, template_digest: str
) -> Sequence[ExtraBuild]:
    """The kernel, and the machine image on a build or base, or an image with a Docker engine. `name_of` names images."""
    kernel = ExtraBuild(
        boot.kernel_build(boot.KERNEL_BASE, template_digest=template_digest),
        (boot.KERNEL_PACKAGE,),
    )
    if isinstance(source, Base):
        return kernel, ExtraBuild(boot.machine_build(source.image, template_digest=template_digest))
    below = source if isinstance(source, Build) else engine_build(template_digest)
    machine = ExtraBuild(boot.machine_build(name_of(below), template_digest=template_digest))
    return (kernel, *(() if below is source else (ExtraBuild(below),)), machine)
