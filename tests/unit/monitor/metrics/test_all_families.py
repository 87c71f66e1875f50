"""The families Prometheus reads."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import pytest
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from monitor.analysis.events.event import EventState, Scope
from monitor.analysis.verdict import Evidence, State, VantageState
from monitor.budget.budget import Effort
from monitor.budget.bytes_used import bytes_of
from monitor.metrics.all_families import families
from monitor.metrics.family import unit_of
from monitor.metrics.ingest_counts import IngestCounts
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from probes.failure_strings import Failure
from probes.measurement import Layer
from probes.vantage import VantagePoint
from storage.values.database_size import DatabaseSize
from tests.prometheus import world
from tests.prometheus.world import CONTROL, FIELD, NOW, TLS_RESET, Clock
from tests.worlds.notify_world import ONSET, came_back, shutdown

PTCL = FIELD[0]
X_AT_PTCL = {
    "country": "PK",
    "network": "PTCL",
    "asn": "17557",
    "vantage": "khi-ptcl",
    "platform": "x",
}


PLAIN = "text/plain"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def text_of(publisher: Publisher, accept: str = PLAIN) -> str:
    """A scrape in the format asked for."""
    encode, _ = choose_encoder(accept)
    return encode(create_registry(publisher)).decode()


def scraped(publisher: Publisher) -> list[Metric]:
    """The families as they stand."""
    return list(families(publisher.snapshot, publisher.now()))


def value(publisher: Publisher, name: str, **labels: str) -> float | None:
    """The one sample of that name whose labels include these; None when there is none."""
    found = [
        sample.value
        for family in scraped(publisher)
        for sample in family.samples
        if sample.name == f"shutwatch_{name}" and labels.items() <= sample.labels.items()
    ]
    assert len(found) < 2
    return found[0] if found else None


def count(publisher: Publisher, name: str) -> int:
    """How many samples a name has."""
    return sum(
        sample.name == f"shutwatch_{name}"
        for family in scraped(publisher)
        for sample in family.samples
    )


def test_platform_state_is_one_hot() -> None:
    """Of the six states of a platform at a vantage exactly the true one is 1."""
    publisher = world.x_blocked_on_two_of_three()
    states = {
        state: value(publisher, "platform_state", state=state, **X_AT_PTCL) for state in State
    }
    assert states == {state: float(state is State.BLOCKED) for state in State}
    assert count(publisher, "platform_state") == len(FIELD) * len(world.TITLES) * len(State)


def test_labels_are_those_that_were_configured() -> None:
    """A state carries country, network name, AS number, vantage and platform, nothing finer."""
    publisher = world.x_blocked_on_two_of_three()
    family = next(f for f in scraped(publisher) if f.name == "shutwatch_platform_state")
    assert family.samples[0].labels == {**X_AT_PTCL, "state": "ok"}


def test_methods_are_those_of_each_network() -> None:
    """Each blocking vantage tells its own method; one that blocks nothing tells none."""
    publisher = world.x_blocked_on_two_of_three()
    info = "platform_blocked_method_info"
    assert value(publisher, info, vantage="khi-ptcl", method="tls", sub_method="reset") == 1
    assert value(publisher, info, vantage="lhe-nayatel", method="dns", sub_method="nxdomain") == 1
    assert count(publisher, info) == 2
    said = "connections are reset when the platform's name appears"
    assert value(publisher, info, vantage="khi-ptcl", meaning=said) == 1


@pytest.mark.parametrize("state", [State.INSUFFICIENT, State.DOWN])
@pytest.mark.parametrize("evidence", list(Evidence))
def test_a_blocked_function_tells_its_method_while_the_core_is_undecided(
    state: State, evidence: Evidence
) -> None:
    """It is an event, whose alert names how each network blocks it: an empty answer reads as none
    at this moment. What makes no event tells none."""
    publisher = world.publisher()
    publisher.publish(world.pictures_blocked(PTCL, state, evidence), [])
    tells = (
        (Evidence.CONCLUSIVE,) if state is State.DOWN else (Evidence.STRONG, Evidence.CONCLUSIVE)
    )
    info = value(
        publisher, "platform_blocked_method_info", method="tls", sub_method="reset", **X_AT_PTCL
    )
    assert info == (1 if evidence in tells else None)


def test_function_states_tell_which_part() -> None:
    """A degraded platform names the function that is blocked and shows the others as ok."""
    publisher = world.publisher()
    publisher.publish(world.cycle(PTCL, accusations={"x": (State.DEGRADED, "tls", "reset")}), [])
    assert value(publisher, "function_state", function="media", state="blocked", **X_AT_PTCL) == 1
    assert value(publisher, "function_state", function="web", state="ok", **X_AT_PTCL) == 1
    assert value(publisher, "function_state", function="web", state="blocked", **X_AT_PTCL) is None


def test_blocked_networks_are_a_ratio_of_those_that_can_tell() -> None:
    """Two of three networks is two thirds; a country nobody can tell about has no ratio."""
    publisher = world.x_blocked_on_two_of_three()
    ratio = "platform_blocked_networks_ratio"
    assert value(publisher, ratio, country="PK", platform="x") == pytest.approx(2 / 3)
    assert value(publisher, ratio, country="PK", platform="facebook") == 0
    assert count(world.publisher(), ratio) == 0


def test_a_vantage_in_quarantine_shows_no_platforms() -> None:
    """Attack: somebody takes over a vantage, it is put in quarantine, and rules and dashboards
    count its results on. It has no series about platforms, and keeps those about itself."""
    publisher = world.publisher(vantages=(PTCL, *CONTROL))
    accused = {"x": TLS_RESET, "facebook": (State.DEGRADED, "tls", "reset")}
    transfers = (world.transfer(PTCL, "youtube", 0.5),)
    publisher.publish(world.cycle(PTCL, accusations=accused, transfers=transfers), [])
    shown = {name for name in ABOUT_PLATFORMS if count(publisher, name)}
    assert shown == set(ABOUT_PLATFORMS)
    publisher.mark_outliers("PK", {}, lambda vantage: vantage == PTCL.id)
    assert {name: count(publisher, name) for name in ABOUT_PLATFORMS} == dict.fromkeys(shown, 0)
    assert value(publisher, "vantage_state", vantage=PTCL.id, state="ok") == 1
    assert value(publisher, "vantage_quarantined", vantage=PTCL.id) == 1


ABOUT_PLATFORMS = (
    "platform_state",
    "platform_blocked_method_info",
    "function_state",
    "platform_transfer_ratio",
    "platform_blocked_networks_ratio",
)


def test_what_vantages_cannot_tell_is_counted_by_cause() -> None:
    """Each vantage without a decided verdict has a cause, or was not measured; where every one can
    tell there is no series, and no event then means no block."""
    publisher = world.publisher()
    name, labels = "platform_undecided_verdicts", {"country": "PK", "platform": "x"}
    assert value(publisher, name, cause="not_measured", **labels) == 3
    unknown = world.cycle(PTCL, accusations={"x": (State.INSUFFICIENT, "", "")})
    verdicts = tuple(
        msgspec.structs.replace(one, rule_id="control.missing") for one in unknown.platforms
    )
    publisher.publish(msgspec.structs.replace(unknown, platforms=verdicts), [])
    publisher.publish(world.cycle(FIELD[1]), [])
    assert value(publisher, name, cause="no_control", **labels) == 1
    assert value(publisher, name, cause="not_measured", **labels) == 1
    assert value(publisher, name, cause="offline", **labels) is None
    for point in FIELD:
        publisher.publish(world.cycle(point), [])
    assert count(publisher, name) == 0


def test_every_pair_has_an_event_flag() -> None:
    """Each country × platform says 0 or 1 from the start, so that an alert never lacks a series."""
    publisher = world.publisher()
    assert count(publisher, "blocking_event_active") == len(world.TITLES)
    assert value(publisher, "blocking_event_active", country="PK", platform="x") == 0
    world.publish_x_blocked(publisher)
    assert value(publisher, "blocking_event_active", country="PK", platform="x") == 1
    assert value(publisher, "blocking_event_active", country="PK", platform="meta") == 0


def test_an_active_event_tells_state_onset_and_networks() -> None:
    """State, onset and networks are there for active events and for no other pair."""
    publisher = world.x_blocked_on_two_of_three()
    pair = {"country": "PK", "platform": "x"}
    onset = (NOW - timedelta(minutes=12)).timestamp()
    assert value(publisher, "blocking_event_state", state="confirmed", **pair) == 1
    assert value(publisher, "blocking_event_state", state="suspected", **pair) is None
    assert value(publisher, "blocking_event_onset_timestamp_seconds", **pair) == onset
    assert value(publisher, "blocking_event_networks_affected", **pair) == 2
    assert value(publisher, "blocking_event_networks_seen", **pair) == 3
    assert count(publisher, "blocking_event_onset_timestamp_seconds") == 1


def at(publisher: Publisher, name: str, **labels: str) -> datetime | None:
    """The moment that a family of timestamps has."""
    seconds = value(publisher, f"{name}_timestamp_seconds", **labels)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def test_an_active_event_tells_what_a_message_needs() -> None:
    """Its id, whether it was ever confirmed, the bounds of its onset and the country's clocks."""
    publisher = world.x_blocked_on_two_of_three()
    told = {"event": "PK-x", "confirmed": "true"}
    assert value(publisher, "blocking_event_state", **told) == 1
    onset = "blocking_event_onset"
    assert at(publisher, f"{onset}_earliest") == NOW - timedelta(minutes=17)
    assert at(publisher, onset, event="PK-x") == NOW - timedelta(minutes=12)
    assert value(publisher, f"{onset}_utc_offset_seconds", event="PK-x", zone="") == 5 * 3600
    parts = {"api": "what its apps connect to", "web": "website"}
    for function, meaning in parts.items():
        shown = {"event": "PK-x", "function": function, "meaning": meaning}
        assert value(publisher, "blocking_event_function_info", **shown) == 1
    suspected = world.event(state=EventState.SUSPECTED, onset_known=False)
    publisher.publish(world.cycle(PTCL), [suspected])
    told = {"confirmed": "false", "state": "suspected"}
    assert value(publisher, "blocking_event_state", **told) == 1
    assert at(publisher, f"{onset}_earliest") is None


