"""What is stored, judged again, comes out as it was judged then; with other rules, beside it."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from monitor.analysis.events.event import EventKind, EventState
from monitor.analysis.verdict import Evidence, PlatformVerdict, State, Verdict
from monitor.config.settings import Settings
from monitor.judging.differences import Change, ChangeKind
from monitor.judging.quarantine import Quarantined
from monitor.judging.rejudge import Rejudge, Rejudged, warm_up
from monitor.judging.stored_history import History, survey
from probes.catalog.catalog import Need, Platform
from probes.catalog.endpoint_text import parse_endpoint
from probes.measurement import Purpose
from probes.testing import VirtualClockLoop
from storage.store import Store
from storage.values.cycle import Cycle
from storage.values.selection import Selection
from tests.contract.agents import quarantine
from tests.contract.listing import EVERYTHING, contents, flat
from tests.lab.certificates import authority
from tests.worlds.build import START
from tests.worlds.memory_store import MemoryStore
from tests.worlds.rejudge_world import INTERVAL, TURNS, cycles_of, recorded, settings, store_all

LOOP = VirtualClockLoop


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The installation of the story."""
    path = tmp_path_factory.mktemp("trust") / "anchor.pem"
    path.write_bytes(authority().cert_pem.bytes())
    return settings(str(path))


