"""Write the generated pages: `make docs`, or `python docs/generate.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from envctl.cli import reference as command_line
from envctl.spec import reference as spec

DOCS: Final = Path(__file__).parent
PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "cli-reference.md": command_line.page,
    "spec-reference.md": spec.page,
}
"""The generated pages, and what makes them."""


def main() -> None:
    """Write all pages."""
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
