"""The objects whose transfer speed is measured."""

import msgspec

from probes.catalog.catalog import Endpoint, Platform
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.endpoint_text import parse_endpoint
from probes.measurement import HttpObservation, Layer, Measurement


class TransferObject(msgspec.Struct, frozen=True, kw_only=True):
    platform: str
    function: str
    endpoint: Endpoint
    """The catalogue's. Redirects may lead from it to the real object."""
    witness: str
    """Id of the endpoint whose measurements show whether the object can be reached; empty for
    none."""

    @property
    def place(self) -> tuple[str, str, str]:
        return (self.platform, self.function, self.endpoint.id)


def objects_of(platform: Platform) -> tuple[TransferObject, ...]:
    """The objects that the catalogue names for a platform, else the first endpoint of its function
    web."""
    named = [
        (function, endpoint) for function in platform.functions for endpoint in function.transfer
    ]
    if not named:
        named = [
            (function, function.endpoints[0])
            for function in platform.functions
            if function.name == "web"
            and function.endpoints[0].kind is EndpointKind.HTTPS
            and function.endpoints[0].verify
        ]
    endpoints = [endpoint for function in platform.functions for endpoint in function.endpoints]
    return tuple(
        TransferObject(
            platform=platform.name,
            function=function.name,
            endpoint=endpoint,
            witness=next(
                (one.id for one in endpoints if one == endpoint),
                next((one.id for one in endpoints if one.host == endpoint.host), ""),
            ),
        )
        for function, endpoint in named
    )


def led_to(one: TransferObject, measurement: Measurement | None) -> Endpoint | None:
    """Where redirects led a measurement of the object's own endpoint; None where not known."""
    if measurement is None or measurement.endpoint != one.endpoint.id:
        return None
    hops = [o for o in measurement.of(Layer.HTTP) if isinstance(o, HttpObservation)]
    try:
        found = parse_endpoint(hops[-1].url) if hops else None
    except ValueError:
        return one.endpoint
    return one.endpoint if found and found.kind is not EndpointKind.HTTPS else found
