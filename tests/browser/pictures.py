"""Pictures of the pages, by a real Chromium: those of `docs/screens.md`.

    python -m tests.browser.pictures [--into docs/screens] [--all]

With `--all` every page on every screen, whole, for somebody to look at. The documents are those
that `make docs` built.
"""

import argparse
import asyncio
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image
from playwright.async_api import Browser, ViewportSize, async_playwright

from monitor.server import serve
from tests.browser import seed
from tests.browser.chromium import LEAN
from tests.worlds import picture_world
from tests.worlds.acting_world import who

ROOT = Path(__file__).parents[2]
DOCUMENTS = ROOT / "monitor/server/site"
EVENT = f"events/{seed.EVENT}"
PAGES = {
    "front": "",
    "country": "countries/PK",
    "platform": "platforms/x?span=year",
    "events": "events",
    "event": EVENT,
    "compare": "compare?country=PK&country=BR&country=KE&platform=x&platform=telegram",
    "sources": "sources",
    "card": "cards/PK",
    "docs": "docs/page.html",
    "wrong": "countries/PK?span=moth",
}
"""Name → address, as everybody sees it."""
OPERATORS = {
    "operator": "",
    "vantages": "vantages",
    "acting": EVENT,
    "actions": "actions",
}
"""As an editor sees them."""
ACT = "section[aria-labelledby=act]"


class Shot(msgspec.Struct, frozen=True, kw_only=True):
    """One picture."""

    name: str
    path: str
    width: int
    height: int = 0
    """Of what is shown; 0: the whole page."""
    scheme: str = "light"
    lang: str = "en"
    editor: bool = False
    element: str = ""
    """Only this, by its selector."""
    unfold: bool = False


KEPT = (
    Shot(name="front", path="", width=1440, height=1500),
    Shot(name="front-phone", path="", width=390, height=1500, scheme="dark"),
    Shot(name="front-persian", path="", width=390, height=1500, lang="fa"),
    Shot(name="map-arabic", path="", width=768, lang="ar", element=".map"),
    Shot(name="country", path="countries/PK", width=1440, height=1500),
    Shot(name="platform", path="platforms/x?span=year", width=768, height=1400, scheme="dark"),
    Shot(name="event", path=EVENT, width=768, height=1500),
    Shot(name="event-phone-persian", path=EVENT, width=390, height=1500, lang="fa"),
    Shot(name="compare", path=PAGES["compare"], width=1440, height=1000),
    Shot(name="sources", path="sources", width=768, height=1000),
    Shot(name="acting", path=EVENT, width=768, editor=True, unfold=True, element=ACT),
    Shot(name="actions", path="actions", width=1440, height=850, scheme="dark", editor=True),
    Shot(name="docs", path="docs/page.html", width=1440, height=900),
    Shot(name="card", path="cards/PK", width=480, height=420),
)
"""Those of the documents."""


def every() -> Iterator[Shot]:
    """Every page on every screen, in two languages."""
    for pages, editor in ((PAGES, False), (OPERATORS, True)):
        for name, path in pages.items():
            for width in (390, 768, 1440):
                for scheme, lang in (("light", "en"), ("dark", "en"), ("light", "fa")):
                    yield Shot(
                        name=f"{name}-{width}-{scheme}-{lang}",
                        path=path,
                        width=width,
                        scheme=scheme,
                        lang=lang,
                        editor=editor,
                        unfold=editor,
                    )


async def take(browser: Browser, base: str, shot: Shot, folder: Path) -> None:
    """One picture."""
    more: dict[str, Any] = {"color_scheme": shot.scheme}
    if shot.editor:
        more["extra_http_headers"] = who("asma")
    viewport = ViewportSize(width=shot.width, height=shot.height or 900)
    context = await browser.new_context(viewport=viewport, **more)
    page = await context.new_page()
    joint = "&" if "?" in shot.path else "?"
    await page.goto(f"{base}/{shot.path}{joint}lang={shot.lang}", wait_until="load")
    if shot.unfold:
        await page.evaluate("document.querySelectorAll('details').forEach(o => { o.open = true })")
    if shot.element:
        made = await page.locator(shot.element).screenshot()
    else:
        made = await page.screenshot(full_page=not shot.height)
    await context.close()
    Image.open(io.BytesIO(made)).convert("RGB").save(folder / f"{shot.name}.webp", lossless=True)


async def main() -> None:
    """Serve, and take all that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=ROOT / "docs/screens")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    asked.into.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp())
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = await picture_world.served(work, DOCUMENTS)
    serving = asyncio.create_task(
        serve(app, "127.0.0.1", 0, listening=lambda _, number: port.set_result(number))
    )
    base = f"http://127.0.0.1:{await port}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", *LEAN]
        )
        for shot in every() if asked.all else KEPT:
            if asked.only in shot.name:
                await take(browser, base, shot, asked.into)
        await browser.close()
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
    shutil.rmtree(work)


if __name__ == "__main__":
    asyncio.run(main())