@pytest.fixture(scope="module")
def lived(configured: Settings) -> MemoryStore:
    """The story, recorded once; no test may store anything in it but recomputations."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(recorded(configured))


async def again(
    store: Store,
    configured: Settings,
    selection: Selection = EVERYTHING,
    *,
    keep: bool = False,
) -> tuple[Rejudged, list[Change]]:
    """Judge it again; what would be said differently."""
    said: list[Change] = []
    done = await Rejudge(
        store, configured, selection, now=lambda: START, keep=keep, report=said.append
    ).run()
    return done, said


async def test_the_story_has_everything_in_it(lived: MemoryStore) -> None:
    """Otherwise agreement would prove little: every state, controls shared and failing, follow-ups,
    cycles in trouble from beginning to end and at their beginning alone, blocked and working
    HTTP/3, and speed."""
    verdicts = await flat(lived.verdicts(EVERYTHING))
    states = {verdict.state for verdict in verdicts}
    assert states == {State.OK, State.BLOCKED, State.DOWN, State.INSUFFICIENT, State.THROTTLED}
    found = {verdict.rule_id for verdict in verdicts}
    assert {"quic.blocked", "vantage.offline", "vantage.no_tls"} <= found
    assert {v.method for v in verdicts} >= {"tls", "dns", "tcp", "quic", "throttling"}
    looks = await flat(lived.measurements(EVERYTHING))
    kinds = Counter(look.look for look in looks)
    assert all(kinds[kind] for kind in Purpose if kind is not Purpose.ADHOC)
    own = {look.id: look.cycle for look in looks if look.look is Purpose.CONTROL}
    shared = [v for v in verdicts for one in v.controls if own.get(one, v.cycle) != v.cycle]
    assert shared
    blocks = [e for e in await flat(lived.events(EVERYTHING)) if e.kind is EventKind.BLOCK]
    (of_x,) = [event for event in blocks if event.platform == "x"]
    assert of_x.confirmed_at
    assert of_x.state is EventState.ENDED


async def test_judged_again_by_the_same_rules_nothing_changes(
    lived: MemoryStore, configured: Settings
) -> None:
    """Verdicts, platforms and events come out word for word, ids of controls included."""
    done, said = await again(lived, configured, keep=True)
    assert said == []
    old = await flat(lived.verdicts(EVERYTHING))
    new = await flat(lived.rejudged_verdicts(done.rejudging.id, EVERYTHING))
    assert _by_key(new) == _by_key(old)
    platforms = await flat(lived.platforms(EVERYTHING))
    assert await flat(lived.rejudged_platforms(done.rejudging.id, EVERYTHING)) == platforms
    counts = done.rejudging
    assert (counts.verdicts, counts.platforms) == (len(old), len(platforms))
    assert (counts.kept, counts.differing) == (0, 0)
    assert counts.events == len(await flat(lived.rejudged_events(counts.id, EVERYTHING))) > 0


def _by_key(verdicts: Sequence[Verdict]) -> dict[tuple[str, ...], Verdict]:
    return {(v.cycle, v.platform, v.function, v.endpoint): v for v in verdicts}


# -- other rules -------------------------------------------------------------------------------


def _blind(verdict: Verdict) -> Verdict:
    """What rules would have said that could make nothing of a block of X."""
    if verdict.platform != "x" or verdict.state is not State.BLOCKED:
        return verdict
    return replace(
        verdict,
        state=State.INSUFFICIENT,
        method="",
        sub_method="",
        rule_id="old.unclear",
        evidence=Evidence.NONE,
        llr=0.0,
    )


def _blind_to(verdict: PlatformVerdict) -> PlatformVerdict:
    if verdict.platform != "x" or verdict.state not in (State.BLOCKED, State.DEGRADED):
        return verdict
    return replace(
        verdict,
        state=State.INSUFFICIENT,
        method="",
        sub_method="",
        rule_id="old.unclear",
        evidence=Evidence.NONE,
        llr=0.0,
    )


async def _judged_blindly(lived: MemoryStore, configured: Settings) -> MemoryStore:
    store = MemoryStore(page=50)
    await store.open()
    await store_all(await cycles_of(lived), store, configured, _blind, _blind_to)
    return store


async def test_what_older_rules_missed_is_found_and_kept_beside(
    lived: MemoryStore, configured: Settings
) -> None:
    """Each verdict that they could not reach is told with its rule before and now, the event they
    missed is added, and what they said is still there, word for word."""
    store = await _judged_blindly(lived, configured)
    before = await contents(store)
    done, said = await again(store, configured, keep=True)
    assert await contents(store) == before
    truly = [
        v
        for v in await flat(lived.verdicts(EVERYTHING))
        if v.platform == "x" and v.state is State.BLOCKED
    ]
    told = [one for one in said if one.kind is ChangeKind.VERDICT]
    assert len(told) == len(truly) == done.rejudging.differing
    assert Counter(
        (one.old["rule_id"], one.new["rule_id"]) for one in told if one.old and one.new
    ) == Counter(("old.unclear", v.rule_id) for v in truly)
    assert sum(done.changes.rules.values()) == len(truly)
    assert {key[:2] for key in done.changes.rules} == {("insufficient", "old.unclear")}
    new = await flat(store.rejudged_verdicts(done.rejudging.id, EVERYTHING))
    assert _by_key(new) == _by_key(await flat(lived.verdicts(EVERYTHING)))
    (added,) = [
        c for c in said if c.kind is ChangeKind.EVENT and c.where["kind"] is EventKind.BLOCK
    ]
    assert (added.change, added.where["platform"], added.old) == ("added", "x", None)
    (kept,) = [
        one
        for one in await flat(store.rejudged_events(done.rejudging.id, EVERYTHING))
        if one.platform == "x" and one.kind is EventKind.BLOCK
    ]
    (live,) = [
        one
        for one in await flat(lived.events(EVERYTHING))
        if one.platform == "x" and one.kind is EventKind.BLOCK
    ]
    assert replace(kept, updated_at=START) == replace(live, updated_at=START)


async def test_an_event_that_no_rule_supports_any_more_is_gone(
    lived: MemoryStore, configured: Settings
) -> None:
    """Rules that took every outage for a block accused somebody of it; today's do not."""

    def rash(verdict: PlatformVerdict) -> PlatformVerdict:
        if verdict.state is not State.DOWN or verdict.vantage_role != "field":
            return verdict
        return replace(
            verdict,
            state=State.BLOCKED,
            method="tls",
            sub_method="reset",
            rule_id="old.rash",
            evidence=Evidence.CONCLUSIVE,
            llr=5.0,
            functions=(),
        )

    store = MemoryStore(page=50)
    await store.open()
    await store_all(await cycles_of(lived), store, configured, platform=rash)
    _, said = await again(store, configured)
    (gone,) = [
        c
        for c in said
        if (c.kind, c.change) == (ChangeKind.EVENT, "gone") and c.where["kind"] is EventKind.BLOCK
    ]
    assert (gone.where["platform"], gone.new) == ("facebook", None)


