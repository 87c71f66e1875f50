"""The results of a replay, as JSON, and what every form of them says of an event."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from monitor.analysis.events.event import Event
from monitor.analysis.events.stretches import stretches
from monitor.replay.annotations import Annotation, about
from monitor.replay.replay import Replayed

CREDIT = "Data: OONI and its contributors, CC BY-NC-SA 4.0, https://ooni.org"


def json_lines(
    replayed: Replayed, annotations: Sequence[Annotation] = ()
) -> Iterator[dict[str, Any]]:
    """One object for each event, by detection; `annotations` are what others published."""
    for event in replayed.events:
        yield {
            "country": event.country,
            "platform": event.platform,
            "state": event.state,
            "scope": event.scope,
            "methods": event.methods,
            "networks": [asn for asn in event.networks_affected if asn],
            "onset_earliest": event.onset_earliest,
            "onset_latest": event.onset_latest,
            "detected_at": event.detected_at,
            "confirmed_at": event.confirmed_at,
            "end_earliest": event.end_earliest,
            "end_latest": event.end_latest,
            "stretches": [
                {
                    "onset_earliest": one.onset_earliest,
                    "onset_latest": one.onset_latest,
                    "end_earliest": one.end_earliest,
                    "end_latest": one.end_latest,
                }
                for one in stretches(event)
            ],
            "silences": [
                {"start": start, "end": end} for start, end in replayed.silences_of(event)
            ],
            "annotations": [
                {
                    "source": one.source,
                    "asn": one.asn or None,
                    "start": one.start,
                    "end": one.end,
                    "text": one.text,
                    "link": one.link,
                }
                for one in about(event, annotations)
            ],
            "kind": event.kind,
            "id": event.id,
            "functions": event.functions,
            "evidence": event.evidence,
            "blocks": [
                {"asn": timeline.asn, "network": timeline.network, "start": start, "end": end}
                for timeline in replayed.timelines_of(event)
                for start, end in timeline.blocks
                if _within(event, start)
            ],
        }


def time_of(event: Event, replayed: Replayed) -> tuple[datetime, datetime]:
    """The time range to show for an event: all data about it."""
    spans = [span for timeline in replayed.timelines_of(event) for span in timeline.spans]
    start = min((span.start for span in spans), default=event.onset_latest)
    end = max((span.end for span in spans), default=event.updated_at)
    return start, max(end, start)


def onset_text(event: Event) -> str:
    if event.onset_earliest is None:
        return f"before monitoring (blocked at {moment_text(event.onset_latest)})"
    return f"{moment_text(event.onset_earliest)} … {moment_text(event.onset_latest)}"


def end_text(event: Event) -> str:
    if event.active:
        return "not seen to end"
    early, late = event.end_earliest, event.end_latest
    return f"{moment_text(early) if early else '?'} … {moment_text(late) if late else '?'}"


def _within(event: Event, moment: datetime) -> bool:
    after = event.end_latest is not None and moment >= event.end_latest
    return moment >= event.onset_latest and not after


def moment_text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
