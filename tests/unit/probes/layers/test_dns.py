"""Lookups over real UDP and TCP, at resolvers on loopback."""

import asyncio
from collections.abc import Sequence

import dns.message
import dns.rdatatype
import pytest

from monitor.budget.bytes_used import bytes_of
from probes.layers.dns import DnsLookup, ask_over_stream, failure_of_reply
from probes.measurement import DnsObservation
from probes.sockets.failure_mapping import MalformedReplyError
from probes.sockets.system_resolvers import ResolverAddress
from tests.worlds.build import look
from tests.worlds.loopback import network, unused_port
from tests.worlds.loopback_dns import Answers, answer, resolving

V4, V6, FORGED = "203.0.113.10", "2001:db8:113::10", "203.0.113.66"


class Looked:
    """The replies and observations of one lookup."""

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
        """Run one lookup to its end."""
        try:
            self.lookup.start()
            self.found = await self.lookup.replies()
            self.seen = await self.lookup.finish()
        finally:
            self.lookup.close()
        return self

    def failures(self) -> list[str | None]:
        """The failures of A and AAAA."""
        return [observation.failure for observation in self.seen]


async def looked_up(
    answers: Answers,
    over_tcp: Answers | None = None,
    *,
    name: str = "x.com",
    timeout: float = 0.3,  # noqa: ASYNC109 # the lookup's own, which is under test
) -> Looked:
    """A lookup at a resolver with these answers."""
    async with resolving(answers, over_tcp) as port:
        return await Looked(port, name=name, timeout=timeout).run()


async def test_both_types_are_asked_and_answered() -> None:
    """One socket asks for A and AAAA, records delays, and reports our own address for scrubbing."""
    result = await looked_up(lambda query: [answer(query, V4, V6)])
    assert result.found == {"A": (V4,), "AAAA": (V6,)}
    assert result.failures() == [None, None]
    assert result.own == {"127.0.0.1"}
    for observation in result.seen:
        assert 0 < observation.answers[0].delay == pytest.approx(observation.duration, abs=0.01)
        assert (observation.tries, observation.transport, observation.stub) == (1, "udp", False)


async def test_an_absolute_name_in_capitals_is_answered() -> None:
    """Case and a final dot do not change which question a reply answers."""
    assert (await looked_up(lambda q: [answer(q, V4)], name="X.COM.")).found["A"] == (V4,)


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
    """Each kind of refusal has its own failure."""
    result = await looked_up(lambda query: [answer(query, rcode=rcode)])
    assert result.failures() == [failure, failure]
    assert result.lookup.answered


def test_an_empty_answer_fails_only_when_no_type_has_any() -> None:
    """NOERROR without addresses is no failure if the other type has some."""
    assert failure_of_reply("NOERROR", has_addresses=True) is None
    assert failure_of_reply("NOERROR", has_addresses=False) == "dns_no_answer"


@pytest.mark.parametrize("lost", [dns.rdatatype.A, dns.rdatatype.AAAA])
async def test_an_empty_answer_beside_a_lost_one_is_no_failure(
    lost: dns.rdatatype.RdataType,
) -> None:
    """An empty answer is no failure while the answer of the other type is lost."""
    result = await looked_up(lambda q: [] if q.question[0].rdtype == lost else [answer(q)])
    failed = {seen.rtype: seen.failure for seen in result.seen}
    missing = dns.rdatatype.to_text(lost)
    assert failed.pop(missing) == "generic_timeout_error"
    assert set(failed.values()) == {None}


async def test_an_injected_answer_is_kept_beside_the_honest_one() -> None:
    """Two replies to one query are both on record, in order of arrival."""
    result = await looked_up(lambda query: [answer(query, FORGED), answer(query, V4)])
    first = result.seen[0]
    assert [a.addresses for a in first.answers] == [(FORGED,), (V4,)]
    assert [a.query for a in first.answers] == [1, 1]
    assert result.found["A"] == (FORGED,)


async def test_garbage_ahead_of_the_answer_is_passed_over() -> None:
    """Noise, wrong ids, other names and echoes of the query do not end the lookup."""

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

    result = await looked_up(noisy)
    assert [a.addresses for a in result.seen[0].answers] == [(V4,)]


