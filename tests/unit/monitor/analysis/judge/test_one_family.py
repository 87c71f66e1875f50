"""IPv6 that is silent beside an ordinary fault over IPv4."""

import msgspec
import pytest

from monitor.analysis.verdict import Evidence
from probes.measure.follow_up_reasons import Reason
from probes.measurement import LATE_ANSWER, AnyObservation, Measurement
from tests.worlds.build import V4, V4_OTHER, V6, control, dns, follow_up, health, http, tcp, tls
from tests.worlds.judge_cases import failing
from tests.worlds.judged import judge

SILENCE, UNREACHABLE = "generic_timeout_error", "host_unreachable"
BOTH = frozenset((V4, V6))
ALIVE = (
    control(
        *(dns(addresses=(V4_OTHER, V6)), tcp(address=V4_OTHER), tls(address=V4_OTHER)),
        *(tcp(address=V6), tls(address=V6), http()),
    ),
)
HONEST = (follow_up(Reason.HONEST_ADDRESS, tcp(address=V4_OTHER), tls(address=V4_OTHER)),)
"""The platform answers over IPv4 at another address than the network's resolver gives."""


def read(
    over_ipv4: str,
    over_ipv6: str,
    *follow_ups: Measurement,
    families: tuple[str, ...] = ("ipv4", "ipv6"),
    **more: object,
) -> tuple[str, Evidence]:
    """The verdict on attempts that made no connection over either family, of whose addresses
    follow-ups show that no dead route silences those over IPv6."""
    names: tuple[AnyObservation, ...] = (
        dns(addresses=(V4,)),
        msgspec.structs.replace(dns(addresses=(V6,)), rtype="AAAA"),
    )
    case = failing(
        *(*names, tcp(over_ipv4), tcp(over_ipv6, address=V6)),
        controls=ALIVE,
        follow_ups=follow_ups,
        cut_off=frozenset({V6}),
        field=health(families=families),
    )
    found = judge(msgspec.structs.replace(case, **more))
    return found.rule_id, found.evidence


@pytest.mark.parametrize("over_ipv6", [UNREACHABLE, SILENCE])
def test_a_dead_cache_over_ipv4_makes_no_block_of_silent_ipv6(over_ipv6: str) -> None:
    """It was one beyond doubt. Over IPv6 alone it is one, and so it is where nothing explains the
    silence over IPv4."""
    assert read(SILENCE, over_ipv6, *HONEST) == ("dns.dead_address", Evidence.NONE)
    rule, evidence = read(SILENCE, over_ipv6, *HONEST, families=("ipv6",))
    assert rule == ("tcp.timeout" if over_ipv6 == SILENCE else "tcp.unreachable")
    assert evidence is Evidence.CONCLUSIVE
    known = follow_up(Reason.DOH, dns(addresses=(V4,)))
    cut_off = read(SILENCE, over_ipv6, *HONEST, known, cut_off=BOTH)
    assert cut_off == ("tcp.timeout", Evidence.CONCLUSIVE)


def test_a_lossy_path_over_ipv4_makes_no_block_of_unreachable_ipv6() -> None:
    """What loses packets explains silence, and nothing else needs to be explained."""
    assert read(SILENCE, UNREACHABLE, lossy_path=True) == ("path.lossy", Evidence.NONE)


LATE, LOST = msgspec.structs.replace(dns(), reason=LATE_ANSWER), dns(SILENCE)


@pytest.mark.parametrize(
    ("missed", "verdict"),
    [(LATE, ("look.unexplained", Evidence.NONE)), (LOST, ("dns.timeout", Evidence.WEAK))],
    ids=["late", "lost"],
)
def test_ipv4_that_was_not_tried_makes_no_block_of_unreachable_ipv6(
    missed: AnyObservation, verdict: tuple[str, Evidence]
) -> None:
    """The resolver's answer came too late, or got lost in every attempt: that alone is left."""
    over_ipv6 = (dns(rtype="AAAA", addresses=(V6,)), tcp(UNREACHABLE, address=V6))
    case = failing(missed, *over_ipv6, controls=ALIVE, cut_off=frozenset({V6}))
    found = judge(msgspec.structs.replace(case, health=health(families=("ipv4", "ipv6"))))
    assert (found.rule_id, found.evidence) == verdict
    alone = judge(msgspec.structs.replace(case, health=health(families=("ipv6",))))
    assert (alone.rule_id, alone.evidence) == ("tcp.unreachable", Evidence.CONCLUSIVE)


def test_what_acts_over_ipv4_is_told_whatever_ipv6_does() -> None:
    """A refusal is somebody's answer."""
    assert read("connection_refused", SILENCE)[0] == "tcp.refused"
