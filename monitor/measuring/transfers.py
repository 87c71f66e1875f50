"""When to measure transfer speed, of which objects, and in how many rounds.

An object of each function is measured by the clock. It is measured at once when a test of it worked
but took far longer than usual, stopped half-way, or got its handshake late. First comes a glance:
the object alone, past the bytes after which connections are known to be frozen. Where that is fast
all is well. Else come rounds that compare; after one that looks wrong two more and then control, so
that the judge can be certain. One that compared nothing, as on a line that loses many packets, is
made again. While a function is throttled each cycle measures one round, which
counts together with the two before it. Once the day's bytes are spent, the last verdict holds for
as long as it would have taken to measure again.

Transfers of one vantage never run side by side: they would slow each other down. What is silent
comes last, and only while it would end before the next cycle is due.
"""

import asyncio
import math
import random
from collections import deque
from collections.abc import Collection, Sequence
from datetime import datetime
from statistics import median

from msgspec import structs

from monitor.analysis.judge.grade_by_follow_ups import LATE_FOR_DISTANCE, LATE_HANDSHAKE
from monitor.analysis.seen import EndpointMeasurements, ObjectTransfers, Place, Seen
from monitor.analysis.throttling.history import HISTORY, ROUNDS, SpeedHistories
from monitor.analysis.throttling.objects import TransferObject, led_to, objects_of
from monitor.analysis.throttling.transfer_facts import another_may_tell
from monitor.analysis.throttling.transfer_round import Round, round_of
from monitor.analysis.transfer_verdict import TransferVerdict
from monitor.analysis.verdict import VantageHealth, VantageState
from monitor.budget.budget import Allotment
from monitor.budget.bytes_used import fetch_bytes
from monitor.config.settings import Settings
from monitor.logs import logger
from monitor.measuring.controls import Controls
from monitor.measuring.probers import Probers
from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_text import parse_endpoint
from probes.failure_strings import TIMEOUTS
from probes.measure.follow_up_reasons import Reason
from probes.measure.transfer import TransferPlan
from probes.measurement import (
    TRANSFER_INNOCUOUS,
    TRANSFER_REFERENCE,
    TRANSFER_TARGET,
    HttpObservation,
    Layer,
    Measurement,
    TcpObservation,
    TlsObservation,
)
from probes.vantage import Profile, VantagePoint

log = logger(__name__)

VARIANTS = 3
MOST_ROUNDS = ROUNDS + 2
"""In one cycle, where some of them compare nothing."""
GLANCE = 48 * 1024
"""Bytes that a glance requests."""
PER_CYCLE = 6
"""Objects measured in one cycle at most, so that cycles keep their interval."""
CALM = 15.0
"""Seconds of silence after a slow transfer, or one that did not come, at most."""
QUEUE = 64 * 1024
"""Bytes that may wait in the queue of a slow line, as shapers let them."""
SPARE = 1 / 8
"""Share of the interval."""
TIME_SHARE = 1 / 3
"""Share of the interval after which no further object is begun."""
NEXT_DUE = 0.8
"""Share of the interval after which the next cycle may begin: each comes up to a tenth early or
late."""
FIRST_WITHIN = 1 / 4
"""Share of the time between measurements within which the first ones come."""
LEAST_HISTORY = 5
"""With fewer measurements nothing is known to be usual."""
TIMES_SLOWER, SECONDS_SLOWER = 4.0, 1.5
"""Both against the usual time make a measurement suspicious."""
SUSPECTED_AGAIN, SILENT_AGAIN = 3.0, 12.0
"""Intervals after which late handshakes are suspicious again, once they turned out to be honest;
and silent ones, once they stayed silent."""


class _Schedule:
    """When one object at one vantage is next measured. Times are POSIX seconds."""

    def __init__(self, due: float) -> None:
        self.due = due
        self.times: deque[float] = deque(maxlen=HISTORY)
        """Seconds that tests of the page lately took."""
        self.trusted_until = 0.0
        """Until then late handshakes are not suspicious."""
        self.leads_to: Endpoint | None = None
        """Where redirects led the last test that sent a request."""