def test_an_event_that_came_back_tells_both_onsets() -> None:
    """`Since` is the stretch that goes on; the first onset has a family of its own."""
    publisher = world.publisher()
    publisher.publish(world.cycle(PTCL), [came_back()])
    again = ONSET + timedelta(minutes=26.5)
    assert at(publisher, "blocking_event_onset") == again
    assert at(publisher, "blocking_event_onset_earliest") == ONSET + timedelta(minutes=26)
    assert at(publisher, "blocking_event_first_onset") == ONSET
    assert value(publisher, "blocking_event_stretches") == 2


def test_the_end_of_an_event_stays_for_a_day() -> None:
    """What resolves an alert can say when it was over; a day later the event is gone."""
    clock = Clock()
    publisher = world.publisher(now=clock)
    over = msgspec.structs.replace(came_back(over=True), updated_at=NOW)
    publisher.show_ended([over])
    told = {"state": "ended", "event": over.id}
    ended = ONSET + timedelta(minutes=39)
    of = {"event": over.id, "kind": "block"}
    assert at(publisher, "blocking_event_ended", **told) == ended
    assert at(publisher, "event_end_earliest", **of) == ONSET + timedelta(minutes=38)
    assert at(publisher, "event_end_latest", **of) == ended
    assert value(publisher, "event_end_utc_offset_seconds", zone="", **of) == 5 * 3600
    assert count(publisher, "blocking_event_state") == 0
    assert value(publisher, "blocking_event_active", country="PK", platform="x") == 0
    clock.advance(86400 + 1)
    assert count(publisher, "blocking_event_ended_timestamp_seconds") == 0
    assert count(publisher, "event_end_latest_timestamp_seconds") == 0


