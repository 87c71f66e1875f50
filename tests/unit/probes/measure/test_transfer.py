"""One round of transfers on a scripted network: requests and observations."""

import asyncio
import math
import time
from datetime import UTC, datetime

import msgspec
import pytest

from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.layers.http import HttpClient
from probes.measure.prober import Prober
from probes.measure.transfer import MARKS, MOST_REQUESTS, TransferPlan, transfer
from probes.measurement import (
    TRANSFER_INNOCUOUS,
    TRANSFER_REFERENCE,
    TRANSFER_TARGET,
    Measurement,
    Purpose,
    TlsObservation,
    TransferObservation,
)
from probes.settings import ProbeSettings
from probes.sockets.system_resolvers import ResolverAddress
from probes.testing import (
    HANG,
    DnsReply,
    Peer,
    PeerReply,
    ScriptedNetwork,
    bad_certificate,
    reset_by_peer,
    tls_alert,
)
from probes.vantage import VantagePoint

RESOLVER, PLATFORM, ELSEWHERE = "192.0.2.53", "203.0.113.10", "203.0.113.20"
SETTINGS = ProbeSettings(
    dns_timeout=0.1,
    tcp_timeout=0.1,
    tls_timeout=0.1,
    dns_window=0.0,
    bogon_allow=("203.0.113.0/24", "192.0.2.0/24"),
)
SIZE = 64 * 1024
ALL = (TRANSFER_TARGET, TRANSFER_INNOCUOUS, TRANSFER_REFERENCE)
PLAN = TransferPlan(
    platform="x",
    function="web",
    object=Endpoint(kind=EndpointKind.HTTPS, host="x.com", port=443),
    variants=ALL,
    innocuous="www.example.com",
    reference=Endpoint(kind=EndpointKind.HTTPS, host="www.wikipedia.org", port=443),
    bytes_wanted=SIZE,
    deadline=0.3,
)


def answer(size: int, sent: int | None = None, *, piece: int = 4096) -> tuple[PeerReply, ...]:
    """An answer of `size` bytes, of which `sent` come, in pieces."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    body = bytes(size if sent is None else sent)
    return (head, *(body[at : at + piece] for at in range(0, len(body), piece)))


def size_of(replies: tuple[PeerReply, ...]) -> int:
    """Bytes of an answer."""
    return sum(len(one) for one in replies if isinstance(one, bytes))


def network(platform: Peer, *others: Peer, at: str = PLATFORM) -> ScriptedNetwork:
    """Both hosts; the platform's server plays the peers in turn, the other always works."""
    made = ScriptedNetwork(families=("ipv4",))
    names = made.resolver(RESOLVER)
    names.answers("x.com", "A", DnsReply(addresses=(at,)))
    names.answers("www.wikipedia.org", "A", DnsReply(addresses=(ELSEWHERE,)))
    made.peer(at, 443, platform, *others)
    made.peer(ELSEWHERE, 443, Peer(replies=answer(SIZE)))
    return made


async def made_on(
    scripted: ScriptedNetwork, plan: TransferPlan = PLAN, *, ordered: frozenset[str] = frozenset()
) -> Measurement:
    """One round, after which no socket is open."""
    prober = Prober(
        VantagePoint(id="khi-ptcl", country="PK"),
        scripted,
        SETTINGS,
        HttpClient(),
        resolvers=lambda: (ResolverAddress(address=RESOLVER, port=53),),
        now=lambda: datetime(2024, 2, 17, tzinfo=UTC),
    )
    prober.ordered = ordered
    measurement = await transfer(prober, plan, cycle="c", attempt=2)
    assert scripted.left_open == 0
    return measurement


def transfers(measurement: Measurement) -> dict[str, TransferObservation]:
    """The transfers by reason."""
    return {o.reason: o for o in measurement.observations if isinstance(o, TransferObservation)}


