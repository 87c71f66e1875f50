"""What is remembered from cycle to cycle to judge transfer speed."""

import math
from collections import deque
from collections.abc import Collection, Iterable, Sequence

from monitor.analysis.seen import ObjectTransfers, Place, Seen
from monitor.analysis.throttling.objects import TransferObject
from monitor.analysis.throttling.transfer_round import FASTER, round_of
from monitor.analysis.transfer_verdict import TransferClass, TransferVerdict
from monitor.analysis.verdict import State
from probes.measurement import Layer, Measurement, TcpObservation

ROUNDS = 3
HISTORY = 20
"""Values that make up what is usual."""
HOLDS = 1.5
"""A verdict that is not renewed holds for this many times the time between measurements."""
LONGEST_UNRENEWED = 3600.0
"""Seconds for which it holds where nothing is measured by the clock."""


class SpeedHistory:
    """One object at one vantage. Times are POSIX seconds."""

    def __init__(self) -> None:
        self._rounds: deque[Measurement] = deque(maxlen=ROUNDS)
        self._connects: deque[float] = deque(maxlen=HISTORY)
        self._accusation: TransferVerdict | None = None
        self._since = math.inf
        self._until = 0.0
        self._learned_at = 0.0
        self.usual_ratios: deque[float] = deque(maxlen=HISTORY)

    def distance(self, measurement: Measurement | None = None) -> float:
        """Shortest time of recent connects, before any transfer filled a queue; those of
        `measurement` count too."""
        new = () if measurement is None else _connects(measurement)
        return min((*self._connects, *new), default=math.inf)

    def accusation(self, now: float) -> TransferVerdict | None:
        """The verdict that says throttled and still holds; none before it began to be said, as of a
        cycle that came late."""
        return self._accusation if self._since <= now <= self._until else None

    def accused_rate(self, now: float) -> float | None:
        """The rate by which a verdict that still holds says throttled; None after stalls."""
        known = self.accusation(now)
        return known.rate if known is not None and known.kind is TransferClass.THROTTLED else None

    def earlier(self, now: float) -> list[Measurement]:
        """The rounds to judge a single new one with: none while nothing is accused."""
        return list(self._rounds)[1 - ROUNDS :] if self.accusation(now) is not None else []

    def beside(self, made: Sequence[Measurement], now: float, every: float) -> list[Measurement]:
        """The earlier rounds to judge those of one cycle with: none, unless it is one that goes on
        with them. Whoever judges an agent's cycles may have started anew since its accusation."""
        if not goes_on(made):
            return []
        recent = 0.0 <= now - self._learned_at <= holds(every)
        known = recent or self.accusation(now) is not None
        return list(self._rounds)[1 - ROUNDS :] if known else []

    def add_connects(self, measurement: Measurement) -> None:
        """Count a measurement of the endpoint that shows whether the object can be reached."""
        self._connects.extend(_connects(measurement))

    def learn(
        self, made: Sequence[Measurement], verdict: TransferVerdict, now: float, every: float
    ) -> None:
        """Count new rounds and their verdict; `every` is the time between measurements. What is
        older than what was counted before, as of a cycle that came late, says nothing of now."""
        if now < self._learned_at:
            return
        self._learned_at = now
        self._rounds.extend(made)
        for one in made:
            seen = round_of(one, self.distance())
            ratio = seen.ratio("reference")
            if ratio is not None and not seen.suspicious:
                self.usual_ratios.append(ratio)
        until = now + holds(every)
        if verdict.accuses:
            if self.accusation(now) is None:
                self._since = now
            self._accusation, self._until = verdict, until
        elif self._still_as_slow(verdict, now):
            self._until = until  # A line that is slow itself does not say that it is over.
        elif verdict.verdict.state is State.OK:
            self._accusation = None

    def _still_as_slow(self, verdict: TransferVerdict, now: float) -> bool:
        """Whether it is no faster than a verdict says that holds, and nobody can tell why."""
        slow, rate = self.accused_rate(now), verdict.rate
        unclear = verdict.verdict.state is State.INSUFFICIENT
        return unclear and slow is not None and rate is not None and rate <= FASTER * slow


class SpeedHistories:
    """The histories of all objects at all vantages."""

    def __init__(self, objects: Iterable[TransferObject], every: float) -> None:
        """`every` is the time between measurements of an object, in seconds; 0: not by the
        clock."""
        self.objects = tuple(objects)
        self._every = every
        self._vantages: dict[str, dict[Place, SpeedHistory]] = {}

    def inherit(self, before: "SpeedHistories", vantages: Collection[str]) -> None:
        """Continue with what another one knows of these vantages."""
        self._vantages = {
            name: known for name, known in before._vantages.items() if name in vantages
        }

    def of(self, vantage: str, place: Place) -> SpeedHistory:
        return self._vantages.setdefault(vantage, {}).setdefault(place, SpeedHistory())

    def transfers(
        self,
        vantage: str,
        place: Place,
        made: Sequence[Measurement],
        controls: Sequence[Measurement],
        reached: Measurement | None,
        now: float,
    ) -> ObjectTransfers:
        """What there is to judge the rounds `made` in one cycle by. `reached` is the cycle's last
        measurement of the endpoint that shows whether the object can be reached."""
        history = self.of(vantage, place)
        rounds = (*history.beside(made, now, self._every), *made)
        platform, function, endpoint = place
        return ObjectTransfers(
            platform=platform,
            function=function,
            endpoint=endpoint,
            made=tuple(made),
            rounds=tuple(rounds),
            controls=tuple(controls),
            distance=history.distance(reached),
            usual_ratios=tuple(history.usual_ratios),
            accused_rate=history.accused_rate(now),
        )

    def accusations(self, vantage: str, now: float) -> tuple[TransferVerdict, ...]:
        """All verdicts that say throttled and still hold."""
        known = (one.accusation(now) for one in self._vantages.get(vantage, {}).values())
        return tuple(one for one in known if one is not None)

    def learn(self, seen: Seen, verdicts: Sequence[TransferVerdict]) -> None:
        """Count one cycle; `verdicts` are those on its transfers, in their order."""
        last, vantage, now = seen.last_attempts, seen.vantage.id, seen.judged_at.timestamp()
        for one in self.objects:
            reached = last.get((one.platform, one.witness))
            if reached is not None:
                self.of(vantage, one.place).add_connects(reached)
        for transfers, verdict in zip(seen.transfers, verdicts, strict=True):
            self.of(vantage, transfers.place).learn(transfers.made, verdict, now, self._every)


def goes_on(made: Sequence[Measurement]) -> bool:
    """Whether these are one round without a glance before it, which a vantage makes while it knows
    of an accusation."""
    return len(made) == 1 and made[0].attempt > 1


def holds(every: float) -> float:
    """Seconds for which a verdict holds that is not renewed."""
    return HOLDS * every or LONGEST_UNRENEWED


def _connects(measurement: Measurement) -> tuple[float, ...]:
    return tuple(
        o.duration
        for o in measurement.of(Layer.TCP)
        if isinstance(o, TcpObservation) and o.failure is None
    )