async def test_silence_is_a_timeout_after_three_queries() -> None:
    """Each type is asked three times within the timeout."""
    asked: list[str] = []

    def silent(query: dns.message.Message) -> Sequence[bytes]:
        asked.append(dns.rdatatype.to_text(query.question[0].rdtype))
        return []

    result = await looked_up(silent)
    assert result.failures() == ["generic_timeout_error"] * 2
    assert sorted(asked) == ["A"] * 3 + ["AAAA"] * 3
    assert not result.lookup.answered
    assert [observation.tries for observation in result.seen] == [3, 3]
    assert result.seen[0].duration == pytest.approx(0.3, abs=0.1)


async def test_a_lost_query_is_asked_again() -> None:
    """A reply to the second query counts, and the observation shows it."""
    lost = {"A": 1, "AAAA": 1}

    def lossy(query: dns.message.Message) -> Sequence[dns.message.Message]:
        rtype = dns.rdatatype.to_text(query.question[0].rdtype)
        if lost[rtype]:
            lost[rtype] -= 1
            return []
        return [answer(query, V4)]

    result = await looked_up(lossy)
    assert result.found["A"] == (V4,)
    assert [observation.tries for observation in result.seen] == [2, 2]
    assert result.seen[0].answers[0].query == 2


async def test_a_port_that_is_closed_refuses() -> None:
    """The ICMP error of an absent resolver ends the lookup at once."""
    result = await Looked(unused_port(), timeout=3.0).run()
    assert result.failures() == ["connection_refused"] * 2
    assert result.seen[0].duration < 1.0


async def test_truncation_moves_on_to_tcp() -> None:
    """A truncated reply is fetched again over TCP."""
    many = [f"203.0.113.{n}" for n in range(60)]
    result = await looked_up(
        lambda query: [answer(query, truncated=True)], lambda query: [answer(query, *many)]
    )
    assert set(result.found["A"]) == set(many)
    assert result.failures() == [None, None]
    assert result.seen[0].answers[-1].delay > 0


async def test_a_long_reply_counts_for_the_day() -> None:
    """A resolver, or whoever answers for it, could have 64 KiB read for each name in each cycle.
    They counted as 220 bytes, so the host's line carried many times what it was promised."""
    many = [f"203.0.{n // 250}.{n % 250}" for n in range(3000)]

    def twice(query: dns.message.Message) -> Sequence[dns.message.Message | bytes]:
        return [answer(query, truncated=True)]

    # Making so long an answer takes a while.
    result = await looked_up(twice, lambda query: [answer(query, *many)], timeout=5.0)
    assert bytes_of(look(*result.seen)) > 48_000
    broken = await looked_up(twice, lambda _: [b"\0" * 60_000], timeout=5.0)
    assert bytes_of(look(*broken.seen)) > 2 * 40_000
    ordinary = await looked_up(lambda query: [answer(query, V4)])
    assert [one.bytes_besides for one in ordinary.seen] == [0, 0]


async def test_truncation_without_tcp_fails_as_tcp_did() -> None:
    """A resolver that truncates and then closes TCP fails with the closed connection."""
    result = await looked_up(lambda query: [answer(query, truncated=True)])
    assert result.failures() == ["eof_error"] * 2


@pytest.mark.parametrize("name", ["a..b", "a" * 64, "é.fr"])
async def test_a_name_dns_cannot_carry_fails_and_is_not_sent(name: str) -> None:
    """An impossible name is a recorded failure and no exception."""
    asked: list[dns.message.Message] = []

    def noting(query: dns.message.Message) -> Sequence[bytes]:
        asked.append(query)
        return []

    result = await looked_up(noting, name=name)
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


@pytest.mark.parametrize("other", [("y.com", "A"), ("x.com", "AAAA")])
async def test_over_a_stream_the_reply_must_be_to_our_question(other: tuple[str, str]) -> None:
    """The addresses of another name would look like a lie about ours."""

    def confused(query: dns.message.Message) -> Sequence[dns.message.Message]:
        return [answer(dns.message.make_query(*other, id=query.id), V4 if other[1] == "A" else V6)]

    async with resolving(lambda _: [], confused) as port:
        stream = await network().connect("127.0.0.1", port)
        with pytest.raises(MalformedReplyError):
            await ask_over_stream(stream, "X.com.", "A")
        stream.close()


async def test_closing_early_leaves_nothing_registered() -> None:
    """A lookup closed early leaves neither socket nor timer; closing it again is safe."""
    async with resolving(lambda _: []) as port:
        lookup = Looked(port).lookup
        lookup.start()
        await asyncio.sleep(0.02)
        lookup.close()
        lookup.close()
        loop = asyncio.get_running_loop()
        scheduled = [h for h in loop._scheduled if not h.cancelled()]  # type: ignore[attr-defined]
        assert scheduled == []
