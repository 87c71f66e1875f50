"""One round of transfers on a scripted network: what is asked for, what is recorded."""

import asyncio
import time
from datetime import UTC, datetime

import msgspec
import pytest

from probes.catalog.catalog import Endpoint, EndpointKind
from probes.layers.http import make_client
from probes.measure.prober import Prober
from probes.measure.transfer import MARKS, TransferPlan, transfer
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
    Said,
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
    role="web",
    object=Endpoint(kind=EndpointKind.HTTPS, host="x.com", port=443),
    variants=ALL,
    innocuous="www.example.com",
    reference=Endpoint(kind=EndpointKind.HTTPS, host="www.wikipedia.org", port=443),
    bytes_wanted=SIZE,
    deadline=0.3,
)


def answer(size: int, sent: int | None = None, *, piece: int = 4096) -> tuple[Said, ...]:
    """An answer of `size` bytes, of which `sent` come, in pieces."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    body = bytes(size if sent is None else sent)
    return (head, *(body[at : at + piece] for at in range(0, len(body), piece)))


def network(platform: Peer, *others: Peer) -> ScriptedNetwork:
    """Both hosts; the platform's server takes the peers in turn, the other is always fine."""
    made = ScriptedNetwork(families=("ipv4",))
    names = made.resolver(RESOLVER)
    names.answers("x.com", "A", DnsReply(addresses=(PLATFORM,)))
    names.answers("www.wikipedia.org", "A", DnsReply(addresses=(ELSEWHERE,)))
    made.peer(PLATFORM, 443, platform, *others)
    made.peer(ELSEWHERE, 443, Peer(says=answer(SIZE)))
    return made


async def made_on(scripted: ScriptedNetwork, plan: TransferPlan = PLAN) -> Measurement:
    """One round, after which no socket is open."""
    prober = Prober(
        VantagePoint(id="khi-ptcl", country="PK"),
        scripted,
        SETTINGS,
        make_client(),
        resolvers=lambda: (ResolverAddress(address=RESOLVER, port=53),),
        now=lambda: datetime(2024, 2, 17, tzinfo=UTC),
    )
    look = await transfer(prober, plan, cycle="c", attempt=2)
    assert scripted.left_open == 0
    return look


def transfers(look: Measurement) -> dict[str, TransferObservation]:
    """The transfers by reason."""
    return {o.reason: o for o in look.observations if isinstance(o, TransferObservation)}


async def test_a_round_asks_for_the_same_under_two_names_and_for_another_elsewhere() -> None:
    """Names, addresses and requests are as planned, and each observation says for which variant."""
    scripted = network(Peer(says=answer(2 * SIZE)))
    look = await made_on(scripted)
    seen = transfers(look)
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
    assert all(o.reason in ALL for o in look.observations)
    assert (look.look, look.attempt, look.cycle, look.endpoint) == (
        Purpose.TRANSFER,
        2,
        "c",
        "https://x.com/",
    )
    assert look.reached


async def test_marks_are_few_and_hold_the_first_and_the_last() -> None:
    """However many pieces come, at most 64 marks are kept, rising in time and bytes."""
    scripted = network(Peer(says=answer(SIZE, piece=128)))
    plan = msgspec.structs.replace(PLAN, variants=(TRANSFER_TARGET,))
    seen = transfers(await made_on(scripted, plan))[TRANSFER_TARGET]
    assert 2 < len(seen.marks) <= MARKS
    assert list(seen.marks) == sorted(seen.marks)
    assert seen.first_byte == seen.marks[0][0]
    assert seen.marks[-1][1] == seen.bytes_read >= SIZE


async def test_each_transfer_counts_for_how_long_the_machine_was_held_up() -> None:
    """Work that keeps the loop from reading is on record with the transfer it fell into."""
    scripted = network(Peer(says=answer(SIZE)))

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
    """A larger object costs no more than was asked for, a piece and the headers apart."""
    scripted = network(Peer(says=answer(10 * SIZE)))
    seen = transfers(await made_on(scripted))[TRANSFER_TARGET]
    assert seen.failure is None
    assert SIZE <= seen.bytes_read <= SIZE + 8192


async def test_silence_half_way_is_a_timeout_that_says_where() -> None:
    """A transfer that stops is over after half the deadline, with the bytes it came to."""
    scripted = network(Peer(says=(*answer(SIZE, 12288), HANG)))
    look = await made_on(scripted)
    seen = transfers(look)[TRANSFER_TARGET]
    assert seen.failure == "generic_timeout_error"
    assert 12288 <= seen.bytes_read < 12288 + 100
    assert PLAN.deadline / 2 <= seen.duration < PLAN.deadline
    assert not look.reached


async def test_a_slow_transfer_is_no_failure_at_the_deadline() -> None:
    """Bytes that keep coming make a rate, whether or not the object is complete."""
    scripted = network(Peer(says=answer(SIZE, piece=1024), say_delay=0.03))
    plan = msgspec.structs.replace(PLAN, variants=(TRANSFER_TARGET,))
    look = await made_on(scripted, plan)
    seen = transfers(look)[TRANSFER_TARGET]
    assert seen.failure is None
    assert 1024 < seen.bytes_read < SIZE
    assert look.reached


async def test_a_reset_half_way_is_told_as_one() -> None:
    """What ended a transfer is on record."""
    scripted = network(Peer(says=(*answer(SIZE, 8192), reset_by_peer())))
    seen = transfers(await made_on(scripted))[TRANSFER_TARGET]
    assert (seen.failure, seen.bytes_read > 8192) == ("connection_reset", True)


async def test_an_unverified_certificate_stops_the_target_and_not_the_innocuous_name() -> None:
    """Nothing is asked of a server that cannot prove to be the platform's."""
    fake = Peer(tls=bad_certificate(62, "Hostname mismatch"), says=answer(SIZE))
    scripted = network(fake)
    look = await made_on(scripted)
    assert set(transfers(look)) == {TRANSFER_INNOCUOUS, TRANSFER_REFERENCE}
    assert scripted.streams[0].sent == b""


async def test_a_refused_innocuous_name_leaves_the_others() -> None:
    """A server that answers a foreign name with an alert costs one comparison, not the round."""
    scripted = network(Peer(says=answer(SIZE)), Peer(tls=tls_alert()))
    look = await made_on(scripted)
    assert set(transfers(look)) == {TRANSFER_TARGET, TRANSFER_REFERENCE}
    refused = [o for o in look.observations if isinstance(o, TlsObservation) and o.failure]
    assert [o.reason for o in refused] == [TRANSFER_INNOCUOUS]


@pytest.mark.parametrize("after", [0.0, 0.02, 0.1])
async def test_a_cancelled_round_leaves_nothing_open(after: float) -> None:
    """Wherever it is cancelled, every socket is closed."""
    scripted = network(Peer(says=answer(SIZE, piece=512), say_delay=0.005))
    task = asyncio.create_task(made_on(scripted))
    await asyncio.sleep(after)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert scripted.left_open == 0
