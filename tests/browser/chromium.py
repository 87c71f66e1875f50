"""A real Chromium before a real server, in a thread of their own: tests say what to look at."""

import asyncio
import shutil
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, Playwright, async_playwright

from monitor.metrics.scrapes import create_registry
from monitor.server import create_app, serve
from storage.open_store import sql_store
from tests.browser import seed

T = TypeVar("T")

DEADLINE = 600.0
"""Seconds for anything, however slow the machine is; it takes a few."""
SIZES = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1280, "height": 800}}
LEAN = ("--disable-gpu", "--disable-extensions", "--no-first-run", "--disable-component-update")
"""What a browser does besides costs more than showing pages."""
SCHEMES = {"phone": "dark", "desktop": "light"}
"""Of each kind of screen."""


class Visit:
    """One page on one screen, and all that went on while it was there."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self.requests.append(request.url))


class Chromium:
    """The browser, the server and the store; `run` does something with them and waits."""

    def __init__(self, folder: Path, documents: Path) -> None:
        self._folder = folder
        self._documents = documents
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.base = ""
        self._axe = Axe()
        self.run(self._start())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, done in the browser's own thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE)

    def close(self) -> None:
        """Everything stops."""
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()

    async def _start(self) -> None:
        self.store = sql_store(f"sqlite:///{self._folder / 'seen.db'}")
        await self.store.open()
        await seed.fill(self.store, seed.HUGE_TITLE)
        self.publisher = seed.publisher()
        registry = create_registry(self.publisher)
        app = create_app(self.publisher, registry, store=self.store, documents=self._documents)
        port: asyncio.Future[int] = self._loop.create_future()
        self._server = asyncio.create_task(
            serve(app, "127.0.0.1", 0, listening=lambda _, number: port.set_result(number))
        )
        self.base = f"http://127.0.0.1:{await port}"
        self._playwright: Playwright = await async_playwright().start()
        self._browser: Browser = await self._playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", *LEAN]
        )

    async def _stop(self) -> None:
        await self._browser.close()
        await self._playwright.stop()
        self._server.cancel()
        with suppress(asyncio.CancelledError):
            await self._server
        await self.store.close()

    async def screen(self, size: str, *, scripts: bool = True, **more: Any) -> BrowserContext:
        """A screen of one of SIZES, of somebody who was never here before; `more` as Playwright has
        it."""
        usual = {"viewport": SIZES[size], "color_scheme": SCHEMES[size]}
        context: BrowserContext = await self._browser.new_context(
            java_script_enabled=scripts, accept_downloads=True, **{**usual, **more}
        )
        context.set_default_timeout(1000 * DEADLINE)
        return context

    async def visit(self, context: BrowserContext, path: str) -> Visit:
        """A page, wholly loaded."""
        visit = Visit(await context.new_page())
        await self.go(visit, path)
        return visit

    async def go(self, visit: Visit, path: str) -> None:
        """On to another page, wholly loaded."""
        answer = await visit.page.goto(f"{self.base}{path}", wait_until="load")
        assert answer is not None
        assert answer.status == 200

    async def barriers(self, page: Page) -> list[str]:
        """What axe-core calls serious or critical on this page."""
        found = await self._axe.run(page, options={"resultTypes": ["violations"]})
        return [
            f"{one['impact']} {one['id']}: {[node['target'] for node in one['nodes']][:5]}"
            for one in found.response["violations"]
            if one["impact"] in ("serious", "critical")
        ]
