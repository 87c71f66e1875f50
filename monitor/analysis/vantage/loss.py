"""How many packets a line loses, from what answers on it."""

from collections.abc import Sequence

import msgspec

from monitor.analysis.measurement_summary import TIMEOUT, best, summarise
from probes.catalog.catalog import Reference
from probes.measurement import DnsObservation, Measurement, TcpObservation

LOSSY_RESENDS = 0.3
"""Share of resent round trips from which timeouts prove nothing."""
CLEAN_ROUND_TRIPS = 24
"""With none of so many resent, their share is under 0.12 at 95 %, and that of timeouts, 3·r³, under
0.006: a reference that timed out once is dead, not lost."""
MIN_ROUND_TRIPS = 8
"""Fewer round trips than this give no share."""
LOSSY_TIMEOUT_RATE = 0.2


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    timeout_rate: float
    """0–1, never 0."""
    lossy: bool
    resends: float
    """Share (0–1) of the round trips that worked which needed more than one try."""


def estimate_loss(
    references: Sequence[tuple[Reference, Measurement]], witnesses: Sequence[Measurement]
) -> Loss:
    """The chance that one measurement times out with nothing blocked.

    The larger of two estimates, since each misses something:

    1. *References that timed out*: (timeouts + 0.5) / (measurements + 1), so that a few successes
       never make it 0. A reference that timed out in each of two or more measurements, while no
       other ever did, is dead or blocked and does not count; nor do up to half of all that timed
       out each time, where nothing that answers needed a resend.
    2. *Round trips with a resend.* With loss p each way a round trip fails with chance 1 − (1 −
       p)², so the share r of connects and queries with more than one try is 0.51 for p = 30 % and
       0.19 for p = 10 %. A connect sends its SYN at 0, 1, 3 and 7 s within its 10 s, and a query
       goes out three times, so a timeout takes three failures in a row, r³. A measurement has about
       three such chances (DNS, TCP, TLS), hence 3·r³: 0.40 at 30 % loss, 0.02 at 10 %. At 10 % two
       timeouts in a row have a chance of 0.0004, which still allows detection; at 30 % no number of
       attempts in a cycle does.

    Only successes over working families count in r: blocking causes failures, never slow successes.
    """
    measurements = [(ref, m) for ref, m in references if summarise(m).egress_failure is None]
    reached = [m for m in witnesses if m.reached]
    resent, trips = _round_trips([m for _, m in measurements] + reached)
    share = resent / trips if trips else 0.0
    timeouts, total = _timeouts(measurements, clean=trips if not resent else 0)
    rate = min(1.0, max((timeouts + 0.5) / (total + 1), 3 * share**3))
    lossy = (trips >= MIN_ROUND_TRIPS and share >= LOSSY_RESENDS) or (
        # A few successes keep the rate high without any sign of loss: not lossy, though too little
        # is known for a timeout to accuse anybody.
        rate > LOSSY_TIMEOUT_RATE and bool(timeouts or resent)
    )
    return Loss(timeout_rate=rate, lossy=lossy, resends=share)


def _timeouts(
    measurements: Sequence[tuple[Reference, Measurement]], *, clean: int
) -> tuple[int, int]:
    """Reference measurements that timed out, and all of them; `clean` is the number of round trips
    where none was resent, else 0."""
    by_reference: dict[tuple[str, str], list[bool]] = {}
    for reference, measurement in measurements:
        outcome = best(summarise(measurement).outcomes)
        timed_out = (
            not measurement.reached and outcome is not None and outcome.sub_method == TIMEOUT
        )
        by_reference.setdefault((reference.scope, reference.endpoint.id), []).append(timed_out)
    touched = {key for key, found in by_reference.items() if any(found)}
    tries = 1 if clean >= CLEAN_ROUND_TRIPS else 2
    settled = {key for key in touched if len(by_reference[key]) >= tries and all(by_reference[key])}
    most = len(by_reference) // 2 if clean >= MIN_ROUND_TRIPS else 1
    if touched == settled and len(settled) <= most < len(by_reference):
        for key in settled:
            del by_reference[key]
    every = [timed_out for found in by_reference.values() for timed_out in found]
    return sum(every), len(every)


def _round_trips(measurements: Sequence[Measurement]) -> tuple[int, int]:
    """Successful connects and queries with a resend, and all of them."""
    resent = [
        (o.retransmits > 0) if isinstance(o, TcpObservation) else (o.tries > 1)
        for measurement in measurements
        for o in measurement.observations
        if isinstance(o, TcpObservation | DnsObservation) and o.failure is None
    ]
    return sum(resent), len(resent)
