"""The machine that `doctor` checks; tests pass a fake one."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from envctl.errors import EnvctlError
from envctl.host import architectures
from envctl.host.ca_bundle import for_programs
from envctl.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """A program's exit code, and its output and errors together."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Host:
    """Reads files and runs programs on this machine."""

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    root: Path = Path("/")

    @property
    def system(self) -> str:
        """The kernel's name, as "Linux" or "Darwin"."""
        return platform.system()

    @property
    def processor(self) -> str:
        """The processor's architecture by Linux's name: "x86_64", "aarch64"."""
        return architectures.processor(platform.machine())

    @property
    def python(self) -> tuple[int, int, int]:
        """The version of the running Python."""
        return sys.version_info[:3]

    @property
    def is_root(self) -> bool:
        """Whether this process may install packages and start services."""
        return os.geteuid() == 0

    @property
    def distribution(self) -> str:
        """The ID in /etc/os-release ("debian", "ubuntu", …); "" if the file has none."""
        return (self._os_release("ID") or [""])[0]

    @property
    def distributions(self) -> tuple[str, ...]:
        """ID and ID_LIKE, the closest relatives first: "rocky", "rhel", "centos", "fedora"."""
        return (*self._os_release("ID"), *self._os_release("ID_LIKE"))

    def _os_release(self, key: str) -> list[str]:
        """The words of a line of /etc/os-release."""
        for line in self.read("etc/os-release").splitlines():
            if line.startswith(f"{key}="):
                return line.partition("=")[2].strip("\"'").split()
        return []

    @property
    def has_apt(self) -> bool:
        """Whether packages can be installed with apt."""
        return self.system == "Linux" and self.which("apt-get") is not None

    @property
    def has_systemd(self) -> bool:
        """Whether systemd is the running init, by the test of sd_booted(3)."""
        return (self.root / "run/systemd/system").is_dir()

    @property
    def is_wsl(self) -> bool:
        """Whether this is Linux under Windows."""
        return "microsoft" in self.read("proc/sys/kernel/osrelease").lower()

    def which(self, program: str) -> str | None:
        """The path of a program, including programs for root; None if it is not installed."""
        path = self.environ.get("PATH", os.defpath)
        return shutil.which(program, path=f"{path}:/usr/sbin:/sbin")

    def read(self, path: str) -> str:
        """A file's text, relative to the root; "" if it cannot be read."""
        try:
            return (self.root / path).read_text("utf-8", "replace")
        except OSError:
            return ""

    def owner(self, path: str) -> tuple[int, int] | None:
        """The id of a file's group, and its permission bits; None if the file does not exist."""
        try:
            status = (self.root / path.lstrip("/")).stat()
        except OSError:
            return None
        return status.st_gid, stat.S_IMODE(status.st_mode)

    def opens(self, path: str) -> bool:
        """Whether this process can open a file or device for reading and writing."""
        try:
            os.close(
                os.open(self.root / path.lstrip("/"), os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
            )
        except OSError:
            return False
        return True

    def free(self, path: str) -> int:
        """Free bytes in the file system of the path, or of its nearest parent that exists."""
        place = self.root / path.lstrip("/")
        while not place.exists():
            place = place.parent
        return shutil.disk_usage(place).free

    def run(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, timeout: float = 60
    ) -> Outcome:
        """Run a program; `timeout` in seconds. EnvctlError if it takes longer or does not exist.

        The program gets `env`, and the few variables of this process that programs need.
        """
        try:
            done = subprocess.run(
                argv,
                env={**for_programs(self.environ), **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                check=False,
            )
        except OSError as error:
            raise EnvctlError(f"{argv[0]} cannot be run: {error}") from error
        except subprocess.TimeoutExpired as error:
            raise EnvctlError(f"`{' '.join(argv)}` took longer than {timeout:g} s") from error
        return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"))
