"""Links between pages lead somewhere, lists of pages are complete, and nothing tells of one machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]
DOCS = TREE / "docs"
PAGES = [
    *(TREE / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted(DOCS.rglob("*.md")),
]
GUIDES = [TREE / "CONTRIBUTING.md", DOCS / "architecture.md"]
"""Pages that say where things are."""
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


@pages
def test_pages_name_modules_and_folders_that_exist(page: Path) -> None:
    named = re.findall(r"`((?:envctl|tests|bench)/[\w./-]*)`", page.read_text())

    assert [path for path in named if not (TREE / path).exists()] == []


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_guides_name_templates_and_pages_that_exist(page: Path) -> None:
    named = re.findall(r"`((?:templates|docs)/[\w./-]*)`", page.read_text())

    assert [path for path in named if not (TREE / path).exists()] == []


def test_the_architecture_page_lists_every_package() -> None:
    page = (DOCS / "architecture.md").read_text()
    packages = {path.parent.name for path in (TREE / "envctl").glob("*/__init__.py")}

    assert packages == set(re.findall(r"^\| `(\w+)/` \|", page, re.MULTILINE))
