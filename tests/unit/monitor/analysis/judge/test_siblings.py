"""Which silent endpoints stand for others of their function, and what that leaves to be known."""

import msgspec
import pytest

from monitor.analysis.judge.platform import roll_up
from monitor.analysis.judge.siblings import (
    full_tests,
    sampled_out,
    silent_at,
    unconnected,
)
from monitor.analysis.seen import EndpointMeasurements
from monitor.analysis.verdict import Evidence, State
from probes.catalog.catalog import Endpoint, Function, Need, Platform
from probes.catalog.endpoint_text import parse_endpoint
from probes.measurement import Layer, Measurement
from tests.worlds.build import START, app, case, dns, http, look, tcp, tls
from tests.worlds.judged import judge

TIMEOUT = "generic_timeout_error"
DROPPED = look(dns(), tcp(TIMEOUT))
NAMED = look(dns(), tcp(), tls(TIMEOUT))
RESET = look(dns(), tcp(), tls("connection_reset"))
WELL = look(dns(), tcp(), tls(), http(), reached=True)


def measured(name: str, *attempts: Measurement, asked: bool = False) -> EndpointMeasurements:
    """One endpoint of a function; `asked`: controls were."""
    return EndpointMeasurements(
        platform="x",
        function="web",
        endpoint=name,
        attempts=attempts,
        controls=(WELL,) if asked else (),
    )


@pytest.mark.parametrize(
    ("seen", "layer"),
    [(DROPPED, Layer.TCP), (NAMED, Layer.TLS), (RESET, None), (WELL, None)],
)
def test_only_silence_is_alike(seen: Measurement, layer: Layer | None) -> None:
    """Whoever answers in any way is tested in full."""
    assert silent_at(seen) is layer


def test_one_stands_for_others_only_where_it_stayed_silent_alike() -> None:
    """Not where it answered when it was tested again, nor where it fails at another layer."""
    assert sampled_out(
        [measured("a", DROPPED, DROPPED, DROPPED, asked=True), measured("b", DROPPED)]
    ) == {("x", "web", "b")}
    assert not sampled_out([measured("a", DROPPED, WELL, asked=True), measured("b", DROPPED)])
    assert not sampled_out([measured("a", NAMED, NAMED, asked=True), measured("b", DROPPED)])
    assert not sampled_out([measured("a", DROPPED), measured("b", DROPPED)])


def endpoints(count: int) -> tuple[Endpoint, ...]:
    """So many of a function."""
    return tuple(parse_endpoint(f"tls://{number}.example") for number in range(count))


@pytest.mark.parametrize("need", [Need.ANY, Need.ALL, 2, 3])
@pytest.mark.parametrize("count", range(1, 9))
def test_those_that_stand_for_others_suffice_to_find_a_function_blocked(
    need: Need | int, count: int
) -> None:
    """Blocked ones tested in full, and nothing known of the others: the function is blocked."""
    if not isinstance(need, Need) and need > count:
        pytest.skip("a function cannot need more endpoints than it has")
    several = endpoints(count)
    function = Function(name="web", core=True, endpoints=several, need=need)
    platform = Platform(name="x", title="X", owner="x", functions=(function,))
    full = full_tests(function, several, count)
    verdicts = [
        msgspec.structs.replace(
            judge(case(WELL, endpoint=one.id)),
            state=State.BLOCKED if number < full else State.INSUFFICIENT,
            evidence=Evidence.STRONG if number < full else Evidence.NONE,
        )
        for number, one in enumerate(several)
    ]
    assert roll_up(platform, verdicts, started_at=START).state is State.BLOCKED
    assert full <= max(1, (count + 1) // 2) or not isinstance(need, Need)


STUN = look(dns(), app(TIMEOUT, protocol="stun"))
CHAT = look(dns(), tcp(), app(TIMEOUT))


@pytest.mark.parametrize(
    ("seen", "made_none"),
    [(DROPPED, True), (STUN, True), (NAMED, False), (CHAT, False), (WELL, False), (RESET, False)],
)
def test_what_connected_is_waited_for_in_full(seen: Measurement, made_none: bool) -> None:
    """Throttled lines accused of dropping: a handshake may be next in a shaper's queue."""
    assert unconnected(seen) is made_none