class Transfers:
    """Decides on transfers and has them made."""

    def __init__(
        self,
        settings: Settings,
        probers: Probers,
        controls: Controls,
        rng: random.Random,
        *,
        forced: bool = False,
    ) -> None:
        """`forced` measures every object in every cycle."""
        self._settings = settings
        self._probers = probers
        self._controls = controls
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
        started_at: datetime,
        health: VantageHealth,
        endpoints: Sequence[EndpointMeasurements],
    ) -> tuple[ObjectTransfers, ...]:
        """The transfers of one cycle of a field vantage, which measured these endpoints."""
        seen = {(one.platform, one.endpoint): one for one in endpoints}
        wanted: list[tuple[int, bool, bool, float, TransferObject]] = []
        for one in self._histories.objects:
            witness = seen.get((one.platform, one.witness))
            urgency = self._urgency(vantage, one, witness)
            if urgency is not None:
                # What is silent takes longest, and most of it stays so.
                silent = witness is not None and _silent(witness)
                wanted.append((urgency, silent, not one.core, self._rng.random(), one))
        wanted.sort(key=lambda entry: entry[:4])
        made: list[ObjectTransfers] = []
        # A rate says nothing while the vantage itself is in trouble.
        if health.state is not VantageState.OK:
            return ()
        interval, began = self._settings.interval, self._now()
        next_due = math.inf if self._forced else started_at.timestamp() + NEXT_DUE * interval
        last_silent = next_due - min(CALM, self._spare) - self._patience
        given_up: set[str] = set()
        for urgency, silent, *_, one in wanted:
            late = not self._forced and self._now() - began > TIME_SHARE * interval
            if silent and (one.platform in given_up or self._now() > last_silent):
                continue
            # One of the silent ones has its turn, however long the others took.
            if late and (given_up or not silent):
                continue
            full = not self._forced and len(made) == PER_CYCLE
            if full or not self._affordable(vantage, one, urgency):
                break
            witness = seen.get((one.platform, one.witness))
            made.append(await self._measure(vantage, cycle, one, witness, urgency))
            last = made[-1].made[-1]
            if round_of(last).missing:
                given_up.add(one.platform)
                if not silent and _unconnected(last):
                    break  # reached a moment ago: a block began, or the line is gone
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
        self, vantage: VantagePoint, one: TransferObject, witness: EndpointMeasurements | None
    ) -> int | None:
        """0: at once, 1: its time has come, None: not now."""
        if vantage.profile is Profile.QUIET and not one.page:
            return None  # no person would request it
        schedule, now = self._schedule(vantage, one), self._now()
        reached = None if witness is None else witness.attempts[-1]
        cut_short = reached is not None and _cut_short(reached)
        # To wait for a silent handshake must not make a cycle much longer.
        patient = self._spare >= self._settings.throttling.deadline
        late = witness is not None and (_late(witness) or (patient and _silent(witness)))
        if one.witness and (reached is None or not (reached.reached or cut_short or late)):
            return None  # blocked or down: there is nothing to measure
        asked = reached is not None and bool(reached.of(Layer.HTTP))
        slow = asked and reached is not None and _unusual(reached, schedule.times)
        if asked and reached is not None and reached.reached and not slow:
            schedule.times.append(_seconds(reached))
        history = self._histories.of(vantage.id, one.place)
        if self._forced or history.accusation(now) is not None:
            return 0
        late = late and now >= schedule.trusted_until
        if self._settings.throttling.on_suspicion and (cut_short or slow or late):
            return 0
        by_clock = self._settings.throttling.every > 0 and now >= schedule.due
        return 1 if by_clock else None

    def _affordable(
        self, vantage: VantagePoint, one: TransferObject, urgency: int, *, glanced: bool = False
    ) -> bool:
        """Whether the day's bytes allow for what comes next: a glance, or every round."""
        ledger, history = self._probers.ledger, self._histories.of(vantage.id, one.place)
        every = ROUNDS * VARIANTS * fetch_bytes(self._settings.throttling.object_bytes)
        begins = not (glanced or history.earlier(self._now()))
        glance = fetch_bytes(GLANCE) * (2 if _is_start_page(one) else 1)
        cost = glance if begins else every
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
        self,
        vantage: VantagePoint,
        cycle: str,
        one: TransferObject,
        witness: EndpointMeasurements | None,
        urgency: int,
    ) -> ObjectTransfers:
        reached = None if witness is None else witness.attempts[-1]
        schedule = self._schedule(vantage, one)
        history = self._histories.of(vantage.id, one.place)
        target = schedule.leads_to = led_to(one, reached) or schedule.leads_to or one.endpoint
        distance, earlier = history.distance(reached), history.earlier(self._now())
        made: list[Measurement] = []
        if not earlier:
            if witness is not None and _silent(witness):
                await self._calm(None)
            made.append(await self._glance(vantage, one, target, cycle))
        if earlier or (
            not self._suffices(one, witness, round_of(made[0], distance))
            and self._affordable(vantage, one, urgency, glanced=True)
        ):
            if made:
                await self._calm(made[-1])
            made += await self._rounds(vantage, one, target, cycle, reached, urgency)
        now, every = self._now(), self._settings.throttling.every
        transfers = self._histories.transfers(vantage.id, one.place, made, (), reached, now)
        schedule.due = now + every * self._rng.uniform(0.9, 1.1)
        if any(round_of(each, distance).suspicious for each in transfers.rounds):
            plan = self._plan(one, target, (TRANSFER_TARGET,))
            controls = await self._controls.transfer(plan, cycle=cycle)
            return structs.replace(transfers, controls=controls)
        again = SILENT_AGAIN if round_of(made[-1]).missing else SUSPECTED_AGAIN
        schedule.trusted_until = now + again * self._settings.interval
        return transfers

    def _suffices(
        self, one: TransferObject, witness: EndpointMeasurements | None, glance: Round
    ) -> bool:
        """Whether a glance leaves nothing to compare. What the distance explains is compared only
        where the platform is for that; and what stays silent is blocked, and not slow."""
        if glance.missing:
            return witness is not None and _silent(witness) and not _late(witness)
        return not glance.suspicious and (glance.fast or (glance.unhindered and not one.core))

    async def _calm(self, last: Measurement | None) -> None:
        """Let the queue of a slow line run empty, which the `last` transfer filled, or tests of
        several endpoints at once, with what their servers repeat."""
        target = None if last is None else round_of(last).target
        rate = target.rate if target is not None and target.rate else 0.0
        drained = 8 * QUEUE / rate if rate else math.inf
        await asyncio.sleep(min(CALM, drained, self._spare))

    async def _glance(
        self, vantage: VantagePoint, one: TransferObject, target: Endpoint, cycle: str
    ) -> Measurement:
        # A site's start page is compared each time, for the metric of speed.
        variants = (TRANSFER_TARGET, TRANSFER_REFERENCE) if _is_start_page(one) else None
        plan = self._plan(one, target, variants or (TRANSFER_TARGET,))
        plan = structs.replace(plan, bytes_wanted=min(GLANCE, plan.bytes_wanted))
        return await self._probers.transfer(vantage.id, plan, cycle=cycle)

    async def _rounds(
        self,
        vantage: VantagePoint,
        one: TransferObject,
        target: Endpoint,
        cycle: str,
        reached: Measurement | None,
        urgency: int,
    ) -> list[Measurement]:
        """One round, and more of them where that looks otherwise than before."""
        history = self._histories.of(vantage.id, one.place)
        distance, earlier = history.distance(reached), history.earlier(self._now())
        made = [await self._round(vantage, one, target, cycle, 1)]
        first = round_of(made[0], distance)
        # The page was reached a moment ago: a slow queue may have eaten the connection, too.
        wrong = first.suspicious or first.missing
        if wrong != bool(earlier) or (wrong and len(earlier) + 1 < ROUNDS):
            # Wrong for the first time, or well again: one round alone proves neither.
            for attempt in range(2, MOST_ROUNDS + 1):
                if attempt > ROUNDS and not (
                    another_may_tell([round_of(each, distance) for each in made])
                    and self._affordable(vantage, one, urgency, glanced=True)
                ):
                    break
                # Queues that the round before filled run empty meanwhile.
                await self._calm(made[-1])
                pause = self._settings.probe.retry_pause
                await asyncio.sleep(pause * self._rng.uniform(0.5, 1.5))
                made.append(await self._round(vantage, one, target, cycle, attempt))
        return made

    async def _round(
        self, vantage: VantagePoint, one: TransferObject, target: Endpoint, cycle: str, attempt: int
    ) -> Measurement:
        variants = [TRANSFER_TARGET, TRANSFER_REFERENCE]
        # A quiet vantage sends no innocuous name: it would show on the line.
        if self._settings.probe.innocuous and vantage.profile is not Profile.QUIET:
            variants.append(TRANSFER_INNOCUOUS)
        self._rng.shuffle(variants)
        plan = self._plan(one, target, tuple(variants))
        return await self._probers.transfer(vantage.id, plan, cycle=cycle, attempt=attempt + 1)

    def _plan(
        self, one: TransferObject, target: Endpoint, variants: tuple[str, ...]
    ) -> TransferPlan:
        return structs.replace(
            plan_for_control(self._settings, one, target),
            permit=one.of,
            variants=variants,
            innocuous=self._settings.probe.innocuous,
            reference=self._reference,
            patience=self._patience,
        )

    @property
    def _patience(self) -> float:
        """Seconds for a handshake."""
        deadline = self._settings.throttling.deadline
        return max(deadline, min(2 * deadline, self._spare))

    @property
    def _spare(self) -> float:
        """Seconds of a cycle that may be spent on waiting for something at a time."""
        return math.inf if self._forced else SPARE * self._settings.interval

    def _now(self) -> float:
        return self._probers.now().timestamp()


