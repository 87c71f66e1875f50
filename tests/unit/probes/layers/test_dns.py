"""Lookups over real UDP and TCP, at resolvers on loopback."""

import asyncio
from collections.abc import Sequence

import dns.message
import dns.rdatatype
import pytest

from probes.layers.dns import DnsLookup, ask_over_stream, failure_of_reply
from probes.measurement import DnsObservation
from probes.sockets.failure_mapping import MalformedReplyError
from probes.sockets.system_resolvers import ResolverAddress
from tests.worlds.loopback import network, unused_port
from tests.worlds.loopback_dns import Answers, answer, resolving

V4, V6, FORGED = "203.0.113.10", "2001:db8:113::10", "203.0.113.66"


class Looked:
    """What a lookup came to."""

    def __init__(self, port: int, *, name: str = "x.com", timeout: float = 0.3) -> None:
        self.own: set[str] = set()
        self.found: dict[str, tuple[str, ...]] = {}
        self.seen: tuple[DnsObservation, ...] = ()
        self.lookup = DnsLookup(
            network(),
            ResolverAddress(address="127.0.0.1", port=port),
            name,
            rtypes=("A", "AAAA"),
            timeout=timeout,
            window=0.1,
            origin=asyncio.get_running_loop().time(),
            on_local_address=self.own.add,
        )

    async def run(self) -> "Looked":
        """Look, wait, and close."""
        try:
            self.lookup.start()
            self.found = await self.lookup.replies()
            self.seen = await self.lookup.finish()
        finally:
            self.lookup.close()
        return self

    def failures(self) -> list[str | None]:
        """Of A and AAAA."""
        return [observation.failure for observation in self.seen]


async def looked(
    answers: Answers, over_tcp: Answers | None = None, *, name: str = "x.com"
) -> Looked:
    """A lookup at a resolver that answers like this."""
    async with resolving(answers, over_tcp) as port:
        return await Looked(port, name=name).run()


async def test_both_types_are_asked_and_answered() -> None:
    """A and AAAA come from one socket, with delays, and our own address is told to be scrubbed."""
    result = await looked(lambda query: [answer(query, V4, V6)])
    assert result.found == {"A": (V4,), "AAAA": (V6,)}
    assert result.failures() == [None, None]
    assert result.own == {"127.0.0.1"}
    for observation in result.seen:
        assert 0 < observation.answers[0].delay == pytest.approx(observation.duration, abs=0.01)
        assert (observation.tries, observation.transport, observation.stub) == (1, "udp", False)


async def test_an_absolute_name_in_capitals_is_answered() -> None:
    """A resolver answers the name it was asked, whatever its case or final dot."""
    assert (await looked(lambda q: [answer(q, V4)], name="X.COM.")).found["A"] == (V4,)


@pytest.mark.parametrize(
    ("rcode", "failure"),
    [
        ("NXDOMAIN", "dns_nxdomain_error"),
        ("SERVFAIL", "dns_servfail_error"),
        ("REFUSED", "dns_refused_error"),
        ("NOTIMP", "dns_server_misbehaving"),
        ("NOERROR", "dns_no_answer"),
    ],
)
async def test_refusals_are_told_apart(rcode: str, failure: str) -> None:
    """Every way of not answering is its own failure."""
    result = await looked(lambda query: [answer(query, rcode=rcode)])
    assert result.failures() == [failure, failure]
    assert result.lookup.answered


def test_an_empty_answer_fails_only_when_no_type_has_any() -> None:
    """NOERROR without addresses is fine beside a type that has some."""
    assert failure_of_reply("NOERROR", has_addresses=True) is None
    assert failure_of_reply("NOERROR", has_addresses=False) == "dns_no_answer"


@pytest.mark.parametrize("lost", [dns.rdatatype.A, dns.rdatatype.AAAA])
async def test_an_empty_answer_beside_a_lost_one_is_no_failure(
    lost: dns.rdatatype.RdataType,
) -> None:
    """A name may have addresses of one type alone, and the answer that holds them may get lost."""
    result = await looked(lambda q: [] if q.question[0].rdtype == lost else [answer(q)])
    failed = {seen.rtype: seen.failure for seen in result.seen}
    missing = dns.rdatatype.to_text(lost)
    assert failed.pop(missing) == "generic_timeout_error"
    assert set(failed.values()) == {None}


async def test_an_injected_answer_is_kept_beside_the_honest_one() -> None:
    """Two datagrams to one query: both are on record, in the order they came."""
    result = await looked(lambda query: [answer(query, FORGED), answer(query, V4)])
    first = result.seen[0]
    assert [a.addresses for a in first.answers] == [(FORGED,), (V4,)]
    assert [a.query for a in first.answers] == [1, 1]
    assert result.found["A"] == (FORGED,)


