"""Links between pages lead somewhere, lists of pages are complete, and nothing tells of one machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]
DOCS = TREE / "docs"
PAGES = [TREE / "README.md", TREE / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)", re.MULTILINE)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TREE)))


def anchor(heading: str) -> str:
    """What a heading is linked by."""
    return re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-")


def links(page: Path) -> list[str]:
    """The links of a page to others of the tree."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [link for link in LINK.findall(text) if not link.startswith("http")]


@pages
def test_every_link_leads_to_a_page_and_its_heading(page: Path) -> None:
    for link in links(page):
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        if heading:
            assert heading in map(anchor, HEADING.findall(target.read_text())), link


@pages
def test_no_page_tells_of_the_machine_it_was_written_on(page: Path) -> None:
    assert not re.search(r"/(work|home/\w+|root)/", page.read_text())


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    todo = [TREE / "README.md"]
    while todo:
        page = todo.pop()
        reached.add(page)
        for link in links(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target not in reached:
                todo.append(target)

    assert set(PAGES) <= reached


def test_every_decision_is_listed() -> None:
    listed = set(links(DOCS / "decisions" / "README.md"))

    assert listed == {page.name for page in (DOCS / "decisions").glob("*.md")} - {"README.md"}