async def test_a_round_asks_for_the_same_under_two_names_and_for_another_elsewhere() -> None:
    """Names, addresses and requests follow the plan, and each observation has its variant."""
    scripted = network(Peer(replies=answer(2 * SIZE)))
    measurement = await made_on(scripted)
    seen = transfers(measurement)
    assert {r: (o.server_name, o.address, o.url, o.verified) for r, o in seen.items()} == {
        TRANSFER_TARGET: ("x.com", PLATFORM, "https://x.com/", True),
        TRANSFER_INNOCUOUS: ("www.example.com", PLATFORM, "https://x.com/", False),
        TRANSFER_REFERENCE: (
            "www.wikipedia.org",
            ELSEWHERE,
            "https://www.wikipedia.org/",
            True,
        ),
    }
    own, innocuous, _ = scripted.streams
    assert (own.server_names, innocuous.server_names) == (["x.com"], ["www.example.com"])
    assert own.sent == innocuous.sent
    assert b"Accept-Encoding: identity" in own.sent
    assert all(o.reason in ALL for o in measurement.observations)
    assert (measurement.look, measurement.attempt, measurement.cycle, measurement.endpoint) == (
        Purpose.TRANSFER,
        2,
        "c",
        "https://x.com/",
    )
    assert measurement.reached


async def test_marks_are_few_and_hold_the_first_and_the_last() -> None:
    """At most 64 marks are kept, rising in time and bytes, however many pieces come."""
    scripted = network(Peer(replies=answer(SIZE, piece=128)))
    plan = msgspec.structs.replace(PLAN, variants=(TRANSFER_TARGET,))
    seen = transfers(await made_on(scripted, plan))[TRANSFER_TARGET]
    assert 2 < len(seen.marks) <= MARKS
    assert list(seen.marks) == sorted(seen.marks)
    assert seen.first_byte == seen.marks[0][0]
    assert seen.marks[-1][1] == seen.bytes_read >= SIZE


async def test_each_transfer_counts_for_how_long_the_machine_was_held_up() -> None:
    """A pause of the event loop is recorded with the transfer it delays."""
    scripted = network(Peer(replies=answer(SIZE)))

    async def work() -> None:
        while True:
            time.sleep(0.03)  # noqa: ASYNC251 # holding the loop up is the point
            await asyncio.sleep(0)

    busy = asyncio.create_task(work())
    seen = transfers(await made_on(scripted))
    busy.cancel()
    assert all(one.held_up is not None for one in seen.values())
    assert sum(one.held_up or 0.0 for one in seen.values()) > 0.05


async def test_reading_ends_at_what_was_wanted() -> None:
    """Of a larger object only the wanted bytes are read, plus one piece and the headers."""
    scripted = network(Peer(replies=answer(10 * SIZE)))
    seen = transfers(await made_on(scripted))[TRANSFER_TARGET]
    assert seen.failure is None
    assert SIZE <= seen.bytes_read <= SIZE + 8192


async def test_a_short_answer_is_requested_again_until_enough_came() -> None:
    """Servers of videos answer a request for nothing with a few words. More requests at once each
    time get past the bytes at which connections are frozen, on one connection."""
    scripted = network(Peer(replies=answer(300) * 300))
    plan = msgspec.structs.replace(PLAN, variants=(TRANSFER_TARGET,), bytes_wanted=40 * 1024)
    seen = transfers(await made_on(scripted, plan))[TRANSFER_TARGET]
    (stream,) = scripted.streams
    requests = stream.sent.count(b"GET / HTTP/1.1")
    assert 40 * 1024 <= seen.bytes_read < 42 * 1024
    assert requests == math.ceil(seen.bytes_read / size_of(answer(300)))
    assert requests < MOST_REQUESTS
    assert seen.failure is None
    # The next ones are short: they take their share of a slow line.
    assert len(stream.sent) < 260 * requests


async def test_a_long_answer_after_a_short_one_is_left_in_time() -> None:
    """A server that asks for patience first, and then sends the object to each of the requests made
    at once, took as many bytes of the day as the line carries until the deadline."""
    scripted = network(Peer(replies=(*answer(300), *answer(5_000_000) * 4)))
    plan = msgspec.structs.replace(PLAN, variants=(TRANSFER_TARGET,))
    seen = transfers(await made_on(scripted, plan))[TRANSFER_TARGET]
    assert seen.failure is None
    assert seen.bytes_wanted <= seen.bytes_read <= seen.bytes_wanted + 32 * 1024


async def test_a_server_that_ends_a_connection_has_said_enough() -> None:
    """Servers close a connection after so many requests. That is no failure, nor is one that wants
    no second request asked for one."""
    scripted = network(Peer(replies=answer(300) * 7))
    plan = msgspec.structs.replace(PLAN, variants=(TRANSFER_TARGET,))
    seen = transfers(await made_on(scripted, plan))[TRANSFER_TARGET]
    assert (seen.failure, seen.bytes_read) == (None, 7 * size_of(answer(300)))
    last = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"
    scripted = network(Peer(replies=(last,)))
    await made_on(scripted, plan)
    assert scripted.streams[0].sent.count(b"GET ") == 1


