"""The publisher and the snapshots it swaps."""

import sys
from datetime import timedelta
from threading import Event as Event_
from threading import Thread
from types import FrameType
from typing import Any

import msgspec
import pytest

from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.analysis.verdict import State, VantageState
from monitor.budget.budget import Effort
from monitor.metrics.publisher import EXPECTED_FAILURES, Publisher
from monitor.metrics.snapshot import BUCKETS, Histogram, VantageView
from probes.failure_strings import unknown_failure
from probes.measurement import DnsObservation, Layer, Measurement
from tests.prometheus import world
from tests.prometheus.world import CONTROL, FIELD, NOW, TLS_RESET, Clock

PTCL = FIELD[0]


def view_of(publisher: Publisher, vantage: str = PTCL.id) -> VantageView:
    """One vantage of the newest snapshot."""
    return next(view for view in publisher.snapshot.vantages if view.point.id == vantage)


def test_configured_vantages_are_there_before_they_report() -> None:
    """A vantage that never reported is in the snapshot, with nothing known and zero counts."""
    silent = view_of(world.publisher())
    assert silent.last_report_at is None
    assert silent.platforms_at(NOW) == ()
    assert silent.state_at(NOW) is VantageState.UNKNOWN
    assert silent.probes["x"] == silent.probes["reference"] == 0
    assert silent.failures[Layer.TLS, "connection_reset"] == 0


def test_a_held_snapshot_never_changes() -> None:
    """Publishing swaps the snapshot; one already taken stays as it was, and is read-only."""
    publisher = world.publisher()
    before = publisher.snapshot
    copy = msgspec.structs.replace(before)
    publisher.publish(world.cycle(PTCL, accusations={"x": TLS_RESET}), [world.event()])
    publisher.storage_error("save")
    publisher.cycle_missed(PTCL.id)
    assert before == copy
    assert publisher.snapshot is not before
    for mapping in (before.events, before.storage_errors, before.vantages[0].probes):
        with pytest.raises(TypeError):
            mapping["new"] = 1  # type: ignore[index]
    with pytest.raises(AttributeError):
        before.interval = 1  # type: ignore[misc]


def test_a_cycle_is_shown_with_its_times_and_verdicts() -> None:
    """After a cycle its vantage has its verdicts, its health and the times of the cycle."""
    publisher = world.publisher()
    publisher.publish(world.cycle(PTCL, accusations={"x": TLS_RESET}, length=42), [])
    shown = view_of(publisher)
    assert {v.platform: v.state for v in shown.platforms_at(NOW)}["x"] is State.BLOCKED
    assert shown.state_at(NOW) is VantageState.OK
    assert shown.cycle_started_at == NOW - timedelta(seconds=42)
    assert shown.cycle_finished_at == shown.last_report_at == shown.last_success_at == NOW


def test_other_vantages_keep_what_they_showed() -> None:
    """A cycle of one vantage changes no other vantage."""
    publisher = world.x_blocked_on_two_of_three()
    before = view_of(publisher, FIELD[1].id)
    publisher.publish(world.cycle(PTCL), [])
    assert view_of(publisher, FIELD[1].id) is before


def test_an_unstored_cycle_is_shown_but_no_success() -> None:
    """What could not be stored is still shown, and the time of the last success stays."""
    publisher = world.publisher()
    publisher.publish(world.cycle(PTCL), [])
    later = NOW + timedelta(minutes=5)
    publisher.publish(world.cycle(PTCL, at=later), [], stored=False)
    assert view_of(publisher).last_report_at == later
    assert view_of(publisher).last_success_at == NOW


def test_control_looks_count_for_the_control() -> None:
    """A look made by a control on a field vantage's behalf counts for the control vantage."""
    publisher = world.publisher()
    looks = (world.look(PTCL, "x", TLS_RESET), world.look(CONTROL[0], "x", of=PTCL))
    publisher.publish(world.cycle(PTCL, measurements=looks), [])
    assert view_of(publisher).probes["x"] == 1
    assert view_of(publisher, CONTROL[0].id).probes["x"] == 1
    assert view_of(publisher, CONTROL[0].id).last_report_at is None


