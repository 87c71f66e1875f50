"""Whole measurements on real sockets: every layer, every failure, and 1,000 cancellations."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import dns.message
import msgspec
import pytest

from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.endpoint_text import parse_endpoint
from probes.layers.http import HttpClient
from probes.measure.prober import Prober
from probes.measure.runner import Runner
from probes.measurement import (
    DnsObservation,
    HttpObservation,
    Measurement,
    TcpObservation,
    TlsObservation,
)
from probes.settings import ProbeSettings
from probes.sockets.system_resolvers import ResolverAddress
from probes.target import Target
from probes.vantage import VantagePoint
from tests.worlds.loopback import (
    Conversation,
    Handler,
    forever,
    forged_context,
    full_backlog,
    honest_context,
    network,
    serving,
    unused_port,
)
from tests.worlds.loopback_dns import answer, resolving

BOTH = ("127.0.0.1", "::1")
QUICK = ProbeSettings(
    dns_timeout=0.3,
    tcp_timeout=0.3,
    tls_timeout=0.3,
    http_timeout=0.3,
    dns_window=0.02,
    bogon_allow=("127.0.0.0/8", "::1/128"),
)
UNHURRIED = msgspec.structs.replace(
    QUICK, dns_timeout=2.0, tcp_timeout=2.0, tls_timeout=2.0, http_timeout=2.0
)
"""Long deadlines for what works on a busy machine."""
PATIENT = msgspec.structs.replace(
    QUICK, dns_timeout=20.0, tcp_timeout=20.0, tls_timeout=20.0, http_timeout=20.0
)
"""A deadline that no busy machine misses."""
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n<title>X</title>"


async def page(peer: Conversation) -> None:
    """A site that works."""
    await peer.request()
    await peer.send(PAGE)
    peer.end()


async def silent(peer: Conversation) -> None:
    """Take the request and send nothing."""
    await peer.request()
    await forever()


async def stalled(peer: Conversation) -> None:
    """Stop in the middle of the page."""
    await peer.request()
    await peer.send(PAGE[:-4])
    await forever()


async def cut(peer: Conversation) -> None:
    """Reset after the request."""
    await peer.request()
    peer.reset()


async def after_hello(peer: Conversation) -> None:
    """Reset after the client's hello."""
    await peer.client_hello()
    peer.reset()


def names(query: dns.message.Message) -> list[dns.message.Message]:
    """Every name is on loopback; some have no answer or only one family."""
    name = str(query.question[0].name)
    if name.startswith("silent."):
        return []
    if name.startswith("gone."):
        return [answer(query, rcode="NXDOMAIN")]
    return [answer(query, *(BOTH if name.startswith("both.") else BOTH[:1]))]


@contextlib.asynccontextmanager
async def on_both(handler: Handler, name: str | None) -> AsyncIterator[int]:
    """A server on the same port of both families, with TLS when it has a name."""
    tls = honest_context(name) if name else None
    async with (
        serving(handler, tls=tls) as port,
        serving(handler, address="::1", port=port, tls=tls),
    ):
        yield port


def prober(resolver_port: int, settings: ProbeSettings = QUICK) -> Prober:
    """A prober on this machine with this resolver."""
    return Prober(
        VantagePoint(id="here", country="PK"),
        network(),
        settings,
        HttpClient(),
        resolvers=lambda: [ResolverAddress(address="127.0.0.1", port=resolver_port)],
        now=lambda: datetime.now(UTC),
    )


def target(endpoint: str) -> Target:
    """The target at this URL."""
    return Target(platform="x", function="web", endpoint=parse_endpoint(endpoint))


def shown(measurement: Measurement) -> list[str | None]:
    """Each observation's failure, or nothing."""
    return [None if o.failure is None else str(o.failure) for o in measurement.observations]


async def test_a_healthy_site_is_seen_over_both_families() -> None:
    """Real DNS, TCP, TLS and HTTP: both families connect and one gets the request."""
    async with resolving(names) as resolver, on_both(page, "both.example") as port:
        measurements = [
            await prober(resolver, PATIENT).measure(target(f"https://both.example:{port}/"))
            for _ in range(10)
        ]
    measurement = measurements[0]
    assert measurement.reached
    assert set(shown(measurement)) == {None}
    kinds = [type(o) for o in measurement.observations]
    assert [kinds.count(k) for k in (DnsObservation, TcpObservation, TlsObservation)] == [2, 2, 2]
    (http,) = [o for o in measurement.observations if isinstance(o, HttpObservation)]
    assert (http.status, http.title, http.address) == (200, "X", "127.0.0.1")
    # What a look waits for it waits for each time; what it spends on a busy machine it does not.
    assert min(one.duration for one in measurements) == pytest.approx(0.02, abs=0.2)


