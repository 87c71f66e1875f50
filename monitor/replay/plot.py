"""Draws the timelines. Needs the libraries of the extra `plot`."""

from datetime import datetime
from pathlib import Path

import msgspec

from monitor.charts import time_chart
from monitor.charts.svg import png
from monitor.charts.time_chart import NO_DATA, Bar, Key, Lane, Mark, TimeChart
from monitor.export.output_file import written_file
from monitor.replay.imported_row import ReplayError
from monitor.replay.replay import NetworkTimeline, Replayed
from monitor.replay.results import CREDIT, end_text, onset_text
from monitor.wording.file_errors import file_error
from monitor.wording.missing_library import install_command
from monitor.wording.words import words_in

BLOCKED, OPEN, UNDECIDED = "#b2182b", "#4393c3", "#fddbc7"
"""Colours that colour-blind readers, and readers on paper, can tell apart."""
_MOST_NETWORKS = 24
_MOST_PANELS = 8
_WIDTH = 936.0
"""Points."""
_LABEL = 60
"""Characters of a network's name."""
_PRINT = 1.5
"""Pixels for one of a screen."""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One country and platform, with one line for each network."""

    title: str
    timelines: tuple[NetworkTimeline, ...]
    left_out: int
    marks: tuple[tuple[datetime | None, datetime], ...]
    """Onset bounds of its events."""


def panels(replayed: Replayed) -> list[Panel]:
    """Panels with events first, then those with most data, as many as fit."""
    places: dict[tuple[str, str], list[NetworkTimeline]] = {}
    for timeline in replayed.timelines:
        places.setdefault((timeline.country, timeline.platform), []).append(timeline)
    events = [(event.country, event.platform) for event in replayed.events]
    order = sorted(
        places, key=lambda place: (place not in events, -sum(map(_seconds, places[place])), place)
    )
    found = []
    for place in order[:_MOST_PANELS]:
        here = [event for event in replayed.events if (event.country, event.platform) == place]
        known = [timeline for timeline in places[place] if timeline.decided] or places[place]
        timelines = sorted(
            known,
            key=lambda timeline: (not timeline.ever_blocked, -_seconds(timeline), timeline.asn),
        )
        title = f"{place[0]} · {place[1]}"
        if here:
            first = here[0]
            title += f" — {first.state}, onset {onset_text(first)}, end {end_text(first)}"
        if len(here) > 1:
            title += f" (and {len(here) - 1} more)"
        found.append(
            Panel(
                title=title,
                timelines=tuple(timelines[:_MOST_NETWORKS]),
                left_out=len(places[place]) - len(timelines[:_MOST_NETWORKS]),
                marks=tuple((event.onset_earliest, event.onset_latest) for event in here),
            )
        )
    return found


def draw(replayed: Replayed, path: Path, *, ooni: bool) -> None:
    """Write a PNG. Raises ReplayError without a library or data, or when it cannot write."""
    shown = panels(replayed)
    if not shown:
        raise ReplayError("--plot: there is no data to draw")
    spans = [span for panel in shown for timeline in panel.timelines for span in timeline.spans]
    start, end = min(span.start for span in spans), max(span.end for span in spans)
    chart = TimeChart(
        width=_WIDTH,
        since=start,
        until=end,
        axis=f"UTC, {start:%Y-%m-%d} to {end:%Y-%m-%d}",
        panels=[_drawn(panel, end) for panel in shown],
        legend=(
            Key("blocked", BLOCKED),
            Key("open", OPEN),
            Key("undecided", UNDECIDED),
            Key("no data (line: block not seen to end)", NO_DATA),
        ),
        credit=CREDIT if ooni else "",
    )
    try:
        picture = png(time_chart.draw(chart, words_in()), _PRINT)
    except ImportError as error:
        needs = f"--plot needs {error.name} ({error})"
        raise ReplayError(f"{needs}: {install_command('plot')}") from error
    try:
        with written_file(path) as out:
            out.write(picture)
    except OSError as error:
        raise ReplayError(f"--plot {file_error(error, path)}") from error


def _drawn(panel: Panel, end: datetime) -> time_chart.Panel:
    colours = {True: BLOCKED, False: OPEN, None: UNDECIDED}
    lanes = []
    for timeline in panel.timelines:
        bars = [Bar(one.start, one.end, colours[one.blocked]) for one in timeline.spans]
        # Of those that touch or overlap, what says most lies above.
        bars.sort(key=lambda bar: (UNDECIDED, OPEN, BLOCKED).index(bar.colour))
        # Nothing was measured, and nothing showed the end of the block.
        bars += [Bar(since, until or end, BLOCKED, thin=True) for since, until in timeline.blocks]
        lanes.append(Lane(words_in().name(timeline.label, _LABEL), bars))
    left = panel.left_out
    return time_chart.Panel(
        title=panel.title,
        note=f"+ {left} more networks, too little measured to decide" if left else "",
        lanes=lanes,
        marks=[Mark(earliest, latest) for earliest, latest in panel.marks],
    )


def _seconds(timeline: NetworkTimeline) -> float:
    return sum((span.end - span.start).total_seconds() for span in timeline.spans)
