"""Every page on every screen, and the forms of editors, in a real Chromium."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.async_api import Page

from monitor.server import serve
from monitor.wording.languages import BY_CODE
from tests.browser import seed
from tests.browser.chromium import Chromium, Visit
from tests.worlds.acting_world import World, who

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

WIDTHS = (390, 768, 1440)
SCHEMES = ("light", "dark")
EVENT = f"/events/{seed.EVENT}"
PATHS = (
    *("/", "/?live=1", "/events", "/events?country=XX", EVENT, f"/events/{seed.ENDED}"),
    *("/countries/PK", "/countries/PK?by=network&span=year", "/platforms/x", "/vantages"),
    *("/compare", "/compare?country=PK&country=BR&platform=x", "/compare?country=PK&by=network"),
    *("/compare?platform=x&span=decade", "/compare?country=NL&platform=whatsapp&span=day"),
    *("/actions", "/runbooks/ShutwatchVantageSilent", "/nowhere"),
)
ACTING = ("/", EVENT, "/countries/PK", "/vantages", "/actions")
"""Pages with forms."""


class Editors:
    """A server with editors, in the browser's thread."""

    def __init__(self, chromium: Chromium) -> None:
        self.world, self._chromium = World(), chromium
        self.base = chromium.run(self._start())

    async def _start(self) -> str:
        await self.world.store.open()
        await seed.fill(self.world.store)
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(
            serve(self.world.app, "127.0.0.1", 0, listening=lambda _, n: port.set_result(n))
        )
        return f"http://127.0.0.1:{await port}"

    async def stop(self) -> None:
        """It serves no longer."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self.world.store.close()


@pytest.fixture(scope="module")
def editors(chromium: Chromium) -> Iterator[Editors]:
    """One server for all tests here."""
    made = Editors(chromium)
    yield made
    chromium.run(made.stop())


async def faults(chromium: Chromium, visit: Visit, url: str) -> list[str]:
    """What is wrong with a page on this screen: loud, wide, asking elsewhere, or with a barrier."""
    visit.complaints.clear()
    visit.requests.clear()
    page: Page = visit.page
    answer = await page.goto(url, wait_until="load")
    # The browser itself says that a page was not found, or refused a filter.
    loud = [one for one in visit.complaints if answer is None or answer.ok]
    found = [f"said {one}" for one in loud]
    base = "/".join(url.split("/")[:3])
    ours = (base, chromium.base)
    found += [f"asked {one}" for one in visit.requests if not one.startswith(ours)]
    await page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    wide = await page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    found += [f"is {wide[0]} wide of {wide[1]}"] if wide[0] > wide[1] else []
    small = await page.evaluate(
        """[...document.querySelectorAll('main button, main select, main input:not([type=hidden])')]
        .map(one => one.getBoundingClientRect()).filter(one => one.height && one.height < 18)
        .length"""
    )
    found += [f"has {small} small targets"] if small else []
    return [*found, *await chromium.barriers(page)]


@pytest.mark.parametrize(("width", "scheme", "lang"), [(390, "dark", "ur"), (1440, "light", "en")])
def test_forms_have_no_barriers(
    width: int, scheme: str, lang: str, chromium: Chromium, editors: Editors
) -> None:
    """An editor's pages, with every form unfolded: nothing is too wide, too loud or without a name,
    on a phone in Urdu and on a desk in English."""

    async def look() -> dict[str, list[str]]:
        more: dict[str, Any] = {"color_scheme": scheme, "extra_http_headers": who("asma")}
        viewport = {"width": width, "height": 900}
        context = await chromium.screen("phone", viewport=viewport, **more)
        visit = await chromium.visit(context, "/vantages")
        found = {
            path: await faults(chromium, visit, f"{editors.base}{path}?lang={lang}")
            for path in ACTING
        }
        await context.close()
        return found

    assert chromium.run(look()) == {path: [] for path in ACTING}


def test_an_editor_acts_without_scripts(chromium: Chromium, editors: Editors) -> None:
    """In a real browser, which says where a form comes from: the review is taken, and noted."""

    async def act() -> str:
        context = await chromium.screen("phone", scripts=False, extra_http_headers=who("asma"))
        page = await context.new_page()
        await page.goto(f"{editors.base}{EVENT}")
        await page.get_by_text("Confirm, reject or note").click()
        await page.get_by_label("I checked it, and it is wrong").check()
        await page.get_by_label("Note, for everybody to read").fill("A cable was cut\nby a ship")
        await page.get_by_role("button", name="Add the review").click()
        await page.wait_for_url("**/events/*done=1")
        said = await page.locator("main").inner_text()
        await context.close()
        return said

    said = chromium.run(act())
    assert "Done, and noted in the audit log." in said
    assert "A person rejects it" in said
    assert "by a ship" in said
    (act_made,) = chromium.run(editors.world.store.acts())
    assert (act_made.who, act_made.what) == ("asma", "reject")


@pytest.mark.soak
@pytest.mark.parametrize("lang", list(BY_CODE))
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_on_every_screen(
    width: int, scheme: str, lang: str, chromium: Chromium, editors: Editors
) -> None:
    """Every page × width × scheme × language, as an editor sees it: no overflow, no console error,
    no external request, and no serious violation of axe-core."""

    async def look() -> dict[str, list[str]]:
        more: dict[str, Any] = {"color_scheme": scheme, "extra_http_headers": who("asma")}
        viewport = {"width": width, "height": 900}
        context = await chromium.screen("phone", viewport=viewport, **more)
        visit = await chromium.visit(context, "/vantages")
        found = {}
        for path in PATHS:
            joint = "&" if "?" in path else "?"
            url = f"{editors.base}{path}{joint}lang={lang}"
            found[path] = await faults(chromium, visit, url)
        await context.close()
        return found

    assert chromium.run(look()) == {path: [] for path in PATHS}