async def test_attack_an_order_multiplies_no_requests() -> None:
    """Whoever orders endpoints could have had each vantage request something of a stranger's 256
    times an hour. What is measured by an order alone is requested once."""
    scripted = network(Peer(replies=answer(300) * 300))
    plan = msgspec.structs.replace(PLAN, variants=(TRANSFER_TARGET,), permit="tls://x.com:443")
    await made_on(scripted, plan, ordered=frozenset({"tls://x.com:443"}))
    # Its address is none of the public ones, which is another limit of ordered endpoints.
    assert scripted.streams == []
    scripted = network(Peer(replies=answer(300) * 300), at="8.8.8.8")
    await made_on(scripted, plan, ordered=frozenset({"tls://x.com:443"}))
    assert scripted.streams[0].sent.count(b"GET ") == 1


async def test_a_late_handshake_is_waited_for() -> None:
    """A throttled handshake takes seconds, and the answer after it as long."""
    slow = Peer(tls_delay=0.5, replies=answer(SIZE), reply_delay=0.4)
    plan = msgspec.structs.replace(PLAN, variants=(TRANSFER_TARGET,), patience=0.6, deadline=0.5)
    seen = transfers(await made_on(network(slow), plan))[TRANSFER_TARGET]
    assert (seen.failure, seen.bytes_read > 0) == (None, True)
    hasty = msgspec.structs.replace(plan, patience=0.0)
    assert not transfers(await made_on(network(slow), hasty))


async def test_silence_half_way_is_a_timeout_that_says_where() -> None:
    """A transfer without a byte for half the deadline has stalled, with its bytes so far."""
    scripted = network(Peer(replies=(*answer(SIZE, 12288), HANG)))
    measurement = await made_on(scripted)
    seen = transfers(measurement)[TRANSFER_TARGET]
    assert seen.failure == "generic_timeout_error"
    assert 12288 <= seen.bytes_read < 12288 + 100
    assert PLAN.deadline / 2 <= seen.duration < PLAN.deadline
    assert not measurement.reached


async def test_a_slow_transfer_is_no_failure_at_the_deadline() -> None:
    """A transfer that still gets bytes at the deadline works."""
    scripted = network(Peer(replies=answer(SIZE, piece=1024), reply_delay=0.03))
    plan = msgspec.structs.replace(PLAN, variants=(TRANSFER_TARGET,))
    measurement = await made_on(scripted, plan)
    seen = transfers(measurement)[TRANSFER_TARGET]
    assert seen.failure is None
    assert 1024 < seen.bytes_read < SIZE
    assert measurement.reached


async def test_a_reset_half_way_is_told_as_one() -> None:
    """The failure that ends a transfer is recorded."""
    scripted = network(Peer(replies=(*answer(SIZE, 8192), reset_by_peer())))
    seen = transfers(await made_on(scripted))[TRANSFER_TARGET]
    assert (seen.failure, seen.bytes_read > 8192) == ("connection_reset", True)


async def test_an_unverified_certificate_stops_the_target_and_not_the_innocuous_name() -> None:
    """A server whose certificate fails gets no request."""
    fake = Peer(tls=bad_certificate(62, "Hostname mismatch"), replies=answer(SIZE))
    scripted = network(fake)
    measurement = await made_on(scripted)
    assert set(transfers(measurement)) == {TRANSFER_INNOCUOUS, TRANSFER_REFERENCE}
    assert scripted.streams[0].sent == b""


async def test_a_refused_innocuous_name_leaves_the_others() -> None:
    """An alert for the innocuous name ends that variant and not the round."""
    scripted = network(Peer(replies=answer(SIZE)), Peer(tls=tls_alert()))
    measurement = await made_on(scripted)
    assert set(transfers(measurement)) == {TRANSFER_TARGET, TRANSFER_REFERENCE}
    refused = [o for o in measurement.observations if isinstance(o, TlsObservation) and o.failure]
    assert [o.reason for o in refused] == [TRANSFER_INNOCUOUS]


@pytest.mark.parametrize("after", [0.0, 0.02, 0.1])
async def test_a_cancelled_round_leaves_nothing_open(after: float) -> None:
    """A round cancelled at any point leaves no socket open."""
    scripted = network(Peer(replies=answer(SIZE, piece=512), reply_delay=0.005))
    task = asyncio.create_task(made_on(scripted))
    await asyncio.sleep(after)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert scripted.left_open == 0
