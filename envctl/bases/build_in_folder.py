"""A small build made on a base with mmdebstrap alone, as a root filesystem in a folder: no container engine is needed."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from envctl.bases.bootstrap import bootstrap, rootfs_spec
from envctl.errors import EnvctlError
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Build, InstallPackages, RunCommand, Step, WriteFile
from envctl.progress import Report

_CHUNK = 1 << 20


def bootstrap_build(build: Build, folder: Path, report: Report) -> None:
    """Do a build that has only packages, texts and commands, in an empty folder. Needs root.

    EnvctlError if its base is not in the catalogue, or with mmdebstrap's last lines if it fails.
    """
    rootfs = rootfs_spec(build.base)
    if rootfs is None:
        raise EnvctlError(
            f"the base {build.base.image} needs a container engine",
            hint="use a base from the catalogue (`envctl base list`), or start an engine",
            where=build.where,
        )
    with tempfile.TemporaryDirectory(prefix="envctl-hooks-") as temporary:
        hooks = Path(temporary)
        # mmdebstrap's helpers may run as another user.
        hooks.chmod(0o755)
        files = []
        for number, text in enumerate(text for step in build.steps for text in _hooks(step)):
            file = hooks / f"step-{number}"
            file.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
            file.chmod(0o755)
            files.append(str(file))
        whole = replace(rootfs, hooks=tuple(files))
        bootstrap(build.base, whole, _Folder(folder), report)


def _hooks(step: Step) -> Iterator[str]:
    """Yield the script for a step, which runs when the base is complete; it gets the root's folder.

    Packages are installed in the order of the steps: earlier steps see only the base. The host's apt installs them, as it
    made the base; their services must not start.
    """
    match step:
        case InstallPackages(names=names):
            yield (
                'set -e; printf "#!/bin/sh\\nexit 101\\n" > "$1/usr/sbin/policy-rc.d";'
                ' chmod 755 "$1/usr/sbin/policy-rc.d";'
                ' export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" DEBIAN_FRONTEND=noninteractive;'
                ' exec apt-get --yes --no-install-recommends -o DPkg::Chroot-Directory="$1" install'
                f" -- {shlex.join(sorted(names))} >&2"
            )
        case WriteFile():
            target = f'"$1"{shlex.quote(step.target)}'
            yield (
                f'set -e; mkdir -p "$(dirname {target})"; printf %s {shlex.quote(step.text)} > {target};'
                f" chmod {step.mode or '644'} {target}"
            )
        case RunCommand():
            yield f'exec chroot "$1" {shlex.join(step.argv)} >&2'
        case _:
            raise EnvctlError(f"{type(step).__name__} needs a container engine")


@dataclass(frozen=True, slots=True)
class _Folder:
    """Receives a root filesystem, as an image store does."""

    path: Path

    def load(
        self,
        tar: BinaryIO,
        *,
        name: str,
        labels: Mapping[str, str],
        changes: Sequence[str] = (),
        platform: str = "",
    ) -> str:
        """Unpack it, with owners and modes."""
        del labels, changes, platform
        argv = ("tar", "-x", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", self.path)
        with (
            tempfile.TemporaryFile() as log,
            subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=log) as process,
        ):
            assert process.stdin is not None
            # If it ends early, its exit code and output show why.
            with suppress(BrokenPipeError), process.stdin:
                while chunk := tar.read(_CHUNK):
                    process.stdin.write(chunk)
            if process.wait():
                log.seek(0)
                output = log.read().decode("utf-8", "replace")
                raise EnvctlError(f"cannot unpack the base {name}", details=output)
        return str(self.path)
