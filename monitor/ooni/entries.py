"""One look as OONI's entries show it, before it becomes a Measurement."""

from collections.abc import Sequence

import msgspec

from monitor.ooni.failures import implied_layer
from monitor.ooni.observations import Page, Reader, host_port, url_of
from monitor.ooni.ooni_format import WireTransaction
from probes.catalog.catalog import Endpoint
from probes.failure import CERTIFICATE_FAILURES
from probes.measurement import (
    AnyObservation,
    DnsObservation,
    Layer,
    TcpObservation,
    TlsObservation,
    layer_of,
)

BOGON_DIALLED = "bogon_dialled"
"""Reason of observations at an address no public service can have. OONI dials those, since they
may serve a block page; we do not, so they are no part of the look."""

_BELOW_HTTP = (Layer.DNS, Layer.TCP, Layer.TLS)


class TestedEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One look: an endpoint, what was observed, and whether it answered as it should."""

    role: str
    endpoint: Endpoint
    observations: tuple[AnyObservation, ...]
    """Times count from the start of OONI's measurement."""
    reached: bool
    not_observed: tuple[Layer, ...] = ()


class RequestResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one entry of OONI's `requests` stands for."""

    page: Page | None = None
    """Set when a request was made, whatever came of it."""
    instead: AnyObservation | None = None
    """Set when it failed before any request was made, on a layer OONI lists nothing of."""


def read_request(
    reader: Reader,
    transaction: WireTransaction,
    below: Sequence[AnyObservation],
    *,
    since: float | None,
    address: str = "",
    hop: int = 0,
) -> RequestResult:
    """What a request shows beyond `below`, the observations of the same host on lower layers.

    OONI lists a request even when there was no connection to make it on; its failure is then that
    of the lower layer, and a look of ours would not have got to HTTP.
    """
    page = reader.page(transaction, since, address=address, hop=hop)
    failure = page.observation.failure
    if failure is None:
        return RequestResult(page=page)
    measurement = [o for o in below if not o.reason]
    layers = {layer_of(o) for o in measurement}
    for layer in _BELOW_HTTP:
        here = [o for o in measurement if layer_of(o) is layer]
        if here and all(o.failure is not None for o in here):
            return RequestResult()
    implied = implied_layer(failure)
    if implied is Layer.HTTP or implied in layers:
        return RequestResult(page=page)
    start = page.observation.start
    return RequestResult(
        instead=failed_on(implied, failure, url_of(transaction), reader, start=start)
    )


def failed_on(
    layer: Layer, failure: str, url: str, reader: Reader, *, start: float
) -> AnyObservation:
    """The observation of a failure on DNS, TCP or TLS that is known only from a request's."""
    host, port = host_port(url)
    host = reader.scrubber.text(host)
    if layer is Layer.DNS:
        return DnsObservation(
            start=start,
            duration=0.0,
            failure=failure,
            name=host,
            rtype="A",
            resolver="system",
            stub=True,
        )
    if layer is Layer.TLS:
        return TlsObservation(
            start=start, duration=0.0, failure=failure, address="", port=port, server_name=host
        )
    return TcpObservation(start=start, duration=0.0, failure=failure, address="", port=port)


def unjudged(transaction: WireTransaction) -> bool:
    """Whether a request was given up for a certificate that a look of ours would not judge."""
    return transaction.failure in CERTIFICATE_FAILURES


def marked(observation: AnyObservation, reason: str) -> AnyObservation:
    """The observation as an extra one, made for `reason`; unchanged for none."""
    return msgspec.structs.replace(observation, reason=reason) if reason else observation


def ended(observations: Sequence[AnyObservation]) -> float | None:
    """When the last of these ended; None when there are none."""
    return max((o.start + o.duration for o in observations), default=None)
