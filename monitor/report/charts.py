"""The charts of a report: SVG for the screen, PNG for print; the same findings, the same bytes."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from monitor.analysis.events.stretches import stretches
from monitor.charts import time_chart
from monitor.charts.svg import png
from monitor.charts.time_chart import (
    DASH_DOTTED,
    DASHED,
    DOTTED,
    NO_DATA,
    Bar,
    Key,
    Line,
    Mark,
    Panel,
    TimeChart,
)
from monitor.replay.plot import BLOCKED, OPEN, UNDECIDED
from monitor.report.findings import Findings, Lane
from monitor.report.names_between_marks import ReportWords, plain
from monitor.report.tables import short
from monitor.report.time_slots import Slot
from monitor.wording.history import FOUND_IN_PART

MIXED = "#762a83"
"""Open in one test and blocked or slowed down in another, within one slot; or blocked in part."""
SLOWED = "#e08214"
_MOST_LANES = 24
_MOST_POINTS = 120
_LABEL = 26
_WIDTH = 606.0
"""Points."""
_PRINT = 2.0
"""Pixels for one of a screen."""
_LINES = ("", DASHED, DASH_DOTTED, DOTTED)
_COLOURS = ("#1b6ca8", "#b2182b", "#4d7c0f", "#7b3f99", "#b45309", "#0f766e", "#4b5563")


def draw(words: ReportWords, findings: Findings, folder: Path, title: str) -> list[str]:
    """Write the charts into `folder`/charts; returns their names, none without verdicts."""
    if not findings.lanes:
        return []
    (folder / "charts").mkdir()
    names = []
    for name, chart in charts(words, findings, title):
        drawn = time_chart.draw(chart, words)
        of_png, of_svg = f"charts/{name}.png", f"charts/{name}.svg"
        (folder / of_png).write_bytes(png(drawn, _PRINT))
        (folder / of_svg).write_text(drawn, encoding="utf-8")
        names += [of_png, of_svg]
    return names


def charts(words: ReportWords, findings: Findings, title: str) -> Iterator[tuple[str, TimeChart]]:
    """Each chart with its name, of findings that have verdicts."""
    names = {
        "platform": plain(title, 40),
        "country": words.country(findings.wanted.country),
    }
    yield "timeline", _chart(words, findings, *_timeline(words, findings, names))
    yield "availability", _chart(words, findings, *_availability(words, findings, names))


def _chart(
    words: ReportWords, findings: Findings, panel: Panel, legend: Sequence[Key]
) -> TimeChart:
    """What both charts have: the events and the time axis."""
    start, end = _bounds(findings)
    span = words.gettext(
        "UTC, %(first)s to %(last)s", first=short(words, start)[:-3], last=short(words, end)[:-3]
    )
    return TimeChart(width=_WIDTH, since=start, until=end, axis=span, panels=[panel], legend=legend)


def _bounds(findings: Findings) -> tuple[datetime, datetime]:
    """From the first verdict to the last, and a little more on both sides."""
    start = min(lane.first for lane in findings.lanes)
    end = max(lane.last for lane in findings.lanes)
    room = max((end - start) * 0.01, findings.slot)
    return start - room, end + room


def _timeline(
    words: ReportWords, findings: Findings, names: Mapping[str, str]
) -> tuple[Panel, Sequence[Key]]:
    shown = words.gettext("%(platform)s in %(country)s: results", **names)
    left = len(findings.lanes) - _MOST_LANES
    if left > 0:
        more = words.ngettext("%(n)s more network", "%(n)s more networks", left)
        shown = f"{shown} ({more})"
    lanes = [
        time_chart.Lane(_label(lane), _bars(lane.slots, findings.slot))
        for lane in findings.lanes[:_MOST_LANES]
    ]
    return Panel(title=shown, lanes=lanes, marks=_marks(findings)), (
        Key(words.gettext("blocked"), BLOCKED),
        Key(words.gettext("slowed down"), SLOWED),
        Key(words.gettext("open"), OPEN),
        Key(words.gettext(FOUND_IN_PART), MIXED),
        Key(words.gettext("undecided"), UNDECIDED),
        Key(words.gettext("nothing known"), NO_DATA),
    )


def _bars(slots: Sequence[Slot], width: timedelta) -> list[Bar]:
    """Equal neighbours are one bar, even over one empty slot, since cycles do not start exactly on
    time."""
    bars: list[Bar] = []
    for slot in slots:
        bar = Bar(slot.start, slot.end, _colour(slot))
        if bars and slot.start - bars[-1].until <= width:
            before = bars.pop()
            if before.colour == bar.colour:
                bar = replace(bar, since=before.since)
            else:
                bars.append(replace(before, until=slot.start))
        bars.append(bar)
    return bars


def _colour(slot: Slot) -> str:
    if slot.in_part or slot.all_the_same or (slot.open and (slot.blocked or slot.throttled)):
        return MIXED
    if slot.blocked or slot.throttled:
        return BLOCKED if slot.blocked else SLOWED
    return OPEN if slot.open else UNDECIDED


def _marks(findings: Findings) -> list[Mark]:
    """The onset and the end of every stretch, each with the time between its bounds."""
    marks = []
    for one in (one for story in findings.stories for one in stretches(story.event)):
        marks.append(Mark(one.onset_earliest, one.onset_latest))
        if one.end_latest is not None:
            marks.append(Mark(one.end_earliest, one.end_latest, DOTTED))
    return marks


def _label(lane: Lane) -> str:
    asn, called = lane.network
    number = f"AS{asn}" if asn else ""
    return "\n".join(filter(None, (plain(called, _LABEL), number))) or "?"


def _availability(
    words: ReportWords, findings: Findings, names: Mapping[str, str]
) -> tuple[Panel, Sequence[Key]]:
    lines, legend = [], []
    for number, lane in enumerate(findings.lanes[:_MOST_LANES]):
        colour, dashes = _COLOURS[number % len(_COLOURS)], _LINES[number % len(_LINES)]
        lines.append(Line(colour, dashes, _shares(lane, *_bounds(findings))))
        # The number first, so that the line runs from the left in any script.
        legend.append(Key(" ".join(reversed(_label(lane).split("\n"))), colour, dashes))
    shown = words.gettext(
        "%(platform)s in %(country)s: share of verdicts that found it open, wholly or in part",
        **names,
    )
    return Panel(title=shown, lines=lines, marks=_marks(findings)), legend


def _shares(lane: Lane, start: datetime, end: datetime) -> list[tuple[datetime, float | None]]:
    """Share open over time in at most `_MOST_POINTS` steps; None where nothing was decided."""
    width = max((end - start) / _MOST_POINTS, lane.slots[0].end - lane.slots[0].start)
    sums: dict[int, tuple[int, int]] = {}
    for slot in lane.slots:
        number = (slot.start - start) // width
        was_open, decided = sums.get(number, (0, 0))
        sums[number] = (was_open + slot.open, decided + slot.decided)
    points: list[tuple[datetime, float | None]] = []
    empty = 0
    for number in range((end - start) // width + 1):
        was_open, decided = sums.get(number, (0, 0))
        empty = 0 if decided else empty + 1
        if decided:
            points.append((start + number * width, was_open / decided))
        elif empty > 1:
            points.append((start + number * width, None))
    return points