async def test_garbage_ahead_of_the_answer_is_passed_over() -> None:
    """Noise, wrong ids, other names and echoes of the query do not end the wait."""

    def noisy(query: dns.message.Message) -> Sequence[dns.message.Message | bytes]:
        other = dns.message.make_query("y.com", query.question[0].rdtype, id=query.id)
        elsewhere = dns.message.make_query("x.com", query.question[0].rdtype, id=query.id ^ 1)
        return [
            b"\xff" * 40,
            b"",
            query.to_wire(),
            answer(other, FORGED),
            answer(elsewhere, FORGED),
            answer(query, V4),
        ]

    result = await looked(noisy)
    assert [a.addresses for a in result.seen[0].answers] == [(V4,)]


async def test_silence_is_a_timeout_after_three_queries() -> None:
    """Each type is asked three times within the timeout."""
    asked: list[str] = []

    def silent(query: dns.message.Message) -> Sequence[bytes]:
        asked.append(dns.rdatatype.to_text(query.question[0].rdtype))
        return []

    result = await looked(silent)
    assert result.failures() == ["generic_timeout_error"] * 2
    assert sorted(asked) == ["A"] * 3 + ["AAAA"] * 3
    assert not result.lookup.answered
    assert [observation.tries for observation in result.seen] == [3, 3]
    assert result.seen[0].duration == pytest.approx(0.3, abs=0.1)


async def test_a_lost_query_is_asked_again() -> None:
    """An answer to the second query counts and says so."""
    lost = {"A": 1, "AAAA": 1}

    def lossy(query: dns.message.Message) -> Sequence[dns.message.Message]:
        rtype = dns.rdatatype.to_text(query.question[0].rdtype)
        if lost[rtype]:
            lost[rtype] -= 1
            return []
        return [answer(query, V4)]

    result = await looked(lossy)
    assert result.found["A"] == (V4,)
    assert [observation.tries for observation in result.seen] == [2, 2]
    assert result.seen[0].answers[0].query == 2


async def test_a_port_that_is_closed_refuses() -> None:
    """The ICMP error of a resolver that is not there ends the wait at once."""
    result = await Looked(unused_port(), timeout=3.0).run()
    assert result.failures() == ["connection_refused"] * 2
    assert result.seen[0].duration < 1.0


async def test_truncation_moves_on_to_tcp() -> None:
    """What did not fit in a datagram is fetched over TCP."""
    many = [f"203.0.113.{n}" for n in range(60)]
    result = await looked(
        lambda query: [answer(query, truncated=True)], lambda query: [answer(query, *many)]
    )
    assert set(result.found["A"]) == set(many)
    assert result.failures() == [None, None]
    assert result.seen[0].answers[-1].delay > 0


async def test_truncation_without_tcp_fails_as_tcp_did() -> None:
    """A resolver that truncates and then hangs up on TCP failed by hanging up."""
    result = await looked(lambda query: [answer(query, truncated=True)])
    assert result.failures() == ["eof_error"] * 2


@pytest.mark.parametrize("name", ["a..b", "a" * 64, "é.fr"])
async def test_a_name_dns_cannot_carry_fails_and_is_not_sent(name: str) -> None:
    """An impossible name is data, not a crash."""
    asked: list[dns.message.Message] = []

    def noting(query: dns.message.Message) -> Sequence[bytes]:
        asked.append(query)
        return []

    result = await looked(noting, name=name)
    assert asked == []
    for failure in result.failures():
        assert failure is not None
        assert failure.startswith("unknown_failure: ")


async def test_over_a_stream_the_reply_must_be_ours() -> None:
    """Over TCP a reply to another query is malformed."""

    def stranger(query: dns.message.Message) -> Sequence[dns.message.Message]:
        return [answer(dns.message.make_query("x.com", "A", id=query.id ^ 1), V4)]

    async with resolving(lambda _: [], stranger) as port:
        stream = await network().connect("127.0.0.1", port)
        with pytest.raises(MalformedReplyError):
            await ask_over_stream(stream, "x.com", "A")
        stream.close()


async def test_closing_early_leaves_nothing_registered() -> None:
    """Closed in mid-wait, a lookup leaves neither socket nor timer; closing again is fine."""
    async with resolving(lambda _: []) as port:
        lookup = Looked(port).lookup
        lookup.start()
        await asyncio.sleep(0.02)
        lookup.close()
        lookup.close()
        loop = asyncio.get_running_loop()
        scheduled = [h for h in loop._scheduled if not h.cancelled()]  # type: ignore[attr-defined]
        assert scheduled == []
