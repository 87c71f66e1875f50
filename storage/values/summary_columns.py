"""What one measurement showed in each layer, in a few columns.

The observations hold everything. These columns are what people sort and count by, and what files
show: files are written without reading the observations. The failure of a layer is the one that
decided:

- the endpoint was reached: a layer failed only if nothing in it worked (a failing IPv6 with a
  working IPv4 is no failure);
- it was not reached: a layer failed if it failed for any one name, whatever the other names of a
  redirect chain did.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from probes.measurement import (
    AnyObservation,
    AppObservation,
    DnsObservation,
    EgressObservation,
    HttpObservation,
    Measurement,
    QuicObservation,
    TcpObservation,
    TlsObservation,
    TransferObservation,
)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement in short. `…_failure` is None when the layer worked or was not observed."""

    egress_failure: str | None = None
    dns_failure: str | None = None
    tcp_failure: str | None = None
    tls_failure: str | None = None
    http_failure: str | None = None
    dns_ms: float | None = None
    """Milliseconds the deciding observation took; None when the layer was not observed."""
    tcp_ms: float | None = None
    tls_ms: float | None = None
    http_ms: float | None = None
    http_status: int | None = None
    """Of the deciding response; None when there was none."""
    resolvers: str = ""
    """Resolvers asked, each once, separated by one space."""
    addresses: str = ""
    """Addresses in their answers, each once, separated by one space."""
    tls_chain_sha256: str | None = None
    """Of the deciding handshake; None when no certificate was shown."""
    http_url: str | None = None
    """The URL requested; None when the layer was not observed."""
    http_title: str | None = None
    """Of the deciding response, as are the next two; None when there was none."""
    http_body_bytes: int | None = None
    http_body_sha256: str | None = None


def summarise(measurement: Measurement) -> Summary:
    """The summary of one measurement."""
    return Summary(**dict(zip(Summary.__struct_fields__, summary_cells(measurement), strict=True)))


def summary_cells(measurement: Measurement) -> list[Any]:
    """The fields of its summary in their order, without a value in between: this runs for every
    measurement that arrives."""
    decides, lookups = _deciding(measurement)
    of: Callable[[type[AnyObservation]], Any] = decides.get
    egress, dns, tcp = of(EgressObservation), of(DnsObservation), of(TcpObservation)
    tls, http = of(TlsObservation), of(HttpObservation)
    answer = http if http and http.status else None
    return [
        egress and egress.failure,
        dns and dns.failure,
        tcp and tcp.failure,
        tls and tls.failure,
        http and http.failure,
        dns and _milliseconds(dns.duration),
        tcp and _milliseconds(tcp.duration),
        tls and _milliseconds(tls.duration),
        http and _milliseconds(http.duration),
        answer and answer.status,
        _listed([lookup.resolver for lookup in lookups]),
        _listed(_answered(lookups)),
        tls and (tls.chain_sha256 or None),
        http and _without_nul(http.url),
        answer and _without_nul(answer.title),
        answer and answer.body_length,
        answer and answer.body_sha256,
    ]


def _milliseconds(seconds: float) -> float:
    # Through whole microseconds: rounding to digits takes four times as long.
    return round(seconds * 1e6) / 1000


_Decides = dict[type[AnyObservation], AnyObservation]


def _deciding(measurement: Measurement) -> tuple[_Decides, list[DnsObservation]]:
    """The deciding observation of each layer, by its type, and all lookups."""
    decides: _Decides = {}
    lookups: list[Any] = []
    failing: list[type[AnyObservation]] = []
    for observation in measurement.observations:
        if observation.reason:
            continue
        kind = type(observation)
        if kind is DnsObservation:  # `isinstance` takes five times as long of these types
            lookups.append(observation)
            if observation.failure is None and kind in decides and not lookups[-1].addresses:
                continue  # that there are no IPv6 addresses says less than the addresses
        if observation.failure is None:
            decides[kind] = observation  # the last that worked
        else:
            failing.append(kind)
    for kind in failing:
        if kind not in decides or not measurement.reached:
            of_kind = [o for o in measurement.observations if type(o) is kind and not o.reason]
            decides[kind] = _failed(of_kind, lookups)
    return decides, lookups


def _answered(lookups: Sequence[DnsObservation]) -> list[str]:
    """Every address answered, in order."""
    return [
        address
        for lookup in lookups
        for answered in lookup.answers
        for address in answered.addresses
    ]


def _listed(items: Sequence[str]) -> str:
    """Each item once."""
    if len(items) == 1:
        return _without_nul(items[0])
    return _without_nul(" ".join(dict.fromkeys(items)))


def _without_nul(text: str) -> str:
    """With NUL, which PostgreSQL cannot store in text, as the escape that files show."""
    return text.replace("\0", r"\u0000")


def _failed(
    observations: Sequence[AnyObservation], lookups: Sequence[DnsObservation]
) -> AnyObservation:
    """The first failure of one layer with no success for the same target, else the last success;
    `lookups` give the name of each address."""
    if len(observations) == 1:
        return observations[0]
    names = _names_by_address(lookups)
    worked = [o for o in observations if o.failure is None]
    fine = {_target(o, names) for o in worked}
    failed = [o for o in observations if o.failure is not None and _target(o, names) not in fine]
    return failed[0] if failed else worked[-1]


def _target(observation: AnyObservation, names: dict[str, str]) -> str:
    """The target of the observation. Addresses of one name are one target."""
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


def _names_by_address(lookups: Iterable[DnsObservation]) -> dict[str, str]:
    return {
        address: lookup.name
        for lookup in lookups
        for answer in lookup.answers
        for address in answer.addresses
    }