def plan_for_control(settings: Settings, one: TransferObject, target: Endpoint) -> TransferPlan:
    """One fetch of an object at `target`, by its own name alone."""
    return TransferPlan(
        platform=one.platform,
        function=one.function,
        object=target,
        bytes_wanted=settings.throttling.object_bytes,
        deadline=settings.throttling.deadline,
    )


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


def _is_start_page(one: TransferObject) -> bool:
    return one.page and one.core


def _silent(witness: EndpointMeasurements) -> bool:
    """The handshake fell silent. Where a line is slow and several tests share it, one alone that is
    given time may come."""
    tried = witness.attempts[-1].of(Layer.TLS)
    return bool(tried) and all(one.failure in TIMEOUTS for one in tried)


def _unconnected(transfer: Measurement) -> bool:
    """No connection to the object was made in time."""
    tried = [
        one.failure
        for one in transfer.observations
        if isinstance(one, TcpObservation) and one.reason == TRANSFER_TARGET
    ]
    return bool(tried) and all(failure in TIMEOUTS for failure in tried)


def _late(witness: EndpointMeasurements) -> bool:
    """A handshake came late, for the distance, or only when it was tried once more or waited for
    longer."""
    tried = [o for m in witness.attempts for o in m.of(Layer.TLS) if isinstance(o, TlsObservation)]
    waited = [
        o
        for m in witness.follow_ups
        for o in m.observations
        if isinstance(o, TlsObservation) and o.reason == Reason.PATIENCE
    ]
    worked = [one for one in (*tried, *waited) if one.failure is None]
    if worked and any(one.failure in TIMEOUTS for one in tried):
        return True
    connects = [
        o.duration
        for m in witness.attempts
        for o in m.of(Layer.TCP)
        if isinstance(o, TcpObservation) and o.failure is None
    ]
    usual = LATE_FOR_DISTANCE * min(connects, default=math.inf)
    return any(one.duration > max(usual, LATE_HANDSHAKE) for one in worked)


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
