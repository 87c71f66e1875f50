"""What the server answers, asked as a browser and as Prometheus would ask."""

import gzip
import re
from collections.abc import Callable

import msgspec
import pytest

from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from tests.prometheus import world
from tests.prometheus.world import FIELD
from tests.worlds.http_client import httpx

OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3"


def client(
    publisher: Publisher, ready: Callable[[], tuple[bool, str]] | None = None
) -> httpx.AsyncClient:
    """A client that speaks to the application without a socket."""
    app = create_app(publisher, create_registry(publisher), ready)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://monitor")


async def get(publisher: Publisher, path: str, **headers: str) -> httpx.Response:
    """One request."""
    async with client(publisher) as asking:
        return await asking.get(path, headers=headers)


async def test_metrics_speak_plain_text_by_default() -> None:
    """Without an Accept header the text format 0.0.4 comes."""
    response = await get(world.x_blocked_on_two_of_three(), "/metrics", accept="*/*")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "shutwatch_platform_state{" in response.text


async def test_metrics_speak_openmetrics_when_asked() -> None:
    """What Prometheus sends as Accept gets OpenMetrics, which ends in its EOF mark."""
    response = await get(world.x_blocked_on_two_of_three(), "/metrics", accept=OPENMETRICS)
    assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0")
    assert response.text.endswith("# EOF\n")


async def test_metrics_are_compressed_when_asked() -> None:
    """With gzip allowed a scrape is sent compressed, and holds the same."""
    publisher = world.x_blocked_on_two_of_three()
    app = create_app(publisher, create_registry(publisher))
    transport = httpx.ASGITransport(app=app)
    request = httpx.Request("GET", "http://monitor/metrics", headers={"accept-encoding": "gzip"})
    response = await transport.handle_async_request(request)
    assert response.headers["content-encoding"] == "gzip"
    assert isinstance(response.stream, httpx.AsyncByteStream)
    raw = b"".join([chunk async for chunk in response.stream])
    assert b"shutwatch_platform_state{" in gzip.decompress(raw)
    plain = await get(publisher, "/metrics", **{"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers


async def test_metrics_follow_the_publisher() -> None:
    """A scrape after a publish shows it: nothing is cached."""
    publisher = world.publisher()
    blocked = re.compile(r'shutwatch_platform_state\{[^}]*platform="x",state="blocked"[^}]*\} 1\.0')
    assert not blocked.search((await get(publisher, "/metrics")).text)
    world.publish_x_blocked(publisher)
    assert len(blocked.findall((await get(publisher, "/metrics")).text)) == 2


async def test_healthy_says_so() -> None:
    """Liveness does not depend on any vantage."""
    response = await get(world.publisher(), "/-/healthy")
    assert (response.status_code, response.text) == (200, "healthy\n")


async def test_ready_only_after_a_first_cycle() -> None:
    """Readiness is 503 with a reason until a vantage reported."""
    publisher = world.publisher()
    before = await get(publisher, "/-/ready")
    assert before.status_code == 503
    assert "no vantage has finished its first cycle" in before.text
    publisher.publish(world.cycle(FIELD[0]), [])
    assert (await get(publisher, "/-/ready")).status_code == 200


async def test_readiness_can_be_the_callers() -> None:
    """A readiness check handed in decides, with its own words."""
    async with client(world.x_blocked_on_two_of_three(), lambda: (False, "migrating")) as asking:
        response = await asking.get("/-/ready")
    assert (response.status_code, response.text) == (503, "migrating\n")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(("/", 200), ("/events", 200), ("/events/nothing", 404), ("/vantages", 200)),
        *(("/metrics", 200), ("/-/ready", 200), ("/icon.svg", 200), ("/nowhere", 404)),
    ],
)
async def test_every_answer_is_locked_down(path: str, status: int) -> None:
    """Pages, metrics and errors alike forbid scripts, framing, sniffing, referrers and caches."""
    response = await get(world.x_blocked_on_two_of_three(), path)
    assert response.status_code == status
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/", "/events", "/vantages", "/countries/PK", "/metrics", "/-/healthy", "/-/ready"]
)
async def test_nothing_can_be_changed(path: str) -> None:
    """Every route only reads: other methods are refused."""
    async with client(world.publisher()) as asking:
        assert (await asking.post(path)).status_code == 405
        assert (await asking.delete(path)).status_code == 405


async def test_results_sent_by_anybody_are_taken_by_nobody() -> None:
    """Only the monitor's own process makes results: what is sent in a vantage's name, wherever to
    and in whatever form, is refused and changes nothing."""
    publisher = world.x_blocked_on_two_of_three()
    before = publisher.snapshot
    forged = world.cycle(world.FIELD[0])
    paths = ("/", "/metrics", "/ingest", "/api/v1/measurements", "/api/v1/batches", "/-/reload")
    async with client(publisher) as asking:
        for path in paths:
            for method in ("POST", "PUT", "PATCH"):
                sent = await asking.request(method, path, content=msgspec.json.encode(forged))
                assert sent.status_code in (404, 405)
    assert publisher.snapshot == before
