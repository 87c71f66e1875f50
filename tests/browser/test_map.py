"""The map of the first page, and a long comparison, in a real Chromium."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from monitor.metrics.scrapes import create_registry
from monitor.server import create_app, serve
from monitor.wording.languages import BY_CODE
from tests.browser.chromium import Chromium, Visit
from tests.browser.test_sweep import SCHEMES, WIDTHS, faults
from tests.worlds import many_countries
from tests.worlds.memory_store import MemoryStore

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

PATHS = ("/", "/compare", "/compare?platform=x&platform=tiktok&by=network")


class Watching:
    """A server that watches many countries, in the browser's thread."""

    def __init__(self, chromium: Chromium) -> None:
        self._chromium = chromium
        self.base = chromium.run(self._start())

    async def _start(self) -> str:
        self._store = MemoryStore()
        await self._store.open()
        shown = many_countries.publisher()
        app = create_app(shown, create_registry(shown), store=self._store)
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(
            serve(app, "127.0.0.1", 0, listening=lambda _, n: port.set_result(n))
        )
        return f"http://127.0.0.1:{await port}"

    async def stop(self) -> None:
        """It serves no longer."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._store.close()


@pytest.fixture(scope="module")
def watching(chromium: Chromium) -> Iterator[Watching]:
    """One server for all tests here."""
    made = Watching(chromium)
    yield made
    chromium.run(made.stop())


def _looked(
    chromium: Chromium, watching: Watching, width: int, scheme: str, lang: str
) -> dict[str, list[str]]:
    async def look() -> dict[str, list[str]]:
        more: dict[str, Any] = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
        context = await chromium.screen("phone", **more)
        visit = await chromium.visit(context, "/events")
        found = {}
        for path in PATHS:
            joint = "&" if "?" in path else "?"
            found[path] = await faults(chromium, visit, f"{watching.base}{path}{joint}lang={lang}")
        await context.close()
        return found

    return chromium.run(look())


@pytest.mark.parametrize(("width", "scheme", "lang"), [(390, "dark", "ar"), (1440, "light", "en")])
def test_many_countries_have_no_barriers(
    width: int, scheme: str, lang: str, chromium: Chromium, watching: Watching
) -> None:
    """Sixty squares, and forty rows of strips, on a phone in Arabic and on a desk in English."""
    assert _looked(chromium, watching, width, scheme, lang) == {path: [] for path in PATHS}


@pytest.mark.soak
@pytest.mark.parametrize("lang", list(BY_CODE))
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_many_countries_on_every_screen(
    width: int, scheme: str, lang: str, chromium: Chromium, watching: Watching
) -> None:
    """The same on every width, scheme and language."""
    assert _looked(chromium, watching, width, scheme, lang) == {path: [] for path in PATHS}


def test_the_map_fits_and_is_read_by_name(chromium: Chromium, watching: Watching) -> None:
    """On a phone no square is too small for a finger, each is a link with its words as its name,
    and the order of the keyboard is that of the map."""

    async def look() -> tuple[list[float], str, str]:
        context = await chromium.screen("phone", viewport={"width": 390, "height": 900})
        visit = await chromium.visit(context, "/events")
        page = visit.page
        await page.goto(watching.base, wait_until="load")
        sides: list[float] = await page.evaluate(
            "[...document.querySelectorAll('.tiles a .square')]"
            ".map(one => one.getBoundingClientRect().width)"
        )
        code = many_countries.CODES[0]
        link = page.get_by_role("link", name="Andorra: blocked 1, ok 9")
        await link.focus()
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/countries/*")
        heading = await page.locator("h1").inner_text()
        await context.close()
        return sides, code, heading

    sides, code, heading = chromium.run(look())
    assert len(sides) == 60
    assert min(sides) >= 24
    assert (code, heading) == ("AD", "Andorra")


@pytest.fixture(scope="module")
def resized(chromium: Chromium) -> Iterator[Visit]:
    """A page whose width the tests change."""
    context = chromium.run(chromium.screen("phone"))
    yield chromium.run(chromium.visit(context, "/events"))
    chromium.run(context.close())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("lang", ["en", "ar"])
def test_strips_lie_below_their_axis(
    width: int, lang: str, chromium: Chromium, watching: Watching, resized: Visit
) -> None:
    """On every screen a strip begins and ends where the axis does, which stays in sight."""

    async def look() -> list[list[float]]:
        await resized.page.set_viewport_size({"width": width, "height": 900})
        await resized.page.goto(f"{watching.base}{PATHS[-1]}&lang={lang}", wait_until="load")
        found: list[list[float]] = await resized.page.evaluate(
            """() => {
                document.querySelector(".compare tbody tr:last-child").scrollIntoView();
                // A phone has room for its ends alone.
                return [".axis, .compare .ends", ".strip"].map(name => {
                    const at = [...document.querySelectorAll(`.compare ${name}`)]
                        .map(one => one.getBoundingClientRect()).find(one => one.width);
                    return [Math.round(at.left), Math.round(at.width), at.top];
                });
            }"""
        )
        return found

    axis, strip = chromium.run(look())
    assert axis[:2] == strip[:2]
    assert 0 <= axis[2] < 100
    assert strip[2] < 0


def test_a_reader_without_scripts_compares(chromium: Chromium) -> None:
    """From the page of a country by its button, then by the form, to two countries."""

    async def choose() -> str:
        context = await chromium.screen("phone", scripts=False)
        visit = await chromium.visit(context, "/countries/PK?lang=en")
        page = visit.page
        await page.get_by_role("link", name="Compare with others").click()
        await page.get_by_label("Brazil").check()
        await page.get_by_role("checkbox", name="X", exact=True).check()
        await page.get_by_role("button", name="Compare").click()
        await page.wait_for_url("**/compare?**country=BR**")
        shown = await page.locator("tbody").inner_text()
        assert visit.complaints == []
        await context.close()
        return shown

    shown = chromium.run(choose())
    assert "Brazil" in shown
    assert "Pakistan" in shown
    assert "WhatsApp" not in shown
