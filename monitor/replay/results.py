"""The results of a replay, as JSON and as text."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from rich.markup import escape

from monitor.analysis.events.event import Event
from monitor.analysis.events.stretches import certain_count, stretches
from monitor.replay.annotations import CREDITS, Annotation, about
from monitor.replay.replay import NetworkTimeline, Replayed
from monitor.replay.weekly_hours import weekly_pattern

CREDIT = "Data: OONI and its contributors, CC BY-NC-SA 4.0, https://ooni.org"
_LOGGED = ("opened", "confirmed", "scope_widened", "reopened", "ended", "dismissed")
_MOST_LOG = 12
_MOST_NETWORKS = 30
_MOST_SILENCES = 5
_MOST_ANNOTATIONS = 8


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


def text_lines(
    replayed: Replayed,
    width: int,
    zone: tzinfo = UTC,
    annotations: Sequence[Annotation] = (),
) -> Iterator[str]:
    """Events with their timelines, `width` characters wide, as rich markup."""
    for event in replayed.events:
        yield from _event_lines(event, replayed, max(width, 60), zone)
        yield from _annotation_lines(about(event, annotations))
        yield ""
    count = len(replayed.events)
    yield f"{count} event{'' if count == 1 else 's'}, {replayed.verdicts} verdicts"


def time_of(event: Event, replayed: Replayed) -> tuple[datetime, datetime]:
    """The time range to show for an event: all data about it."""
    spans = [span for timeline in replayed.timelines_of(event) for span in timeline.spans]
    start = min((span.start for span in spans), default=event.onset_latest)
    end = max((span.end for span in spans), default=event.updated_at)
    return start, max(end, start)


def onset_text(event: Event) -> str:
    if event.onset_earliest is None:
        return f"before monitoring (blocked at {_moment(event.onset_latest)})"
    return f"{_moment(event.onset_earliest)} … {_moment(event.onset_latest)}"


def end_text(event: Event) -> str:
    if event.active:
        return "not seen to end"
    early, late = event.end_earliest, event.end_latest
    return f"{_moment(early) if early else '?'} … {_moment(late) if late else '?'}"


def _event_lines(event: Event, replayed: Replayed, width: int, zone: tzinfo) -> Iterator[str]:
    networks = len([status for status in event.networks if status.affected])
    yield (
        f"[bold]{event.country} {escape(event.platform)}[/]: [red]{event.state}[/], {event.scope}, "
        f"{escape(', '.join(event.methods)) or 'method unknown'}, "
        f"{networks} of {len(event.networks)} networks"
    )
    count = certain_count(event)
    several = f"; {count} stretches, open in between" if count > 1 else ""
    yield f"  onset {onset_text(event)}; end {end_text(event)}{several}"
    silences = replayed.silences_of(event)
    for start, end in silences[:_MOST_SILENCES]:
        yield f"  nobody measured {_moment(start)} … {_moment(end)}"
    if len(silences) > _MOST_SILENCES:
        yield f"  [dim]… {len(silences) - _MOST_SILENCES} more silences[/]"
    entries = [e for e in replayed.log if e.event == event.id and e.change in _LOGGED]
    for entry in entries[:_MOST_LOG]:
        detail = f": {escape(entry.detail)}" if entry.detail else ""
        yield f"  {_moment(entry.at)}  {entry.change}{detail}"
    if len(entries) > _MOST_LOG:
        yield f"  [dim]… {len(entries) - _MOST_LOG} more[/]"
    every = replayed.timelines_of(event)
    timelines = [timeline for timeline in every if timeline.decided]
    start, end = time_of(event, replayed)
    names = max((len(timeline.label) for timeline in timelines[:_MOST_NETWORKS]), default=0)
    names = min(names, 24)
    strip = width - names - 5
    for timeline in timelines[:_MOST_NETWORKS]:
        label = escape(timeline.label[:names].ljust(names))
        yield f"  {label} {_strip(timeline, start, end, strip)}"
    if len(every) > len(timelines[:_MOST_NETWORKS]):
        yield f"  [dim]… {len(every) - len(timelines[:_MOST_NETWORKS])} more networks[/]"
    left, right = f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}"
    gap = " " * max(1, strip - len(left) - len(right))
    yield f"  {' ' * names} [dim]{left}{gap}{right}[/]"
    yield f"  {' ' * names} [red]█[/] blocked [green]─[/] open [dim]?[/] undecided, blank: no data"
    for timeline in timelines:
        since, until = event.onset_latest, event.end_latest or end
        if pattern := weekly_pattern(timeline, since, until, zone):
            name = since.astimezone(zone).tzname() or str(zone)
            yield f"  {escape(timeline.label)}: {pattern} ({name})"


def _annotation_lines(annotations: Sequence[Annotation]) -> Iterator[str]:
    for one in annotations[:_MOST_ANNOTATIONS]:
        until = f" … {_moment(one.end)}" if one.end else ""
        yield f"  [dim]{escape(one.source)}:[/] {_moment(one.start)}{until}  {escape(one.text)}"
    if len(annotations) > _MOST_ANNOTATIONS:
        yield f"  [dim]… {len(annotations) - _MOST_ANNOTATIONS} more of others[/]"
    for source in dict.fromkeys(one.source for one in annotations):
        if source in CREDITS:
            yield f"  [dim]{CREDITS[source]}[/]"


def _strip(timeline: NetworkTimeline, start: datetime, end: datetime, width: int) -> str:
    """The timeline in `width` cells: blocked wins a cell, then open, then undecided."""
    whole = max((end - start).total_seconds(), 1.0)
    ranks = [0] * width
    for span in timeline.spans:
        rank = {True: 3, False: 2, None: 1}[span.blocked]
        first = int((span.start - start).total_seconds() / whole * width)
        last = int((span.end - start).total_seconds() / whole * width)
        for cell in range(max(first, 0), min(max(last, first + 1), width)):
            ranks[cell] = max(ranks[cell], rank)
    signs = (" ", "[dim]?[/]", "[green]─[/]", "[red]█[/]")
    return "".join(signs[rank] for rank in ranks)


def _within(event: Event, moment: datetime) -> bool:
    after = event.end_latest is not None and moment >= event.end_latest
    return moment >= event.onset_latest and not after


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