def test_an_event_that_goes_on_again_has_no_end() -> None:
    """A reopened event is not both."""
    publisher = world.publisher()
    publisher.show_ended([msgspec.structs.replace(came_back(over=True), updated_at=NOW)])
    publisher.show_ended([msgspec.structs.replace(came_back(), updated_at=NOW)])
    assert count(publisher, "blocking_event_ended_timestamp_seconds") == 0


def test_an_end_that_nobody_saw_has_no_later_bound() -> None:
    """What is known is when it was last blocked. What is not configured is not shown."""
    publisher = world.publisher()
    unseen = msgspec.structs.replace(came_back(over=True), end_latest=None, updated_at=NOW)
    elsewhere = msgspec.structs.replace(unseen, id="other", country="BR")
    publisher.show_ended([unseen, elsewhere])
    until = ONSET + timedelta(minutes=38)
    assert at(publisher, "blocking_event_ended") == until
    assert at(publisher, "event_end_earliest") == until
    assert at(publisher, "event_end_latest") is None


def test_other_events_tell_their_end_too() -> None:
    """A shutdown that is over has the bounds of its end."""
    publisher = world.publisher()
    over = shutdown(
        state=EventState.ENDED,
        end_earliest=ONSET + timedelta(hours=1),
        end_latest=ONSET + timedelta(hours=1, minutes=5),
        updated_at=NOW,
    )
    publisher.show_ended([over])
    told = {"kind": "shutdown", "country": "PK", "event": over.id}
    ended = ONSET + timedelta(minutes=65)
    assert at(publisher, "circumstance_ended", state="ended", **told) == ended
    assert at(publisher, "event_end_earliest", **told) == ONSET + timedelta(hours=1)
    assert at(publisher, "event_end_latest", **told) == ended
    assert count(publisher, "blocking_event_ended_timestamp_seconds") == 0


