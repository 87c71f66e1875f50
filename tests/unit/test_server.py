"""What the server answers, asked as a browser and as Prometheus would ask."""

import base64
import gzip
import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser

import httpx
import msgspec
import pytest

from monitor.analysis.event import EventState
from monitor.analysis.verdict import State, VantageState
from monitor.exporter import create_registry
from monitor.publisher import Publisher
from monitor.server import create_app
from monitor.server.page import age, duration
from tests.prometheus import world
from tests.prometheus.world import FIELD, NOW, Clock

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


class Page(HTMLParser):
    """Tags with their attributes, and cells of tables as text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes what was opened last."""
        assert self.open.pop() == tag


def words_of(text: str) -> str:
    """The text a person reads, without tags."""
    body = text.split("<body>")[1]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


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
    [("/", 200), ("/metrics", 200), ("/-/ready", 200), ("/icon.svg", 200), ("/nowhere", 404)],
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


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready"])
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


async def test_the_page_needs_nothing_from_outside() -> None:
    """No script, no inline style, and nothing loaded but the page's own icon; tags are balanced."""
    page = Page((await get(world.x_blocked_on_two_of_three(), "/")).text)
    assert page.open == []
    for tag, attributes in page.tags:
        assert tag not in ("script", "iframe", "object", "embed", "base", "form")
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        for name in ("href", "src"):
            if name in attributes:
                assert attributes[name] in ("icon.svg", "metrics", "-/healthy", "-/ready")


async def test_the_policy_allows_exactly_the_pages_own_style() -> None:
    """The hash in the policy is that of the style as sent, so a browser applies it."""
    response = await get(world.x_blocked_on_two_of_three(), "/")
    style = response.text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in response.headers["content-security-policy"]
    assert "prefers-color-scheme: dark" in style


async def test_the_matrix_says_each_state_as_a_word() -> None:
    """A cell carries its state as class and as text, and the method where one is accused."""
    text = (await get(world.x_blocked_on_two_of_three(), "/")).text
    cells = re.findall(
        r'<td role="cell" class="([\w-]+)" data-platform="(\w+)"[^>]*><b>(.+?)</b>', text
    )
    assert len(cells) == len(FIELD) * len(world.TITLES)
    assert all(css == word.replace(" ", "-") for css, _, word in cells)
    assert [(platform, word) for _, platform, word in cells if word != "ok"] == [
        ("X", "blocked"),
        ("X", "blocked"),
    ]
    assert "<small>tls.reset</small>" in text
    assert "<small>dns.nxdomain</small>" in text


@pytest.mark.parametrize("state", list(State))
async def test_every_state_has_a_colour_and_a_meaning(state: State) -> None:
    """Whatever the state, the page shows its word and explains it in the legend."""
    publisher = world.publisher()
    publisher.publish(world.cycle(FIELD[0], accusations={"x": (state, "", "")}), [])
    text = (await get(publisher, "/")).text
    assert f'class="{state}" data-platform="X"' in text
    assert f'<dt class="tag {state}">{state}</dt>' in text


async def test_silence_is_grey_not_green() -> None:
    """Before any report every cell says no data and the headline claims nothing."""
    text = (await get(world.publisher(), "/")).text
    assert text.count("<b>no data</b>") == len(FIELD) * len(world.TITLES)
    assert '<p class="headline insufficient"' in text
    assert "No block detected" not in text


async def test_a_stale_vantage_turns_grey() -> None:
    """Three intervals after its last report a vantage shows no data, and when it last spoke."""
    clock = Clock()
    publisher = world.x_blocked_on_two_of_three(now=clock)
    clock.advance(16 * 60)
    text = (await get(publisher, "/")).text
    assert text.count("<b>no data</b>") == len(FIELD) * len(world.TITLES)
    assert "16 min ago" in text
    assert '<span class="tag health-unknown">unknown</span>' in text


async def test_active_events_tell_since_networks_and_method() -> None:
    """An event shows place, state, onset, each network with its method, and its evidence."""
    seen = words_of((await get(world.x_blocked_on_two_of_three(), "/")).text)
    assert "1 confirmed block" in seen
    assert "X in PK" in seen
    assert "2026-03-01 11:48 UTC 12 min ago" in seen
    assert "2 of 3" in seen
    assert "PTCL AS17557 blocked tls.reset" in seen
    assert "Nayatel AS23674 blocked dns.nxdomain" in seen
    assert "Jazz AS45669 not blocked" in seen
    assert "Evidence strong" in seen


