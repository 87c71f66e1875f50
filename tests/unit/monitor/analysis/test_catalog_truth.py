"""Measurements from a control read as the truth about the catalogue."""

import msgspec
import pytest

from monitor.analysis.catalog_truth import Truth, finding_of
from probes.failure_strings import Failure
from probes.measurement import Measurement
from tests.worlds.build import control, dns, http, tcp, tls


@pytest.mark.parametrize(
    ("measurement", "truth", "detail"),
    [
        (control(), Truth.OK, ""),
        (control(dns(), tcp(), tls(), http(url="https://www.x.com/")), Truth.OK, ""),
        (control(dns(), tcp(), tls(), http(url="https://y.example/")), Truth.MOVED, "y.example"),
        (
            control(dns(failure=Failure.DNS_NXDOMAIN), reached=False),
            Truth.DEAD,
            "dns: dns_nxdomain_error",
        ),
        (
            control(dns(), tcp(failure=Failure.GENERIC_TIMEOUT), reached=False),
            Truth.DEAD,
            "tcp: generic_timeout_error",
        ),
        (
            control(dns(), tcp(failure=Failure.CONNECTION_REFUSED), reached=False),
            Truth.REFUSED,
            "tcp: connection_refused",
        ),
        (
            control(dns(), tcp(), tls(failure=Failure.SSL_INVALID_HOSTNAME), reached=False),
            Truth.REFUSED,
            "tls: ssl_invalid_hostname",
        ),
        (
            control(dns(), tcp(), tls(), http(status=404), reached=False),
            Truth.REFUSED,
            "http: status 404",
        ),
        (
            control(tcp(failure=Failure.NETWORK_UNREACHABLE), reached=False),
            Truth.NOT_TRIED,
            "tcp: network_unreachable",
        ),
    ],
)
def test_what_a_control_sees_is_what_is_true(
    measurement: Measurement, truth: Truth, detail: str
) -> None:
    """A refusal needs somebody there; silence and names that are gone are dead."""
    found = finding_of([measurement])
    assert (found.truth, found.detail) == (truth, detail)


def test_the_best_of_several_controls_counts() -> None:
    """One that reaches it is enough; a control without UDP only cannot try."""
    dead = control(dns(failure=Failure.DNS_NXDOMAIN), reached=False)
    blind = control(tcp(failure=Failure.NETWORK_UNREACHABLE), reached=False)
    assert finding_of([dead, control(), blind]).truth is Truth.OK
    assert finding_of([blind, dead]).truth is Truth.DEAD


def test_what_no_layer_was_seen_of_was_not_tried() -> None:
    """A proxy hides calls over UDP: nothing was asked, so nothing is said."""
    hidden = msgspec.structs.replace(control(reached=False), observations=())
    assert finding_of([hidden]).truth is Truth.NOT_TRIED
