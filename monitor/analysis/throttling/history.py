"""What is remembered between cycles to judge the speed of one object at one vantage."""

import math
from collections import deque
from collections.abc import Sequence

from monitor.analysis.throttling.transfer_round import round_of
from monitor.analysis.throttling.transfer_verdict import TransferVerdict
from monitor.analysis.verdict import State
from probes.measurement import Layer, Measurement, TcpObservation

ROUNDS = 3
HISTORY = 20
"""Measurements that define what is usual."""
STANDS = 1.5
"""An accusation that is not renewed lasts this many times the interval between measurements."""
LONGEST_UNRENEWED = 3600.0
"""Seconds it lasts where nothing is measured on a schedule."""


class SpeedHistory:
    """One object at one vantage. Times are POSIX seconds."""

    def __init__(self) -> None:
        self.rounds: deque[Measurement] = deque(maxlen=ROUNDS)
        self.usual_ratios: deque[float] = deque(maxlen=HISTORY)
        self.connects: deque[float] = deque(maxlen=HISTORY)
        self.accusing: TransferVerdict | None = None
        self.until = 0.0
        """When `accusing` expires."""

    @property
    def distance(self) -> float:
        """Shortest recent connect time in seconds, before any transfer filled a queue."""
        return min(self.connects, default=math.inf)

    @property
    def earlier(self) -> list[Measurement]:
        """Earlier rounds to judge a single new round with; none while nothing is accused."""
        return list(self.rounds)[1 - ROUNDS :] if self.accusing is not None else []

    def add_measurement(self, measurement: Measurement) -> None:
        """Record the connect times of a measurement of the endpoint."""
        self.connects.extend(
            o.duration
            for o in measurement.of(Layer.TCP)
            if isinstance(o, TcpObservation) and o.failure is None
        )

    def remember(
        self, made: Sequence[Measurement], verdict: TransferVerdict, now: float, every: float
    ) -> None:
        """Record new rounds and their verdict; `every` is the interval in seconds."""
        self.rounds.extend(made)
        for measurement in made:
            seen = round_of(measurement, self.distance)
            ratio = seen.ratio("reference")
            if ratio is not None and not seen.suspicious:
                self.usual_ratios.append(ratio)
        if verdict.accuses:
            self.accusing = verdict
            self.until = now + (STANDS * every or LONGEST_UNRENEWED)
        elif verdict.verdict.state is State.OK:
            self.accusing = None

    def current_accusation(self, now: float) -> TransferVerdict | None:
        """The accusation that has not expired."""
        if self.accusing is not None and now > self.until:
            self.accusing = None
        return self.accusing
