"""A project in a temporary folder, written from YAML texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from envctl import definition
from envctl.definition.resolved import Resolved
from envctl.errors import Problem, SpecError

HEAD = "project: shop\nbase: debian:bookworm\n"
WEB = HEAD + "services:\n  web:\n    command: [serve]\n"


def write(root: Path, text: str | bytes, **overlays: str) -> Path:
    """Write envctl.yaml and environments/NAME.yaml (an empty dev.yaml unless there is one)."""
    root.mkdir(parents=True, exist_ok=True)
    data = text if isinstance(text, bytes) else text.encode()
    (root / "environments").mkdir(exist_ok=True)
    _write(root / "envctl.yaml", data)
    for name, overlay in ({"dev": ""} | overlays).items():
        _write(root / "environments" / f"{name}.yaml", overlay.encode())
    return root


def _write(path: Path, data: bytes) -> None:
    """Write a file unless it is the same already: thousands of generated specs change one of two."""
    if not path.is_file() or path.read_bytes() != data:
        path.write_bytes(data)


def load(
    root: Path,
    text: str | bytes,
    *,
    environment: str = "dev",
    sets: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    **overlays: str,
) -> Resolved:
    """Write a project and resolve one environment of it, without the cache."""
    write(root, text, **overlays)
    return definition.load(root, environment, sets=sets or {}, environ=environ or {}, cache=False)


def problems(root: Path, text: str | bytes, **overlays: str) -> tuple[Problem, ...]:
    """What is wrong with a project's dev environment."""
    write(root, text, **overlays)
    try:
        definition.load(root, "dev", environ={}, cache=False)
    except SpecError as error:
        return error.problems
    return ()
