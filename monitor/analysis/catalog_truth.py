"""What a measurement from where nothing is blocked says about the catalogue's own word.

An endpoint of the catalogue that fails at a control is wrong there, or down. Which of the two only
time tells, so the finding names what happened and no more.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from monitor.analysis.measurement_summary import host_of
from probes.failure_strings import TIMEOUTS, Failure
from probes.measurement import HttpObservation, Layer, Measurement, layer_of

_NO_WAY = frozenset(
    {
        Failure.NETWORK_UNREACHABLE,
        Failure.NETWORK_DOWN,
        Failure.ADDRESS_FAMILY_NOT_SUPPORTED,
        Failure.ADDRESS_NOT_AVAILABLE,
    }
)
"""Failures of the machine's own network: nothing was sent."""


class Truth(StrEnum):
    """How an endpoint answers, as against what the catalogue says of it."""

    OK = "ok"
    MOVED = "moved"
    """Its redirects end at a host of another domain."""
    REFUSED = "refused"
    """A server is there, and answers otherwise."""
    DEAD = "dead"
    """The name does not exist, or nothing answers."""
    NOT_TRIED = "not tried"
    """It cannot be tried from here."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    endpoint: str
    truth: Truth
    detail: str = ""
    """Where it moved to, or the failure and its layer."""


_BEST_FIRST = tuple(Truth)


def finding_of(measurements: Sequence[Measurement]) -> Finding:
    """The best finding of an endpoint, measured from one control or more; among equals one that
    saw the answer to a name, which a proxy that resolves hides."""
    found = [_finding(one) for one in measurements]
    resolved = f"{Layer.DNS}: "
    return min(
        found,
        key=lambda one: (_BEST_FIRST.index(one.truth), not one.detail.startswith(resolved)),
    )


def _finding(measurement: Measurement) -> Finding:
    truth, detail = _truth(measurement)
    return Finding(endpoint=measurement.endpoint, truth=truth, detail=detail)


def _truth(measurement: Measurement) -> tuple[Truth, str]:
    if measurement.reached:
        to = _moved_to(measurement)
        return (Truth.MOVED, to) if to else (Truth.OK, "")
    failed = [
        (str(layer_of(one)), one.failure)
        for one in measurement.observations
        if one.failure is not None and not one.reason and layer_of(one) is not Layer.EGRESS
    ]
    told = [(layer, failure) for layer, failure in failed if failure not in _NO_WAY]
    pages = [one for one in measurement.of(Layer.HTTP) if isinstance(one, HttpObservation)]
    status = next((one.status for one in reversed(pages) if one.status), 0)
    if not told and not status:
        return Truth.NOT_TRIED, _worded(failed)
    if status and not told:
        return Truth.REFUSED, f"http: status {status}"
    answered = [
        (layer, failure)
        for layer, failure in told
        if layer != Layer.DNS and failure not in TIMEOUTS and failure != Failure.HOST_UNREACHABLE
    ]
    if answered:
        return Truth.REFUSED, _worded(answered)
    return Truth.DEAD, _worded(told)


def _worded(failed: Sequence[tuple[str, str]]) -> str:
    return ", ".join(dict.fromkeys(f"{layer}: {failure}" for layer, failure in failed))


def _moved_to(measurement: Measurement) -> str:
    """The host where redirects ended, if it is of another domain than the endpoint's."""
    pages = [one for one in measurement.of(Layer.HTTP) if isinstance(one, HttpObservation)]
    if not pages:
        return ""
    first, last = host_of(measurement.endpoint), host_of(pages[-1].url)
    return last if _domain(first) != _domain(last) else ""


def _domain(host: str) -> str:
    """The last two labels: close enough to tell platforms apart."""
    return ".".join(host.split(".")[-2:])
