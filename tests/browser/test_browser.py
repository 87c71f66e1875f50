"""The pages in a real Chromium, as people meet them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.browser import seed
from tests.browser.chromium import SIZES, Chromium, Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

COMPARED = "/compare?country=PK&country=BR&platform=x&span=year&by=network"
PATHS = ("/", "/events", f"/events/{seed.EVENT}", "/countries/PK", "/vantages", COMPARED)


@pytest.fixture(scope="module")
def opened(chromium: Chromium) -> Iterator[dict[str, Visit]]:
    """A page on each screen, which tests use one after the other: a new one takes the browser more
    time than going on to another address."""
    contexts = {size: chromium.run(chromium.screen(size)) for size in SIZES}
    yield {size: chromium.run(chromium.visit(one, "/")) for size, one in contexts.items()}
    for one in contexts.values():
        chromium.run(one.close())


@pytest.mark.parametrize(
    ("lang", "size"),
    [
        *(("en", "phone"), ("ru", "phone"), ("ur", "phone")),
        *(("ar", "desktop"), ("fa", "desktop"), ("fr", "desktop")),
    ],
)
def test_every_page_is_whole_and_free_of_barriers(
    lang: str, size: str, chromium: Chromium, opened: dict[str, Visit]
) -> None:
    """Each page, on a phone and on a desk, in languages that stand for the others: long words, the
    lines that are highest, every direction. The console is silent, nothing is asked of anybody
    else, nothing has to be scrolled sideways, and axe-core finds no serious violation."""

    async def look() -> None:
        visit = opened[size]
        visit.complaints.clear()
        visit.requests.clear()
        await chromium.go(visit, f"/events/{seed.ENDED}?lang={lang}")
        for path in PATHS:
            joint = "&" if "?" in path else "?"
            await chromium.go(visit, f"{path}{joint}lang={lang}")
            assert visit.complaints == [], path
            assert [url for url in visit.requests if not url.startswith(chromium.base)] == []
            # What is folded away counts as well.
            await visit.page.evaluate(
                "document.querySelectorAll('details').forEach(one => { one.open = true })"
            )
            wide = await visit.page.evaluate(
                "[document.documentElement.scrollWidth, window.innerWidth]"
            )
            assert wide[0] <= wide[1], path
            assert await visit.page.evaluate("document.documentElement.lang") == lang
            assert await chromium.barriers(visit.page) == [], path
            assert visit.complaints == [], path

    chromium.run(look())


def test_a_stranger_finds_everything_in_two_clicks(chromium: Chromium, tmp_path: Path) -> None:
    """Without scripts, from the first page: what is blocked and since when stand there, how it is
    known is one click away, and the data of the event two, as a file."""

    async def ask() -> None:
        context = await chromium.screen("phone", scripts=False)
        visit = await chromium.visit(context, "/")
        page = visit.page
        first = await page.locator("main").inner_text()
        assert "X is blocked in Pakistan on 3 of 4 networks" in first
        assert "since between 14:02 and 14:07 UTC on 17 Feb 2024 (19:02–19:07 in Karachi)" in first
        await page.get_by_role("link", name="How do we know? X is blocked in Pakistan").click()
        await page.wait_for_url("**/events/*")
        known = await page.locator("main").inner_text()
        assert "the connection was reset" in known
        assert "The connection is cut when the platform's name is sent." in known
        async with page.expect_download() as caught:
            await page.get_by_role("link", name="Measurements (CSV)").click()
        path = tmp_path / "measurements.csv"
        await (await caught.value).save_as(path)
        rows = path.read_bytes().split(b"\r\n")
        assert rows[0].startswith(b"measurement_id,")
        assert any(row.startswith(b"look-cycle-0,") for row in rows)
        await context.close()

    chromium.run(ask())


def test_every_page_is_at_most_two_clicks_away(
    chromium: Chromium, opened: dict[str, Visit]
) -> None:
    """Following the links of the first page, and theirs, comes by every page there is."""

    async def links(page: Page) -> set[str]:
        found: list[str] = await page.evaluate(
            "[...document.querySelectorAll('main a, header a')].map(one => one.pathname)"
        )
        return set(found)

    async def walk() -> set[str]:
        visit = opened["desktop"]
        await chromium.go(visit, "/")
        near = await links(visit.page)
        await chromium.go(visit, "/events")
        return near | await links(visit.page)

    reached = chromium.run(walk())
    wanted = {"/", "/events", "/vantages", "/countries/PK", "/countries/BR", "/countries/KE"}
    assert wanted | {f"/events/{one.id}" for one in seed.events()} <= reached


def test_text_of_others_is_only_text(chromium: Chromium, opened: dict[str, Visit]) -> None:
    """A block page's title of ten megabytes, with markup and turned direction, runs nothing, loads
    nothing and leaves the page as it is."""

    async def look() -> None:
        visit = opened["desktop"]
        visit.complaints.clear()
        await chromium.go(visit, f"/events/{seed.EVENT}?lang=en")
        page = visit.page
        assert "X is blocked in Pakistan" in await page.title()
        assert await page.locator("main script, img[src=x], iframe").count() == 0
        assert await page.locator("script").count() == 1
        shown = await page.locator("main").inner_text()
        assert "<script>document.title='owned'</script>" in shown
        assert "\\u202eevil" in shown
        assert "\u202e" not in shown
        assert len(shown) < 20_000
        assert visit.complaints == []

    chromium.run(look())


def test_the_keyboard_gets_past_the_links(chromium: Chromium, opened: dict[str, Visit]) -> None:
    """The first key press offers to skip to the content, and doing so gets there."""

    async def press() -> str:
        visit = opened["desktop"]
        await chromium.go(visit, "/?lang=en")
        await visit.page.keyboard.press("Tab")
        focused = await visit.page.evaluate("document.activeElement.textContent")
        await visit.page.keyboard.press("Enter")
        there: str = await visit.page.evaluate("document.activeElement.id")
        assert focused == "Skip to the content"
        return there

    assert chromium.run(press()) == "main"
