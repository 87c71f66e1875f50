"""What to measure, and what a reduced measurement omits."""

import msgspec

from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint and its place in the catalogue."""

    platform: str
    function: str
    endpoint: Endpoint


class Reduction(msgspec.Struct, frozen=True, kw_only=True):
    """What a measurement omits to cost less: never what decides whether the endpoint is reached."""

    family: str = ""
    """The only address family to connect over, where the name has it; empty: all."""
    addresses: int = 2
    """Most addresses of each family to try."""
    greet: bool = False
    """Make only the TLS handshake with an https endpoint whose certificate is judged. A peer that
    can prove the name is the endpoint, whatever page it serves."""

    def only_handshake(self, endpoint: Endpoint) -> bool:
        """Whether to send no request: never where the catalogue states the right answer."""
        return (
            self.greet
            and endpoint.kind is EndpointKind.HTTPS
            and endpoint.verify
            and not (endpoint.expect_status or endpoint.expect_body)
        )