async def test_a_block_older_than_the_monitor_says_so() -> None:
    """With no known earlier moment the page does not pretend to know the onset."""
    publisher = world.publisher()
    event = world.event(state=EventState.SUSPECTED, onset_known=False)
    publisher.publish(world.cycle(FIELD[0]), [event])
    seen = words_of((await get(publisher, "/")).text)
    assert "Since before monitoring began, seen 2026-03-01 11:48 UTC" in seen
    assert "1 suspected block" in seen


async def test_the_headline_admits_blind_vantages() -> None:
    """`No block detected` comes with the number of vantages that could not tell."""
    publisher = world.publisher()
    publisher.publish(world.cycle(FIELD[0]), [])
    assert "No block detected, but 2 of 3 field vantages cannot tell" in words_of(
        (await get(publisher, "/")).text
    )
    for point in FIELD[1:]:
        publisher.publish(world.cycle(point), [])
    assert "No block detected <" not in words_of((await get(publisher, "/")).text)
    assert "cannot tell" not in words_of((await get(publisher, "/")).text).split("Platforms")[0]


async def test_a_block_without_an_event_is_not_passed_over() -> None:
    """A blocked cell never stands under a headline that says all is well."""
    publisher = world.publisher()
    publisher.publish(world.cycle(FIELD[0], accusations={"x": world.TLS_RESET}), [])
    seen = words_of((await get(publisher, "/")).text)
    assert "No event yet, but 1 vantage saw a block in the last cycle" in seen


async def test_vantage_health_is_explained() -> None:
    """A vantage behind a login page says so in words, with its references."""
    publisher = world.publisher()
    captive = world.health(FIELD[0], state=VantageState.CAPTIVE_PORTAL, ok=1, total=4)
    publisher.publish(world.cycle(FIELD[0], state=captive), [])
    seen = words_of((await get(publisher, "/")).text)
    assert "captive portal a login page answers for everybody" in seen
    assert "1 of 4" in seen


async def test_the_page_never_says_how_a_vantage_gets_out() -> None:
    """Proxies, credentials, source addresses and resolvers stay out of the page."""
    text = (await get(world.x_blocked_on_two_of_three(), "/")).text
    assert "ams-control" in text
    for secret in ("secret", "198.51.100", "socks5"):
        assert secret not in text


async def test_names_cannot_become_markup() -> None:
    """Names from a config are text, whatever they hold."""
    nasty = world.vantage('"><script>alert(1)</script>', network="<img src=x onerror=alert(1)>")
    publisher = world.publisher(vantages=[nasty])
    publisher.publish(world.cycle(nasty), [])
    text = (await get(publisher, "/")).text
    assert "<script" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;" in text


async def test_only_controls_configured_is_said() -> None:
    """With no field vantage the page tells that no blocking can be seen."""
    publisher = world.publisher(vantages=world.CONTROL)
    assert "No field vantage is configured" in (await get(publisher, "/")).text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (7199, "119 min ago"),
        (7200, "2 h ago"),
        (172799, "47 h ago"),
        (172800, "2 days ago"),
    ],
)
def test_ages_read_as_people_say_them(seconds: int, words: str) -> None:
    """An age has one unit, and nothing is ever in the future."""
    assert age(NOW, NOW + timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(300.0, "5 minutes"), (60.0, "1 minute"), (90.0, "90 seconds"), (2.5, "2.5 seconds")],
)
def test_durations_read_as_people_say_them(seconds: float, words: str) -> None:
    """A length of time uses the unit it was probably configured in."""
    assert duration(seconds) == words


async def test_the_page_says_what_to_know_of_a_vantage_beside_its_state() -> None:
    """A stub that hides forged answers, and why a vantage that answers is not judged from."""
    publisher = world.publisher()
    healthy = msgspec.structs.replace(world.health(FIELD[0]), stub_resolver=True)
    publisher.publish(world.cycle(FIELD[0], state=healthy), [])
    undecided = msgspec.structs.replace(
        world.health(FIELD[1], state=VantageState.UNKNOWN), rule_id="vantage.no_tls"
    )
    publisher.publish(world.cycle(FIELD[1], state=undecided), [])
    seen = words_of((await get(publisher, "/")).text)
    assert "references answer; names are asked of a forwarder on this machine" in seen
    assert "Cleartext works but no reference answers over TLS" in seen
