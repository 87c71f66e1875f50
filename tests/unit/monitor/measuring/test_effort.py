"""How closely a modest cycle looks where something is wrong, with bytes for that and without."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from monitor.analysis.judge.judge_case import judge
from monitor.analysis.verdict import State, Verdict
from monitor.budget.budget import Allotment, Effort
from monitor.budget.ledger import Ledger
from monitor.config.settings import Settings
from monitor.measuring.effort import CycleEffort, EffortPlanner
from probes.catalog.catalog import Catalog, Endpoint, Function, Platform
from probes.catalog.endpoint_text import parse_endpoint
from probes.failure_strings import Failure
from probes.measurement import AnyObservation, Measurement
from probes.settings import ProbeSettings
from probes.target import Reduction
from probes.vantage import VantagePoint
from tests.worlds.build import case, control, dns, health, http, look, tcp, tls

VANTAGE = VantagePoint(id="khi-ptcl", country="PK")
SITES = tuple(parse_endpoint(f"https://{host}/") for host in ("x.com", "t.co"))
FUNCTION = Function(name="web", core=True, endpoints=SITES)
X = Platform(name="x", title="X", owner="x", functions=(FUNCTION,))
BOTH = ("ipv4", "ipv6")
NAMES = (dns(), dns("2001:db8::10"))
V4, V6 = "203.0.113.10", "2001:db8::10"
SILENT = Failure.GENERIC_TIMEOUT


def modesty(*, rich: bool, spent: int = 0) -> EffortPlanner:
    """At the middle of a day of which suspicion has used so many bytes, of many or of few."""
    moment = datetime(2024, 2, 17, 12, tzinfo=UTC)
    settings = Settings(
        vantages=(VANTAGE,),
        catalog=Catalog(platforms=(X,)),
        probe=ProbeSettings(daily_bytes=10_000_000 if rich else 40_000),
    )
    ledger = Ledger(settings, now=lambda: moment + timedelta(0))
    ledger.buy(VANTAGE.id, Allotment.SUSPICION, spent)
    return EffortPlanner(ledger)


def at(endpoint: Endpoint, *seen: AnyObservation, reached: bool) -> Measurement:
    """A look at an endpoint of X."""
    return look(*NAMES, *seen, reached=reached, endpoint=endpoint.id)


def blocked_over(*families: str) -> Measurement:
    """A look at x.com that met silence over these and got through over the rest."""
    addresses = {"ipv4": V4, "ipv6": V6}
    seen: list[AnyObservation] = []
    for family, address in addresses.items():
        failure = SILENT if family in families else None
        seen += [tcp(address=address), tls(failure, address=address)]
    well = [addresses[family] for family in addresses if family not in families]
    if well:
        seen.append(http(address=well[0]))
    return at(SITES[0], *seen, reached=bool(well))


WELL = at(SITES[1], tcp(address=V4), tls(address=V4), http(address=V4), reached=True)


def after(known: EffortPlanner, *looks: Measurement) -> CycleEffort:
    """The modest cycle that follows one in which these were the last looks."""
    known.begin(VANTAGE.id, Effort.WHOLE, BOTH).learn(looks, [])
    return known.begin(VANTAGE.id, Effort.MODEST, BOTH)


@pytest.mark.parametrize("endpoint", SITES)
def test_all_of_a_function_is_looked_at_closely_after_a_failure(endpoint: Endpoint) -> None:
    """Of a pool other members are sampled in each cycle: they are to show the same block."""
    cycle = after(modesty(rich=True), blocked_over("ipv4"), WELL)
    assert cycle.first(X, FUNCTION, endpoint) == (None, Allotment.SUSPICION)


def test_what_was_well_is_greeted_over_one_family_in_turn() -> None:
    """The next cycle takes the other family."""
    known = modesty(rich=True)
    glances = [after(known, blocked_over(), WELL).first(X, FUNCTION, SITES[0])[0]]
    glances.append(known.begin(VANTAGE.id, Effort.MODEST, BOTH).first(X, FUNCTION, SITES[0])[0])
    assert [reduction.greet for reduction in glances if reduction] == [True, True]
    assert {reduction.family for reduction in glances if reduction} == set(BOTH)


@pytest.mark.parametrize("family", BOTH)
def test_without_bytes_a_block_of_one_family_is_looked_at_over_both(family: str) -> None:
    """Over the other one it would seem to be over, and over itself that nothing gets through."""
    cycle = after(modesty(rich=False), blocked_over(family), WELL)
    for _ in range(3):
        assert cycle.first(X, FUNCTION, SITES[0]) == (Reduction(addresses=1), None)
    allowed, reduction = cycle.again(X, FUNCTION, SITES[0], blocked_over(family))
    assert allowed
    assert reduction == Reduction(addresses=1)


def test_without_bytes_one_family_speaks_for_both_where_both_are_blocked() -> None:
    """And no page is left out of the look, so that what tells the block can be seen."""
    reduction, purse = after(modesty(rich=False), blocked_over(*BOTH)).first(X, FUNCTION, SITES[0])
    assert reduction is not None
    assert reduction.family in BOTH
    assert not reduction.greet
    assert purse is None


def test_a_family_that_was_not_looked_at_stays_suspect() -> None:
    """Both were blocked; one is open again: the next look goes over the other one too."""
    known = modesty(rich=False)
    cycle = after(known, blocked_over(*BOTH))
    reduction, _ = cycle.first(X, FUNCTION, SITES[0])
    assert reduction is not None
    address = V4 if reduction.family == "ipv4" else V6
    cycle.learn(
        [at(SITES[0], tcp(address=address), tls(address=address), reached=True)], verdicts=[]
    )
    cycle = known.begin(VANTAGE.id, Effort.MODEST, BOTH)
    assert cycle.first(X, FUNCTION, SITES[0]) == (Reduction(addresses=1), None)


def accused(look: Measurement) -> Verdict:
    """That the endpoint of a look is blocked, whatever the look shows."""
    return msgspec.structs.replace(
        judge(case(look, endpoint=look.endpoint)), state=State.BLOCKED, function=FUNCTION.name
    )


@pytest.mark.parametrize("state", [State.BLOCKED, State.PARTIAL])
def test_a_verdict_is_enough_to_be_wary(state: State) -> None:
    """A page that is withheld, QUIC that is, or a share of connections leaves looks that reach
    their endpoint."""
    known = modesty(rich=False)
    look = blocked_over()
    verdict = msgspec.structs.replace(accused(look), state=state)
    known.begin(VANTAGE.id, Effort.WHOLE, BOTH).learn([look], [verdict])
    cycle = known.begin(VANTAGE.id, Effort.MODEST, BOTH)
    assert cycle.first(X, FUNCTION, SITES[0]) == (Reduction(addresses=1), None)


@pytest.mark.parametrize("state", [State.BLOCKED, State.PARTIAL])
def test_what_an_earlier_process_found_blocked_is_looked_at_closely(state: State) -> None:
    """A restart is no reason for an event to end, nor is a cycle over the family that works."""
    known = modesty(rich=True)
    verdict = msgspec.structs.replace(accused(blocked_over()), state=state)
    known.remember([msgspec.structs.replace(verdict, vantage=VANTAGE.id, platform=X.name)])
    cycle = known.begin(VANTAGE.id, Effort.MODEST, BOTH)
    assert cycle.first(X, FUNCTION, SITES[0]) == (None, Allotment.SUSPICION)


def test_what_works_again_is_trusted_again() -> None:
    """A cycle of close looks that are all well ends the wariness, at once."""
    known = modesty(rich=True)
    cycle = after(known, blocked_over("ipv4"), WELL)
    cycle.first(X, FUNCTION, SITES[0])
    cycle.learn([blocked_over(), WELL], [])
    reduction, _ = known.begin(VANTAGE.id, Effort.MODEST, BOTH).first(X, FUNCTION, SITES[0])
    assert reduction is not None
    assert reduction.greet


@pytest.mark.parametrize("before", [blocked_over("ipv6"), blocked_over()], ids=["known", "new"])
def test_without_bytes_a_silent_ipv6_makes_no_block(before: Measurement) -> None:
    """Most people have IPv4. Once a dead route over IPv6 had used up the bytes for suspicion, the
    rest of the day nothing but IPv6 was tested, and the platform was called blocked."""
    known = modesty(rich=True, spent=4_000_000)
    cycle = after(known, before, WELL)
    reduction, _ = cycle.first(X, FUNCTION, SITES[0])
    if reduction is not None and reduction.family == "ipv4":
        cycle = known.begin(VANTAGE.id, Effort.MODEST, BOTH)  # the turn of IPv6
        reduction, _ = cycle.first(X, FUNCTION, SITES[0])
    attempts = [ipv6_silent(reduction, 1)]
    for number in (2, 3):
        allowed, reduction = cycle.again(X, FUNCTION, SITES[0], attempts[0])
        assert allowed
        attempts.append(ipv6_silent(reduction, number))
    over_both = (tcp(), tls(), tcp(address=V6), tls(address=V6), http())
    there = control(*RESOLVED, *over_both, endpoint=SITES[0].id)
    verdict = judge(
        case(*attempts, controls=(there,), field=health(families=BOTH), endpoint=SITES[0].id)
    )
    assert (verdict.state, verdict.rule_id) == (State.OK, "family.ipv6_dead")


RESOLVED = (dns(), dns(rtype="AAAA", addresses=(V6,)))


def ipv6_silent(reduction: Reduction | None, number: int) -> Measurement:
    """A look at x.com, whose IPv6 is silent, as far as the reduction lets it see."""
    over = reduction.family if reduction is not None else ""
    seen: list[AnyObservation] = [] if over == "ipv6" else [tcp(), tls(), http()]
    if over != "ipv4":
        seen.append(tcp(SILENT, address=V6))
    reached = over != "ipv6"
    return look(*RESOLVED, *seen, reached=reached, at=5.0 * number, endpoint=SITES[0].id)
