"""What the page of one event shows."""

from datetime import datetime, timedelta
from typing import Any

from monitor.analysis.events.event import Event, EventKind
from monitor.metrics.snapshot import Snapshot
from monitor.server import timeline_chart as timeline
from monitor.server.evidence import EndpointEvidence, Evidence
from monitor.server.measurement_view import follow_up_lines, side_by_side
from monitor.server.page import Context, Reader, all_titles
from monitor.wording.events import (
    ending,
    goes_on,
    length,
    onset,
    stretch_ending,
    stretch_onset,
    what_happened,
)
from monitor.wording.rules import rule_doubt, rule_meaning
from monitor.wording.sources import witness_lines
from monitor.wording.words import Words

_STRETCHES = 5
"""Shown of one network, the newest."""


def event_shown(
    reader: Reader, snapshot: Snapshot, at: datetime, event: Event, evidence: Evidence
) -> Context:
    """One event, with what was read of its evidence."""
    words, titles = reader.words, all_titles(snapshot)
    until = at if event.active else (event.end_latest or event.updated_at)
    axis = timeline.axis_of([event], until, timedelta(days=3650))
    downloads = [
        ("events", words.gettext("This event")),
        ("stretches", words.gettext("Stretches")),
        ("verdicts", words.gettext("Verdicts")),
        ("measurements", words.gettext("Measurements")),
    ]
    return {
        "event": event,
        "what": (goes_on if evidence.continued_as else what_happened)(words, event, titles),
        "onset": onset(words, event),
        "until": ending(words, event),
        "length": length(words, event),
        "evidence": evidence,
        "witnesses": [
            (one, sentence, networks)
            for one in evidence.witnesses
            for sentence, *networks in [witness_lines(words, one, event)]
        ],
        "time_axis": axis,
        "tick_label": timeline.tick_label(words, axis),
        "networks": [_network(words, axis, event, one) for one in event.networks],
        "proofs": [
            (one.status, one, [_endpoint(words, endpoint) for endpoint in one.endpoints])
            for one in evidence.networks
        ],
        "feed": reader.link("feed.atom", country=event.country, platform=event.platform)
        if event.country and event.platform
        else "",
        "downloads": downloads if event.kind is EventKind.BLOCK else downloads[:2],
    }


def _network(words: Words, axis: timeline.Axis, event: Event, network: Any) -> tuple[Any, ...]:
    bars = [bar for one in network.stretches for bar in timeline.stretch_bars(axis, one, event)]
    if network.affected and not network.stretches:
        bars = list(timeline.event_bars(axis, event))
    stretches = []
    for one in network.stretches[-_STRETCHES:]:
        lasts = event.active and one.end_latest is None
        ended = None if lasts else stretch_ending(words, one, event.country)
        stretches.append((stretch_onset(words, one, event.country), ended))
    return network, bars, stretches, len(network.stretches) - len(stretches)


def _endpoint(words: Words, one: EndpointEvidence) -> tuple[Any, ...]:
    return (
        one,
        side_by_side(words, one.measurement, one.control),
        follow_up_lines(words, one.follow_ups),
        rule_meaning(words, one.verdict.rule_id),
        rule_doubt(words, one.verdict.rule_id),
    )