def test_a_shared_control_look_counts_once() -> None:
    """A control look that another cycle asked for first is that cycle's to count."""
    publisher = world.publisher()
    shared = world.look(CONTROL[0], "x", of=world.FIELD[1])
    publisher.publish(world.cycle(PTCL, measurements=(shared,)), [])
    assert view_of(publisher, CONTROL[0].id).probes["x"] == 0


def test_counters_add_up_over_cycles() -> None:
    """Probes, failures and durations add up from cycle to cycle."""
    publisher = world.publisher()
    for _ in range(3):
        publisher.publish(world.cycle(PTCL, measurements=(world.look(PTCL, "x", TLS_RESET),)), [])
    shown = view_of(publisher)
    assert shown.probes["x"] == 3
    assert shown.failures[Layer.TLS, "connection_reset"] == 3
    assert sum(shown.failures.values()) == 3
    assert sum(shown.durations[Layer.TLS].counts) == 3
    assert shown.durations[Layer.TLS].total == pytest.approx(0.9)
    assert sum(shown.durations[Layer.HTTP].counts) == 0


def dns_look(*, failure: str | None = None, reason: str = "", platform: str = "x") -> Measurement:
    """A look whose only observation is one DNS query of 0.5 s."""
    look = world.look(PTCL, platform)
    query = DnsObservation(
        start=0, duration=0.5, failure=failure, reason=reason, name="h", rtype="A", resolver="r"
    )
    return msgspec.structs.replace(look, observations=(query,))


def test_unknown_failures_are_one_class() -> None:
    """Free text in a failure never becomes a key of its own."""
    publisher = world.publisher()
    looks = tuple(dns_look(failure=unknown_failure(f"odd thing {n}")) for n in range(3))
    publisher.publish(world.cycle(PTCL, measurements=looks), [])
    seen = {pair: count for pair, count in view_of(publisher).failures.items() if count}
    assert seen == {(Layer.DNS, "unknown_failure"): 3}


def test_follow_up_observations_are_not_looks() -> None:
    """An observation made to find out why (an innocuous name, say) moves no counter."""
    publisher = world.publisher()
    look = dns_look(failure="dns_nxdomain_error", reason="open resolver")
    publisher.publish(world.cycle(PTCL, measurements=(look,)), [])
    assert not any(view_of(publisher).failures.values())
    assert sum(view_of(publisher).durations[Layer.DNS].counts) == 0


def test_platforms_outside_the_catalogue_are_left_out() -> None:
    """A platform that is not watched (any more) leaves no count and no verdict."""
    publisher = world.publisher(platforms=["x"])
    publisher.publish(world.cycle(PTCL, platforms=["x", "facebook"]), [])
    shown = view_of(publisher)
    assert set(shown.probes) == {"x", "reference"}
    assert [verdict.platform for verdict in shown.platforms_at(NOW)] == ["x"]


def test_cycles_of_unknown_vantages_change_nothing() -> None:
    """A cycle of a vantage that is not configured is not shown."""
    publisher = world.publisher(vantages=FIELD[:1])
    before = publisher.snapshot.vantages
    publisher.publish(world.cycle(FIELD[1]), [])
    assert publisher.snapshot.vantages == before


def test_verdicts_go_stale_after_three_intervals() -> None:
    """Three intervals after the last cycle its verdicts and health are no longer current."""
    publisher = world.publisher(interval=300)
    publisher.publish(world.cycle(PTCL), [])
    shown = view_of(publisher)
    assert shown.platforms_at(NOW + timedelta(seconds=900))
    late = NOW + timedelta(seconds=901)
    assert shown.platforms_at(late) == ()
    assert shown.state_at(late) is VantageState.UNKNOWN
    assert shown.last_report_at == NOW