def test_the_database_has_its_size_and_what_is_left() -> None:
    """Nothing until it was asked; without a disk that can be seen no word of what is left."""
    publisher = world.publisher()
    assert count(publisher, "database_size_bytes") == count(publisher, "database_free_bytes") == 0
    publisher.database_sized(DatabaseSize(used=7, free=None))
    assert value(publisher, "database_size_bytes") == 7
    assert count(publisher, "database_free_bytes") == 0
    publisher.database_sized(DatabaseSize(used=8, free=0))
    assert value(publisher, "database_free_bytes") == 0


@pytest.mark.parametrize("accept", [PLAIN, OPENMETRICS])
def test_every_family_is_whole(accept: str) -> None:
    """Attack: a help text over several lines, a unit that the name does not have, a series that is
    there twice, or times of creation that double what is stored."""
    text = create_registry(world.x_blocked_on_two_of_three(), IngestCounts()).scrape(accept)[0]
    lines = text.decode().splitlines()
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(set(series)) == len(series)
    assert not any("_created" in one for one in series)
    helped, typed = (
        [line.split()[2] for line in lines if line.startswith(f"# {kind} ")]
        for kind in ("HELP", "TYPE")
    )
    assert helped == typed
    assert len(set(helped)) == len(helped)
    for line in lines:
        if line.startswith("# HELP "):
            assert "\\n" not in line
            assert line.endswith(".") or " process" in line
    if accept == OPENMETRICS:
        units = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# UNIT ")}
        ours = [name for name in typed if name.startswith("shutwatch_")]
        assert units == {name: unit_of(name) for name in ours if unit_of(name)}
        assert list(text_string_to_metric_families(text.decode()))  # type: ignore[no-untyped-call]


NOT_INFORMATIVE = re.compile(r"(?<![_a-z])(text|message|reason_text|time|date|at|since|until)$")


def test_no_label_holds_a_time_or_what_people_wrote() -> None:
    """Attack: dates and sentences in labels make a new series whenever a word changes."""
    for family in scraped(world.x_blocked_on_two_of_three()):
        for sample in family.samples:
            for name, text in sample.labels.items():
                assert not NOT_INFORMATIVE.search(name), (sample.name, name)
                assert not re.search(r"\d{4}-\d\d-\d\d|\d\d:\d\d", text), (sample.name, text)


def test_an_event_is_never_said_to_be_more_than_it_was() -> None:
    """Only slowed down is throttled, only parts that are not core is partial, all else blocked."""
    event = world.event()
    partial = msgspec.structs.replace(event, scope=Scope.PARTIAL)
    throttled = msgspec.structs.replace(event, methods=("throttling.rate", "throttling.stall"))
    both = msgspec.structs.replace(event, methods=("throttling.rate", "tls.reset"))
    effects = {"blocked": event, "partial": partial, "throttled": throttled}
    for effect, shown in [*effects.items(), ("blocked", both)]:
        publisher = world.publisher()
        publisher.publish(world.cycle(PTCL), [shown])
        assert value(publisher, "blocking_event_state", effect=effect) == 1


def test_names_for_people_stand_beside_codes() -> None:
    """Country, platform and owner have their names, and the page its address where there is one."""
    publisher = world.publisher()
    assert value(publisher, "vantage_info", vantage="khi-ptcl", country_name="Pakistan") == 1
    whatsapp = {"platform": "whatsapp", "title": "WhatsApp", "owner": "Meta"}
    assert value(publisher, "blocking_event_active", country="PK", **whatsapp) == 0
    assert value(publisher, "public_url_info", url="https://watch.example.org") == 1
    runbooks = "https://watch.example.org/runbooks"
    assert value(publisher, "runbooks_url_info", url=runbooks) == 1
    hidden = Publisher(world.FIELD, world.catalog(), Clock())
    assert count(hidden, "public_url_info") == 0


