"""The site as Zensical builds it: every link leads somewhere, nothing comes from another host."""

import html
import re
from urllib.parse import unquote, urljoin

import pytest

from monitor.server.documents import built_site
from tests.worlds.documents import build_documents

pytest.importorskip("zensical")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Path → HTML of each page, built from a copy."""
    built = built_site(build_documents(tmp_path_factory.mktemp("site")))
    assert {"search.json", "index.html", "runbooks/ShutwatchMonitorDown.html"} <= set(built.files)
    return {
        name: path.read_text("utf-8") if name.endswith(".html") else ""
        for name, path in built.files.items()
        if name != "404.html"
    }


def test_every_link_leads_to_a_page_and_a_heading_of_it(site: dict[str, str]) -> None:
    """Also the anchors, which Zensical makes itself."""
    anchors = {name: set(re.findall(r'\bid="([^"]*)"', text)) for name, text in site.items()}
    broken = []
    count = 0
    for name, text in site.items():
        for link in map(html.unescape, re.findall(r'(?:href|src)="([^"]*)"', text)):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = unquote(link).partition("#")
            there = urljoin(name, path)
            there += "index.html" if there[-1:] in ("", "/") else ""
            if there not in site or (anchor and anchor not in anchors[there]):
                broken.append((name, link))
            count += 1
    assert count > 5000
    assert broken == []


def test_pages_load_nothing_from_elsewhere(site: dict[str, str]) -> None:
    """Scripts, styles, pictures and fonts are the site's own; only links lead away."""
    for name, text in site.items():
        loaded = re.findall(r"<(?:script|link|img|iframe|source)[^>]*>", text)
        assert [tag for tag in loaded if "://" in tag] == [], name


def test_lists_tables_and_code_are_shown_as_such(site: dict[str, str]) -> None:
    """Markdown of code hosts that the site would show as a paragraph is not used."""
    marks = re.compile(r"\n\s*(?:[-*]|\d+\.) |```|^\|.*\|$", re.MULTILINE)
    for name, text in site.items():
        article = text.partition("<article")[2].partition("</article>")[0]
        paragraphs = re.findall(r"<p>(.*?)</p>", article, re.DOTALL)
        assert [one[:80] for one in paragraphs if marks.search(one)] == [], name
