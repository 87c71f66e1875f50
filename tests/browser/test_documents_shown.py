"""The documents in Chromium, as the program serves them."""

import re
from contextlib import suppress

import pytest
from playwright.async_api import Error

from tests.browser.chromium import SIZES, Chromium

pytest.importorskip("zensical")
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

FOUND = re.compile(r"/docs/[\w-]+\.html\?h=quarantine#")
PAGES = (
    *("", "tutorial.html", "architecture.html", "runbooks/ShutwatchMonitorDown.html"),
    *("benchmarks.html", "config.html", "cli.html", "adr/0057-documents-as-a-site.html"),
)
SMALL = """[...document.querySelectorAll('body *')].filter(
    one => parseFloat(getComputedStyle(one).fontSize) < 14
        && one.checkVisibility({visibilityProperty: true})
        && one.getBoundingClientRect().width > 1
        && [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim())
).map(one => `${one.tagName} ${one.className}: ${one.textContent.trim().slice(0, 40)}`)"""
"""What has text of its own that is smaller than 14 px."""


@pytest.mark.parametrize("size", SIZES)
def test_pages_are_whole_under_their_policy(size: str, chromium: Chromium) -> None:
    """None complains, asks another host, has to be scrolled sideways or has small text."""

    async def read() -> None:
        context = await chromium.screen(size)
        visit = await chromium.visit(context, "/docs/")
        for path in PAGES:
            await chromium.go(visit, f"/docs/{path}")
            wide = await visit.page.evaluate(
                "[document.documentElement.scrollWidth, window.innerWidth]"
            )
            assert wide[0] <= wide[1], path
            assert await visit.page.evaluate(SMALL) == [], path
        assert visit.complaints == []
        assert [url for url in visit.requests if not url.startswith(chromium.base)] == []
        await context.close()

    chromium.run(read())


def test_the_search_finds_a_word(chromium: Chromium) -> None:
    """Without another host, and it leads to the heading that has the word."""

    async def search() -> None:
        context = await chromium.screen("desktop")
        context.set_default_timeout(60_000)
        visit = await chromium.visit(context, "/docs/")
        # Not what is found by the first letters while the rest is typed.
        found = visit.page.locator('li a[href*="h=quarantine#"]').first
        box = visit.page.locator("input[aria-autocomplete]")
        for _ in range(10):  # what comes before the page's script has is lost
            with suppress(Error):
                if not await box.is_visible():
                    await visit.page.locator(".md-search__button").click()
                # It keeps what was typed before.
                await box.fill("", timeout=5_000)
                await box.press_sequentially("quarantine", delay=20)
                await found.wait_for(timeout=20_000)
                break
        await found.click()
        await visit.page.wait_for_url(FOUND)
        assert [one for one in visit.complaints if one.startswith("error")] == []
        assert [url for url in visit.requests if not url.startswith(chromium.base)] == []
        await context.close()

    chromium.run(search())
