"""Private addresses at which a platform proved itself."""

import msgspec

from monitor.analysis.judge.private_addresses import proven_in_private
from monitor.analysis.seen import EndpointMeasurements
from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation
from tests.worlds.build import dns, follow_up, look, tcp, tls

CACHE, OTHER = "10.77.0.9", "10.77.0.10"


def followed(
    platform: str, *seen: AnyObservation, reason: str = Reason.PRIVATE_ADDRESS
) -> EndpointMeasurements:
    """One failed attempt, and a follow-up."""
    return EndpointMeasurements(
        platform=platform,
        function="web",
        endpoint="https://x.com/",
        attempts=(look(dns("dns_bogon_error", addresses=(CACHE,)), platform=platform),),
        follow_ups=(follow_up(reason, *seen),),
    )


def test_an_address_counts_for_the_platform_that_proved_itself_there() -> None:
    """By a certificate that verifies, at a private address, and for no other platform."""
    proved = tcp(address=CACHE), tls(address=CACHE)
    refused = tls("ssl_invalid_hostname", address=OTHER)
    found = proven_in_private(
        (
            followed("x", *proved),
            followed("x", tcp(address=OTHER), refused),
            followed("facebook", tcp("generic_timeout_error", address=CACHE)),
            followed("youtube", *proved, reason=Reason.HONEST_ADDRESS),
        )
    )
    assert found == {"x": {CACHE}, "facebook": frozenset(), "youtube": frozenset()}
    again = msgspec.structs.replace(followed("x", *proved), follow_ups=())
    assert proven_in_private((again,)) == {"x": frozenset()}
