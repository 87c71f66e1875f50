"""A public server with editors, a viewer and a program, before a seeded store."""

import base64
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitor.config.settings import ServerSettings, Settings
from monitor.keys.passwords import digest, new_user
from monitor.metrics.scrapes import create_registry
from monitor.notify.message_value import Limits, Message
from monitor.notify.settings import NotifySettings, Target
from monitor.server import create_app
from monitor.server.access import Access
from monitor.server.actions import Acting
from monitor.wording.findings import Finding, What
from probes.catalog.catalog import Catalog
from tests.browser import seed
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore
from tests.worlds.notify_world import route

TOKEN = "t0ken-" + "0123456789abcdef" * 4
PASSWORD = "correct horse battery"  # noqa: S105 - made up
FINDING = Finding(what=What.NO_ASN, values={"vantages": "khi-ptcl"})
USERS = tuple(new_user(name, PASSWORD, log2_n=10) for name in ("asma", "dana", "bilal"))
"""Two editors and a viewer."""
BASE = "http://monitor.example"
WRITES = """
import os, sys, time
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
out = next(option[9:] for option in sys.argv if option.startswith("--output="))
open(out, "w").write("a report")
print(out + ": X was blocked", file=sys.stderr)
"""
REPORTS = (sys.executable, "-c", WRITES)
"""In place of the command: once a file is there, it writes what it is told to."""


USED: Mapping[str, Any] = {
    "interval": 300.0,
    "daily_bytes": 0,
    "public_url": BASE,
    "runbooks_url": f"{BASE}/runbooks",
}


class Post:
    """A service that notes what it is handed."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def limits(self, _: Target) -> Limits:
        """It takes all there is."""
        return Limits()

    async def deliver(self, target: Target, message: Message, within: float) -> str:
        """Take it."""
        assert (target.name, within) == ("1-json", 20.0)
        self.sent.append(message)
        return ""


class World:
    """A public server with an editor, a viewer and a program, before a seeded store."""

    def __init__(
        self, go: Path = Path("/"), *, guarded: bool = True, store: MemoryStore | None = None
    ) -> None:
        """Reports are made once the file `go` is there. The store is a new one unless given."""
        self.go = go
        self.store, self.post = store or MemoryStore(), Post()
        self.at = seed.NOW
        self.publisher = seed.publisher(clock=lambda: self.at)
        snapshot = self.publisher.snapshot
        points = tuple(view.point for view in snapshot.vantages)
        self.publisher.use(
            points, snapshot.catalog, seed.events()[:2], **USED, weaknesses=(FINDING,)
        )
        self.woken = self.requarantined = 0
        settings = Settings(
            vantages=points,
            catalog=Catalog(platforms=snapshot.catalog.platforms),
            notify=NotifySettings(route=(route(),)),
            source="/nowhere/shutwatch.toml",
        )
        server = ServerSettings()
        if guarded:
            server = ServerSettings(
                users=USERS, editors=("asma", "dana"), tokens=(digest(TOKEN),), public=True
            )
        acting = Acting(
            store=self.store,
            settings=lambda: settings,
            service=self.post,
            wake=self._wake,
            requarantine=self._requarantine,
            report_command=(*REPORTS, str(go)),
        )
        self.app = create_app(
            self.publisher,
            create_registry(self.publisher),
            access=Access(server),
            store=self.store,
            acting=acting,
        )
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url=BASE)

    def _wake(self) -> None:
        self.woken += 1

    async def _requarantine(self) -> None:
        self.requarantined += 1

    async def get(self, path: str, user: str = "", lang: str = "en") -> httpx.Response:
        """A page, for a user or for anybody."""
        return await self.client.get(path, headers=who(user), params={"lang": lang})

    async def token(self, user: str = "asma") -> str:
        """What a form of this user holds."""
        found = re.search('name="token" value="([0-9a-f]+)"', (await self.get("/", user)).text)
        return found[1] if found else ""

    async def act(
        self, name: str, fields: Mapping[str, str], user: str = "asma", **headers: str
    ) -> httpx.Response:
        """Send a form as our own page has a browser do, unless `headers` says otherwise."""
        own = {"origin": BASE, "sec-fetch-site": "same-origin"}
        return await self.client.post(
            f"/actions/{name}", data=dict(fields), headers={**who(user), **own, **headers}
        )


def who(user: str) -> dict[str, str]:
    """What a browser adds once a user signed in."""
    if user == "a program":
        return {"authorization": f"Bearer {TOKEN}"}
    if not user:
        return {}
    return {"authorization": f"Basic {base64.b64encode(f'{user}:{PASSWORD}'.encode()).decode()}"}
