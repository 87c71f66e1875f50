"""One tested endpoint in OONI's entries, before it becomes a Measurement."""

from collections.abc import Sequence

import msgspec

from monitor.ooni.failures import implied_layer
from monitor.ooni.observations import Reader, host_port, url_of
from monitor.ooni.ooni_format import WireTransaction
from probes.catalog.catalog import Endpoint
from probes.failure_strings import CERTIFICATE_FAILURES
from probes.measurement import (
    AnyObservation,
    DnsObservation,
    Layer,
    TcpObservation,
    TlsObservation,
    layer_of,
)

BOGON_DIALLED = "bogon_dialled"
"""Reason of observations at an address that no public service can have. OONI dials those, since
they may serve a block page; live measurements do not, so they do not count."""

_BELOW_HTTP = (Layer.DNS, Layer.TCP, Layer.TLS)


class TestedEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One tested endpoint, its observations, and whether it answered as expected."""

    function: str
    endpoint: Endpoint
    observations: tuple[AnyObservation, ...]
    """Times count from the start of OONI's measurement."""
    reached: bool
    not_observed: tuple[Layer, ...] = ()


def read_request(
    reader: Reader,
    transaction: WireTransaction,
    below: Sequence[AnyObservation],
    *,
    since: float | None,
    address: str = "",
    hop: int = 0,
) -> AnyObservation | None:
    """What a request adds to `below`, the observations of the same host on lower layers.

    The request itself if it was made, whatever its result; else the failure before it, on a layer
    of which OONI lists nothing.

    OONI lists a request even when there was no connection for it. Its failure is then that of the
    lower layer, and a live measurement would not have reached HTTP.
    """
    page = reader.page(transaction, since, address=address, hop=hop)
    failure = page.failure
    if failure is None:
        return page
    measurement = [o for o in below if not o.reason]
    layers = {layer_of(o) for o in measurement}
    for layer in _BELOW_HTTP:
        here = [o for o in measurement if layer_of(o) is layer]
        if here and all(o.failure is not None for o in here):
            return None
    implied = implied_layer(failure)
    if implied is Layer.HTTP or implied in layers:
        return page
    return failed_on(implied, failure, url_of(transaction), reader, start=page.start)


def failed_on(
    layer: Layer, failure: str, url: str, reader: Reader, *, start: float
) -> AnyObservation:
    """The observation of a failure on DNS, TCP or TLS that only a request reports."""
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
    """Whether a request failed for a certificate that a live measurement would not judge."""
    return transaction.failure in CERTIFICATE_FAILURES


def marked(observation: AnyObservation, reason: str) -> AnyObservation:
    """The observation with a `reason`; unchanged without one."""
    return msgspec.structs.replace(observation, reason=reason) if reason else observation


def ended(observations: Sequence[AnyObservation]) -> float | None:
    """When the last of these ended; None when there are none."""
    return max((o.start + o.duration for o in observations), default=None)
