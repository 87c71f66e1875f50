"""Prometheus families about sources of others' measurements, and about withheld pages."""

from collections import Counter
from datetime import datetime

from monitor.metrics.family import (
    PAIR,
    Families,
    Rows,
    seconds_of,
)
from monitor.metrics.snapshot import Snapshot
from monitor.wording.withheld import withheld_sentence
from monitor.wording.words import words_in

FAMILIES = Families()


@FAMILIES.gauge("source")
def source_up(snapshot: Snapshot, at: datetime) -> Rows:
    """1 if a source of others' measurements was read as a whole lately, else 0."""
    return (((one.kind,), one.answers(at)) for one in snapshot.sources)


@FAMILIES.gauge("source", "problem")
def source_problem(snapshot: Snapshot, _: datetime) -> Rows:
    """1 while the last attempt to read a source failed, by why it did."""
    for one in snapshot.sources:
        if one.state.problem:
            yield (one.kind, one.state.problem), 1


@FAMILIES.gauge("source")
def source_last_answer_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Time a source was last read as a whole, in seconds since 1970; 0: never."""
    return (((one.kind,), seconds_of(one.state.answered_at)) for one in snapshot.sources)


@FAMILIES.gauge("source")
def source_newest_row_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Time the newest measurement of a source was taken, in seconds since 1970; 0: none."""
    return (((one.kind,), seconds_of(one.state.newest_at)) for one in snapshot.sources)


@FAMILIES.gauge("source")
def source_budget_used_ratio(snapshot: Snapshot, at: datetime) -> Rows:
    """Share of a source's budget that was used in this hour."""
    for one in snapshot.sources:
        now = at.replace(minute=0, second=0, microsecond=0)
        yield (one.kind,), one.state.units / one.budget if one.state.hour == now else 0.0


@FAMILIES.counter("source")
def source_requests(snapshot: Snapshot, _: datetime) -> Rows:
    """Requests to a source."""
    return (((one.kind,), one.state.requests) for one in snapshot.sources)


@FAMILIES.counter("source")
def source_rows(snapshot: Snapshot, _: datetime) -> Rows:
    """Measurements of a source that were new."""
    return (((one.kind,), one.state.rows) for one in snapshot.sources)


@FAMILIES.counter("source")
def source_malformed_rows(snapshot: Snapshot, _: datetime) -> Rows:
    """Measurements of a source that could not be read."""
    return (((one.kind,), one.state.malformed) for one in snapshot.sources)


@FAMILIES.counter("source")
def source_judged_rows(snapshot: Snapshot, _: datetime) -> Rows:
    """Measurements of a source that our rules judged."""
    return (((one.kind,), one.state.judged) for one in snapshot.sources)


@FAMILIES.gauge("source", *PAIR, "state")
def source_event_state(snapshot: Snapshot, _: datetime) -> Rows:
    """1 for an active event that measurements of a source show, by its state."""
    for one in snapshot.sources:
        for found in one.events:
            if found.active:
                yield (one.kind, found.country, found.platform, found.event.state), 1


@FAMILIES.info(*PAIR, "kind", "url", "text")
def withheld(snapshot: Snapshot, _: datetime) -> Rows:
    """A post, account or video that its platform withholds in a country, also in words."""
    words = words_in()
    for one in snapshot.withheld:
        text = withheld_sentence(words, one)
        yield (one.country, one.platform, one.kind, one.url, text), 1


@FAMILIES.gauge("country", "said")
def withheld_pages(snapshot: Snapshot, _: datetime) -> Rows:
    """Pages tested for what platforms withhold, by what they said last."""
    yield from Counter((one.country, one.said) for one in snapshot.page_looks).items()
