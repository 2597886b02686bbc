"""What a bootstrapped root filesystem is made of: sources, options, and the files of an official image."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from envctl.bases.catalogue import CatalogueEntry
from envctl.lazy_dataclass import dataclass
from envctl.plan.platforms import processor

PACKAGE_MARK = "envctl-package"
SOURCE_MARK = "envctl-source"
END_MARK = "envctl-end"
"""What starts the lines in which a root filesystem tells about itself while it is made."""

_CLEAN = "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"

_DOCKER_CLEAN = (
    f'DPkg::Post-Invoke {{ "{_CLEAN}"; }};\n'
    f'APT::Update::Post-Invoke {{ "{_CLEAN}"; }};\n'
    'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
)

TWEAKS: tuple[tuple[str, int, str], ...] = (
    # Packages' services must not start while an image is built.
    ("usr/sbin/policy-rc.d", 0o755, "#!/bin/sh\nexit 101\n"),
    # Nothing survives a power cut in the middle of a build anyway; without syncing it is quicker.
    ("etc/dpkg/dpkg.cfg.d/docker-apt-speedup", 0o644, "force-unsafe-io\n"),
    ("etc/apt/apt.conf.d/docker-clean", 0o644, _DOCKER_CLEAN),
    ("etc/apt/apt.conf.d/docker-no-languages", 0o644, 'Acquire::Languages "none";\n'),
    ("etc/apt/apt.conf.d/docker-gzip-indexes", 0o644, 'Acquire::GzipIndexes "true";\n'),
    (
        "etc/apt/apt.conf.d/docker-autoremove-suggests",
        0o644,
        'Apt::AutoRemove::SuggestsImportant "false";\n',
    ),
)
"""The files by which the official Debian image differs from a plain minimal system."""

# The list of the official slim images.
_SLIM = (
    *(
        f"path-exclude=/usr/share/{folder}/*"
        for folder in ("doc", "groff", "info", "linda", "lintian", "locale", "man")
    ),
    "path-include=/usr/share/doc/*/copyright",
    "path-include=/usr/share/locale/locale.alias",
)

MERGED_USR = Path("/usr/share/mmdebstrap/hooks/maybe-merged-usr")
"""mmdebstrap's own hooks for a merged /usr. Without them the package usrmerge does it later, which
brings all of Perl: 40 MB more."""

_TIMESTAMP = re.compile(r"(\d{8}T\d{6}Z)")


class Line(Protocol):
    """What says where packages come from."""

    def line(self) -> str:
        """The line as apt reads it."""


@dataclass(frozen=True, slots=True)
class RootfsSpec:
    """What to make: the base, where its packages come from, the dated mirror if one is asked for.

    `platform` is the one that it is made for, "" for this host's. `packages` are more than the base has, `hooks` programs that are run with the root directory
    as their argument when all are installed.
    """

    entry: CatalogueEntry
    sources: tuple[Line, ...] = ()
    snapshot: str = ""
    packages: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    platform: str = ""

    def argv(self, program: str) -> tuple[str, ...]:
        """The mmdebstrap call; the root filesystem goes to its standard output as a tar.

        With no sources mmdebstrap takes the distribution's own mirror, updates and security included.
        """
        return (
            program,
            "--variant=minbase",
            "--format=tar",
            f"--include={','.join(('ca-certificates', *self.packages))}",
            f"--components={','.join(self.entry.components)}",
            "--dpkgopt=force-unsafe-io",
            *(f"--dpkgopt={option}" for option in (_SLIM if self.entry.slim else ())),
            *((f"--hook-dir={MERGED_USR}",) if MERGED_USR.is_dir() else ()),
            *self._dated(),
            *self._elsewhere(),
            *(f"--customize-hook={program_hook}" for program_hook in self.hooks),
            f"--customize-hook={hook()}",
            self.entry.suite,
            "-",
            *(source.line() for source in self.sources),
        )

    def _dated(self) -> Sequence[str]:
        """A dated mirror's signatures are past their date, by design."""
        return ('--aptopt=Acquire::Check-Valid-Until "false"',) if self.snapshot else ()

    def _elsewhere(self) -> Sequence[str]:
        """Of another platform; without arch-test mmdebstrap cannot try whether its programs run here, as envctl has done."""
        import shutil

        if not self.platform:
            return ()
        architecture = f"--architectures={processor(self.platform).debian}"
        return (architecture, *(() if shutil.which("arch-test") else ("--skip=check/qemu",)))

    def environment(self) -> dict[str, str]:
        """Variables for mmdebstrap: a dated mirror gives the same bytes on any day."""
        epoch = source_date(self.snapshot)
        return {} if epoch is None else {"SOURCE_DATE_EPOCH": str(epoch)}


def source_date(snapshot: str) -> int | None:
    """The date in a dated mirror's address, in seconds since 1970; None if it has none."""
    match = _TIMESTAMP.search(snapshot)
    if match is None:
        return None
    moment = datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return int(moment.timestamp())


def hook() -> str:
    """A shell script, run with the root directory as `$1`, that finishes a root filesystem.

    It writes the tweaks, forgets what came from this host, and tells packages and sources on
    standard error, which is the one way out that every mode of mmdebstrap leaves open.
    """
    lines = ["set -eu", 'root="$1"']
    for path, mode, text in TWEAKS:
        target = f'"$root"/{shlex.quote(path)}'
        lines += [f"printf %s {shlex.quote(text)} > {target}", f"chmod {mode:o} {target}"]
    show = shlex.quote(f"{PACKAGE_MARK} ${{Package}} ${{Version}}\\n")
    lines += [
        # apt's own clean-up, which comes next, no longer knows these with the tweaks in place.
        'rm -f "$root/etc/hostname" "$root"/var/cache/apt/*.bin',
        ': > "$root/etc/resolv.conf"',
        f'chroot "$root" dpkg-query --show --showformat={show} >&2',
        f'sed -n "s/^deb \\(\\[[^]]*\\] \\)\\?/{SOURCE_MARK} /p" "$root/etc/apt/sources.list" >&2',
        f"echo {END_MARK} >&2",
    ]
    return "\n".join(lines)
