"""Write the generated pages: `make docs`, or `python docs/generate.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import cli_reference as command_line
import spec_reference as spec

from envctl.exports import rule_words as exports
from envctl.exports.formats import FORMATS
from envctl.imports.compose import rule_table as compose
from envctl.imports.devcontainer import rule_table as devcontainer
from envctl.imports.dockerfile import translation_notes as dockerfile
from envctl.imports.vagrantfile import machine_import as machines
from envctl.parity import reference as parity

DOCS: Final = Path(__file__).parent


def _page_of_parity() -> str:
    """Return the page, with the part updated that is made from the tables of the collector."""
    return _with_part("how-to/parity.md", parity.BEGIN, parity.section(), parity.END)


def _page_of_compose() -> str:
    """Return the page, with updated tables of the outcome for each key of a Compose file."""
    return _with_part("how-to/from-compose.md", compose.BEGIN, compose.rules_table(), compose.END)


def _page_of_dev_containers() -> str:
    """Return the page, with an updated table of the outcome for each key of a devcontainer.json."""
    return _with_part(
        "how-to/from-devcontainers.md",
        devcontainer.BEGIN,
        devcontainer.rules_table(),
        devcontainer.END,
    )


def _page_of_dockerfiles() -> str:
    """Return the page, with an updated table of the outcome for each instruction of a Dockerfile."""
    return _with_part(
        "how-to/from-dockerfile.md",
        dockerfile.BEGIN,
        dockerfile.instructions_table(),
        dockerfile.END,
    )


def _page_of_exports() -> str:
    """Return the page, with updated tables of the outcome for each key in each format."""
    return _with_part(
        "how-to/export.md", exports.BEGIN, exports.format_tables(FORMATS.values()), exports.END
    )


def _page_of_vagrantfiles() -> str:
    """Return the page, with an updated table of what becomes of a machine."""
    part = machines.machine_table()
    return _with_part("how-to/from-vagrant.md", machines.BEGIN, part, machines.END)


def _with_part(page: str, begin: str, part: str, end: str) -> str:
    """Return a page whose part between two comments is replaced."""
    before, _, after_begin = (DOCS / page).read_text("utf-8").partition(begin)
    _, _, after = after_begin.partition(end)
    return f"{before}{begin}\n{part}{end}{after}"


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "cli-reference.md": command_line.page,
    "spec-reference.md": spec.page,
    "how-to/export.md": _page_of_exports,
    "how-to/from-compose.md": _page_of_compose,
    "how-to/from-devcontainers.md": _page_of_dev_containers,
    "how-to/from-dockerfile.md": _page_of_dockerfiles,
    "how-to/from-vagrant.md": _page_of_vagrantfiles,
    "how-to/parity.md": _page_of_parity,
}
"""The generated pages, and what makes them."""


def main() -> None:
    """Write all pages."""
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