@pytest.mark.parametrize(
    ("interval", "length", "stale_after"),
    [(300, 30, 900), (5, 2, 180), (5, 100, 300), (300, 400, 1200)],
)
def test_a_long_cycle_does_not_hide_itself(
    interval: float, length: float, stale_after: float
) -> None:
    """Staleness counts from the longer of interval and cycle, and never below three minutes."""
    publisher = world.publisher(interval=interval)
    publisher.publish(world.cycle(PTCL, length=length), [])
    assert view_of(publisher).stale_after == stale_after


HOURLY = [NOW + timedelta(hours=n) for n in range(4)]


def test_a_vantage_is_silent_by_its_own_interval() -> None:
    """An agent's file lets it measure once an hour, where the collector's interval is five minutes:
    what it found stays current until it is late by its own. One long pause is no interval."""
    publisher = world.publisher(interval=300)
    publisher.publish(world.cycle(PTCL, at=HOURLY[0]), [])
    publisher.publish(world.cycle(PTCL, at=HOURLY[1]), [])
    assert view_of(publisher).stale_after == 900
    publisher.publish(world.cycle(PTCL, at=HOURLY[2]), [])
    shown = view_of(publisher)
    assert shown.stale_after == 3 * 3600
    assert shown.platforms_at(HOURLY[2] + timedelta(hours=3))
    assert not shown.platforms_at(HOURLY[2] + timedelta(hours=3, seconds=1))
    publisher.watch(FIELD, [])
    assert view_of(publisher).stale_after == 3 * 3600


def test_a_follower_learns_the_interval_of_a_vantage_from_what_is_stored() -> None:
    """It reads again and again what the leader stored, mostly the same."""
    publisher = world.publisher(interval=300)
    for at in (*HOURLY[:1], *HOURLY[:2], *HOURLY[:3], *HOURLY[2:3]):
        publisher.restore([], [world.health(PTCL, at=at)], [])
    assert view_of(publisher).stale_after == 3 * 3600


def test_the_monitor_stands_still_by_the_shortest_interval() -> None:
    """Beside an agent that measures once an hour a monitor that is stuck is noticed as soon as
    before. A fast vantage that is known to be gone makes no monitor stuck."""
    publisher = world.publisher(interval=300)
    for at in HOURLY[:3]:
        for vantage in (*FIELD[1:], *CONTROL):
            publisher.publish(world.cycle(vantage, at=at), [])
    assert publisher.snapshot.stalled_after == 900
    gone = Event(
        id="e",
        kind=EventKind.VANTAGE_SILENT,
        country="PK",
        vantage=PTCL.id,
        state=EventState.CONFIRMED,
        networks=(),
        onset_earliest=None,
        onset_latest=NOW,
        detected_at=NOW,
        updated_at=NOW,
        evidence="strong",
    )
    publisher.show_events([gone])
    assert publisher.snapshot.stalled_after == 3 * 3600
    publisher.show_events([msgspec.structs.replace(gone, state=EventState.SUSPECTED)])
    assert publisher.snapshot.stalled_after == 900


def test_controls_never_have_platforms() -> None:
    """A control's own verdicts are about nothing anyone could block, so none are shown."""
    publisher = world.publisher()
    publisher.publish(world.cycle(CONTROL[0]), [])
    assert view_of(publisher, CONTROL[0].id).platforms_at(NOW) == ()
    assert view_of(publisher, CONTROL[0].id).state_at(NOW) is VantageState.OK


def test_active_events_replace_those_before() -> None:
    """An event not handed over any more is over."""
    publisher = world.publisher()
    publisher.publish(world.cycle(PTCL), [world.event()])
    assert publisher.snapshot.events["PK", "x"].state is EventState.CONFIRMED
    publisher.publish(world.cycle(PTCL), [])
    assert publisher.snapshot.events == {}


