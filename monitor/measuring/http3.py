"""Which looks of a cycle go over HTTP/3 as well, and whether datagrams get anywhere at all.

QUIC costs several times a TLS handshake, and ten seconds where it is dropped, so only a share of
the looks ask, drawn anew in each cycle, where an answer over TCP offers HTTP/3. Three things bend
the draw:

* What QUIC was found blocked to is asked again in every cycle until it answers, one endpoint of
  each platform, so that an event is confirmed, and ends, in time.
* From a vantage where nothing answers over UDP no platform can be accused. It is asked there no
  more for some cycles, twice as many each time.
* A quiet vantage, one behind a proxy, and one that is not well are never asked.

When QUIC alone fails, somebody else's answer over UDP must show that datagrams leave the vantage
before anything is asked again: `UdpWitness`.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager

import msgspec

from monitor.analysis.judge.quic_blocked import answered_over_udp, quic_failed
from monitor.analysis.judge.rules import QUIC_BLOCKED
from monitor.analysis.judge.suspicion import suspicious
from monitor.analysis.verdict import VantageHealth, VantageState, Verdict
from probes.catalog.catalog import Endpoint, EndpointKind
from probes.layers.alt_svc import offers_http3
from probes.measurement import HttpObservation, Layer, Measurement, Purpose, QuicObservation
from probes.target import Target
from probes.vantage import Profile, VantagePoint

LONGEST_REST = 64
"""Cycles: some five hours, at five minutes each."""
WITNESSES = 2
"""How many other endpoints are asked over HTTP/3, one after the other, to show that UDP works."""

AskWitness = Callable[[Target], Awaitable[Measurement]]


class _Memory:
    """What is remembered of one vantage."""

    def __init__(self) -> None:
        self.rest = 0
        """Cycles in which nothing is asked over QUIC."""
        self.next_rest = 1
        self.blocked: dict[str, str] = {}
        """Platform → the endpoint of it that is asked in every cycle."""
        self.offering: dict[str, Target] = {}
        """What offered HTTP/3 when it was last asked, by id of the endpoint."""


class Http3:
    """Draws the looks that ask over HTTP/3 too, and learns from what came of it."""

    def __init__(self, share: float, rng: random.Random, *, forced: bool = False) -> None:
        """`share` of the looks, 0 to 1; `forced` asks wherever it may be asked, in every cycle."""
        self._share = 1.0 if forced else share
        self._rng = rng
        self._forced = forced
        self._memories: dict[str, _Memory] = {}

    def draw(
        self, vantage: VantagePoint, health: VantageHealth, endpoints: Iterable[Endpoint]
    ) -> frozenset[str]:
        """Ids of the endpoints to ask in this cycle, where they offer it."""
        if vantage.profile is Profile.QUIET or vantage.egress.proxied or not self._share:
            return frozenset()
        if health.state is not VantageState.OK:
            return frozenset()
        memory = self._memory(vantage.id)
        if memory.rest and not self._forced:
            memory.rest -= 1
            return frozenset()
        https = [endpoint.id for endpoint in endpoints if endpoint.kind is EndpointKind.HTTPS]
        drawn = {one for one in https if self._rng.random() < self._share}
        return frozenset(drawn.union(memory.blocked.values()))

    def remember(self, verdicts: Iterable[Verdict]) -> None:
        """Go on asking what an earlier process found blocked; `verdicts` are the newest stored."""
        for verdict in verdicts:
            if verdict.rule_id == QUIC_BLOCKED:
                blocked = self._memory(verdict.vantage).blocked
                blocked.setdefault(verdict.platform, verdict.endpoint)

    def inherit(self, before: "Http3", vantages: Collection[str]) -> None:
        """Go on with what another one knew of these vantages."""
        self._memories = {
            name: memory for name, memory in before._memories.items() if name in vantages
        }

    def offering(self, vantage_id: str) -> dict[str, Target]:
        """What is known to offer HTTP/3 to a vantage, by id of the endpoint; to be added to."""
        return self._memory(vantage_id).offering

    def learn(
        self, vantage_id: str, looks: Sequence[Measurement], verdicts: Iterable[Verdict]
    ) -> None:
        """`looks` are those of a cycle from this vantage, in the order made, follow-ups too."""
        memory = self._memory(vantage_id)
        if answered_over_udp(looks):
            memory.rest, memory.next_rest = 0, 1
        elif any(tries_quic(look) for look in looks):
            memory.next_rest = min(2 * memory.next_rest, LONGEST_REST)
            memory.rest = memory.next_rest
        last = {look.endpoint: look for look in looks if look.look is not Purpose.FOLLOW_UP}
        for verdict in verdicts:
            look = last.get(verdict.endpoint)
            if verdict.rule_id == QUIC_BLOCKED:
                memory.blocked.setdefault(verdict.platform, verdict.endpoint)
            elif (
                memory.blocked.get(verdict.platform) == verdict.endpoint
                and look is not None
                and look.reached
                and not quic_failed(look, ())
            ):
                del memory.blocked[verdict.platform]

    def _memory(self, vantage_id: str) -> _Memory:
        return self._memories.setdefault(vantage_id, _Memory())


class UdpWitness:
    """Whether anything but DNS answered over UDP in one cycle of one vantage."""

    def __init__(
        self, ask: AskWitness, rng: random.Random, known: dict[str, Target] | None = None
    ) -> None:
        """`ask` asks an endpoint over HTTP/3; `rng` picks which.

        `known` is what offered HTTP/3 in earlier cycles: modest looks do not ask for an offer. It
        is kept up to date.
        """
        self._ask = ask
        self._rng = rng
        self._answered: set[str] = set()
        self._known = {} if known is None else known
        self._unable: set[str] = set()
        """Endpoints that are no witness in this cycle: not reached, or asked already."""
        self._under_way = 0
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()
        self.looks: list[Measurement] = []
        """What witnesses said."""

    @asynccontextmanager
    async def watching(self, target: Target) -> AsyncIterator[Callable[[Measurement], None]]:
        """Around the first look at an endpoint; what it yields is told the look."""

        def tell(look: Measurement) -> None:
            self._answered |= answered_over_udp([look])
            if _offers(look, target.endpoint):
                self._known[target.endpoint.id] = target
            elif look.reached and look.of(Layer.HTTP):
                self._known.pop(target.endpoint.id, None)
            if not look.reached or tries_quic(look):
                self._unable.add(target.endpoint.id)

        self._under_way += 1
        try:
            yield tell
        finally:
            self._under_way -= 1
            self._changed.set()

    async def answers_beside(self, endpoint: Endpoint) -> bool:
        """Whether another endpoint answered over UDP, as soon as that is known.

        Where none did, once all first looks are done, some that offer HTTP/3 are asked.
        """
        while not self._others(endpoint) and self._under_way:
            self._changed.clear()
            await self._changed.wait()
        async with self._turn:
            while not self._others(endpoint) and len(self.looks) < WITNESSES:
                able = [
                    target
                    for one, target in self._known.items()
                    if one not in self._unable and target.endpoint.host != endpoint.host
                ]
                if not able:
                    break
                target = self._rng.choice(able)
                self._unable.add(target.endpoint.id)
                self.looks.append(await self._ask(target))
                self._answered |= answered_over_udp(self.looks)
        return self._others(endpoint)

    def _others(self, endpoint: Endpoint) -> bool:
        return bool(self._answered - {endpoint.id})


def tries_quic(look: Measurement) -> bool:
    """Whether a look asked over QUIC."""
    return any(isinstance(o, QuicObservation) for o in look.observations)


def reached_over_quic(look: Measurement) -> bool:
    """Whether a look got an answer over QUIC."""
    return any(isinstance(o, QuicObservation) and o.failure is None for o in look.observations)


def only_quic_failed(look: Measurement, families: tuple[str, ...]) -> bool:
    """True when a look calls for another one for no other reason than QUIC."""
    rest = tuple(o for o in look.observations if not isinstance(o, QuicObservation))
    without = msgspec.structs.replace(look, observations=rest)
    return quic_failed(look, families) and not suspicious(without, families)


def _offers(look: Measurement, endpoint: Endpoint) -> bool:
    return any(
        isinstance(o, HttpObservation)
        and o.hop == 0
        and offers_http3(dict(o.headers).get("alt-svc", ""), endpoint.host, endpoint.port)
        for o in look.observations
        if endpoint.kind is EndpointKind.HTTPS
    )