def test_controls_report_health_but_no_platforms() -> None:
    """A control vantage has a state and a last report, and no platform series."""
    publisher = world.x_blocked_on_two_of_three()
    publisher.publish(world.cycle(CONTROL[0], accusations={"x": TLS_RESET}), [])
    control = {"vantage": "ams-control"}
    assert value(publisher, "vantage_state", state="ok", **control) == 1
    assert value(publisher, "vantage_last_report_timestamp_seconds", **control) == NOW.timestamp()
    for name in ("platform_state", "function_state"):
        assert value(publisher, name, platform="x", state="blocked", **control) is None


def test_a_silent_vantage_keeps_its_own_series() -> None:
    """Before its first report a vantage says unknown and 0, so that its alert can fire."""
    publisher = world.publisher()
    assert value(publisher, "vantage_state", vantage="khi-ptcl", state="unknown") == 1
    assert value(publisher, "vantage_last_report_timestamp_seconds", vantage="khi-ptcl") == 0
    assert value(publisher, "cycle_last_success_timestamp_seconds", vantage="khi-ptcl") == 0
    assert value(publisher, "vantage_info", vantage="khi-ptcl", vantage_role="field") == 1
    assert count(publisher, "vantage_reference_success_ratio") == 0
    assert count(publisher, "platform_state") == 0


def test_silence_is_counted_from_the_last_cycle_or_from_when_it_is_waited_for() -> None:
    """A restart gives every vantage time, and a report of before does not count against it."""
    clock = Clock()
    publisher = world.publisher(now=clock)
    clock.advance(100)
    age = partial(value, publisher, "vantage_report_age_seconds", vantage="khi-ptcl")
    stored = partial(value, publisher, "cycle_success_age_seconds", vantage="khi-ptcl")
    assert (age(), stored()) == (100, 100)
    late = msgspec.structs.replace(world.cycle(FIELD[0]), finished_at=clock())
    publisher.publish(late, [], stored=False)
    clock.advance(50)
    assert (age(), stored()) == (50, 150)
    again = world.publisher(now=clock)
    again.restore([], [world.health(FIELD[0])], [])
    assert value(again, "vantage_report_age_seconds", vantage="khi-ptcl") == 0
    assert value(again, "vantage_silent_after_seconds", vantage="khi-ptcl") == 900
    assert value(again, "cycle_stalled_after_seconds") == 900


def test_the_machines_clock_is_shown_beside_ours() -> None:
    """How often it was set, and how far it is off now."""
    publisher = world.publisher()
    publisher.clock_seen(2, -3600.0)
    assert value(publisher, "clock_steps_total") == 2
    assert value(publisher, "clock_ahead_seconds") == -3600


def test_a_vantage_that_went_silent_loses_its_platforms_only() -> None:
    """Once stale, platform series and reference ratio go; the last report stays and tells when."""
    clock = Clock()
    publisher = world.x_blocked_on_two_of_three(now=clock)
    clock.advance(901)
    assert count(publisher, "platform_state") == 0
    assert count(publisher, "platform_blocked_networks_ratio") == 0
    assert count(publisher, "platform_blocked_method_info") == 0
    assert count(publisher, "vantage_reference_success_ratio") == 0
    last = value(publisher, "vantage_last_report_timestamp_seconds", vantage="khi-ptcl")
    assert last == NOW.timestamp()
    assert value(publisher, "blocking_event_active", country="PK", platform="x") == 1


def test_vantage_health_is_one_hot_with_its_ratio() -> None:
    """An offline vantage says so in exactly one series, and how many references answered."""
    publisher = world.publisher()
    offline = world.health(PTCL, state=VantageState.OFFLINE, ok=1, total=4)
    publisher.publish(world.cycle(PTCL, state=offline), [])
    states = {
        state: value(publisher, "vantage_state", vantage=PTCL.id, state=state)
        for state in VantageState
    }
    assert states == {state: float(state is VantageState.OFFLINE) for state in VantageState}
    assert value(publisher, "vantage_reference_success_ratio", vantage=PTCL.id) == 0.25


