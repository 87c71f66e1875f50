"""When to measure transfer speed, of which objects, and in how many rounds.

One object of each platform is measured by the clock. It is measured at once when a test of it
worked but took far longer than usual, or stopped half-way. One round shows that all is well. After
a round that looks wrong come two more and then control, so that the judge can be certain. While a
platform is throttled each cycle measures one round, which counts together with the two before it.
Once the day's bytes are spent, the last verdict holds for as long as it would have taken to measure
again.

Transfers of one vantage never run side by side: they would slow each other down.
"""

import asyncio
import random
from collections import deque
from collections.abc import Collection, Sequence
from statistics import median

from msgspec import structs

from monitor.analysis.seen import ObjectTransfers, Place, Seen
from monitor.analysis.throttling.history import HISTORY, ROUNDS, SpeedHistories
from monitor.analysis.throttling.objects import TransferObject, led_to, objects_of
from monitor.analysis.throttling.transfer_round import round_of
from monitor.analysis.transfer_verdict import TransferVerdict
from monitor.analysis.verdict import VantageHealth, VantageState
from monitor.budget.budget import Allotment
from monitor.budget.bytes_used import fetch_bytes
from monitor.config.settings import Settings
from monitor.logs import logger
from monitor.measuring.probers import Probers
from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_text import parse_endpoint
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
"""With fewer measurements nothing is known to be usual."""
TIMES_SLOWER, SECONDS_SLOWER = 4.0, 1.5
"""Both against the usual time make a measurement suspicious."""


class _Schedule:
    """When one object at one vantage is next measured. Times are POSIX seconds."""

    def __init__(self, due: float) -> None:
        self.due = due
        self.times: deque[float] = deque(maxlen=HISTORY)
        """Seconds that tests of the page lately took."""
        self.leads_to: Endpoint | None = None
        """Where redirects led the last test that sent a request."""


