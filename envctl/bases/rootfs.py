"""How a root filesystem is bootstrapped: mmdebstrap's options, package sources, and the files of an official image."""

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
"""The first words of the lines that the hook prints about the root filesystem."""

_CLEAN = "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"

_DOCKER_CLEAN = (
    f'DPkg::Post-Invoke {{ "{_CLEAN}"; }};\n'
    f'APT::Update::Post-Invoke {{ "{_CLEAN}"; }};\n'
    'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
)

TWEAKS: tuple[tuple[str, int, str], ...] = (
    # Packages' services must not start while an image is built.
    ("usr/sbin/policy-rc.d", 0o755, "#!/bin/sh\nexit 101\n"),
    # After a power cut the build starts again anyway; without syncing it is faster.
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
"""mmdebstrap's own hooks for a merged /usr. Without them the package usrmerge does it later, which installs all of
Perl: 40 MB more."""

_TIMESTAMP = re.compile(r"(\d{8}T\d{6}Z)")


class Line(Protocol):
    """A package source."""

    def line(self) -> str:
        """Return the line as apt reads it."""


@dataclass(frozen=True, slots=True)
class RootfsSpec:
    """What to make: the base, its package sources, and the address of a dated mirror, or "".

    `platform` is "" for this host's own. `packages` are installed in addition to the base's. `hooks` are programs that
    run after the installation, with the root directory as their argument.
    """

    entry: CatalogueEntry
    sources: tuple[Line, ...] = ()
    snapshot: str = ""
    packages: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    platform: str = ""

    def argv(self, program: str) -> tuple[str, ...]:
        """Return the mmdebstrap command, which writes the root filesystem to its standard output as a tar.

        Without sources, mmdebstrap uses the distribution's own mirror, with updates and security.
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
        """Return the option for a dated mirror, whose signatures have expired by design."""
        return ('--aptopt=Acquire::Check-Valid-Until "false"',) if self.snapshot else ()

    def _elsewhere(self) -> Sequence[str]:
        """Return the options for another platform. Without arch-test, mmdebstrap cannot test whether its programs run here; envctl has done so."""
        import shutil

        if not self.platform:
            return ()
        architecture = f"--architectures={processor(self.platform).debian}"
        return (architecture, *(() if shutil.which("arch-test") else ("--skip=check/qemu",)))

    def environment(self) -> dict[str, str]:
        """Variables for mmdebstrap: with a dated mirror, the result is the same on any day."""
        epoch = source_date(self.snapshot)
        return {} if epoch is None else {"SOURCE_DATE_EPOCH": str(epoch)}


def source_date(snapshot: str) -> int | None:
    """Return the date in the address of a dated mirror, in seconds since 1970; None without one."""
    match = _TIMESTAMP.search(snapshot)
    if match is None:
        return None
    moment = datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return int(moment.timestamp())


def hook() -> str:
    """Return a shell script that finishes a root filesystem; `$1` is the root directory.

    It writes the tweaks, removes what came from this host, and prints packages and sources to standard error, the only
    stream that works in every mode of mmdebstrap.
    """
    lines = ["set -eu", 'root="$1"']
    for path, mode, text in TWEAKS:
        target = f'"$root"/{shlex.quote(path)}'
        lines += [f"printf %s {shlex.quote(text)} > {target}", f"chmod {mode:o} {target}"]
    show = shlex.quote(f"{PACKAGE_MARK} ${{Package}} ${{Version}}\\n")
    lines += [
        # With the tweaks, apt's own clean-up, which comes next, no longer removes these.
        'rm -f "$root/etc/hostname" "$root"/var/cache/apt/*.bin',
        ': > "$root/etc/resolv.conf"',
        f'chroot "$root" dpkg-query --show --showformat={show} >&2',
        f'sed -n "s/^deb \\(\\[[^]]*\\] \\)\\?/{SOURCE_MARK} /p" "$root/etc/apt/sources.list" >&2',
        f"echo {END_MARK} >&2",
    ]
    return "\n".join(lines)
