"""The API as served: behind the gate, next to the pages."""

from monitor.config.settings import ServerSettings
from monitor.keys.passwords import digest
from monitor.metrics.scrapes import create_registry
from monitor.server.access import Access
from monitor.server.app import create_app
from storage.store import Store
from tests.prometheus import world
from tests.worlds.http_client import httpx

TOKEN = "t" * 40


def asking(store: Store, **settings: object) -> httpx.AsyncClient:
    """A client of the whole server."""
    publisher = world.x_blocked_on_two_of_three()
    access = Access(ServerSettings(tokens=(digest(TOKEN),), **settings))  # type: ignore[arg-type]
    app = create_app(publisher, create_registry(publisher), access=access, store=store)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")


async def test_the_api_needs_a_token(store: Store) -> None:
    """Nothing is readable without the token, and everything with it, vantages too."""
    async with asking(store) as client:
        for path in ("events", "events.csv", "vantages", "openapi.json", "nothing"):
            assert (await client.get(f"/api/v1/{path}")).status_code == 401
        shown = {"Authorization": f"Bearer {TOKEN}"}
        answer = await client.get("/api/v1/verdicts?limit=1", headers=shown)
        assert answer.json()["data"][0]["vantage"] == "gru-claro"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        following = await client.get(answer.json()["next"], headers=shown)
        assert following.json()["data"] != answer.json()["data"]
        packed = await client.get("/api/v1/measurements.csv", headers=shown)
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.text.startswith("measurement_id,")


async def test_the_public_reads_nothing_finer_than_a_network(store: Store) -> None:
    """On a public server only a token shows vantages."""
    async with asking(store, public=True) as client:
        answer = await client.get("/api/v1/verdicts?limit=1")
        assert (answer.status_code, answer.json()["data"][0]["vantage"]) == (200, None)
        assert (await client.get("/api/v1/vantages")).status_code in (401, 403)
        shown = {"Authorization": f"Bearer {TOKEN}"}
        assert (await client.get("/api/v1/vantages", headers=shown)).status_code == 200
