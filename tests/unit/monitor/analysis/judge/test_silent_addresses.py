"""A plain drop of a platform's addresses is told from ordinary faults that last, and only then."""

import msgspec
import pytest

from monitor.analysis.judge.silent_addresses import cut_off_addresses, silent_together
from monitor.analysis.seen import EndpointMeasurements
from monitor.analysis.verdict import Evidence
from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation, Measurement, Purpose, TcpObservation
from tests.worlds.build import (
    ENDPOINT,
    START,
    V4,
    V4_OTHER,
    V6,
    app,
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
from tests.worlds.judged import judge

SILENCE = "generic_timeout_error"
BESIDE, FAR = "203.0.113.200", "198.51.100.7"
"""In the routed network of the platform's addresses, and in another."""
OTHER_ENDPOINT = "https://api.x.com/"
DROPPED: tuple[AnyObservation, ...] = (dns(), tcp(SILENCE))
ALIVE = (
    control(),
    control(dns(), tcp(address=V4_OTHER), tls(address=V4_OTHER), http(), endpoint=OTHER_ENDPOINT),
)
"""A control gets answers at both of the platform's addresses."""


def neighbour(
    failure: str | None = None,
    address: str = BESIDE,
    again: tuple[AnyObservation, ...] = (tcp(SILENCE, start=1.0),),
) -> Measurement:
    """Another host's own name at another address, and ours again after it."""
    shown = (
        tcp(address=address),
        tls(failure, address=address, server_name="other.example"),
    )
    made = follow_up(Reason.NEIGHBOUR, *shown)
    after = tuple(msgspec.structs.replace(o, reason=Reason.ADDRESS_AGAIN.value) for o in again)
    return msgspec.structs.replace(made, observations=(*made.observations, *after))


def way(routers: int, ways: int, failure: str | None = SILENCE, address: str = V4) -> Measurement:
    """How far packets come."""
    seen = msgspec.structs.replace(tcp(failure, address=address), routers=routers, ways=ways)
    return follow_up(Reason.WAY, seen)


def endpoints(
    *follow_ups: Measurement,
    seen: tuple[AnyObservation, ...],
    times: int,
    controls: tuple[Measurement, ...] = ALIVE,
    other: str = V4_OTHER,
) -> tuple[EndpointMeasurements, ...]:
    """Two endpoints of X that fail alike; the first is followed up."""
    there = tuple(
        msgspec.structs.replace(o, address=other) if isinstance(o, TcpObservation) else o
        for o in DROPPED
    )
    return tuple(
        EndpointMeasurements(
            platform="x",
            function="web",
            endpoint=endpoint,
            attempts=repeated(*shown, times=times, endpoint=endpoint),
            controls=tuple(one for one in controls if one.endpoint == endpoint),
            follow_ups=follow_ups if endpoint == ENDPOINT else (),
        )
        for endpoint, shown in ((ENDPOINT, seen), (OTHER_ENDPOINT, there))
    )


def read(
    *follow_ups: Measurement,
    seen: tuple[AnyObservation, ...] = DROPPED,
    times: int = 3,
    rate: float = 0.05,
    controls: tuple[Measurement, ...] = ALIVE,
    other: str = V4_OTHER,
    endpoint: str = ENDPOINT,
) -> tuple[str, Evidence]:
    """Rule and evidence on one endpoint of such a cycle."""
    measured = endpoints(*follow_ups, seen=seen, times=times, controls=controls, other=other)
    (one,) = (one for one in measured if one.endpoint == endpoint)
    verdict = judge(
        case(
            *one.attempts,
            controls=one.controls or (control(endpoint=endpoint),),
            follow_ups=one.follow_ups,
            cut_off=cut_off_addresses(measured)["x"],
            field=health(timeout_rate=rate),
            endpoint=endpoint,
        )
    )
    return verdict.rule_id, verdict.evidence


@pytest.mark.parametrize(
    ("failure", "rule"),
    [(SILENCE, "tcp.timeout"), ("host_unreachable", "tcp.unreachable")],
)
def test_addresses_silent_beside_one_that_answers_are_blocked(failure: str, rule: str) -> None:
    """The control got an answer at these very addresses, and the route to them is open."""
    seen = (dns(), tcp(failure))
    assert read(neighbour(), seen=seen) == (rule, Evidence.CONCLUSIVE)


def test_attack_a_line_that_was_silent_for_a_minute_is_no_block() -> None:
    """The uplink died in the attempts and is back: a neighbour answers, and so does the platform,
    or nobody asked it again, or only before."""
    for again in (
        (tcp(start=1.0), tls(start=1.1)),
        (),
        (tcp(SILENCE, start=0.0),),
        (tcp(SILENCE, address=FAR, start=1.0),),
    ):
        assert read(neighbour(again=again))[1] is Evidence.STRONG


def test_attack_a_dead_route_is_no_block() -> None:
    """The network lost its route to the platform: whatever is beside the addresses is as silent, or
    nobody knows a host there."""
    for follow_ups in ((), (neighbour(SILENCE),), (neighbour(address=FAR),)):
        assert read(*follow_ups) == ("tcp.timeout", Evidence.STRONG)


@pytest.mark.parametrize(
    ("silent", "answering", "evidence"),
    [(0, 20, True), (2, 8, True), (3, 17, False), (10, 10, False), (3, 37, True), (3, 0, True)],
)
def test_attack_a_dead_one_of_several_parallel_lines_is_no_block(
    silent: int, answering: int, evidence: bool
) -> None:
    """It silences addresses of any owner, and their neighbours go by another line. A few dead
    references, and a family that no line has, say nothing."""
    tried = [tcp(SILENCE if n < silent else None, address=f"192.0.{n}.7") for n in range(40)]
    references = [look(one, kind=Purpose.REFERENCE) for one in tried[: silent + answering]]
    for proof in (neighbour(), way(2, 3)):
        measured = endpoints(proof, seen=DROPPED, times=3)
        assert bool(cut_off_addresses(measured, references)["x"]) is evidence


def test_silence_over_one_family_says_nothing_of_the_other() -> None:
    """References that are silent over IPv6 do not excuse that addresses are over IPv4."""
    references = [look(tcp(SILENCE, address=f"2001:db8:{n}::1")) for n in range(5)]
    references += [look(tcp(address=f"2001:db8:1{n}::1")) for n in range(5)]
    measured = endpoints(neighbour(), seen=DROPPED, times=3)
    assert cut_off_addresses(measured, references)["x"] == {V4, V4_OTHER}


def test_attack_a_forged_neighbour_is_none() -> None:
    """A box completes any handshake. What cannot prove its name shows no route."""
    assert read(neighbour("ssl_unknown_authority"))[1] is Evidence.STRONG


def test_packets_that_end_before_their_way_parts_from_others_are_dropped() -> None:
    """They left the vantage's own router, and no fault of a route to X reaches so far back."""
    assert read(way(2, 3)) == ("tcp.timeout", Evidence.CONCLUSIVE)


def test_attack_a_link_to_the_platform_that_died_is_no_block() -> None:
    """The packets end where the ways part, or at few other ways; or at the vantage's own router,
    whose owner may filter. An answer after all shows that the silence is over."""
    for follow_ups in (way(5, 0), way(2, 2), way(1, 4), way(0, 0), way(2, 4, failure=None)):
        assert read(follow_ups) == ("tcp.timeout", Evidence.STRONG)
    assert read(way(2, 4, address=FAR))[1] is Evidence.STRONG


def test_endpoints_that_were_not_followed_up_are_told_alike() -> None:
    """Two of a function are followed up. Of the others in the same network as much is known."""
    for follow_ups in (neighbour(), way(2, 3)):
        assert read(follow_ups, endpoint=OTHER_ENDPOINT) == ("tcp.timeout", Evidence.CONCLUSIVE)


def test_attack_retired_addresses_are_no_block() -> None:
    """The resolver names addresses at which no control gets an answer either."""
    assert read(neighbour(), controls=())[1] is Evidence.STRONG
    early = tuple(msgspec.structs.replace(one, started_at=START) for one in ALIVE)
    assert cut_off_addresses(endpoints(neighbour(), seen=DROPPED, times=3, controls=early)) == {
        "x": frozenset()
    }
    broken = control(dns(), tcp(), tls("connection_reset"), reached=False)
    assert read(neighbour(), controls=(broken, ALIVE[1]))[0] == "control.also_fails"


def test_what_answers_a_control_in_its_own_protocol_is_alive() -> None:
    """A chat server has no TLS, and a control behind a proxy sees no connection, only the answer.
    One that completes handshakes and says nothing is dead, or another's."""
    for failure, alive in ((None, {V4}), (SILENCE, set())):
        there = control(app(failure), tcp(address=V4), reached=failure is None)
        chat = msgspec.structs.replace(endpoints(seen=DROPPED, times=3)[0], controls=(there,))
        other = endpoints(neighbour(), seen=DROPPED, times=3)[1]
        beside = msgspec.structs.replace(chat, follow_ups=(neighbour(),))
        assert cut_off_addresses((beside, other))["x"] == (alive and {V4, V4_OTHER})


def test_attack_one_dead_server_is_no_block() -> None:
    """One address alone is one server, which may have died near the vantage only. An IPv6 address
    beside it may be the same machine."""
    assert read(neighbour(), other=V4)[1] is Evidence.STRONG
    assert read(neighbour(), other=V6)[1] is Evidence.STRONG


def test_attack_an_address_that_answered_once_is_not_silent() -> None:
    """It refused, or reset, or answered in an earlier attempt of the cycle."""
    for failure in ("connection_refused", "connection_reset", None):
        seen = (*DROPPED, tcp(failure))
        measured = endpoints(neighbour(), seen=seen, times=3)
        assert cut_off_addresses(measured) == {"x": frozenset()}


def test_attack_loss_is_no_block() -> None:
    """The loss gate comes first, whatever answers beside."""
    assert read(neighbour(), rate=0.3)[0] == "loss.possible"
    assert read(neighbour(), times=2) == ("tcp.timeout", Evidence.WEAK)


def test_attack_a_dead_cache_beside_hosts_that_work_is_no_block() -> None:
    """The platform answers at another address from here: the resolver's own may have died."""
    alive = "203.0.113.77"
    honest = follow_up(Reason.HONEST_ADDRESS, tcp(address=alive), tls(address=alive))
    there = control(dns(addresses=(alive,)), tcp(address=alive), tls(address=alive))
    found = read(honest, neighbour(), controls=(there, ALIVE[1]))
    assert found == ("dns.dead_address", Evidence.NONE)


def test_attack_a_dead_cache_that_a_control_reaches_is_no_block() -> None:
    """A control that dials the provider's cache on purpose may reach it. No honest source names it,
    and the platform answers elsewhere from here: what is broken may be the way to the cache."""
    alive = "203.0.113.77"
    honest = follow_up(Reason.HONEST_ADDRESS, tcp(address=alive), tls(address=alive))
    there = control(
        dns(addresses=(alive,)),
        tcp(address=alive),
        tls(address=alive),
        *(msgspec.structs.replace(o, reason="same_address") for o in (tcp(), tls())),
    )
    found = read(honest, neighbour(), controls=(there, ALIVE[1]))
    assert found == ("dns.dead_address", Evidence.NONE)


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


OWNERS = {"facebook": "Meta", "instagram": "Meta", "x": "X"}


@pytest.mark.parametrize(
    ("silent", "together"),
    [
        ({}, False),
        ({"x": [V4]}, False),
        ({"x": [V4], "facebook": []}, False),
        ({"instagram": [V4], "facebook": ["198.51.100.9"]}, False),
        ({"x": [V4], "facebook": ["198.51.100.9"]}, True),
        ({"x": [V4], "facebook": [V4_OTHER]}, False),
        ({"x": [V4, "192.0.2.4"], "telegram": [V4_OTHER, "198.51.100.9"]}, False),
        ({"x": [V4], "instagram": [V4_OTHER], "telegram": ["198.51.100.9"]}, True),
    ],
)
def test_platforms_of_different_owners_are_silent_together(
    silent: dict[str, list[str]], together: bool
) -> None:
    """In networks of their own: two owners may rent from one provider, whose route is dead."""
    assert silent_together(silent, OWNERS) is together
