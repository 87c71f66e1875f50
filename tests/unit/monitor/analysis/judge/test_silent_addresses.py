"""A plain drop of a platform's addresses is told from ordinary faults that last, and only then."""

import pytest

from monitor.analysis.judge.rules import judge
from monitor.analysis.judge.silent_addresses import silent_from_here
from monitor.analysis.seen import EndpointMeasurements
from monitor.analysis.verdict import Evidence
from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation, Measurement
from tests.worlds.build import (
    V4,
    V4_OTHER,
    V6,
    case,
    control,
    dns,
    follow_up,
    health,
    http,
    look,
    repeated,
    tcp,
    tls,
)

SILENCE = "generic_timeout_error"
BESIDE, FAR = "203.0.113.200", "198.51.100.7"
"""In the routed network of the platform's addresses, and in another."""
SILENT = frozenset({V4, V4_OTHER})
DROPPED: tuple[AnyObservation, ...] = (dns(), tcp(SILENCE))


def neighbour(failure: str | None = None, address: str = BESIDE) -> Measurement:
    """Another host's own name at another address."""
    shown = tls(failure, address=address, server_name="other.example")
    return follow_up(Reason.NEIGHBOUR, tcp(address=address), shown)


def read(
    *follow_ups: Measurement,
    seen: tuple[AnyObservation, ...] = DROPPED,
    times: int = 3,
    silent: frozenset[str] = SILENT,
    rate: float = 0.05,
) -> tuple[str, Evidence]:
    """Rule and evidence of such attempts."""
    attempts = repeated(*seen, times=times)
    field = health(timeout_rate=rate)
    verdict = judge(case(*attempts, follow_ups=follow_ups, silent_from_here=silent, field=field))
    return verdict.rule_id, verdict.evidence


@pytest.mark.parametrize(
    ("failure", "rule"),
    [(SILENCE, "tcp.timeout"), ("host_unreachable", "tcp.unreachable")],
)
def test_addresses_silent_beside_one_that_answers_are_blocked(failure: str, rule: str) -> None:
    """The control got an answer at these very addresses, and the route to them is open."""
    seen = (dns(), tcp(failure))
    assert read(neighbour(), seen=seen) == (rule, Evidence.CONCLUSIVE)


def test_attack_a_dead_route_is_no_block() -> None:
    """The network lost its route to the platform: whatever is beside the addresses is as silent, or
    nobody knows a host there."""
    for follow_ups in ((), (neighbour(SILENCE),), (neighbour(address=FAR),)):
        assert read(*follow_ups) == ("tcp.timeout", Evidence.STRONG)


def test_attack_a_forged_neighbour_is_none() -> None:
    """A box completes any handshake. What cannot prove its name shows no route."""
    assert read(neighbour("ssl_unknown_authority"))[1] is Evidence.STRONG


def test_attack_retired_addresses_are_no_block() -> None:
    """The resolver names addresses at which no control gets an answer either."""
    assert read(neighbour(), silent=frozenset())[1] is Evidence.STRONG
    assert read(neighbour(), silent=frozenset({V4_OTHER, V6}))[1] is Evidence.STRONG


def test_attack_one_dead_server_is_no_block() -> None:
    """One address alone is one server, which may have died near the vantage only. An IPv6 address
    beside it may be the same machine."""
    assert read(neighbour(), silent=frozenset({V4}))[1] is Evidence.STRONG
    assert read(neighbour(), silent=frozenset({V4, V6}))[1] is Evidence.STRONG


def test_attack_loss_is_no_block() -> None:
    """The loss gate comes first, whatever answers beside."""
    assert read(neighbour(), rate=0.3)[0] == "loss.possible"
    assert read(neighbour(), times=2) == ("tcp.timeout", Evidence.WEAK)


def test_attack_a_dead_cache_beside_hosts_that_work_is_no_block() -> None:
    """The platform answers at another address from here: the resolver's own may have died."""
    shown = tls(address=V4_OTHER)
    honest = follow_up(Reason.HONEST_ADDRESS, tcp(address=V4_OTHER), shown)
    attempts = repeated(*DROPPED, times=3)
    there = control(dns(addresses=(V4_OTHER,)), tcp(address=V4_OTHER), tls(address=V4_OTHER))
    found = judge(
        case(
            *attempts,
            controls=(there,),
            follow_ups=(honest, neighbour()),
            silent_from_here=SILENT,
        )
    )
    assert (found.rule_id, found.evidence) == ("dns.dead_address", Evidence.NONE)


def test_silence_for_every_name_is_told_alike() -> None:
    """A censor who lets connections be made and drops the rest, whatever name is asked for."""
    seen = (dns(), tcp(), tls(SILENCE))
    innocuous = follow_up(
        Reason.INNOCUOUS_SNI, tcp(), tls(SILENCE, server_name="innocuous.example")
    )
    small = follow_up(Reason.SMALL_SEGMENTS, tcp(), tls(SILENCE))
    assert read(innocuous, small, seen=seen) == ("tls.address", Evidence.STRONG)
    assert read(innocuous, small, neighbour(), seen=seen) == ("tls.address", Evidence.CONCLUSIVE)
    # Where nobody asked in small segments, large packets may get lost.
    assert read(innocuous, neighbour(), seen=seen) == ("tls.address", Evidence.WEAK)


def silent(attempts: tuple[Measurement, ...], *controls: Measurement) -> frozenset[str]:
    """The silent addresses of such a cycle."""
    one = EndpointMeasurements(
        platform="x", role="web", endpoint="https://x.com/", attempts=attempts, controls=controls
    )
    return silent_from_here((one,))["x"]


def test_which_addresses_are_silent_from_here_alone() -> None:
    """Those that answered in no attempt, and a control after the last."""
    attempts = repeated(*DROPPED, tcp(SILENCE, address=V4_OTHER), times=3)
    assert silent(attempts, control()) == {V4}
    both = control(dns(), tcp(), tls(), tcp(address=V4_OTHER), tls(address=V4_OTHER), http())
    assert silent(attempts, both) == SILENT
    assert silent(attempts) == frozenset()
    assert silent(attempts, control(at=0.0)) == frozenset()
    assert silent(attempts, control(dns(), tcp(), tls("connection_reset"))) == frozenset()
    assert silent((*attempts, look(dns(), tcp(), tls(), at=9.0)), control()) == frozenset()
    assert silent((*attempts, look(dns(), tcp(), tls(SILENCE), at=9.0)), control()) == {V4}
    refused = look(dns(), tcp("connection_refused"), at=9.0)
    assert silent((*attempts, refused), control()) == frozenset()