async def test_without_a_vantage_that_is_left_out(lived: MemoryStore, configured: Settings) -> None:
    """Recomputed without those who saw it, a block is gone; their verdicts are judged all the same,
    and what is stored stays."""
    blocks = [
        event for event in await flat(lived.events(EVERYTHING)) if event.kind is EventKind.BLOCK
    ]
    assert {event.country for event in blocks} == {"PK"}
    vantages = {look.vantage for look in await flat(lived.verdicts(Selection(country="PK")))}
    gone: list[Change] = []
    done = await Rejudge(
        lived,
        configured,
        EVERYTHING,
        now=lambda: START,
        keep=False,
        quarantined=Quarantined(map(quarantine, sorted(vantages))),
        report=gone.append,
    ).run()
    assert done.rejudging.verdicts
    told = [c for c in gone if c.kind is ChangeKind.EVENT and c.where["kind"] is EventKind.BLOCK]
    assert [change.change for change in told] == ["gone"] * len(blocks)


async def test_only_what_is_selected_is_judged_again(
    lived: MemoryStore, configured: Settings
) -> None:
    """Of one platform and time; the rest goes into events as it was, so that the one in the middle
    of which the selection begins keeps its beginning, and its end after the selection."""
    store = await _judged_blindly(lived, configured)
    turn = timedelta(seconds=INTERVAL)
    wanted = Selection(since=START + 4 * turn, until=START + 7 * turn, country="PK", platform="x")
    done, said = await again(store, configured, wanted, keep=True)
    verdicts = await flat(store.rejudged_verdicts(done.rejudging.id, EVERYTHING))
    assert {v.platform for v in verdicts} == {"x"}
    assert all(START + 4 * turn <= v.judged_at < START + 7 * turn for v in verdicts)
    expected = [
        v
        for v in await flat(lived.verdicts(Selection(since=wanted.since, until=wanted.until)))
        if v.platform == "x"
    ]
    assert _by_key(verdicts) == _by_key(expected)
    assert done.rejudging.cycles == 3 * 3
    (event,) = [c for c in said if c.kind is ChangeKind.EVENT]
    assert event.new
    assert event.new["onset_earliest"] < START + 2 * turn
    assert event.new["onset_latest"] > START + 4 * turn
    assert event.new["end_latest"] > START + 7 * turn
    nobody, said = await again(store, configured, Selection(country="BR"))
    assert (said, nobody.rejudging.cycles, nobody.rejudging.events) == ([], 0, 0)


async def test_from_the_middle_of_the_story_all_is_as_it_was(
    lived: MemoryStore, configured: Settings
) -> None:
    """Nothing before the first moment is missed, not a shared control look either: in the middle of
    a block, after an uplink died, and while a platform is slowed."""
    await _assert_as_it_was(lived, configured, (3, 8, 12))


@pytest.mark.soak
async def test_from_any_turn_of_the_story_all_is_as_it_was(
    lived: MemoryStore, configured: Settings
) -> None:
    """The same, whatever the first moment."""
    await _assert_as_it_was(lived, configured, range(1, TURNS))


async def _assert_as_it_was(lived: MemoryStore, configured: Settings, turns: Iterable[int]) -> None:
    turn = timedelta(seconds=INTERVAL)
    for since in turns:
        _, said = await again(lived, configured, Selection(since=START + since * turn))
        assert said == [], since


@pytest.mark.parametrize(("every", "hours"), [(0.0, 2), (3600.0, 2), (21_600.0, 9)])
def test_as_much_is_judged_before_as_a_verdict_on_speed_may_hold(
    configured: Settings, every: float, hours: int
) -> None:
    """Where speed is measured every six hours, one of eight hours ago still says throttled; without
    it each cycle since would say ok."""
    seldom = replace(configured.throttling, every=every)
    before = warm_up(replace(configured, throttling=seldom))
    assert timedelta(hours=hours) <= before <= timedelta(hours=hours + 1)


# -- another catalogue -------------------------------------------------------------------------


def _with(configured: Settings, *platforms: Platform) -> Settings:
    return replace(configured, catalog=replace(configured.catalog, platforms=platforms))