@pytest.mark.parametrize(
    ("handler", "how", "failures"),
    [
        (page, "expired", [None, None, None, "ssl_invalid_certificate"]),
        (page, "wrong-name", [None, None, None, "ssl_invalid_hostname"]),
        (page, "self-signed", [None, None, None, "ssl_unknown_authority"]),
        (silent, "honest", [None, None, None, None, "generic_timeout_error"]),
        (stalled, "honest", [None, None, None, None, "generic_timeout_error"]),
        (cut, "honest", [None, None, None, None, "connection_reset"]),
        (after_hello, "", [None, None, None, "connection_reset"]),
        (forever, "", [None, None, None, "generic_timeout_error"]),
    ],
)
async def test_each_failure_is_on_its_layer(
    handler: Handler, how: str, failures: list[str | None]
) -> None:
    """On real sockets the failing layer is the one the server breaks."""
    name = "x.example"
    tls = None
    settings = PATIENT
    if failures[-1] == "generic_timeout_error":
        # Only where the server hangs is our own deadline to pass.
        layer = "http_timeout" if how else "tls_timeout"
        settings = msgspec.structs.replace(PATIENT, **{layer: 0.3})
    if how:
        tls = honest_context(name) if how == "honest" else forged_context(how, name)
    async with resolving(names) as resolver, serving(handler, tls=tls) as port:
        measurement = await prober(resolver, settings).measure(target(f"https://{name}:{port}/"))
    assert shown(measurement) == failures
    assert not measurement.reached


async def test_a_closed_port_and_a_dropped_syn_are_told_apart() -> None:
    """A refused connection fails at once, a dropped one at our deadline."""
    async with resolving(names) as resolver, full_backlog() as (full, _):
        refused = await prober(resolver, PATIENT).measure(
            target(f"https://x.example:{unused_port()}/")
        )
        dropped = await prober(resolver).measure(target(f"https://x.example:{full}/"))
    assert shown(refused) == [None, None, "connection_refused"]
    assert shown(dropped) == [None, None, "generic_timeout_error"]


async def test_a_redirect_in_clear_to_a_secure_site_is_followed() -> None:
    """Redirects across ports and schemes have a connection for each hop."""
    async with (
        resolving(names) as resolver,
        serving(page, tls=honest_context("secure.example")) as secure,
    ):

        async def moved(peer: Conversation) -> None:
            await peer.request()
            to = f"https://secure.example:{secure}/"
            await peer.send(f"HTTP/1.1 301 Moved\r\nLocation: {to}\r\n\r\n".encode())
            peer.end()

        async with serving(moved) as port:
            measurement = await prober(resolver, PATIENT).measure(
                target(f"http://plain.example:{port}/")
            )
    assert measurement.reached
    hops = [o for o in measurement.observations if isinstance(o, HttpObservation)]
    assert [(h.hop, h.status) for h in hops] == [(0, 301), (1, 200)]


async def test_a_chain_with_an_authority_of_its_own_is_recorded() -> None:
    """Without verification any handshake reaches, and its chain has a digest."""
    tls = forged_context("unknown-authority", "chat.example")
    async with resolving(names) as resolver, serving(page, tls=tls) as port:
        endpoint = Endpoint(kind=EndpointKind.HTTPS, host="chat.example", port=port, verify=False)
        measurement = await prober(resolver, PATIENT).measure(
            Target(platform="signal", function="chat", endpoint=endpoint)
        )
    assert measurement.reached
    (handshake,) = [o for o in measurement.observations if isinstance(o, TlsObservation)]
    assert len(handshake.chain_sha256) == 64


# -- nothing is left behind ----------------------------------------------------------------------


