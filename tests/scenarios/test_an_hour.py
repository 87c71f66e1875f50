"""An hour of simulated time: what real cycles in the lab become in the shipped detector.

Every fault strikes a monitor that knows X as well, from a network of its own. What its cycles come
to is then put before the detector at the pace of the shipped settings. `make soak` measures as many
cycles as the hour has; otherwise a few of them stand for the rest.
"""

from collections.abc import Callable

import msgspec
import pytest

from monitor.analysis.events.event import EventState
from monitor.analysis.events.sequential_test import Kind, reading_of
from monitor.analysis.verdict import Evidence, State
from tests.lab.hosts import TRANSPARENT_PROXY
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.rounds import Round, Rounds, Told, told
from tests.scenarios.story import UNHURRIED, write_config
from tests.scenarios.test_lasting_faults import X_HOSTS, X_NAMES

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

MINUTE = 60.0
EDGE = "edge-dead"
INNOCENT: dict[str, Callable[[Network], object]] = {
    "office-proxy": lambda network: network.forge(
        [*X_NAMES, "www.wikipedia.org", "www.cloudflare.com"], "by Office Gateway"
    ),
    # The provider's cache worked until now.
    EDGE: lambda network: network.block(address=TRANSPARENT_PROXY, how="drop"),
    "path-mtu": lambda network: network.path_mtu(1400, X_HOSTS),
    "lossy-path": lambda network: network.impair(loss=0.3, address=X_HOSTS, seed=7),
    "ipv6-dead": lambda network: network.block(address=X_HOSTS, family=6, how="drop"),
}
DROPPED = ("drop-1", "drop-2", "drop-3")


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured before and after."""

    calm: Round
    hit: tuple[Round, ...]

    def told(self, *vantages: str, **how: object) -> Told:
        """What becomes of X at these vantages, as one country."""
        return told(
            {vantage: self.calm.on(vantage) for vantage in vantages},
            {vantage: [one.on(vantage) for one in self.hit] for vantage in vantages},
            **how,  # type: ignore[arg-type]
        )


def _measured(rounds: int) -> Hour:
    networks = [LabNetwork(name, 64500 + i) for i, name in enumerate((*INNOCENT, *DROPPED))]
    with Lab(networks, controls=1, direct=1, large_certificates=True) as lab:
        lab.network(EDGE).block(dns=X_NAMES, how="address", answer=TRANSPARENT_PROXY)
        # Long enough for three requests for a connection; the shipped timeout has four.
        probe = {**UNHURRIED, "tcp_timeout": "4s"}
        config = write_config(lab, platforms=["x"], probe=probe, egress="interface")
        with Rounds(lab, config) as monitor:
            calm = monitor.cycle()
            for name, apply in INNOCENT.items():
                apply(lab.network(name))
            for name in DROPPED:
                lab.network(name).block(address=X_HOSTS, how="drop")
            return Hour(calm=calm, hit=tuple(monitor.cycle() for _ in range(rounds)))


@pytest.fixture(scope="module")
def hour() -> Hour:
    """A few cycles under each fault."""
    return _measured(2)


def _is_no_event(hour: Hour, fault: str) -> None:
    assert hour.calm.on(fault).state is State.OK
    verdicts = [one.on(fault) for one in hour.hit]
    accusing = [one for one in verdicts if reading_of(one).kind is Kind.ACCUSES]
    assert not [(one.state, one.rule_id, one.evidence) for one in accusing]
    for cycle in (10.0, 90.0):
        assert hour.told(fault, cycle=cycle).event is None


@pytest.mark.parametrize("fault", INNOCENT)
def test_a_fault_that_lasts_an_hour_is_no_event(hour: Hour, fault: str) -> None:
    """Whether its cycles are long or short, nobody is accused, once or by repetition."""
    _is_no_event(hour, fault)


def test_a_plain_drop_on_one_network(hour: Hour) -> None:
    """Begun right after a cycle: suspected within 10 minutes, confirmed within 25."""
    assert {one.on("drop-1").evidence for one in hour.hit} == {Evidence.CONCLUSIVE}
    seen = hour.told("drop-1")
    assert seen.event is not None
    assert seen.event.state is EventState.CONFIRMED
    assert seen.event.methods == ("tcp.timeout",)
    assert seen.suspected is not None
    assert seen.suspected <= 10 * MINUTE
    assert seen.confirmed is not None
    assert seen.confirmed <= 25 * MINUTE


def test_a_plain_drop_on_three_networks(hour: Hour) -> None:
    """Whose cycles do not begin together: suspected within 5 minutes, confirmed within 10."""
    phases = {"drop-1": 99.0, "drop-2": 199.0, "drop-3": 299.0}
    seen = hour.told(*DROPPED, phases=phases)
    assert seen.event is not None
    assert len([one for one in seen.event.networks if one.affected]) == len(DROPPED)
    assert seen.suspected is not None
    assert seen.suspected <= 5 * MINUTE
    assert seen.confirmed is not None
    assert seen.confirmed <= 10 * MINUTE


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_every_cycle_of_an_hour() -> None:
    """Each cycle of the hour is measured, not a few of them repeated."""
    hour = _measured(40)
    for fault in INNOCENT:
        _is_no_event(hour, fault)
    seen = hour.told("drop-1")
    assert seen.confirmed is not None
    assert seen.confirmed <= 25 * MINUTE
