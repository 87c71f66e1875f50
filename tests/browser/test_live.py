"""A live page: what changes is exchanged in place, and silence of the monitor is said."""

import pytest
from playwright.async_api import Route

from tests.browser import seed
from tests.browser.chromium import Chromium

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

AFTER = seed.NOW.timestamp() * 1000 + 3 * 3_600_000
"""A reader's clock that is three hours ahead: ages go by the monitor's."""


def test_a_live_page_changes_in_place_and_says_when_the_monitor_is_silent(
    chromium: Chromium,
) -> None:
    """Nothing is loaded anew: what a reader opened stays open. When the monitor no longer answers
    the page says since when, and no headline stays green or red; when it answers again, it goes
    on."""

    async def watch() -> None:
        context = await chromium.screen("desktop")
        silent = False

        async def answer(route: Route) -> None:
            await (route.abort() if silent else route.continue_())

        await context.route("**/*", answer)
        await context.clock.install(time=AFTER / 1000)
        visit = await chromium.visit(context, "/?live=1")
        page = visit.page
        assert await page.locator("footer time.age").inner_text() == "just now"
        await page.evaluate("window.kept = true")
        await page.locator("main details summary").first.click()
        note, main = page.locator("#age"), page.locator("main")
        before = await main.inner_text()
        first, *others = [one for one in seed.events() if one.active]
        chromium.publisher.show_events(others)
        try:
            await page.clock.run_for(78_000)
            await page.wait_for_function("t => !document.title.includes(t)", arg="confirmed")
            assert await main.inner_text() != before
            assert await page.evaluate("window.kept")
            assert await page.locator("main details").first.get_attribute("open") is not None
            assert await note.is_hidden()
            silent = True
            await page.clock.run_for(78_000)
            await note.wait_for(state="visible")
            said = "Not updated since 15:00 UTC on 17 Feb 2024: the monitor does not answer."
            assert said in await note.inner_text()
            colour = "getComputedStyle(document.querySelector('main')).filter"
            assert await page.evaluate(colour) == "grayscale(1)"
        finally:
            chromium.publisher.show_events([first, *others])
        silent = False
        await page.clock.run_for(144_000)
        await note.wait_for(state="hidden")
        assert await main.inner_text() == before
        assert await page.evaluate("window.kept")
        # The browser itself says that it got no answer.
        assert [one for one in visit.complaints if "net::ERR_FAILED" not in one] == []
        await context.close()

    chromium.run(watch())


def test_any_other_page_tells_its_age(chromium: Chromium) -> None:
    """Ages stay true, each time has the reader's own beside it, and after ten minutes the page says
    that it does not load itself again; it never asks for anything."""

    async def watch() -> None:
        context = await chromium.screen("phone")
        await context.clock.install(time=AFTER / 1000)
        visit = await chromium.visit(context, "/countries/PK")
        page = visit.page
        await page.clock.run_for(186_000)
        row = page.locator("tbody th time.age").first
        assert await row.inner_text() == "3 minutes ago"
        moment = await page.locator("footer time").first.get_attribute("title")
        assert moment is not None
        assert "3 minutes ago" in moment
        assert await page.locator("#age").is_hidden()
        await page.clock.run_for(480_000)
        said = await page.locator("#age").inner_text()
        assert said.startswith("This page is of 15:00 UTC on 17 Feb 2024")
        assert [one for one in visit.requests if "icon" not in one] == [page.url]
        assert visit.complaints == []
        await context.close()

    chromium.run(watch())


def test_a_live_page_without_scripts_is_loaded_again(chromium: Chromium) -> None:
    """By the browser, each minute; and it keeps to the page and the language."""

    async def look() -> None:
        context = await chromium.screen("phone", scripts=False)
        visit = await chromium.visit(context, "/countries/PK?lang=ur")
        await visit.page.locator("footer a[href*='live=1']").click()
        await visit.page.wait_for_url("**/countries/PK?lang=ur&live=1")
        assert await visit.page.locator("meta[http-equiv=refresh][content='60']").count() == 1
        await context.close()

    chromium.run(look())