def descriptors() -> list[str]:
    """The open descriptors of this process."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(path.readlink()))
    return sorted(found)


def registered() -> int:
    """How many descriptors the loop waits on."""
    return len(asyncio.get_running_loop()._selector.get_map())  # type: ignore[attr-defined]


def timers() -> int:
    """How many timers are set."""
    scheduled = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return sum(1 for handle in scheduled if not handle.cancelled())


async def nothing_more_than(before: tuple[list[str], int, set[asyncio.Task[object]]]) -> None:
    """Wait until the servers have noticed that their clients are gone."""
    for _ in range(200):
        if (descriptors(), registered(), asyncio.all_tasks()) == before:
            return
        await asyncio.sleep(0.01)
    assert (descriptors(), registered(), asyncio.all_tasks()) == before


async def hung_up(peer: Conversation) -> None:
    """Send nothing, and close when the client closes."""
    while await peer.receive():
        pass


async def silent_until_left(peer: Conversation) -> None:
    """Take the request and send nothing until the client closes."""
    await peer.request()
    await hung_up(peer)


async def stalled_until_left(peer: Conversation) -> None:
    """Stop in the middle of the page until the client closes."""
    await peer.request()
    await peer.send(PAGE[:-4])
    await hung_up(peer)


@contextlib.asynccontextmanager
async def everything() -> AsyncIterator[tuple[int, list[str]]]:
    """A resolver, and endpoints that hang at each stage, or work, or fail."""
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        resolver = await enter(resolving(names))
        works = await enter(on_both(page, "both.works"))
        full, _ = await enter(full_backlog())
        hangs = await enter(on_both(hung_up, None))
        quiet = await enter(on_both(silent_until_left, "both.quiet"))
        stalls = await enter(on_both(stalled_until_left, "both.stalls"))
        resets = await enter(on_both(after_hello, None))
        await asyncio.sleep(0.01)  # until all of them are listening
        yield (
            resolver,
            [
                "https://silent.dns/",
                "https://gone.dns/",
                f"https://both.tcp:{full}/",
                f"https://both.tls:{hangs}/",
                f"https://both.quiet:{quiet}/",
                f"https://both.stalls:{stalls}/",
                f"https://both.works:{works}/",
                f"https://both.resets:{resets}/",
                f"tls://both.works:{works}",
                f"tcp://both.tls:{hangs}",
                "dns:both.works",
            ],
        )


async def test_a_thousand_measurements_cancelled_at_random_leave_nothing() -> None:
    """1,000 measurements cancelled at every stage leave no socket, reader or task."""
    rng = random.Random(17022024)
    patient = ProbeSettings(dns_window=5.0, bogon_allow=QUICK.bogon_allow)
    cancelled = 0
    async with everything() as (resolver, endpoints):
        one = prober(resolver, patient)
        before = (descriptors(), registered(), asyncio.all_tasks())
        async with Runner(rate=10_000, concurrency=100) as runner:

            async def look_and_lose_patience() -> None:
                nonlocal cancelled
                look = partial(one.measure, target(rng.choice(endpoints)))
                request = asyncio.create_task(runner.run(look))
                await asyncio.sleep(rng.choice([0.0, 0.002, 0.01, 0.05, 0.1]) * rng.random())
                request.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await request
                cancelled += request.cancelled()

            for _ in range(10):
                await asyncio.gather(*(look_and_lose_patience() for _ in range(100)))
        await nothing_more_than(before)
        assert timers() == 0
    assert cancelled > 900


async def test_measurements_that_end_by_themselves_leave_nothing() -> None:
    """Measurements that work, fail or time out close what they opened."""
    async with everything() as (resolver, endpoints):
        one = prober(resolver, UNHURRIED)
        before = (descriptors(), registered(), asyncio.all_tasks())
        async with Runner(rate=10_000, concurrency=100) as runner:
            measurements = await asyncio.gather(
                *(runner.run(partial(one.measure, target(e))) for e in endpoints * 5)
            )
        await nothing_more_than(before)
        assert timers() == 0
    assert {m.endpoint for m in measurements if m.reached} == {
        *(e for e in endpoints if "works" in e),
        *(e for e in endpoints if e.startswith("tcp:")),
    }


async def test_leaving_the_runner_ends_a_hundred_hanging_measurements() -> None:
    """Leaving the runner ends all running measurements long before their deadlines."""
    loop = asyncio.get_running_loop()
    patient = ProbeSettings(bogon_allow=QUICK.bogon_allow)
    async with everything() as (resolver, endpoints):
        one = prober(resolver, patient)
        before = (descriptors(), registered(), asyncio.all_tasks())
        async with Runner(rate=10_000, concurrency=100) as runner:
            requests = [
                asyncio.create_task(runner.run(partial(one.measure, target(endpoint))))
                for endpoint in (endpoints * 10)[:100]
            ]
            await asyncio.sleep(0.3)
            leaving = loop.time()
        assert loop.time() - leaving < 0.5 * patient.tcp_timeout
        await asyncio.gather(*requests, return_exceptions=True)
        await nothing_more_than(before)
        assert timers() == 0
