"""Which tests of a cycle go over HTTP/3 as well, and whether datagrams get anywhere at all.

QUIC costs several times a TLS handshake, and ten seconds where it is dropped. So only a share of
the tests use it, drawn anew in each cycle, where an answer over TCP offers HTTP/3. Three rules
change the draw:

* Where QUIC was found blocked, one endpoint of the platform is tested in every cycle until it
  answers, so that an event is confirmed, and ends, in time.
* Where nothing answers a vantage over QUIC no platform can be accused. Such a vantage stops testing
  HTTP/3 for some cycles, twice as many each time.
* A quiet vantage, one behind a proxy, and one that is not well never test it.

When QUIC alone fails, another endpoint or a reference must answer over it, so that the network is
known to let it pass, before anything is tested again: `QuicWitness`.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

import msgspec

from monitor.analysis.judge.quic_blocked import answered_over_quic, quic_failed
from monitor.analysis.judge.rules.part_fails import QUIC_BLOCKED
from monitor.analysis.judge.second_attempt import suspicious
from monitor.analysis.verdict import VantageHealth, VantageState, Verdict
from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.layers.http_answer import offers_http3
from probes.measurement import HttpObservation, Layer, Measurement, Purpose, QuicObservation
from probes.target import Target
from probes.vantage import Profile, VantagePoint

LONGEST_REST = 64
"""Cycles: some five hours, at five minutes each."""
WITNESSES = 2
"""How many references, and how many other endpoints, are asked over HTTP/3, one after the other, to
show that QUIC works."""

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
    """Draws the tests that go over HTTP/3 too, and learns from their results."""

    def __init__(self, share: float, rng: random.Random, *, forced: bool = False) -> None:
        """`share` of the tests, 0 to 1; `forced` tests wherever it is allowed, in every cycle."""
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
        """Continue with what an earlier process found blocked; `verdicts` are the newest stored."""
        for verdict in verdicts:
            if verdict.rule_id == QUIC_BLOCKED:
                blocked = self._memory(verdict.vantage).blocked
                blocked.setdefault(verdict.platform, verdict.endpoint)

    def inherit(self, before: "Http3", vantages: Collection[str]) -> None:
        """Continue with what another one knows of these vantages."""
        self._memories = {
            name: memory for name, memory in before._memories.items() if name in vantages
        }

    def offering(self, vantage_id: str) -> dict[str, Target]:
        """What is known to offer HTTP/3 to a vantage, by id of the endpoint; to be added to."""
        return self._memory(vantage_id).offering

    def learn(
        self,
        vantage_id: str,
        measurements: Sequence[Measurement],
        verdicts: Iterable[Verdict],
        families: tuple[str, ...] = (),
    ) -> None:
        """`measurements` are those of one cycle from this vantage, by start, follow-ups too;
        `families` those that work there (empty: unknown)."""
        memory = self._memory(vantage_id)
        if answered_over_quic(measurements, families):
            memory.rest, memory.next_rest = 0, 1
        elif any(map(tries_quic, measurements)):
            memory.next_rest = min(2 * memory.next_rest, LONGEST_REST)
            memory.rest = memory.next_rest
        last = {one.endpoint: one for one in measurements if one.look is not Purpose.FOLLOW_UP}
        for verdict in verdicts:
            newest = last.get(verdict.endpoint)
            if verdict.rule_id == QUIC_BLOCKED:
                memory.blocked.setdefault(verdict.platform, verdict.endpoint)
            elif (
                memory.blocked.get(verdict.platform) == verdict.endpoint
                and newest is not None
                and newest.reached
                and not quic_failed(newest, ())
            ):
                del memory.blocked[verdict.platform]

    def _memory(self, vantage_id: str) -> _Memory:
        return self._memories.setdefault(vantage_id, _Memory())


class QuicWitness:
    """Whether anybody answered over QUIC in one cycle of one vantage. Calls and the time say
    nothing about that: networks that drop UDP port 443 for everybody let them pass."""

    def __init__(
        self,
        ask: AskWitness,
        rng: random.Random,
        known: dict[str, Target] | None = None,
        references: Sequence[Target] = (),
        families: tuple[str, ...] = (),
    ) -> None:
        """`ask` asks an endpoint over HTTP/3; `rng` picks which. `references` are asked first: a
        censor of several platforms spares them. `families` are those that work here (empty:
        unknown).

        `known` is what offered HTTP/3 in earlier cycles: modest cycles do not ask for an offer. It
        is kept up to date.
        """
        self._ask = ask
        self._rng = rng
        self._families = families
        self._answered: set[str] = set()
        self._known = {} if known is None else known
        self._references = rng.sample(references, min(WITNESSES, len(references)))
        self._unable: set[str] = set()
        """Endpoints that are no witness in this cycle: not reached, or asked already."""
        self._asked = 0
        """Endpoints of platforms that were asked as witnesses."""
        self._under_way = 0
        self._changed = asyncio.Event()
        self._asking = asyncio.Lock()
        self.measurements: list[Measurement] = []
        """Those of the witnesses."""

    async def first_attempt(self, target: Target, attempt: Awaitable[Measurement]) -> Measurement:
        """Wait for the first attempt at an endpoint, and learn from it."""
        self._under_way += 1
        try:
            made = await attempt
            self._answered |= answered_over_quic([made], self._families)
            if _offers(made, target.endpoint):
                self._known[target.endpoint.id] = target
            elif made.reached and made.of(Layer.HTTP):
                self._known.pop(target.endpoint.id, None)
            if not made.reached or tries_quic(made):
                self._unable.add(target.endpoint.id)
            return made
        finally:
            self._under_way -= 1
            self._changed.set()

    async def others_answer(self, endpoint: Endpoint) -> bool:
        """Whether another endpoint answered over QUIC, as soon as that is known.

        Where none did, once all first attempts are done, references and some endpoints that offer
        HTTP/3 are asked.
        """
        while not self._others(endpoint) and self._under_way:
            self._changed.clear()
            await self._changed.wait()
        async with self._asking:
            while self._references and not self._others(endpoint):
                await self._witness(self._references.pop())
            while not self._others(endpoint) and self._asked < WITNESSES:
                able = [
                    target
                    for one, target in self._known.items()
                    if one not in self._unable and target.endpoint.host != endpoint.host
                ]
                if not able:
                    break
                target = self._rng.choice(able)
                self._unable.add(target.endpoint.id)
                self._asked += 1
                await self._witness(target)
        return self._others(endpoint)

    async def _witness(self, target: Target) -> None:
        self.measurements.append(await self._ask(target))
        self._answered |= answered_over_quic(self.measurements, self._families)

    def _others(self, endpoint: Endpoint) -> bool:
        return bool(self._answered - {endpoint.id})


def tries_quic(measurement: Measurement) -> bool:
    """Whether a measurement tried QUIC."""
    return any(isinstance(o, QuicObservation) for o in measurement.observations)


def reached_over_quic(measurement: Measurement) -> bool:
    """Whether a measurement got an answer over QUIC."""
    seen = measurement.observations
    return any(isinstance(one, QuicObservation) and one.failure is None for one in seen)


def only_quic_failed(measurement: Measurement, families: tuple[str, ...]) -> bool:
    """True when a measurement is suspicious for no other reason than QUIC."""
    rest = tuple(o for o in measurement.observations if not isinstance(o, QuicObservation))
    without = msgspec.structs.replace(measurement, observations=rest)
    return quic_failed(measurement, families) and not suspicious(without, families)


def _offers(measurement: Measurement, endpoint: Endpoint) -> bool:
    return any(
        isinstance(o, HttpObservation)
        and o.hop == 0
        and offers_http3(dict(o.headers).get("alt-svc", ""), endpoint.host, endpoint.port)
        for o in measurement.observations
        if endpoint.kind is EndpointKind.HTTPS
    )
