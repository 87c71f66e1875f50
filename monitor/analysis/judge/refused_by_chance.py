"""Refusals at random, whatever is asked for: no sign of a block.

A resolver that limits queries answers a part of them with REFUSED or SERVFAIL. A carrier whose
translation of addresses is full turns a part of all connections away. Like lost packets, a few of
these in a row happen to any endpoint. On references the same answer then comes and goes, of the
same resolver or at the same address, which a list of names or addresses never does.
"""

from collections.abc import Iterable, Iterator, Mapping

from monitor.analysis.judge.grade_by_sign import Sign, loss_explains, signs
from monitor.analysis.measurement_summary import sub_method_of
from monitor.analysis.vantage.loss import LOSSY_TIMEOUT_RATE
from probes.measurement import DnsObservation, Layer, Measurement, TcpObservation

_REFUSALS = signs("dns.refused dns.servfail tcp.refused tcp.reset tcp.unreachable")
_PLACES = 2
"""References at which it came and went; one may be a faulty server."""

_Place = tuple[str, ...]


def refusals_by_chance(references: Iterable[Measurement]) -> Mapping[Sign, float]:
    """Refusals that came and went at references in one cycle of one vantage → the share (0–1) of
    their answers that showed them."""
    answers: dict[Layer, list[tuple[str, _Place, str]]] = {Layer.DNS: [], Layer.TCP: []}
    for measurement in references:
        for layer, place, word in _answers(measurement):
            answers[layer].append((measurement.endpoint, place, word))
    found = {}
    for sign in _REFUSALS:
        of_layer = answers[sign[0]]
        refused = {(host, place) for host, place, word in of_layer if word == sign[1]}
        answered = {(host, place) for host, place, word in of_layer if not word}
        if len({host for host, _ in refused & answered}) >= _PLACES:
            found[sign] = sum(word == sign[1] for _, _, word in of_layer) / len(of_layer)
    return found


def _answers(measurement: Measurement) -> Iterator[tuple[Layer, _Place, str]]:
    """Layer, where, and how it failed; empty where it did not."""
    for one in measurement.observations:
        if isinstance(one, DnsObservation):
            yield Layer.DNS, (one.name, one.rtype, one.resolver), sub_method_of(one)
        elif isinstance(one, TcpObservation):
            yield Layer.TCP, (one.address,), sub_method_of(one)


def by_chance(rate: float, attempts: int) -> bool:
    """Whether chance explains that all of these attempts were refused."""
    return rate > LOSSY_TIMEOUT_RATE or loss_explains(rate, attempts)
