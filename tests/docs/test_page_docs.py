"""docs/page.md names every page and every language there is."""

import re
from pathlib import Path

from monitor.server.compare import FILTERS, MOST_ROWS
from monitor.server.pages import Pages
from monitor.wording.languages import BY_CODE
from tests.prometheus import world

DOCUMENT = (Path(__file__).parents[2] / "docs/page.md").read_text(encoding="utf-8")


def test_every_page_is_documented_and_no_other() -> None:
    """The table of addresses is the list of routes."""
    rows = re.findall(r"^\| (`/[^|]*`) \|", DOCUMENT, re.MULTILINE)
    documented = {address for row in rows for address in re.findall("`([^`]*)`", row)}
    routes = {route.path for route in Pages(world.publisher()).routes()}
    examples = {"platforms/{name}": "platforms/x", "{name}": "ALERT", "{platform}": "x"}
    examples |= {"{id}": "ID", "{code}": "PK", "{path:path}": "PAGE.html"}
    for part, example in examples.items():
        routes = {path.replace(part, example) for path in routes}
    assert documented == routes


def test_every_language_is_documented() -> None:
    """Each can be asked for as the document says."""
    assert set(re.findall(r"\?lang=(\w+)", DOCUMENT)) == set(BY_CODE)


def test_what_a_comparison_is_asked_for_is_documented() -> None:
    """Each part of its address, and how many rows it has."""
    chapter = DOCUMENT.split("## Compare")[1].split("## ")[0]
    assert [name for name in FILTERS if f"{name}=" not in chapter] == []
    assert f"At most {MOST_ROWS} rows" in chapter