class Transfers:
    """Decides on transfers and has them made."""

    def __init__(
        self,
        settings: Settings,
        probers: Probers,
        controls: Sequence[VantagePoint],
        rng: random.Random,
        *,
        forced: bool = False,
    ) -> None:
        """`forced` measures every object in every cycle."""
        self._settings = settings
        self._probers = probers
        self._controls = tuple(controls)
        self._rng = rng
        self._forced = forced
        self._reference = parse_endpoint(settings.throttling.reference)
        objects = (one for platform in settings.catalog.platforms for one in objects_of(platform))
        self._histories = SpeedHistories(objects, settings.throttling.every)
        self._schedules: dict[tuple[str, Place], _Schedule] = {}

    def inherit(self, before: "Transfers", vantages: Collection[str]) -> None:
        """Continue with what another one measured from these vantages."""
        self._histories.inherit(before._histories, vantages)
        self._schedules = {
            key: known for key, known in before._schedules.items() if key[0] in vantages
        }

    async def run(
        self,
        vantage: VantagePoint,
        cycle: str,
        health: VantageHealth,
        measurements: Sequence[Measurement],
    ) -> tuple[ObjectTransfers, ...]:
        """The transfers of one cycle of a field vantage; `measurements` are its last of each
        endpoint."""
        last = {(one.platform, one.endpoint): one for one in measurements}
        wanted: list[tuple[int, float, TransferObject, Measurement | None]] = []
        for one in self._histories.objects:
            reached = last.get((one.platform, one.witness))
            urgency = self._urgency(vantage, one, reached)
            if urgency is not None:
                wanted.append((urgency, self._rng.random(), one, reached))
        wanted.sort(key=lambda entry: entry[:2])
        made: list[ObjectTransfers] = []
        # A rate says nothing while the vantage itself is in trouble.
        if health.state is VantageState.OK:
            began = self._now()
            for urgency, _, one, reached in wanted if self._forced else wanted[:PER_CYCLE]:
                late = self._now() - began > TIME_SHARE * self._settings.interval
                if (late and not self._forced) or not self._affordable(vantage, urgency):
                    break
                made.append(await self._measure(vantage, cycle, one, reached))
        return tuple(made)

    def accusations(self, vantage: VantagePoint) -> tuple[TransferVerdict, ...]:
        """Verdicts of earlier cycles that say throttled and still hold."""
        return self._histories.accusations(vantage.id, self._now())

    def learn(self, seen: Seen, verdicts: Sequence[TransferVerdict]) -> None:
        """Remember what the judge made of a cycle's transfers."""
        self._histories.learn(seen, verdicts)
        for verdict in verdicts:
            _report(verdict)

    # -- when ------------------------------------------------------------------------------

    def _urgency(
        self, vantage: VantagePoint, one: TransferObject, reached: Measurement | None
    ) -> int | None:
        """0: at once, 1: its time has come, None: not now."""
        schedule = self._schedule(vantage, one)
        cut_short = reached is not None and _cut_short(reached)
        if one.witness and (reached is None or not (reached.reached or cut_short)):
            return None  # blocked or down: there is nothing to measure
        asked = reached is not None and bool(reached.of(Layer.HTTP))
        slow = asked and reached is not None and _unusual(reached, schedule.times)
        if asked and reached is not None and reached.reached and not slow:
            schedule.times.append(_seconds(reached))
        history = self._histories.of(vantage.id, one.place)
        if self._forced or history.accusation(self._now()) is not None:
            return 0
        if self._settings.throttling.on_suspicion and (cut_short or slow):
            return 0
        by_clock = self._settings.throttling.every > 0 and self._now() >= schedule.due
        return 1 if by_clock else None

    def _affordable(self, vantage: VantagePoint, urgency: int) -> bool:
        """Whether the day's bytes allow for one more object, which may take every round."""
        ledger = self._probers.ledger
        cost = ROUNDS * VARIANTS * fetch_bytes(self._settings.throttling.object_bytes)
        allowed = ledger.affords(vantage.id, Allotment.SPEED, cost) or (
            urgency == 0 and ledger.affords(vantage.id, Allotment.SUSPICION, cost)
        )
        if not allowed:
            log.info("speed not measured, no bytes for it now", vantage=vantage.id)
        return allowed

    def _schedule(self, vantage: VantagePoint, one: TransferObject) -> _Schedule:
        key = (vantage.id, one.place)
        if key not in self._schedules:
            within = FIRST_WITHIN * self._settings.throttling.every
            self._schedules[key] = _Schedule(self._now() + self._rng.uniform(0, within))
        return self._schedules[key]

    # -- measuring -------------------------------------------------------------------------

    async def _measure(
        self, vantage: VantagePoint, cycle: str, one: TransferObject, reached: Measurement | None
    ) -> ObjectTransfers:
        schedule = self._schedule(vantage, one)
        history = self._histories.of(vantage.id, one.place)
        target = schedule.leads_to = led_to(one, reached) or schedule.leads_to or one.endpoint
        distance, earlier = history.distance(reached), history.earlier(self._now())
        made = [await self._round(vantage, one, target, cycle, 1)]
        first = round_of(made[0], distance)
        # The page was reached a moment ago: a slow queue may have eaten the connection, too.
        wrong = first.suspicious or first.missing
        if wrong != bool(earlier) or (wrong and len(earlier) + 1 < ROUNDS):
            # Wrong for the first time, or well again: one round alone proves neither.
            for attempt in range(2, ROUNDS + 1):
                # Queues that the round before filled run empty meanwhile.
                pause = self._settings.probe.retry_pause
                await asyncio.sleep(pause * self._rng.uniform(0.5, 1.5))
                made.append(await self._round(vantage, one, target, cycle, attempt))
        now, every = self._now(), self._settings.throttling.every
        transfers = self._histories.transfers(vantage.id, one.place, made, (), reached, now)
        schedule.due = now + every * self._rng.uniform(0.9, 1.1)
        if any(round_of(each, distance).suspicious for each in transfers.rounds):
            plan, ask = self._plan(one, target, (TRANSFER_TARGET,)), self._probers.transfer
            controls = [await ask(control.id, plan, cycle=cycle) for control in self._controls]
            return structs.replace(transfers, controls=tuple(controls))
        return transfers

    async def _round(
        self, vantage: VantagePoint, one: TransferObject, target: Endpoint, cycle: str, attempt: int
    ) -> Measurement:
        variants = [TRANSFER_TARGET, TRANSFER_REFERENCE]
        # A quiet vantage sends no innocuous name: it would show on the line.
        if self._settings.probe.innocuous and vantage.profile is not Profile.QUIET:
            variants.append(TRANSFER_INNOCUOUS)
        self._rng.shuffle(variants)
        plan = self._plan(one, target, tuple(variants))
        return await self._probers.transfer(vantage.id, plan, cycle=cycle, attempt=attempt)

    def _plan(
        self, one: TransferObject, target: Endpoint, variants: tuple[str, ...]
    ) -> TransferPlan:
        throttling = self._settings.throttling
        return TransferPlan(
            platform=one.platform,
            function=one.function,
            object=target,
            variants=variants,
            innocuous=self._settings.probe.innocuous,
            reference=self._reference,
            bytes_wanted=throttling.object_bytes,
            deadline=throttling.deadline,
        )

    def _now(self) -> float:
        return self._probers.now().timestamp()


def _seconds(measurement: Measurement) -> float:
    """Seconds of TLS and HTTP: what a throttled name slows down."""
    kinds = (TlsObservation, HttpObservation)
    asked = [o.duration for o in measurement.observations if isinstance(o, kinds) and not o.reason]
    return sum(asked)


def _unusual(measurement: Measurement, times: Sequence[float]) -> bool:
    if not measurement.reached or len(times) < LEAST_HISTORY:
        return False
    usual = median(times)
    return _seconds(measurement) > max(TIMES_SLOWER * usual, usual + SECONDS_SLOWER)


def _cut_short(measurement: Measurement) -> bool:
    """The answer began and then nothing more came."""
    return any(
        isinstance(hop, HttpObservation)
        and hop.failure is not None
        and hop.failure in TIMEOUTS
        and hop.status > 0
        for hop in measurement.of(Layer.HTTP)
    )


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
