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
    """Make the build, of packages, texts and commands alone, in an empty folder. Takes root.

    EnvctlError if its base is none of the catalogue, or with mmdebstrap's last lines if it fails.
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
        # mmdebstrap's helpers may be another user.
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
    """What a step comes to once the base is whole: a script that is given the root's folder.

    Packages are installed when it is their turn: steps before them see the base alone. The host's apt does it, as it
    made the base; what of theirs would start must not.
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
    """Takes in a root filesystem, as an image store does."""

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
            # If it ends early its exit code and its words say why.
            with suppress(BrokenPipeError), process.stdin:
                while chunk := tar.read(_CHUNK):
                    process.stdin.write(chunk)
            if process.wait():
                log.seek(0)
                output = log.read().decode("utf-8", "replace")
                raise EnvctlError(f"cannot unpack the base {name}", details=output)
        return str(self.path)
