"""When to measure speed, what of, and how often to look again before judging.

One object of each platform is measured by the clock, and at once when a look at it worked but took
far longer than usual, or stopped half-way. One round tells that all is well. A round that looks
wrong is followed by two more and then by control, so that a cycle is conclusive. While a platform
is throttled each cycle measures one round and judges it with the two before; where the day's bytes
are spent, the last verdict stands for as long as it would have taken to measure again.

Transfers of one vantage never run side by side: they would slow each other down.
"""

import asyncio
import random
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from statistics import median

import msgspec

from monitor.analysis.throttling.history import HISTORY, ROUNDS, SpeedHistory
from monitor.analysis.throttling.throttling import judge_transfers
from monitor.analysis.throttling.transfer_facts import TransferCase
from monitor.analysis.throttling.transfer_round import round_of
from monitor.analysis.throttling.transfer_verdict import TransferVerdict
from monitor.analysis.verdict import VantageHealth, VantageState
from monitor.budget.budget import Allotment
from monitor.budget.bytes_used import fetch_bytes
from monitor.config.settings import Settings
from monitor.logs import logger
from monitor.measuring.probers import Probers
from probes.catalog.catalog import Endpoint, EndpointKind, Platform
from probes.catalog.endpoint import parse_endpoint
from probes.failure import TIMEOUTS
from probes.measure.transfer import TransferPlan
from probes.measurement import (
    TRANSFER_INNOCUOUS,
    TRANSFER_REFERENCE,
    TRANSFER_TARGET,
    HttpObservation,
    Layer,
    Measurement,
    TlsObservation,
)
from probes.vantage import Profile, VantagePoint

log = logger(__name__)

VARIANTS = 3
PER_CYCLE = 4
"""Objects measured in one cycle at most, so that cycles keep their interval."""
TIME_SHARE = 1 / 3
"""Share of the interval after which no further object is begun."""
FIRST_WITHIN = 1 / 4
"""Share of the time between measurements within which the first ones come."""
LEAST_HISTORY = 5
"""Looks without which nothing is known to be usual."""
TIMES_SLOWER, SECONDS_SLOWER = 4.0, 1.5
"""Both against the usual time make a look suspicious."""