@pytest.mark.parametrize(
    "event",
    [
        world.event(state=EventState.ENDED),
        world.event(state=EventState.DISMISSED),
        world.event(country="BR"),
        world.event(platform="orkut"),
        world.event(country="NL"),
    ],
    ids=["ended", "dismissed", "no such country", "no such platform", "control's country"],
)
def test_only_active_events_of_what_is_watched_are_shown(event: Event) -> None:
    """A block that nobody can see here stands apart until it is over or forgotten."""
    publisher = world.publisher()
    publisher.publish(world.cycle(PTCL), [event])
    assert publisher.snapshot.events == {}
    assert publisher.snapshot.unwatched == ((event,) if event.active else ())


def test_missed_cycles_count_for_their_vantage() -> None:
    """A missed run counts for one vantage only."""
    publisher = world.publisher()
    publisher.cycle_missed(PTCL.id)
    publisher.cycle_missed(PTCL.id)
    assert [view.schedule_missed for view in publisher.snapshot.vantages] == [2, 0, 0, 0, 0]


def test_cycles_count_for_their_vantage_by_effort() -> None:
    """Every effort is there from the start with zero, and the day's bytes are the last told."""
    publisher = world.publisher()
    assert view_of(publisher).cycles == dict.fromkeys(Effort, 0)
    publisher.cycle_taken(PTCL.id, Effort.WHOLE, 1_000)
    publisher.cycle_taken(PTCL.id, Effort.MODEST, 1_500)
    publisher.cycle_taken(PTCL.id, Effort.MODEST, 2_000)
    assert view_of(publisher).cycles == {
        **dict.fromkeys(Effort, 0),
        Effort.WHOLE: 1,
        Effort.MODEST: 2,
    }
    assert view_of(publisher).day_bytes == (NOW.date(), 2_000)
    assert view_of(publisher, FIELD[1].id).cycles == dict.fromkeys(Effort, 0)
    assert view_of(publisher, FIELD[1].id).day_bytes is None


def test_storage_errors_count_by_operation() -> None:
    """Errors count under what was being done, and error texts all under `other`."""
    publisher = world.publisher()
    for kind in ("save", "save", "prune", "disk full on /dev/sda1", "x" * 99):
        publisher.storage_error(kind)
    assert publisher.snapshot.storage_errors == {"save": 2, "read": 0, "prune": 1, "other": 2}


def test_restored_states_keep_their_times() -> None:
    """What an earlier process knew is shown as of when it was known, without a cycle here."""
    publisher = world.publisher()
    then = NOW - timedelta(minutes=6)
    publisher.restore(
        [world.verdict(PTCL, "x", TLS_RESET, at=then)],
        [world.health(PTCL, at=then - timedelta(seconds=9))],
        [world.event()],
    )
    shown = view_of(publisher)
    assert [verdict.state for verdict in shown.platforms_at(NOW)] == [State.BLOCKED]
    assert shown.last_report_at == shown.last_success_at == then
    assert shown.cycle_finished_at is None
    assert ("PK", "x") in publisher.snapshot.events


def test_stale_restored_states_are_not_current() -> None:
    """What is older than three intervals at start-up is not shown, but its time is."""
    publisher = world.publisher()
    then = NOW - timedelta(minutes=16)
    publisher.restore(
        [world.verdict(PTCL, "x", TLS_RESET, at=then)], [world.health(PTCL, at=then)], []
    )
    shown = view_of(publisher)
    assert shown.platforms_at(NOW) == ()
    assert shown.state_at(NOW) is VantageState.UNKNOWN
    assert shown.last_report_at == then


def test_one_stale_platform_does_not_ride_on_a_fresh_one() -> None:
    """Each restored verdict goes stale by its own time."""
    publisher = world.publisher()
    publisher.restore(
        [
            world.verdict(PTCL, "x", TLS_RESET, at=NOW - timedelta(days=3)),
            world.verdict(PTCL, "facebook", at=NOW - timedelta(minutes=1)),
        ],
        [],
        [],
    )
    assert [v.platform for v in view_of(publisher).platforms_at(NOW)] == ["facebook"]


def test_restore_leaves_out_what_is_not_configured() -> None:
    """Verdicts of removed vantages and platforms do not come back."""
    publisher = world.publisher(vantages=FIELD[:1], platforms=["x"])
    publisher.restore(
        [world.verdict(FIELD[1], "x"), world.verdict(PTCL, "facebook")],
        [world.health(FIELD[1])],
        [],
    )
    assert view_of(publisher).last_report_at is None


