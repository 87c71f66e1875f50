"""Texts of the network that everybody may see: those that two vantages were shown alike.

A page that one vantage alone saw may hold something that was made for it: a case number, a token in
a redirect, its address in a way that no scrubber knows. So may the name of a host to which it was
sent, in every layer, unless the catalogue has that.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from monitor.analysis.measurement_summary import host_of
from probes.catalog.catalog import Catalog
from probes.measurement import (
    AnyObservation,
    DnsObservation,
    HttpObservation,
    Measurement,
    QuicObservation,
    TlsObservation,
    TransferObservation,
)
from probes.settings import ProbeSettings

_TEXTS: Mapping[type[AnyObservation], tuple[str, ...]] = {
    DnsObservation: ("name",),
    TlsObservation: ("server_name",),
    HttpObservation: ("title", "location"),
    QuicObservation: ("server_name",),
    TransferObservation: ("server_name",),
}
"""The fields that a page or its redirect fills and that are shown."""


def listed_hosts(catalog: Catalog) -> frozenset[str]:
    """Every host of the catalogue, and the harmless name of follow-up tests."""
    functions = [one for platform in catalog.platforms for one in platform.functions]
    endpoints = [
        *(endpoint for one in functions for endpoint in (*one.endpoints, *one.transfer)),
        *(one.endpoint for one in catalog.references),
    ]
    return frozenset({ProbeSettings().innocuous, *(one.host for one in endpoints)})


def common_texts(measurements: Iterable[Measurement]) -> frozenset[str]:
    """The texts that at least two vantages saw among these measurements."""
    seen: dict[str, str] = {}
    common = set()
    for measurement in measurements:
        for text in (text for one in measurement.observations for _, text in _texts(one)):
            if seen.setdefault(text, measurement.vantage) != measurement.vantage:
                common.add(text)
    return frozenset(common)


def with_common_text(measurement: Measurement, common: frozenset[str]) -> Measurement:
    """The measurement without texts that are neither common ones nor its endpoint's host."""
    shown = common | {host_of(measurement.endpoint)}
    return msgspec.structs.replace(
        measurement, observations=tuple([_shown(one, shown) for one in measurement.observations])
    )


def _shown(one: AnyObservation, shown: frozenset[str]) -> AnyObservation:
    hidden = [name for name, text in _texts(one) if text not in shown]
    if "server_name" in hidden and isinstance(one, TlsObservation):
        hidden.append("verify_error")  # it quotes the name
    return msgspec.structs.replace(one, **dict.fromkeys(hidden, "")) if hidden else one


def _texts(one: AnyObservation) -> Iterator[tuple[str, str]]:
    """Name and value of each such field that is not empty."""
    return ((name, text) for name in _TEXTS.get(type(one), ()) if (text := getattr(one, name)))
