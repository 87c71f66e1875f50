"""The documents as a site: its navigation is whole, and its picture is that of its source."""

import html
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CONFIGURATION = (ROOT / "mkdocs.yml").read_text()
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
DECISIONS = [page for page in PAGES if re.fullmatch(r"adr/\d{4}-.*", page)]


def _listed() -> list[str]:
    """The pages of the navigation, in its order."""
    return re.findall(r"^ +- ([\w/-]+\.md)$", CONFIGURATION, re.MULTILINE)


def test_the_navigation_lists_every_page_once() -> None:
    """Decisions are listed by a page of their own."""
    assert sorted(_listed()) == [page for page in PAGES if page not in DECISIONS]


def test_the_page_of_decisions_lists_every_decision() -> None:
    """In their order."""
    listed = re.findall(r"\]\(([^)]*)\)", (DOCS / "adr/README.md").read_text())
    assert [f"adr/{name}" for name in listed] == DECISIONS


@pytest.mark.parametrize("page", PAGES)
def test_no_page_links_out_of_the_folder(page: str) -> None:
    """The site holds what is under docs/ alone; other files are named."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", (DOCS / page).read_text())
    inside = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [
        link for link in inside if not ((DOCS / page).parent / link).resolve().is_relative_to(DOCS)
    ] == []


def test_the_picture_of_the_architecture_is_that_of_its_source() -> None:
    """Every word of architecture.mmd that is shown is text of architecture.svg."""
    source = (DOCS / "architecture.mmd").read_text()
    drawn = html.unescape(re.sub(r"<[^>]+>", " ", (DOCS / "architecture.svg").read_text()))
    labels = re.findall(r'"([^"]+)"|subgraph (\w+)|-- ([\w ]+?) -->|-\. ([\w ]+) \.->', source)
    words = [word for found in labels for word in re.split(r"<br>| ", "".join(found))]
    assert len(words) > 30
    assert [word for word in words if word not in drawn] == []
