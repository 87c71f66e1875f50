"""What a look is for, and what one that is to cost little leaves out."""

import msgspec

from probes.catalog.catalog import Endpoint, EndpointKind


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a look is for: an endpoint and its place in the catalogue."""

    platform: str
    role: str
    endpoint: Endpoint


class Reduction(msgspec.Struct, frozen=True, kw_only=True):
    """What a look that is to cost little leaves out: never what decides whether it is reached."""

    family: str = ""
    """The one address family to connect over, where the name has it; empty: all."""
    addresses: int = 2
    """How many addresses are tried at most."""
    greet: bool = False
    """Only shake hands with an https endpoint whose certificate is judged, and ask nothing: who
    can prove the name is the endpoint, whatever page it would serve."""

    def only_handshake(self, endpoint: Endpoint) -> bool:
        """Whether nothing is asked of it: never where the catalogue says what must be answered."""
        return (
            self.greet
            and endpoint.kind is EndpointKind.HTTPS
            and endpoint.verify
            and not (endpoint.expect_status or endpoint.expect_body)
        )
