"""A quick command imports only what it uses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TREE = Path(__file__).parents[3]
HEAVY = {"docker", "jinja2", "pydantic", "rich", "requests", "vagrant"}


def imported(*words: str, folder: Path) -> set[str]:
    """The top-level modules that a command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "envctl", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_help_and_version_import_no_engine_no_templates_no_validation(
    word: str, tmp_path: Path
) -> None:
    assert not imported(word, folder=tmp_path) & (HEAVY | {"yaml"})


def test_config_from_the_cache_imports_neither_typer_nor_anything_heavy(shop: Path) -> None:
    imported("config", "dev", folder=shop)
    assert not imported("config", "dev", folder=shop) & (HEAVY | {"yaml", "typer"})