def test_restore_leaves_out_what_was_found_in_another_country() -> None:
    """A vantage tested in Sudan and is in Pakistan by now: nothing of there is shown as of here."""
    publisher = world.publisher()
    before = msgspec.structs.replace(PTCL, country="SD")
    then = NOW - timedelta(minutes=3)
    publisher.restore(
        [world.verdict(before, "x", TLS_RESET), world.verdict(PTCL, "x", at=then)],
        [world.health(PTCL, at=then), world.health(before, state=VantageState.OFFLINE)],
        [],
    )
    shown = view_of(publisher)
    assert [one.state for one in shown.platforms_at(NOW)] == [State.OK]
    assert shown.health == world.health(PTCL, at=then)
    assert shown.last_report_at == then
    publisher.restore([world.verdict(before, "x")], [world.health(before)], [])
    assert view_of(publisher).last_report_at == then


def test_ready_only_while_cycles_are_finished() -> None:
    """Attack: the clock goes back an hour, and all cycles stop for as long. A monitor that stands
    still is not ready, whatever it finished before."""
    clock = Clock()
    publisher = world.publisher(now=clock)
    publisher.publish(world.cycle(PTCL), [])
    clock.advance(900)
    assert publisher.ready()[0]
    clock.advance(1)
    assert publisher.ready() == (False, "not ready: no vantage has finished a cycle lately")
    publisher.publish(msgspec.structs.replace(world.cycle(PTCL), finished_at=clock()), [])
    assert publisher.ready()[0]


def test_ready_after_the_first_cycle_or_a_restore() -> None:
    """There is something to show once a vantage reported, now or before a restart."""
    publisher = world.publisher()
    publisher.restore([], [], [])
    assert publisher.ready()[0] is False
    assert "first cycle" in publisher.ready()[1]
    publisher.publish(world.cycle(PTCL), [])
    assert publisher.ready()[0] is True
    restored = world.publisher()
    restored.restore([], [world.health(PTCL)], [])
    assert restored.ready()[0] is True


def test_the_clock_is_the_callers() -> None:
    """Snapshots carry the time of the clock handed in."""
    clock = Clock()
    publisher = world.publisher(now=clock)
    clock.advance(77)
    publisher.cycle_missed(PTCL.id)
    assert publisher.snapshot.at == publisher.now() == NOW + timedelta(seconds=77)


def test_blocked_networks_count_networks_not_vantages() -> None:
    """Two vantages on one network are one network, blocked if either sees it blocked."""
    twin = world.vantage("khi-ptcl-2")
    publisher = world.publisher(vantages=(*FIELD, twin))
    publisher.publish(world.cycle(PTCL, accusations={"x": TLS_RESET}), [])
    publisher.publish(world.cycle(twin), [])
    publisher.publish(world.cycle(FIELD[1]), [])
    blocked, told = publisher.snapshot.networks_blocked(NOW)["PK", "x"]
    assert blocked == {("PK", 17557, "PTCL")}
    assert told == 2


def test_vantages_left_out_by_hand_do_not_count() -> None:
    """What a quarantined one found is no part of the ratio, as of nothing else."""
    publisher = world.publisher()
    publisher.publish(world.cycle(PTCL, accusations={"x": TLS_RESET}), [])
    publisher.mark_outliers("PK", {}, lambda vantage: vantage == PTCL.id)
    assert ("PK", "x") not in publisher.snapshot.networks_blocked(NOW)


@pytest.mark.parametrize("state", [State.INSUFFICIENT, State.DOWN])
def test_networks_that_cannot_tell_do_not_count(state: State) -> None:
    """Insufficient, or down at the controls too, is neither blocked nor open; with nothing else
    there is no answer at all."""
    publisher = world.publisher()
    publisher.publish(world.cycle(PTCL, accusations={"x": (state, "", "")}), [])
    assert ("PK", "x") not in publisher.snapshot.networks_blocked(NOW)
    assert publisher.snapshot.networks_blocked(NOW)["PK", "facebook"][1] == 1


