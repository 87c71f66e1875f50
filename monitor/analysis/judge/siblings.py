"""Endpoints that time out alike: some of them are tested in full, and stand for the others.

When a whole platform falls silent, every endpoint of it costs three patient tests, two of each
control and a follow-up, and nearly all of them show the same. A function needs fewer to be found
blocked (`monitor.analysis.judge.platform`): the canonical endpoint, one of those that are all
needed, half of a pool. The others are tested once. They are tested in full after all where those
that stand for them turn out to answer.
"""

from collections.abc import Sequence

from monitor.analysis.measurement_summary import TIMEOUT, decisive
from monitor.analysis.seen import EndpointMeasurements
from probes.catalog.catalog import Endpoint, Function, Need
from probes.measurement import Layer, Measurement

_LAYERS = (Layer.TCP, Layer.TLS, Layer.APP)


def silent_at(measurement: Measurement) -> Layer | None:
    """The layer at which the endpoint stayed silent; None where anything else happened."""
    if measurement.reached:
        return None
    outcome = decisive(measurement)
    if outcome is None or outcome.sub_method != TIMEOUT or outcome.layer not in _LAYERS:
        return None
    return outcome.layer


def unconnected(measurement: Measurement) -> bool:
    """Whether not even a connection was made, nor a datagram answered: packets so small that no
    queue of a slow line holds them back for long. A handshake or an answer may only be late."""
    layer = silent_at(measurement)
    return layer is Layer.TCP or (layer is Layer.APP and not measurement.of(Layer.TCP))


def full_tests(function: Function, pool: Sequence[Endpoint], sampled: int) -> int:
    """How many of the `sampled` members of a pool that are all silent show what becomes of it."""
    if function.canonical or function.need is Need.ALL:
        return 1
    if function.need is Need.ANY:
        return (sampled + 1) // 2
    return max(1, len(pool) - int(function.need) + 1)


def sampled_out(endpoints: Sequence[EndpointMeasurements]) -> frozenset[tuple[str, str, str]]:
    """Platform, function and endpoint of those that were tested once, since others of the function
    that were tested in full stayed silent alike."""
    full = {
        (one.platform, one.function, silent_at(one.attempts[-1]))
        for one in endpoints
        if len(one.attempts) > 1
    }
    return frozenset(
        (one.platform, one.function, one.endpoint)
        for one in endpoints
        if len(one.attempts) == 1
        and (layer := silent_at(one.attempts[0])) is not None
        and (one.platform, one.function, layer) in full
    )