def test_counters_and_histogram_carry_what_was_counted() -> None:
    """Probes, failures, durations, missed runs and storage errors come out as counted."""
    publisher = world.publisher()
    looks = (world.look(PTCL, "x", TLS_RESET), world.look(PTCL, "facebook"))
    publisher.publish(world.cycle(PTCL, measurements=looks, length=12), [])
    publisher.cycle_missed(PTCL.id)
    publisher.storage_error("save")
    tls = {"vantage": PTCL.id, "layer": "tls"}
    assert value(publisher, "probes_total", vantage=PTCL.id, platform="x") == 1
    assert value(publisher, "probe_failures_total", failure="connection_reset", **tls) == 1
    assert value(publisher, "probe_failures_total", failure="eof_error", **tls) == 0
    assert value(publisher, "probe_duration_seconds_count", **tls) == 2
    assert value(publisher, "probe_duration_seconds_sum", **tls) == pytest.approx(0.6)
    assert value(publisher, "probe_duration_seconds_bucket", le="0.25", **tls) == 0
    assert value(publisher, "probe_duration_seconds_bucket", le="0.5", **tls) == 2
    assert value(publisher, "probe_duration_seconds_bucket", le="+Inf", **tls) == 2
    assert value(publisher, "cycle_duration_seconds", vantage=PTCL.id) == 12
    assert value(publisher, "schedule_missed_total", vantage=PTCL.id) == 1
    assert value(publisher, "storage_errors_total", operation="save") == 1
    assert value(publisher, "storage_errors_total", operation="read") == 0


def test_turns_and_todays_bytes_are_told() -> None:
    """Turns by effort, those left out too; bytes of the day, which begin at 0 after midnight, and
    the limit beside them, for controls as well."""
    publisher = world.publisher()
    publisher.cycle_taken(PTCL.id, Effort.WHOLE, 1_000)
    publisher.cycle_taken(PTCL.id, Effort.NONE, 2_500)
    publisher.cycle_taken(CONTROL[0].id, Effort.WHOLE, 700)
    for effort, turns in {"whole": 1, "modest": 0, "hurried": 0, "none": 1}.items():
        assert value(publisher, "cycles_total", vantage=PTCL.id, effort=effort) == turns
    assert value(publisher, "vantage_daily_bytes", vantage=PTCL.id) == 2_500
    assert value(publisher, "vantage_daily_bytes", vantage=CONTROL[0].id) == 700
    assert value(publisher, "vantage_daily_bytes", vantage=FIELD[1].id) == 0
    assert value(publisher, "vantage_daily_limit_bytes") == 300_000_000
    clock = Clock()
    publisher = world.publisher(now=clock)
    publisher.cycle_taken(PTCL.id, Effort.WHOLE, 1_000)
    assert value(publisher, "vantage_daily_bytes", vantage=PTCL.id) == 1_000
    clock.advance(86_400)
    assert value(publisher, "vantage_daily_bytes", vantage=PTCL.id) == 0


def test_build_and_interval_are_told() -> None:
    """Version and interval are there for dashboards and for alerts that count in intervals."""
    publisher = world.publisher(interval=60)
    assert count(publisher, "build_info") == 1
    assert value(publisher, "cycle_interval_seconds") == 60


def test_no_sample_repeats() -> None:
    """No two samples of a scrape share name and labels: Prometheus would refuse the scrape."""
    publisher = world.x_blocked_on_two_of_three()
    seen = Counter(
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in scraped(publisher)
        for sample in family.samples
    )
    assert set(seen.values()) == {1}


def test_nothing_says_how_a_vantage_gets_out() -> None:
    """Proxy hosts, credentials, source addresses and resolvers are nowhere in a scrape."""
    text = text_of(world.x_blocked_on_two_of_three())
    assert 'vantage="ams-control"' in text
    for secret in ("secret", "198.51.100"):
        assert secret not in text


def test_no_created_series() -> None:
    """Creation times would double every counter, so there are none in either format."""
    publisher = world.x_blocked_on_two_of_three()
    assert "_total{" in text_of(publisher, OPENMETRICS)
    assert "_created" not in text_of(publisher)
    assert "_created" not in text_of(publisher, OPENMETRICS)