class TransferObject(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to measure the speed of."""

    platform: str
    role: str
    endpoint: Endpoint
    """The catalogue's; redirects seen lately may lead on to the real object."""
    witness: str
    """Id of the endpoint whose looks tell whether it can be reached; empty when there is none."""


class Transferred(msgspec.Struct, frozen=True, kw_only=True):
    """What the transfers of one cycle came to."""

    measurements: tuple[Measurement, ...] = ()
    fresh: tuple[TransferVerdict, ...] = ()
    """Measured in this cycle."""
    standing: tuple[TransferVerdict, ...] = ()
    """Measured before, still in force, as verdicts of this cycle."""


class _Stream(SpeedHistory):
    """What is remembered of one object at one vantage."""

    def __init__(self, due: float) -> None:
        super().__init__()
        self.due = due
        """POSIX seconds."""
        self.times: deque[float] = deque(maxlen=HISTORY)
        self.leads_to: Endpoint | None = None
        """Where redirects led the last look that asked."""


def objects_of(platform: Platform) -> tuple[TransferObject, ...]:
    """The objects the catalogue names for a platform, else the first endpoint of its role web."""
    named = [(role, endpoint) for role in platform.roles for endpoint in role.transfer]
    if not named:
        named = [
            (role, role.endpoints[0])
            for role in platform.roles
            if role.name == "web"
            and role.endpoints[0].kind is EndpointKind.HTTPS
            and role.endpoints[0].verify
        ]
    endpoints = [endpoint for role in platform.roles for endpoint in role.endpoints]
    return tuple(
        TransferObject(
            platform=platform.name,
            role=role.name,
            endpoint=endpoint,
            witness=next(
                (one.id for one in endpoints if one == endpoint),
                next((one.id for one in endpoints if one.host == endpoint.host), ""),
            ),
        )
        for role, endpoint in named
    )


class Transfers:
    """Decides on transfers, has them made, and judges them."""

    def __init__(
        self,
        settings: Settings,
        looking: Probers,
        controls: Sequence[VantagePoint],
        rng: random.Random,
        *,
        forced: bool = False,
    ) -> None:
        """`forced` measures every object in every cycle."""
        self._settings = settings
        self._looking = looking
        self._controls = tuple(controls)
        self._rng = rng
        self._forced = forced
        self._objects = [o for p in settings.catalog.platforms for o in objects_of(p)]
        self._reference = parse_endpoint(settings.throttling.reference)
        self._streams: dict[tuple[str, str, str], _Stream] = {}

    def inherit(self, before: "Transfers", vantages: Collection[str]) -> None:
        """Go on with what another one measured from these vantages."""
        self._streams = {
            key: stream for key, stream in before._streams.items() if key[0] in vantages
        }

    async def run(
        self,
        vantage: VantagePoint,
        cycle: str,
        health: VantageHealth,
        looks: Sequence[Measurement],
    ) -> Transferred:
        """The transfers of one cycle of a field vantage; `looks` are its last at each endpoint."""
        by_endpoint = {(look.platform, look.endpoint): look for look in looks}
        wanted: list[tuple[int, float, TransferObject, Measurement | None]] = []
        for one in self._objects:
            look = by_endpoint.get((one.platform, one.witness))
            urgency = self._urgency(vantage, one, look)
            if urgency is not None:
                wanted.append((urgency, self._rng.random(), one, look))
        wanted.sort(key=lambda entry: entry[:2])
        measurements: list[Measurement] = []
        fresh: list[TransferVerdict] = []
        # Where the vantage itself is unwell nothing could be told from a rate.
        if health.state is VantageState.OK:
            began = self._now()
            for urgency, _, one, look in wanted if self._forced else wanted[:PER_CYCLE]:
                late = self._now() - began > TIME_SHARE * self._settings.interval
                if (late and not self._forced) or not self._affordable(vantage, urgency):
                    break
                looked, verdict = await self._measure(vantage, cycle, health, one, look)
                measurements += looked
                fresh.append(verdict)
        return Transferred(
            measurements=tuple(measurements),
            fresh=tuple(fresh),
            standing=tuple(self._standing(vantage, cycle, health, fresh)),
        )

    def standing(
        self, vantage: VantagePoint, cycle: str, health: VantageHealth, platforms: Collection[str]
    ) -> Transferred:
        """What stands of these platforms in a cycle that measures nothing."""
        known = self._standing(vantage, cycle, health, ())
        return Transferred(
            standing=tuple(one for one in known if one.verdict.platform in platforms)
        )

    # -- when ------------------------------------------------------------------------------

    def _urgency(
        self, vantage: VantagePoint, one: TransferObject, look: Measurement | None
    ) -> int | None:
        """0: at once, 1: its time has come, None: not now."""
        stream = self._stream(vantage, one)
        cut_short = look is not None and _cut_short(look)
        if look is not None:
            stream.add_measurement(look)
        if one.witness and (look is None or not (look.reached or cut_short)):
            return None  # blocked or down: there is nothing to measure
        asked = look is not None and bool(look.of(Layer.HTTP))
        slow = asked and look is not None and _unusual(look, stream.times)
        if asked and look is not None and look.reached and not slow:
            stream.times.append(_seconds(look))
        if self._forced or stream.accusing is not None:
            return 0
        if self._settings.throttling.on_suspicion and (cut_short or slow):
            return 0
        by_clock = self._settings.throttling.every > 0 and self._now() >= stream.due
        return 1 if by_clock else None

    def _affordable(self, vantage: VantagePoint, urgency: int) -> bool:
        """Whether the day's bytes allow for one more object, which may take every round."""
        ledger = self._looking.ledger
        cost = ROUNDS * VARIANTS * fetch_bytes(self._settings.throttling.object_bytes)
        allowed = ledger.affords(vantage.id, Allotment.SPEED, cost) or (
            urgency == 0 and ledger.affords(vantage.id, Allotment.SUSPICION, cost)
        )
        if not allowed:
            log.info("speed not measured, no bytes for it now", vantage=vantage.id)
        return allowed

    def _stream(self, vantage: VantagePoint, one: TransferObject) -> _Stream:
        key = (vantage.id, one.platform, one.endpoint.id)
        if key not in self._streams:
            within = FIRST_WITHIN * self._settings.throttling.every
            self._streams[key] = _Stream(self._now() + self._rng.uniform(0, within))
        return self._streams[key]

    # -- measuring -------------------------------------------------------------------------

    async def _measure(
        self,
        vantage: VantagePoint,
        cycle: str,
        health: VantageHealth,
        one: TransferObject,
        look: Measurement | None,
    ) -> tuple[list[Measurement], TransferVerdict]:
        stream = self._stream(vantage, one)
        target = stream.leads_to = led_to(one, look) or stream.leads_to or one.endpoint
        made = [await self._round(vantage, one, target, cycle, 1)]
        first = round_of(made[0], stream.distance)
        # The page was reached a moment ago: a slow queue may have eaten the connection, too.
        wrong = first.suspicious or first.missing
        earlier = stream.earlier
        rounds = [*earlier, *made]
        if wrong != bool(earlier) or (wrong and len(rounds) < ROUNDS):
            # Wrong for the first time, or well again: neither is said on one round alone.
            for attempt in range(2, ROUNDS + 1):
                # Queues that the round before filled run empty meanwhile.
                pause = self._settings.probe.retry_pause
                await asyncio.sleep(pause * self._rng.uniform(0.5, 1.5))
                made.append(await self._round(vantage, one, target, cycle, attempt))
            rounds = made
        controls: list[Measurement] = []
        if any(round_of(look, stream.distance).suspicious for look in rounds):
            controls = [await self._at_control(c, one, target, cycle) for c in self._controls]
        verdict = judge_transfers(
            TransferCase(
                cycle=cycle,
                vantage=vantage.id,
                country=vantage.country,
                asn=vantage.asn,
                network=vantage.network,
                platform=one.platform,
                role=one.role,
                endpoint=one.endpoint.id,
                rounds=tuple(rounds),
                controls=tuple(controls),
                distance=stream.distance,
                usual_ratios=tuple(stream.usual_ratios),
                health=health,
                judged_at=self._looking.now(),
            )
        )
        every, now = self._settings.throttling.every, self._now()
        stream.due = now + every * self._rng.uniform(0.9, 1.1)
        stream.remember(made, verdict, now, every)
        _report(verdict)
        return [*made, *controls], verdict

    async def _round(
        self,
        vantage: VantagePoint,
        one: TransferObject,
        target: Endpoint,
        cycle: str,
        attempt: int,
    ) -> Measurement:
        variants = [TRANSFER_TARGET, TRANSFER_REFERENCE]
        if self._settings.probe.innocuous and not _quiet(vantage):
            variants.append(TRANSFER_INNOCUOUS)
        self._rng.shuffle(variants)
        plan = self._plan(one, target, tuple(variants))
        return await self._looking.transfer(vantage.id, plan, cycle=cycle, attempt=attempt)

    async def _at_control(
        self, control: VantagePoint, one: TransferObject, target: Endpoint, cycle: str
    ) -> Measurement:
        return await self._looking.transfer(
            control.id, self._plan(one, target, (TRANSFER_TARGET,)), cycle=cycle
        )

    def _plan(
        self, one: TransferObject, target: Endpoint, variants: tuple[str, ...]
    ) -> TransferPlan:
        throttling = self._settings.throttling
        return TransferPlan(
            platform=one.platform,
            role=one.role,
            object=target,
            variants=variants,
            innocuous=self._settings.probe.innocuous,
            reference=self._reference,
            bytes_wanted=throttling.object_bytes,
            deadline=throttling.deadline,
        )

    # -- what stands -----------------------------------------------------------------------

    def _standing(
        self,
        vantage: VantagePoint,
        cycle: str,
        health: VantageHealth,
        fresh: Sequence[TransferVerdict],
    ) -> Iterator[TransferVerdict]:
        judged = {(v.verdict.platform, v.verdict.endpoint) for v in fresh}
        for one in self._objects:
            stream = self._stream(vantage, one)
            known = stream.current_accusation(self._now())
            if known is not None and (one.platform, one.endpoint.id) not in judged:
                verdict = msgspec.structs.replace(
                    known.verdict, cycle=cycle, judged_at=self._looking.now()
                )
                if health.state is VantageState.OK:
                    yield msgspec.structs.replace(known, verdict=verdict)

    def _now(self) -> float:
        return self._looking.now().timestamp()


def _quiet(vantage: VantagePoint) -> bool:
    """A quiet vantage sends no foreign name to anybody's address."""
    return vantage.profile is Profile.QUIET


def _seconds(look: Measurement) -> float:
    """What greeting and asking took: what a throttled name slows down."""
    kinds = (TlsObservation, HttpObservation)
    asked = [o.duration for o in look.observations if isinstance(o, kinds) and not o.reason]
    return sum(asked)


def _unusual(look: Measurement, times: Sequence[float]) -> bool:
    if not look.reached or len(times) < LEAST_HISTORY:
        return False
    usual = median(times)
    return _seconds(look) > max(TIMES_SLOWER * usual, usual + SECONDS_SLOWER)


def _cut_short(look: Measurement) -> bool:
    """The answer began and then nothing more came."""
    return any(
        isinstance(hop, HttpObservation)
        and hop.failure is not None
        and hop.failure in TIMEOUTS
        and hop.status > 0
        for hop in look.of(Layer.HTTP)
    )


def led_to(one: TransferObject, look: Measurement | None) -> Endpoint | None:
    """Where redirects led a look at the object's own endpoint; None where that is not known."""
    if look is None or look.endpoint != one.endpoint.id:
        return None
    hops = [o for o in look.of(Layer.HTTP) if isinstance(o, HttpObservation)]
    try:
        found = parse_endpoint(hops[-1].url) if hops else None
    except ValueError:
        return one.endpoint
    return one.endpoint if found and found.kind is not EndpointKind.HTTPS else found


def _report(verdict: TransferVerdict) -> None:
    numbers = {name: round(spread.median) for name, spread in verdict.rates.items()}
    log.info(
        "speed measured",
        vantage=verdict.verdict.vantage,
        platform=verdict.verdict.platform,
        kind=verdict.kind,
        rule=verdict.verdict.rule_id,
        rounds=verdict.rounds,
        bits_per_second=numbers,
    )