async def test_a_platform_no_longer_watched_keeps_its_verdicts(
    lived: MemoryStore, configured: Settings
) -> None:
    """Nothing is said of it, and its events stay; the others are recomputed as ever."""
    _, *others = configured.catalog.platforms
    done, said = await again(lived, _with(configured, *others))
    assert said == []
    assert done.unknown == ("x",)
    of_x = await flat(lived.platforms(Selection(platform="x")))
    assert done.rejudging.kept == len(of_x)


async def test_an_endpoint_added_since_says_nothing_about_the_past(
    lived: MemoryStore, configured: Settings
) -> None:
    """A function that needs all of its endpoints was complete with those it had; one taken out
    since still counts for what was seen."""
    x, *others = configured.catalog.platforms
    (web,) = x.functions
    more = (*web.endpoints, parse_endpoint("https://new.example/"))
    added = replace(x, functions=(replace(web, endpoints=more),))
    for changed in (added, replace(x, functions=(replace(web, endpoints=web.endpoints[:1]),))):
        _, said = await again(lived, _with(configured, changed, *others))
        assert said == []
    strict = replace(added, functions=(replace(web, need=Need.ALL, endpoints=more),))
    well = Selection(until=START + timedelta(seconds=7 * INTERVAL))
    _, said = await again(lived, _with(configured, strict, *others), well)
    now = {c.new["state"] for c in said if c.kind is ChangeKind.PLATFORM and c.new}
    assert State.INSUFFICIENT not in now


async def test_references_of_another_catalogue_tell_the_same(
    lived: MemoryStore, configured: Settings
) -> None:
    """A reference that is asked no more is known by its id and its scope."""
    other = replace(configured, catalog=replace(configured.catalog, references=()))
    _, said = await again(lived, other)
    assert said == []


# -- what is there to read ---------------------------------------------------------------------


async def test_nothing_stored_is_nothing_to_judge(configured: Settings) -> None:
    """An empty store gives a recomputation with nothing in it."""
    store = MemoryStore()
    await store.open()
    done, said = await again(store, configured, keep=True)
    assert said == []
    assert await store.rejudgings() == [done.rejudging]
    assert (done.rejudging.cycles, done.rejudging.verdicts, done.rejudging.events) == (0, 0, 0)


async def test_a_cycle_whose_looks_are_gone_keeps_its_verdicts(
    lived: MemoryStore, configured: Settings
) -> None:
    """Whoever deletes old looks to save space loses nothing that was said of them."""
    store = MemoryStore(page=50)
    await store.open()
    late = START + timedelta(seconds=4 * INTERVAL)
    made = [
        one if one.started_at >= late else replace(one, measurements=())
        for one in await cycles_of(lived)
    ]
    await store_all(made, store, configured)
    done, said = await again(store, configured)
    assert [one for one in said if one.kind is not ChangeKind.VERDICT] == []
    kept = await flat(store.platforms(Selection(until=late)))
    assert done.rejudging.kept == len(kept) > 0


async def test_no_more_is_in_memory_than_what_is_open(lived: MemoryStore) -> None:
    """The same story told three times over takes no more than once: looks are let go of."""
    one = await cycles_of(lived)
    store = MemoryStore(page=50)
    await store.open()
    for day in range(3):
        for cycle in one:
            await store.save(_later(cycle, timedelta(days=day), f"{day} "))
    held: list[int] = []
    cycles, longest = await survey(store)
    history = History(store, longest, None, None)
    async for past in history.walk():
        around = past.surroundings
        held.append(
            sum(map(len, around.controls.values()))
            + sum(len(r.measurements) for rounds in around.rounds.values() for r in rounds)
        )
    assert cycles == len(held) == 3 * len(one)
    third = len(held) // 3
    assert max(held[-third:]) <= 1.5 * max(held[:third])
    assert max(held) < len(await flat(lived.measurements(EVERYTHING))) / 4


def _later(cycle: Cycle, by: timedelta, prefix: str) -> Cycle:
    return replace(
        cycle,
        id=prefix + cycle.id,
        started_at=cycle.started_at + by,
        finished_at=cycle.finished_at + by,
        measurements=tuple(
            replace(m, id=prefix + m.id, cycle=prefix + m.cycle, started_at=m.started_at + by)
            for m in cycle.measurements
        ),
        verdicts=tuple(
            replace(v, cycle=prefix + v.cycle, judged_at=v.judged_at + by) for v in cycle.verdicts
        ),
        platforms=(),
    )
