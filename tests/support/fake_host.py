"""A machine that a test makes up: its programs, its files, what its commands answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path

import pytest

from envctl.backends.docker.doctor.engine_status import DEFAULT_ADDRESS, EngineStatus
from envctl.doctor.findings import DaemonState
from envctl.doctor.host import Host, Outcome
from envctl.lazy_dataclass import dataclass

RUNNING = EngineStatus(
    DEFAULT_ADDRESS,
    DaemonState.ANSWERS,
    version="26.1.0",
    api=(1, 45),
    product="Docker Engine",
    storage="overlay2",
    data="/var/lib/docker",
    cgroup="2",
)
ABSENT = EngineStatus(DEFAULT_ADDRESS, DaemonState.ABSENT, error="No such file or directory")


VIRSH = """Compiled against library: libvirt 9.0.0
Using library: libvirt 9.0.0
Using API: QEMU 9.0.0
Running hypervisor: QEMU 7.2.22

"""
NO_LIBVIRT = """error: failed to connect to the hypervisor
error: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory
"""


@dataclass(frozen=True, slots=True)
class FakeHost(Host):
    """A machine with only these programs; what is run is kept in `ran`."""

    programs: tuple[str, ...] = ("apt-get",)
    answers: Callable[[tuple[str, ...]], Outcome] = lambda _argv: Outcome(0, "")
    ran: list[tuple[str, ...]] = field(default_factory=list)
    kernel: str = "Linux"
    root_user: bool = True
    version: tuple[int, int, int] = (3, 12, 1)
    free_bytes: int = 50 * 1000**3
    machine: str = "x86_64"

    @property
    def system(self) -> str:
        return self.kernel

    @property
    def processor(self) -> str:
        return self.machine

    @property
    def python(self) -> tuple[int, int, int]:
        return self.version

    @property
    def is_root(self) -> bool:
        return self.root_user

    def which(self, program: str) -> str | None:
        return f"/usr/bin/{program}" if program in self.programs else None

    def free(self, path: str) -> int:  # noqa: ARG002
        return self.free_bytes

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,  # noqa: ARG002
        timeout: float = 60,  # noqa: ARG002
    ) -> Outcome:
        self.ran.append(tuple(argv))
        return self.answers(tuple(argv))


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., FakeHost]:
    """Make a machine; `files` are written below its root."""

    def make(*programs: str, files: Mapping[str, str] | None = None, **options: object) -> FakeHost:
        for path, text in (files or {}).items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        given = {"environ": {}, "root": tmp_path, **options}
        return FakeHost(programs=programs, **given)  # type: ignore[arg-type]

    return make
