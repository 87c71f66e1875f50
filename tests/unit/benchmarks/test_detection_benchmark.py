"""The scorecard's simulation: honest about what it skips, and a small sample that must hold."""

import math
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.detection import NETWORKS, one_block
from benchmarks.simulation.blocks import KINDS, MEDIA
from benchmarks.simulation.cycle_times import KNOWN, Lengths, measured
from benchmarks.simulation.kept import kept
from benchmarks.simulation.looks import (
    FATES,
    CycleLooks,
    EndpointLooks,
    FollowUps,
    endpoints,
    once_more,
    references,
    verdict_on,
)
from benchmarks.simulation.noise import DAY, FITTED, HOUR, LASTING, Episode, Family, Strikes, draw
from benchmarks.simulation.rivals import OURS, Ewma, InARow, OoniCusum, Rule, Sample
from benchmarks.simulation.run import TEST_ALONE, joint_score, simulate
from benchmarks.simulation.score import Found, held_against, poisson_upper, quantile
from benchmarks.simulation.world import BUCKET, CLEAN, ROUTE_MISTAKEN, World
from monitor.analysis.events.sequential_test import DetectorSettings
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.judge.grade_by_sign import NARROWER, llr
from monitor.analysis.verdict import Evidence, State

LENGTHS = {
    "": Lengths(scheduled=13.0, hurried=5.0),
    "dropped": Lengths(scheduled=33.3, hurried=21.4),
    "silenced": Lengths(scheduled=103.1, hurried=60.9),
    "cut off": Lengths(scheduled=29.2, hurried=23.8),
}
"""Seconds that the program's own cycles take: to measure them takes forty of a processor, so one
kind is measured here, and all by `make soak`."""
SHORT = 950.0, 350.0
"""Seconds until X is blocked, and for which it is: three scheduled cycles of each vantage before,
and one after, instead of the hour that the benchmark takes."""


@pytest.fixture(scope="module", autouse=True)
def _known_lengths() -> Iterator[None]:
    before = dict(KNOWN)
    KNOWN.update(LENGTHS)
    yield
    KNOWN.clear()
    KNOWN.update(before)


@pytest.mark.parametrize(
    ("kinds", "times"),
    [
        (("", "cut off"), SHORT),
        pytest.param(("", "cut off"), (), marks=pytest.mark.soak),
        *(pytest.param((kind,), (), marks=pytest.mark.soak) for kind in ("dropped", "silenced")),
    ],
)
def test_cycles_take_as_long_as_the_program_s_own(
    kinds: tuple[str, ...], times: tuple[float, ...]
) -> None:
    """What the other tests here go by is what the program takes, within three tenths: chance
    decides when tests begin. `make soak` takes the times that the benchmark does."""
    for kind in kinds:
        found, known = measured(kind, *times), LENGTHS[kind]
        assert found.scheduled == pytest.approx(known.scheduled, rel=0.3)
        assert found.hurried == pytest.approx(known.hurried, rel=0.3)


def cycle(fate: str, attempts: int, follow_ups: FollowUps) -> CycleLooks:
    """A cycle in which every endpoint fails alike and the controls work."""
    one = EndpointLooks((fate,) * attempts, ("ok", "ok"), follow_ups)
    well = ("ok",) * len(references())
    return CycleLooks((one,) * len(endpoints()), well, well)


INNOCENT = {"ok", "away", "resent", "http_503", "tls_lost_timeout"}
"""Fates that accuse nobody."""


@pytest.mark.parametrize("fate", sorted(set(FATES) - INNOCENT))
def test_what_fails_here_and_works_elsewhere_is_accused(fate: str) -> None:
    """Simulated looks are real to the rules: each failure gets a verdict that accuses its layer."""
    verdict = verdict_on(cycle(fate, 4 if once_more(fate) else 3, FollowUps()))
    assert verdict.state is State.BLOCKED
    # A resolver in trouble has too many innocent causes to be more by itself.
    resolvers = fate in ("dns_timeout", "dns_servfail")
    assert verdict.evidence is (Evidence.WEAK if resolvers else Evidence.STRONG)
    assert verdict.method == fate.partition("_")[0]


@pytest.mark.parametrize("fate", ["tls_reset", "tls_timeout", "dns_nxdomain", "dns_bogon"])
def test_follow_ups_prove_what_names_are_blocked_for(fate: str) -> None:
    """The follow-ups that a censor of names brings on make the verdict conclusive."""
    tls = FollowUps(innocuous="ok", again=fate, elsewhere=fate)
    dns = FollowUps(resolver="ok", honest="ok")
    looks = 4 if once_more(fate) else 3
    verdict = verdict_on(cycle(fate, looks, tls if fate.startswith("tls") else dns))
    assert verdict.evidence is Evidence.CONCLUSIVE


