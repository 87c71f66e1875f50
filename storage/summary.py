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


def deciding(measurement: Measurement) -> Deciding:
    """What each layer of the look itself is summed up by."""
    # By type, which is what tells the layer, since this is done of every look that arrives.
    seen: dict[type[AnyObservation], list[AnyObservation]] = {}
    for observation in measurement.observations:
        if not observation.reason:
            kind = type(observation)
            if kind in seen:
                seen[kind].append(observation)
            else:
                seen[kind] = [observation]
    lookups = seen.get(DnsObservation, ())
    return {
        LAYER_OF[kind]: observations[0]
        if len(observations) == 1
        else _deciding(observations, lookups, reached=measurement.reached)
        for kind, observations in seen.items()
    }


def summarise(measurement: Measurement) -> Summary:
    """The summary of one measurement."""
    found = deciding(measurement)
    http, tls = found.get(Layer.HTTP), found.get(Layer.TLS)
    asked = http if isinstance(http, HttpObservation) else None
    answer = asked if asked and asked.status else None
    lookups = [o for o in measurement.of(Layer.DNS) if isinstance(o, DnsObservation)]
    return Summary(
        egress_failure=_failure(found.get(Layer.EGRESS)),
        dns_failure=_failure(found.get(Layer.DNS)),
        tcp_failure=_failure(found.get(Layer.TCP)),
        tls_failure=_failure(tls),
        http_failure=_failure(http),
        dns_ms=_milliseconds(found.get(Layer.DNS)),
        tcp_ms=_milliseconds(found.get(Layer.TCP)),
        tls_ms=_milliseconds(tls),
        http_ms=_milliseconds(http),
        http_status=answer.status if answer else None,
        resolvers=_listed(lookup.resolver for lookup in lookups),
        addresses=_listed(
            address
            for lookup in lookups
            for answered in lookup.answers
            for address in answered.addresses
        ),
        tls_chain_sha256=(tls.chain_sha256 or None) if isinstance(tls, TlsObservation) else None,
        http_url=_carried(asked.url) if asked else None,
        http_title=_carried(answer.title) if answer else None,
        http_body_bytes=answer.body_length if answer else None,
        http_body_sha256=answer.body_sha256 if answer else None,
    )


def _listed(items: Iterable[str]) -> str:
    return _carried(" ".join(dict.fromkeys(items)))


def _carried(text: str) -> str:
    """With NUL, which not every database can hold in a text, written out as files show it."""
    return text.replace("\0", r"\u0000")


def _deciding(
    observations: Sequence[AnyObservation], lookups: Sequence[AnyObservation], *, reached: bool
) -> AnyObservation:
    """What failed, else the last that worked; `lookups` tell which address is whose."""
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


def _failure(observation: AnyObservation | None) -> str | None:
    return observation.failure if observation else None


def _milliseconds(observation: AnyObservation | None) -> float | None:
    return round(observation.duration * 1000, 3) if observation else None
