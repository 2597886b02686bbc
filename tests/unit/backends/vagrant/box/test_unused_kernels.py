"""Which kernels of the cache gc may remove."""

from __future__ import annotations

from pathlib import Path

import pytest

from envctl.backends.vagrant.box import boot
from envctl.backends.vagrant.box.unused_kernels import remove_kernel, unused_kernels
from envctl.progress import no_progress

CURRENT = boot.kernel_build(boot.KERNEL_BASE, template_digest="").digest
OLD, NEEDED = "a" * 24, "b" * 24


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "envctl" / "vagrant"
    for name in (CURRENT, OLD, NEEDED):
        (folder / name).mkdir(parents=True)
        (folder / name / "vmlinuz").write_bytes(b"12345")
    (folder / "making").mkdir()
    (folder / ("c" * 24)).mkdir()
    (folder / ("c" * 24) / "notes").write_text("somebody's")
    return folder


def test_a_kernel_of_an_earlier_version_is_unused_and_nothing_else(cache: Path) -> None:
    (kernel,) = unused_kernels({NEEDED}, "")
    assert (kernel.kind, kernel.id, kernel.size) == ("cache", OLD, 5)

    assert remove_kernel(kernel.id, no_progress)

    assert {path.name for path in cache.iterdir()} >= {CURRENT, NEEDED, "making", "c" * 24}
    assert not (cache / OLD).exists()


def test_without_a_cache_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert unused_kernels((), "") == ()
