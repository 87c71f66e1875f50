"""Coverage adds up: decided, undecided by cause and not measured, for any verdicts."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.analysis.coverage import (
    CAUSES,
    Cause,
    Coverage,
    Tallies,
    cause_by_rule,
    cause_of,
    coverage_of,
)
from monitor.analysis.judge.judge_case import judge
from monitor.analysis.judge.rules.table import RULES
from monitor.analysis.throttling.rules_table import THROTTLING_RULES
from monitor.analysis.vantage.health import HEALTH_RULES, IPV4_CUT, HealthRule
from monitor.analysis.verdict import PlatformVerdict, State
from tests.contract.cycles import cycle
from tests.worlds.build import case, dns, health, repeated, tcp, tls

BEGIN = datetime(2024, 2, 17, 12, 0, tzinfo=UTC)
PLAIN = cycle(0, platforms=("x",), endpoints=1).platforms[0]


def verdict(
    state: State = State.OK,
    rule: str = "endpoint.reached",
    *,
    minutes: float = 0,
    asn: int = 17557,
    platform: str = "x",
) -> PlatformVerdict:
    """A verdict on the platform, made so many minutes after BEGIN."""
    at = BEGIN + timedelta(minutes=minutes)
    return msgspec.structs.replace(
        PLAIN, state=state, rule_id=rule, judged_at=at, asn=asn, platform=platform
    )


def counted(*verdicts: PlatformVerdict) -> Tallies:
    """The tallies of these verdicts."""
    tallies = Tallies()
    for one in verdicts:
        tallies.add(one)
    return tallies


def test_every_rule_that_decides_nothing_has_a_cause_on_purpose() -> None:
    """A new rule must be put where it belongs: the causes name known rules only."""
    undecided = {rule.id for rule in RULES if rule.state is State.INSUFFICIENT}
    assert set(CAUSES) <= undecided
    assert undecided - set(CAUSES) == {
        "look.none",
        "look.unexplained",
        "look.explained",
        "look.alike",
        "dns.dead_address",
        "tls.large_packets",
        "tls.late",
        "dns.other_resolver",
        "vantage.family_missing",
        "http.refused_by_site",
        "http.unexpected",
        "http.withheld_here",
        "http.withheld_everywhere",
        "vantage.no_udp",
        "partial.any_name",
        "family.hidden",
        "siblings.silent",
    }
    known = {rule.id for rule in (*RULES, *THROTTLING_RULES)}
    assert set(CAUSES) <= known


OF_HEALTH = {
    "vantage.egress_failed": Cause.UNFIT,
    "vantage.elsewhere": Cause.UNFIT,
    "vantage.other_network": Cause.UNFIT,
    "vantage.no_references": Cause.UNFIT,
    "vantage.captive_portal": Cause.CAPTIVE_PORTAL,
    "vantage.resolver_down": Cause.UNFIT,
    "vantage.offline": Cause.OFFLINE,
    "vantage.resolver_cut_off": Cause.UNFIT,
    "vantage.international_cut": Cause.INTERNATIONAL_CUT,
    "vantage.allowlist_by_name": Cause.ALLOWLIST,
    "vantage.allowlist": Cause.ALLOWLIST,
    "vantage.no_tls": Cause.CAPTIVE_PORTAL,
    "vantage.large_packets": Cause.UNFIT,
    "vantage.lossy": Cause.LOSSY,
}
"""Health rule of a vantage → why what fails there is undecided."""


@pytest.mark.parametrize("rule", HEALTH_RULES, ids=lambda rule: rule.id)
@pytest.mark.parametrize("failure", ["connection_reset", "generic_timeout_error"])
def test_every_health_that_makes_a_failure_undecided_has_its_own_cause(
    rule: HealthRule, failure: str
) -> None:
    """`The results were unclear` is said of no vantage that is itself the reason."""
    unwell = health(rule.state, rule_id=rule.id)
    found = judge(case(*repeated(dns(), tcp(), tls(failure), times=4), field=unwell))
    if found.state is State.INSUFFICIENT:
        cause = cause_by_rule(found.rule_id)
        assert cause is not Cause.UNCLEAR, found.rule_id
        assert cause is OF_HEALTH[rule.id], found.rule_id
    else:
        assert rule.id in (IPV4_CUT, "vantage.ok", "vantage.lossy", "vantage.clock_skew")


@given(
    st.lists(
        st.builds(
            verdict,
            state=st.sampled_from(State),
            rule=st.sampled_from([*CAUSES, "look.none", "of.tomorrow"]),
            minutes=st.integers(0, 600),
            asn=st.integers(1, 3),
            platform=st.sampled_from(["x", "facebook"]),
        ),
        max_size=60,
    )
)
def test_nothing_is_lost_and_nothing_is_counted_twice(verdicts: list[PlatformVerdict]) -> None:
    """Whatever the verdicts, all are decided or undecided, and networks add up to the whole."""
    whole = Coverage(tallies=counted(*verdicts).made())
    assert whole.cycles == len(verdicts)
    undecided = (State.INSUFFICIENT, State.DOWN)
    assert whole.decided == sum(one.state not in undecided for one in verdicts)
    assert whole.cycles - whole.decided == sum(whole.undecided.values())
    assert whole.signs <= whole.decided
    assert sum(whole.of(one).cycles for one in whole.networks) == whole.cycles
    assert whole.networks_decided == sum(bool(whole.of(one).decided) for one in whole.networks)
    for cause, number in whole.undecided.items():
        assert number == sum(cause_of(one) is cause for one in verdicts)


def test_a_throttled_or_degraded_platform_is_a_sign_and_one_that_is_down_is_none() -> None:
    """What a sentence about blocks may not pass over."""
    coverage = Coverage(tallies=counted(*(verdict(state) for state in State)).made())
    assert (coverage.cycles, coverage.decided, coverage.signs) == (7, 5, 4)
    assert not coverage.complete


@pytest.mark.parametrize(
    ("interval", "hours", "made", "missing"),
    [
        (300, 1, range(12), 0),
        (300, 24, range(12), 23 * 12),
        (60, 2, range(60), 60),
        (6 * 3600, 24, range(0, 1440, 360), 0),
        (6 * 3600, 24, range(0, 720, 360), 1),
    ],
)
def test_what_is_missing_is_counted_in_cycles(
    interval: int, hours: int, made: range, missing: int
) -> None:
    """By hours without a verdict, or by cycles where these are longer apart than an hour."""
    minutes = [n * 5 for n in made] if interval == 300 else list(made)
    tallies = counted(*(verdict(minutes=at) for at in minutes)).made()
    until = BEGIN + timedelta(hours=hours)
    assert coverage_of(tallies, BEGIN, until, interval).not_measured == missing


def test_no_more_is_missing_than_the_time_would_have_had() -> None:
    """A report made five minutes into an hour said that about 12 were missing of the two it lacked:
    the whole hour, most of which had yet to come."""
    until = BEGIN + timedelta(minutes=65)
    one_vantage = counted(*(verdict(minutes=5 * n) for n in range(11))).made()
    assert coverage_of(one_vantage, BEGIN, until, 300).not_measured == 2
    two_vantages = counted(*(verdict(minutes=2.5 * n) for n in range(22))).made()
    assert coverage_of(two_vantages, BEGIN, until, 300).not_measured == 4
    assert coverage_of(counted(verdict()).made(), BEGIN, until, 300).not_measured == 12


def test_where_the_time_has_no_bounds_nothing_is_said_to_be_missing() -> None:
    """Unknown is not zero."""
    tallies = counted(verdict()).made()
    assert coverage_of(tallies, None, BEGIN, 300).not_measured is None
    assert coverage_of(tallies, BEGIN, None, 300).not_measured is None


def test_a_network_without_a_verdict_counts_as_a_network() -> None:
    """It is expected, has no cycle, and is not one of those that were decided."""
    tallies = counted(verdict())
    tallies.expect("PK", "x", 45669, "Jazz")
    coverage = Coverage(tallies=tallies.made())
    assert (len(coverage.networks), coverage.networks_decided, coverage.cycles) == (2, 1, 1)


def test_the_most_frequent_cause_comes_first() -> None:
    """So that a sentence begins with it."""
    rules = ["vantage.lossy", "control.missing", "control.missing"]
    coverage = Coverage(
        tallies=counted(*(verdict(State.INSUFFICIENT, rule) for rule in rules)).made()
    )
    assert list(coverage.undecided) == [Cause.NO_CONTROL, Cause.LOSSY]
