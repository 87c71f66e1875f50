"""The objects whose transfer speed is measured: at least one of each function.

A function whose catalogue entry names no object has that of its first endpoint, or of each where
it needs them all. That may be a start page, or the few words with which a server of pictures
answers a request for nothing; it is requested several times then (`probes.measure.transfer`).
"""

import msgspec

from probes.catalog.catalog import Endpoint, Function, Need, Platform
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.endpoint_text import parse_endpoint
from probes.measurement import HttpObservation, Layer, Measurement


class TransferObject(msgspec.Struct, frozen=True, kw_only=True):
    platform: str
    function: str
    core: bool
    endpoint: Endpoint
    """What to request. Redirects may lead from it to the real object."""
    of: str
    """Id of the catalogue's endpoint whose verdict it is about."""
    witness: str
    """Id of the endpoint whose measurements show whether the object can be reached; empty for
    none."""
    follows: bool
    """Whether an object that redirects led to, at another host, stands for this one."""
    page: bool
    """The catalogue names it, or it is a site's own page: a browser might request it."""

    @property
    def place(self) -> tuple[str, str, str]:
        return (self.platform, self.function, self.of)


def objects_of(platform: Platform) -> tuple[TransferObject, ...]:
    """The objects of a platform's functions, in the order of the catalogue."""
    found = []
    endpoints = [endpoint for function in platform.functions for endpoint in function.endpoints]
    for function in platform.functions:
        for endpoint in function.transfer or _own(function):
            witness = next(
                (one.id for one in endpoints if one == endpoint),
                next((one.id for one in endpoints if one.host == endpoint.host), ""),
            )
            page = bool(function.transfer) or function.name == "web"
            found.append(
                TransferObject(
                    platform=platform.name,
                    function=function.name,
                    core=function.core,
                    endpoint=_as_object(endpoint),
                    of=endpoint.id,
                    witness=witness,
                    follows=page,
                    page=page,
                )
            )
    return tuple(found)


def _own(function: Function) -> tuple[Endpoint, ...]:
    """The endpoints of a function that may serve as its objects."""
    needed = function.endpoints if function.need is Need.ALL else function.endpoints[:1]
    kinds = (EndpointKind.HTTPS, EndpointKind.TLS)
    return tuple(one for one in needed if one.kind in kinds and one.verify)


def _as_object(endpoint: Endpoint) -> Endpoint:
    if endpoint.kind is EndpointKind.HTTPS:
        return endpoint
    return Endpoint(kind=EndpointKind.HTTPS, host=endpoint.host, port=endpoint.port)


def led_to(one: TransferObject, measurement: Measurement | None) -> Endpoint | None:
    """Where redirects led a measurement of the object's own endpoint; None where not known."""
    if measurement is None or measurement.endpoint != one.endpoint.id:
        return None
    hops = [o for o in measurement.of(Layer.HTTP) if isinstance(o, HttpObservation)]
    try:
        found = parse_endpoint(hops[-1].url) if hops else None
    except ValueError:
        return one.endpoint
    if found is None:
        return None
    fits = found.kind is EndpointKind.HTTPS and (one.follows or found.host == one.endpoint.host)
    return found if fits else one.endpoint
