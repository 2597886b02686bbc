"""The kernel and RAM disk as files on this host. They are built once and copied into every box."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from envctl.backends.base import Context, ImageEngine
from envctl.backends.vagrant.box import boot
from envctl.backends.vagrant.box.build_dir import build_dir
from envctl.backends.vagrant.names import cache_folder
from envctl.host.atomic_write import replace_file
from envctl.host.run_lock import exclusive
from envctl.plan.model import Build
from envctl.progress import Progress, Stage

FILES: Final = ("vmlinuz", "initrd")
"""The file names of the kernel and RAM disk in a box."""


def kernel_files(unit: str, context: Context, engine: ImageEngine | None) -> tuple[Path, Path]:
    """The kernel and the RAM disk, built with the container engine if one answers."""
    build = boot.kernel_build(boot.KERNEL_BASE, template_digest=context.template_digest)
    folder = cache_folder() / build.digest
    files = folder / FILES[0], folder / FILES[1]
    with exclusive(cache_folder() / "locks", "kernel", context.report):
        if not all(file.exists() for file in files):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            text = "making the kernel and its RAM disk"
            context.report(Progress(f"build {unit}", Stage.WORKING, text))
            contents = _make(unit, build, context, engine)
            for file, content in zip(files, contents, strict=True):
                replace_file(file, content)
    return files


def _make(
    unit: str, build: Build, context: Context, engine: ImageEngine | None
) -> tuple[bytes, bytes]:
    if engine is not None:
        context.have_base(build.base)
        image = engine.have(unit, build)
        read = engine.images.read_file
        return read(image, boot.KERNEL), read(image, boot.INITRD)
    with build_dir() as root:
        context.bootstrap(build, root)
        kernel, initrd = (
            (root / path.lstrip("/")).read_bytes() for path in (boot.KERNEL, boot.INITRD)
        )
    return kernel, initrd
