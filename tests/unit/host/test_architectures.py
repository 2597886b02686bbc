"""On which hosts there can be machines, and what is said on others."""

from __future__ import annotations

import platform

import pytest

from envctl.backends.base import Context
from envctl.backends.vagrant import VagrantBackend
from envctl.errors import EnvctlError
from envctl.host import architectures
from tests.support.plans import SCOPE


@pytest.mark.parametrize("said", ["x86_64", "AMD64", "amd64"])
def test_machines_run_on_linux_on_x86_64_whatever_it_is_called(said):
    assert architectures.why_no_machines("Linux", architectures.processor(said)) == ""


@pytest.mark.parametrize(
    ("system", "said", "name"),
    [
        ("Linux", "aarch64", "Linux on aarch64"),
        ("Darwin", "arm64", "Darwin on aarch64"),
        ("Darwin", "x86_64", "Darwin on x86_64"),
        ("Linux", "riscv64", "Linux on riscv64"),
    ],
)
def test_other_hosts_are_refused_before_any_program_is_asked_for(monkeypatch, system, said, name):
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: said)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(EnvctlError) as caught:
        VagrantBackend(Context(SCOPE)).check()

    assert caught.value.brief == f"machines need Linux on x86_64; this is {name}"
    assert "use the docker backend here" in caught.value.hint


@pytest.mark.parametrize("name", sorted(architectures.ARCHITECTURES))
def test_what_is_known_of_an_architecture_is_complete(name):
    known = architectures.ARCHITECTURES[name]
    assert all((known.kernel, known.cpu, known.emulator, known.emulator_package, known.kvm_flags))
