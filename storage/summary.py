"""What one measurement showed in each layer, in a few columns.

The observations hold the whole story; this is the part of it that people sort and count by, and
what files show of it: they are written without a look at the observations.
A layer's failure here is what stood in the way:

- the endpoint was reached: a layer failed only if nothing in it worked (a broken IPv6 beside a
  working IPv4 is no failure);
- it was not reached: the layer failed if it failed for any one target, that is for one name,
  whatever the other names of a redirect chain did.
"""

from collections.abc import Iterable, Sequence

import msgspec

from probes.measurement import (
    LAYER_OF,
    AnyObservation,
    AppObservation,
    DnsObservation,
    EgressObservation,
    HttpObservation,
    Layer,
    Measurement,
    QuicObservation,
    TcpObservation,
    TlsObservation,
    TransferObservation,
)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement in short. `…_failure` is None when the layer worked or was not seen."""

    egress_failure: str | None = None
    dns_failure: str | None = None
    tcp_failure: str | None = None
    tls_failure: str | None = None
    http_failure: str | None = None
    dns_ms: float | None = None
    """Milliseconds the deciding observation took; None when the layer was not seen."""
    tcp_ms: float | None = None
    tls_ms: float | None = None
    http_ms: float | None = None
    http_status: int | None = None
    """Of the deciding response; None when there was none."""
    resolvers: str = ""
    """Resolvers asked, each once, apart by one space."""
    addresses: str = ""
    """Addresses any of them answered, each once, apart by one space."""
    tls_chain_sha256: str | None = None
    """Of the deciding handshake; None when no certificate was shown."""
    http_url: str | None = None
    """What was asked for; None when the layer was not seen."""
    http_title: str | None = None
    """Of the deciding response, as are the rest; None when there was none."""
    http_body_bytes: int | None = None
    http_body_sha256: str | None = None


Deciding = dict[Layer, AnyObservation]
"""The observation each layer is summed up by; layers that were not looked at are absent."""
_Seen = dict[type[AnyObservation], list[AnyObservation]]


def deciding(measurement: Measurement) -> Deciding:
    """What each layer of the look itself is summed up by."""
    seen = _by_type(measurement)
    lookups = seen.get(DnsObservation, ())
    return {
        LAYER_OF[kind]: _deciding(observations, lookups, reached=measurement.reached)
        for kind, observations in seen.items()
    }


def summarise(measurement: Measurement) -> Summary:
    """The summary of one measurement."""
    # Straight from what was seen: this is done of every look that arrives, and by way of
    # `deciding` it took twice as long.
    seen = _by_type(measurement)
    lookups = seen.get(DnsObservation, ())
    failures: list[str | None] = []
    times: list[float | None] = []
    answer = tls = None
    for kind in _SUMMED:
        looked = seen.get(kind)
        if looked is None:
            failures.append(None)
            times.append(None)
            continue
        decides = _deciding(looked, lookups, reached=measurement.reached)
        failures.append(decides.failure)
        times.append(round(decides.duration * 1000, 3))
        if isinstance(decides, HttpObservation):
            answer = decides
        elif isinstance(decides, TlsObservation):
            tls = decides
    url = None if answer is None else _carried(answer.url)
    if answer is not None and not answer.status:
        answer = None
    egress_failure, dns_failure, tcp_failure, tls_failure, http_failure = failures
    _, dns_ms, tcp_ms, tls_ms, http_ms = times
    return Summary(
        egress_failure=egress_failure,
        dns_failure=dns_failure,
        tcp_failure=tcp_failure,
        tls_failure=tls_failure,
        http_failure=http_failure,
        dns_ms=dns_ms,
        tcp_ms=tcp_ms,
        tls_ms=tls_ms,
        http_ms=http_ms,
        http_status=None if answer is None else answer.status,
        resolvers=_listed([one.resolver for one in lookups if isinstance(one, DnsObservation)]),
        addresses=_listed(_answered(lookups)),
        tls_chain_sha256=None if tls is None else tls.chain_sha256 or None,
        http_url=url,
        http_title=None if answer is None else _carried(answer.title),
        http_body_bytes=None if answer is None else answer.body_length,
        http_body_sha256=None if answer is None else answer.body_sha256,
    )


_SUMMED = (EgressObservation, DnsObservation, TcpObservation, TlsObservation, HttpObservation)


def _by_type(measurement: Measurement) -> _Seen:
    """The observations of the look itself by their type, which tells the layer."""
    seen: _Seen = {}
    for observation in measurement.observations:
        if not observation.reason:
            kind = type(observation)
            if kind in seen:
                seen[kind].append(observation)
            else:
                seen[kind] = [observation]
    return seen


def _answered(lookups: Sequence[AnyObservation]) -> list[str]:
    """Every address answered, in order."""
    return [
        address
        for lookup in lookups
        if isinstance(lookup, DnsObservation)
        for answered in lookup.answers
        for address in answered.addresses
    ]


def _listed(items: Sequence[str]) -> str:
    """Each once."""
    if len(items) == 1:
        return _carried(items[0])
    return _carried(" ".join(dict.fromkeys(items)))


def _carried(text: str) -> str:
    """With NUL, which not every database can hold in a text, written out as files show it."""
    return text.replace("\0", r"\u0000")


def _deciding(
    observations: Sequence[AnyObservation], lookups: Sequence[AnyObservation], *, reached: bool
) -> AnyObservation:
    """What failed, else the last that worked; `lookups` tell which address is whose."""
    if len(observations) == 1:
        return observations[0]
    worked = [o for o in observations if o.failure is None]
    if len(worked) == len(observations) or (reached and worked):
        return worked[-1]
    names = _names_by_address(lookups)
    fine = {_target(o, names) for o in worked}
    failed = [o for o in observations if o.failure is not None and _target(o, names) not in fine]
    return failed[0] if failed else worked[-1]


def _target(observation: AnyObservation, names: dict[str, str]) -> str:
    """What the observation was about, so that addresses of one name count as one."""
    match observation:
        case DnsObservation():
            return observation.name
        case TcpObservation() | AppObservation():
            return names.get(observation.address, "")
        case TlsObservation() | QuicObservation() | TransferObservation():
            return observation.server_name
        case HttpObservation():
            return observation.url
        case _:
            return ""


def _names_by_address(lookups: Iterable[AnyObservation]) -> dict[str, str]:
    return {
        address: lookup.name
        for lookup in lookups
        if isinstance(lookup, DnsObservation)
        for answer in lookup.answers
        for address in answer.addresses
    }