def test_openmetrics_parses() -> None:
    """The OpenMetrics text is valid to a strict parser and holds the same families."""
    publisher = world.x_blocked_on_two_of_three()
    parse: Callable[[str], Iterable[Metric]] = text_string_to_metric_families
    names = {family.name for family in parse(text_of(publisher, OPENMETRICS))}
    assert {family.name for family in scraped(publisher)} <= names


def everything_wrong(fields: Iterable[VantagePoint]) -> Publisher:
    """Every platform blocked everywhere, an event for each pair, and many kinds of failure."""
    fields = tuple(fields)
    publisher = world.publisher(vantages=fields)
    events = [
        world.event(country, platform)
        for country in {point.country for point in fields}
        for platform in world.TITLES
    ]
    for point in fields:
        accusations = dict.fromkeys(world.TITLES, TLS_RESET)
        transfers = tuple(world.transfer(point, platform, 0.1) for platform in world.TITLES)
        publisher.publish(world.cycle(point, accusations=accusations, transfers=transfers), events)
    return publisher


def test_speed_and_bytes_are_shown_with_the_limit() -> None:
    """The last ratio stays until the next, bytes add up, and the limit is beside them."""
    point = world.FIELD[0]
    publisher = world.publisher()
    publisher.publish(world.cycle(point, transfers=(world.transfer(point, "x", 0.02),)), [])
    families = {family.name: family for family in scraped(publisher)}
    (ratio,) = families["shutwatch_platform_transfer_ratio"].samples
    assert (ratio.value, ratio.labels["platform"], ratio.labels["against"]) == (
        0.02,
        "x",
        "innocuous",
    )
    assert families["shutwatch_vantage_daily_limit_bytes"].samples[0].value == 300_000_000

    def used() -> dict[str, float]:
        (family,) = (f for f in scraped(publisher) if f.name == "shutwatch_vantage_bytes")
        return {sample.labels["vantage"]: sample.value for sample in family.samples}

    first = used()
    assert first[point.id] == sum(map(bytes_of, world.cycle(point).measurements)) > 0
    assert all(used == 0 for vantage, used in first.items() if vantage != point.id)
    publisher.publish(world.cycle(point), [])
    assert used()[point.id] == 2 * first[point.id]
    families = {family.name: family for family in scraped(publisher)}
    assert families["shutwatch_platform_transfer_ratio"].samples[0].value == 0.02


@pytest.mark.parametrize("countries", [5, 20])
def test_twenty_vantages_make_at_most_6380_samples(countries: int) -> None:
    """At the worst moment (all blocked, an event for every pair) a scrape stays small."""
    fields = [
        world.vantage(f"v{n}", chr(65 + n % countries) * 2, 64500 + n, f"Net {n}")
        for n in range(20)
    ]
    registry = create_registry(everything_wrong(fields))
    assert sum(len(family.samples) for family in registry.collect()) <= 6380


def test_failure_labels_are_bounded() -> None:
    """The failure label only ever holds words of the failure vocabulary and one for the rest."""
    publisher = world.x_blocked_on_two_of_three()
    allowed = {*map(str, Failure), "unknown_failure"}
    labels = {
        (sample.labels["layer"], sample.labels["failure"])
        for family in scraped(publisher)
        for sample in family.samples
        if sample.name == "shutwatch_probe_failures_total"
    }
    assert {failure for _, failure in labels} <= allowed
    assert {layer for layer, _ in labels} <= set(map(str, Layer))


def test_a_collector_that_does_not_lead_tells_only_how_it_is_itself() -> None:
    """Of several collectors one judges: the others expose no event, no state and no vantage, so
    that nothing is there twice; and each says whether it leads."""
    publisher = world.publisher()
    shown = {metric.name for metric in scraped(publisher)}
    assert value(publisher, "analysis_leader") == 1
    publisher.lead(leading=False)
    told = {metric.name for metric in scraped(publisher)}
    assert told == {
        "shutwatch_analysis_leader",
        "shutwatch_build",
        "shutwatch_clock_ahead_seconds",
        "shutwatch_clock_steps",
        "shutwatch_config_last_reload_successful",
        "shutwatch_config_last_reload_success_timestamp_seconds",
        "shutwatch_public_url",
        "shutwatch_runbooks_url",
        "shutwatch_storage_errors",
    }
    assert value(publisher, "analysis_leader") == 0
    publisher.lead(leading=True)
    assert {metric.name for metric in scraped(publisher)} == shown
