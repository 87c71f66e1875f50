"""Endpoints of other kinds than pages."""

from typing import Any

import pytest

from monitor.analysis.verdict import Evidence, State
from probes.catalog.endpoint_kinds import EndpointKind
from tests.worlds.build import HOST, V4, V6, case, control, dns, look, repeated, tcp, tls
from tests.worlds.judge_cases import failing, over_https
from tests.worlds.judged import judge


def test_an_endpoint_that_was_not_dialled_accuses_nobody() -> None:
    """An ordered endpoint at an address that too many reach: names resolve, and nothing follows."""
    found = judge(failing(dns()))
    assert (found.state, found.evidence) == (State.INSUFFICIENT, Evidence.NONE)


def test_address_endpoint_without_dns() -> None:
    """A data centre given by address is judged from its connections alone."""
    endpoint = f"tcp://{V4}:443"
    looks = repeated(tcp("connection_refused"), times=4, endpoint=endpoint)
    verdict = judge(case(*looks, controls=(control(tcp(), endpoint=endpoint),), endpoint=endpoint))
    assert (verdict.rule_id, verdict.evidence) == ("tcp.refused", Evidence.STRONG)


def test_address_of_a_family_the_machine_lacks() -> None:
    """An IPv6 address that was never dialled is not a block."""
    endpoint = f"tcp://[{V6}]:443"
    seen = control(tcp(address=V6), endpoint=endpoint)
    verdict = judge(case(look(endpoint=endpoint), controls=(seen,), endpoint=endpoint))
    assert verdict.rule_id == "vantage.family_missing"


def test_name_endpoint() -> None:
    """A bare name is judged from its resolution, whatever families the vantage has."""
    endpoint = "dns:stun.fbsbx.com"
    seen = dns("dns_nxdomain_error", name="stun.fbsbx.com", rtype="AAAA")
    looks = repeated(seen, times=4, endpoint=endpoint)
    answer = control(dns(name="stun.fbsbx.com"), endpoint=endpoint)
    verdict = judge(case(*looks, controls=(answer,), endpoint=endpoint))
    assert verdict.rule_id == "dns.nxdomain"


def test_every_endpoint_kind_is_known() -> None:
    """Each kind of endpoint gets a verdict of ok when it is reached."""
    ids = (
        *("https://x.com/", "http://x.com/", "tls://x.com:443", "tcp://x.com:443"),
        *("dns:x.com", "stun:x.com:3478", "ntp:x.com:123"),
    )
    assert len(ids) == len(EndpointKind)
    for endpoint in ids:
        verdict = judge(
            case(look(dns(name=HOST), reached=True, endpoint=endpoint), endpoint=endpoint)
        )
        assert verdict.state is State.OK


@pytest.mark.parametrize(
    "failure", ["dns_nxdomain_error", "dns_servfail_error", "dns_refused_error", "dns_bogon_error"]
)
def test_a_resolver_over_https_never_accuses_the_networks_own(failure: str) -> None:
    """The same reply from the network's resolver is a block; what connects and fails still is."""
    fields: dict[str, Any] = {"addresses": ("10.0.0.1",)} if failure.startswith("dns_bogon") else {}
    assert judge(failing(over_https(failure, **fields))).rule_id == "dns.other_resolver"
    assert judge(failing(dns(failure, **fields))).method == "dns"
    reset = judge(failing(over_https(), tcp(), tls("connection_reset")))
    assert (reset.state, reset.rule_id) == (State.BLOCKED, "tls.reset")
