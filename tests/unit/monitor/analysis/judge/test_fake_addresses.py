"""Names that software at the vantage's own site leads through a proxy: fake addresses."""

import pytest

from monitor.analysis.verdict import State
from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation
from tests.worlds.build import (
    V6,
    case,
    control,
    dns,
    follow_up,
    health,
    http,
    repeated,
    tcp,
    tls,
)
from tests.worlds.judge_cases import BOTH
from tests.worlds.judged import judge

FAKE, FAKE6 = "198.18.0.37", "fc00::25"


def leads_to(*addresses: str) -> AnyObservation:
    """An answer that no public service can have."""
    rtype = "AAAA" if ":" in addresses[0] else "A"
    return dns("dns_bogon_error", rtype=rtype, addresses=addresses)


@pytest.mark.parametrize(
    "seen",
    [
        (leads_to(FAKE),),
        (leads_to(FAKE), dns(rtype="AAAA", addresses=())),
        (leads_to(FAKE), leads_to(FAKE6)),
        (leads_to(FAKE), dns("dns_nxdomain_error", rtype="AAAA")),
    ],
)
@pytest.mark.parametrize("through", ["works", "fails", "not asked"])
def test_a_fake_address_of_a_proxy_neither_accuses_nor_clears(
    seen: tuple[AnyObservation, ...], through: str
) -> None:
    """What people run against censors gives each name an address of its own and connects to it from
    elsewhere. Read as a resolver that lies it was conclusive while the proxy failed, and while it
    worked the platform was open."""
    private = follow_up(
        Reason.PRIVATE_ADDRESS,
        tcp(address=FAKE),
        tls(None if through == "works" else "eof_error", address=FAKE),
    )
    honest = follow_up(Reason.HONEST_ADDRESS, tcp(), tls(), at=60)
    asked = (honest,) if through == "not asked" else (private, honest)
    verdict = judge(case(*repeated(*seen, times=2), follow_ups=asked))
    assert verdict.state is State.INSUFFICIENT
    assert judge(case(*repeated(*seen, times=2), controls=())).state is State.INSUFFICIENT


@pytest.mark.parametrize(
    "addresses", [("10.10.34.36",), ("198.20.0.1", "127.0.0.1"), (FAKE, "10.0.0.1")]
)
def test_other_impossible_addresses_accuse_as_before(addresses: tuple[str, ...]) -> None:
    """One that no proxy makes up is enough."""
    assert judge(case(*repeated(leads_to(*addresses), times=2))).rule_id == "dns.bogon"


def test_a_fake_address_of_one_family_is_no_block_of_it() -> None:
    """The proxy is asked for IPv4 alone; over IPv6 the platform is reached past it."""
    over6 = (dns(rtype="AAAA", addresses=(V6,)), tcp(address=V6), tls(address=V6))
    seen = (leads_to(FAKE), *over6, http(address=V6))
    both = (control(dns(), tcp(), tls(), *over6, http()),)
    attempts = repeated(*seen, times=3, reached=True)
    verdict = judge(case(*attempts, controls=both, field=health(families=BOTH)))
    assert verdict.rule_id == "endpoint.reached"