@pytest.mark.parametrize(
    ("duration", "bucket"),
    [(0.0, 0), (0.025, 0), (0.0251, 1), (5.0, 6), (5.1, 7), (60.0, 7)],
)
def test_buckets_include_their_upper_bound(duration: float, bucket: int) -> None:
    """A duration equal to a bound counts below it, as Prometheus's `le` says."""
    histogram = Histogram().with_added([duration])
    assert len(histogram.counts) == len(BUCKETS) + 1 == 8
    assert histogram.counts.index(1) == bucket


def test_expected_failures_fit_their_layers() -> None:
    """Only failures a layer can show are counted from zero for it."""
    assert all(str(f).startswith(("dns_", "generic")) for f in EXPECTED_FAILURES[Layer.DNS])
    assert not any(str(f).startswith(("dns_", "ssl_")) for f in EXPECTED_FAILURES[Layer.TCP])


def test_a_cycle_costs_the_same_among_many_vantages() -> None:
    """What a cycle changes is worked out for its vantage alone: no more functions run among two
    thousand vantages than among twenty. The tuple of all of them is made when somebody reads.
    Before, each of five changes went through every vantage."""

    def calls(number: int) -> int:
        fields = [
            world.vantage(f"v{n}", chr(65 + n % 20) * 2, 64500 + n, f"Net {n}")
            for n in range(number)
        ]
        publisher = world.publisher(vantages=fields)
        outage = msgspec.structs.replace(
            world.event(), id="outage", kind=EventKind.OUTAGE, country="", platform="x"
        )
        cycle = world.cycle(fields[3], accusations={"x": TLS_RESET})
        ran = 0

        def count(_: FrameType, event: str, __: Any) -> None:
            nonlocal ran
            ran += event == "call"

        sys.setprofile(count)
        try:
            publisher.cycle_taken(fields[3].id, Effort.WHOLE, 1000)
            publisher.publish(cycle, [outage])
            publisher.cycle_missed(fields[3].id)
            publisher.show_ended([])
        finally:
            sys.setprofile(None)
        assert publisher.snapshot.circumstances == (outage,)
        return ran

    calls(20)  # what is worked out once for the whole process is no cost of a cycle
    few, many = calls(20), calls(2000)
    assert 100 < many < 1.1 * few


def test_a_mark_that_changes_nothing_leaves_the_view() -> None:
    """After each cycle all vantages of its country are marked; those that stay as they were keep
    their view, so that nothing is rendered again for them."""
    publisher = world.x_blocked_on_two_of_three()
    before = [view_of(publisher, point.id) for point in FIELD]
    publisher.mark_outliers("PK", {FIELD[1].id: 2}, lambda _: False)
    after = [view_of(publisher, point.id) for point in FIELD]
    assert [one is other for one, other in zip(before, after, strict=True)] == [True, False, True]
    assert after[1].outlier_platforms == 2


def test_threads_read_whole_snapshots_while_cycles_come() -> None:
    """A reader in another thread sees a cycle's verdicts and its events together or not at all."""
    publisher = world.publisher()
    blocked = world.cycle(PTCL, accusations={"x": TLS_RESET}), [world.event()]
    well = world.cycle(PTCL), list[Event]()
    seen = set()
    over = Event_()

    def read() -> None:
        while not over.is_set():
            snapshot = publisher.snapshot
            states = {v.state for v in snapshot.vantages[0].platforms if v.platform == "x"}
            seen.add((frozenset(states), bool(snapshot.events)))

    publisher.publish(*well)
    reader = Thread(target=read)
    reader.start()
    for _ in range(300):
        publisher.publish(*blocked)
        publisher.publish(*well)
    over.set()
    reader.join()
    assert seen <= {(frozenset({State.BLOCKED}), True), (frozenset({State.OK}), False)}
