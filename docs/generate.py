"""Write the generated pages: `make docs`, or `python docs/generate.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import cli_reference as command_line
import spec_reference as spec

from envctl.parity import reference as parity

DOCS: Final = Path(__file__).parent


def _page_of_parity() -> str:
    """The page, with the part anew that is made from the tables of the collector."""
    text = (DOCS / "how-to" / "parity.md").read_text("utf-8")
    before, begin, rest = text.partition(parity.BEGIN)
    _, end, after = rest.partition(parity.END)
    return f"{before}{begin}\n{parity.section()}{end}{after}"


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "cli-reference.md": command_line.page,
    "spec-reference.md": spec.page,
    "how-to/parity.md": _page_of_parity,
}
"""The generated pages, and what makes them."""


def main() -> None:
    """Write all pages."""
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