def test_follow_ups_tell_dropped_addresses_from_dead_routes() -> None:
    """An open route makes silence conclusive, and without it the network alone suspects."""
    shown = verdict_on(cycle("tcp_timeout", 3, FollowUps(route=True)))
    assert shown.evidence is Evidence.CONCLUSIVE
    assert verdict_on(cycle("tcp_timeout", 3, FollowUps())).evidence is Evidence.STRONG


@pytest.mark.parametrize("family", LASTING, ids=lambda one: one.name)
def test_simulated_faults_that_last_accuse_nobody(family: Family) -> None:
    """Four hours of each, on every network: no event, as in the lab."""
    faults = [
        Episode(
            strikes=family.strikes,
            start=DAY + place,
            end=DAY + 4 * HOUR,
            place=place,
            fate=fate,
            level=family.levels[1],
        )
        for place in range(NETWORKS)
        for fate in [family.fates[place % len(family.fates)][0]]
    ]
    outcome = simulate(World(7, faults, NETWORKS), int(1.25 * DAY // BUCKET), EventSettings())
    assert not outcome.alarms[OURS]


def confirmed(episode: Episode, seed: int) -> list[float]:
    """Seconds from its beginning until events are confirmed, on three networks."""
    until = int((episode.end + 2 * HOUR) // BUCKET)
    alarms = simulate(World(seed, [episode], NETWORKS), until, EventSettings()).alarms[OURS]
    return [one.confirmed - episode.start for one in alarms if one.confirmed < math.inf]


@pytest.mark.parametrize("seed", [1, 5])
def test_an_outage_in_part_confirms_nothing(seed: int) -> None:
    """Three handshakes in four fail for everybody for two hours. Now and then an innocuous name
    gets an answer between two that fail, which looks like a block by name."""
    outage = Episode(
        strikes=Strikes.OUTAGE, start=HOUR, end=3 * HOUR, fate="tls_timeout", level=0.73
    )
    assert confirmed(outage, seed) == []


@pytest.mark.parametrize(("minutes", "least"), [(10.0, None), (25.0, 15.0)])
def test_a_dead_route_that_looks_like_a_block_must_last(
    minutes: float, least: float | None
) -> None:
    """Addresses fall silent on one network, and others beside them answer."""
    route = Episode(
        strikes=Strikes.HOSTS,
        start=HOUR,
        end=HOUR + minutes * 60,
        place=0,
        fate="tcp_timeout",
        hosts=(4, 5, 6),
    )
    assert route.luck < ROUTE_MISTAKEN
    found = confirmed(route, 3)
    assert [least <= one / 60 <= 25.0 for one in found] == [True] if least else found == []


def test_a_lossy_line_behind_an_office_proxy_confirms_nothing() -> None:
    """For half an hour the one reference whose certificate tells of the proxy is often lost."""
    proxy = Episode(strikes=Strikes.OPENED, start=HOUR, end=6 * HOUR, place=0)
    loss = Episode(strikes=Strikes.LINE, start=3 * HOUR, end=3.5 * HOUR, place=0, level=0.41)
    for seed in range(2):
        world = World(seed, [proxy, loss], NETWORKS)
        assert not simulate(world, int(7 * HOUR // BUCKET), EventSettings()).alarms[OURS]


def test_media_denied_by_resolvers_alone_are_missed_by_nobody() -> None:
    """Some hosts of a platform, by DNS."""
    block = Episode(
        strikes=Strikes.BLOCK, start=HOUR, end=2 * HOUR, place=0, fate="dns_nxdomain", hosts=MEDIA
    )
    assert confirmed(block, 3)


def test_jumping_over_clean_cycles_changes_nothing() -> None:
    """Two days of noise and a block, every cycle gone through, come to the same events of every
    rule as with the jumps."""
    rng = random.Random(5)
    noise = draw(rng, FITTED, vantages=NETWORKS, controls=2, seconds=2 * DAY, times=5.0)
    block = [
        Episode(
            strikes=Strikes.BLOCK,
            start=DAY + 100.0,
            end=DAY + 3 * HOUR,
            place=place,
            fate="tls_reset",
            level=0.95,
        )
        for place in range(NETWORKS)
    ]
    buckets = int(2 * DAY // BUCKET)
    quick, whole = (
        simulate(World(5, [*noise, *block], NETWORKS), buckets, EventSettings(), jump=jump).alarms
        for jump in (True, False)
    )
    assert quick == whole
    assert any(alarm.confirmed < math.inf for alarm in quick[TEST_ALONE])


@pytest.mark.parametrize("make", [OoniCusum, Ewma, lambda: InARow(2)])
@pytest.mark.parametrize("cycles", [1, 5, 30, 400])
def test_rivals_rest_as_they_would_cycle_by_cycle(make: type[Rule], cycles: int) -> None:
    """A stretch without failures in closed form ends in the alarm that going through it does."""
    for failures in (3, 24, 150):
        ends = []
        for closed in (True, False):
            rule = make()
            for number in range(failures):
                rule.take(Sample(number * BUCKET, 1.0, 0.9))
            until = (failures + cycles - 1) * BUCKET
            if closed:
                ends.append(rule.rest(cycles, until))
            else:
                for number in range(failures, failures + cycles):
                    alarm = rule.take(Sample(number * BUCKET, 0.0, 0.0))
                ends.append(alarm)
        assert ends[0] == ends[1]


def test_ooni_rule_needs_the_hours_its_description_says() -> None:
    """Hourly medians of .95 alarm after six cells, of .75 after nine."""
    for score, cells in ((0.95, 6), (0.9, 7), (0.8, 8), (0.75, 9)):
        rule, hours = OoniCusum(), 0
        while not rule.take(Sample(hours * HOUR, 1.0, score)):
            hours += 1
        assert hours == cells  # known once the hour after the last cell has begun


def test_clean_cycles_are_clean() -> None:
    """Without episodes every cycle is the one that is skipped."""
    assert World(1, [], 3).cycle(0, 1234.5) is CLEAN
    assert CLEAN.verdict.state is State.OK


def test_poisson_bounds() -> None:
    """None in 300 years leaves room for one in a hundred, as tables have it."""
    assert poisson_upper(0) == pytest.approx(2.996, abs=1e-3)
    assert poisson_upper(5) == pytest.approx(10.513, abs=1e-3)
    # Thousands, where a normal distribution will do.
    assert poisson_upper(3495) == pytest.approx(3495 + 1.645 * 3495**0.5, rel=1e-3)
    assert quantile([1.0, math.inf, 2.0], 0.95) == math.inf


def test_a_small_sample_of_blocks_is_found_in_time() -> None:
    """Half an hour on three networks, and on the only one watched: the sequential test alone
    confirms at least nine of ten within eight minutes, half of them within four and a half."""
    kinds = [kind for kind in KINDS if kind.name.startswith("30 minutes")]
    found = []
    for kind in kinds:
        for seed in range(6):
            block, alarms = one_block(kind, 20_000_000 + seed)
            found.append(held_against(block, alarms[TEST_ALONE]))
    delays = [one.confirmed for one in found]
    assert quantile(delays, 0.5) <= 270.0
    assert quantile(delays, 0.9) <= 480.0
    assert quantile([one.onset_error for one in found], 0.5) <= 300.0


def test_two_suspected_networks_confirm() -> None:
    """Two suspected networks confirm together; one network's score is its own."""
    settings = DetectorSettings()
    score = settings.suspect_at
    assert joint_score([score, score]) >= settings.confirm_at
    assert joint_score([score]) == score
    assert joint_score([]) == 0.0


def test_a_fault_on_two_networks_is_not_yet_a_block() -> None:
    """A weak reading, or a strong one on one function, on two networks suspects nobody."""
    weak = llr(State.BLOCKED, Evidence.WEAK)
    narrow = llr(State.BLOCKED, Evidence.STRONG) - NARROWER
    for score in (weak, narrow):
        assert joint_score([score, score]) < DetectorSettings().suspect_at


def test_what_was_simulated_is_not_simulated_again(tmp_path: Path) -> None:
    """Neither are misses lost, whose delay is infinite."""
    asked: list[str] = []

    def simulate_it(task: str) -> Found:
        asked.append(task)
        return Found(suspected=60.0, confirmed=math.inf, onset_error=math.inf, events=0)

    first = kept(tmp_path, Found, simulate_it, "one")
    assert kept(tmp_path, Found, simulate_it, "one") == first
    assert kept(tmp_path, Found, simulate_it, "another") == first
    assert asked == ["one", "another"]
    assert kept(None, Found, simulate_it, "one") == first
    assert asked == ["one", "another", "one"]
