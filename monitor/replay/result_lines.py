"""The results of a replay as text for a terminal, in rich's markup."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo

from rich.markup import escape

from monitor.analysis.events.event import Event
from monitor.analysis.events.stretches import certain_count
from monitor.replay.annotations import CREDITS, Annotation, about
from monitor.replay.replay import NetworkTimeline, Replayed
from monitor.replay.results import end_text, moment_text, onset_text, time_of
from monitor.replay.weekly_hours import weekly_pattern

_LOGGED = ("opened", "confirmed", "scope_widened", "reopened", "ended", "dismissed")
_MOST_LOG = 12
_MOST_NETWORKS = 30
_MOST_SILENCES = 5
_MOST_ANNOTATIONS = 8


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
        yield f"  nobody measured {moment_text(start)} … {moment_text(end)}"
    if len(silences) > _MOST_SILENCES:
        yield f"  [dim]… {len(silences) - _MOST_SILENCES} more silences[/]"
    entries = [e for e in replayed.log if e.event == event.id and e.change in _LOGGED]
    for entry in entries[:_MOST_LOG]:
        detail = f": {escape(entry.detail)}" if entry.detail else ""
        yield f"  {moment_text(entry.at)}  {entry.change}{detail}"
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
        until = f" … {moment_text(one.end)}" if one.end else ""
        yield f"  [dim]{escape(one.source)}:[/] {moment_text(one.start)}{until}  {escape(one.text)}"
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
