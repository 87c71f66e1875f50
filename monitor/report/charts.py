"""The charts: PNG for print, SVG for the screen. The same findings give the same bytes."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import wrap
from typing import Any

from monitor.analysis.events.event import Event
from monitor.analysis.events.stretches import stretches
from monitor.replay.plot import BLOCKED, NO_DATA, OPEN, UNDECIDED
from monitor.report.findings import Findings, Lane
from monitor.report.optional_libraries import arabic_script_fonts, library
from monitor.report.report_words import ReportWords, plain
from monitor.report.tables import short
from monitor.report.time_slots import Slot

MIXED = "#762a83"
"""Open in one test and blocked in another, within one slot."""
_MOST_LANES = 24
_MOST_POINTS = 120
_LABEL = 26
_LEGEND_LINE = 62
"""Letters of a legend that fit beside each other."""
_Y_LABEL = 30
"""Letters beside an axis before a new line."""
_RIGHT_TO_LEFT = "\u200f"
"""A mark without width."""
_DPI = 200
_STYLE = {
    "font.size": 9,
    "svg.fonttype": "path",
    "svg.hashsalt": "shutwatch",
    "path.simplify": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_LINES = ("-", "--", "-.", ":")
_COLOURS = ("#1b6ca8", "#b2182b", "#4d7c0f", "#7b3f99", "#b45309", "#0f766e", "#4b5563")


def draw(words: ReportWords, findings: Findings, folder: Path, title: str) -> list[str]:
    """Write the charts into `folder`/charts; returns their names, none without verdicts."""
    if not findings.lanes:
        return []
    (folder / "charts").mkdir()
    names = []
    with style(words):
        for name, figure in figures(words, findings, title):
            png, svg = f"charts/{name}.png", f"charts/{name}.svg"
            figure.savefig(folder / png, dpi=_DPI, metadata={"Software": None})
            figure.savefig(folder / svg, metadata={"Date": None, "Creator": None})
            names += [png, svg]
    return names


def style(words: ReportWords) -> AbstractContextManager[None]:
    """In which figures are made and drawn."""
    rc: AbstractContextManager[None] = library("matplotlib").rc_context(
        {**_STYLE, "font.family": _families(words)}
    )
    return rc


def figures(words: ReportWords, findings: Findings, title: str) -> Iterator[tuple[str, Any]]:
    """Each chart with its name, of findings that have verdicts."""
    yield "timeline", _timeline(words, findings, title)
    yield "availability", _availability(words, findings, title)


def _families(words: ReportWords) -> list[str]:
    """Fonts by preference: letters of Arabic script join only within one font."""
    if words.language.direction != "rtl":
        return ["DejaVu Sans"]
    known = library("matplotlib.font_manager").fontManager
    for file in sorted(arabic_script_fonts().glob("*.ttf")):
        if str(file) not in {font.fname for font in known.ttflist}:
            known.addfont(file)
    return ["Noto Sans Arabic", "DejaVu Sans"]


def _figure(rows: float) -> tuple[Any, Any]:
    figure = library("matplotlib.figure").Figure(figsize=(8.4, rows), layout="constrained")
    return figure, figure.subplots()


def _bounds(findings: Findings) -> tuple[datetime, datetime]:
    """From the first verdict to the last, and a little more on both sides."""
    start = min(lane.first for lane in findings.lanes)
    end = max(lane.last for lane in findings.lanes)
    room = max((end - start) * 0.01, findings.slot)
    return start - room, end + room


def _timeline(words: ReportWords, findings: Findings, title: str) -> Any:
    lanes = findings.lanes[:_MOST_LANES]
    figure, axis = _figure(1.5 + 0.42 * len(lanes))
    start, end = _bounds(findings)
    for row, lane in enumerate(lanes):
        axis.broken_barh([(start, end - start)], (row - 0.36, 0.72), facecolor=NO_DATA, linewidth=0)
        for colour, since, until in _bars(lane.slots, findings.slot):
            axis.broken_barh(
                [(since, until - since)], (row - 0.36, 0.72), facecolor=colour, linewidth=0
            )
    axis.set_yticks(range(len(lanes)), [_label(lane) for lane in lanes])
    axis.set_ylim(len(lanes) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    left = len(findings.lanes) - len(lanes)
    shown = words.gettext(
        "%(platform)s in %(country)s: results",
        platform=plain(title, 40),
        country=words.country(findings.wanted.country),
    )
    if left:
        more = words.ngettext("%(n)s more network", "%(n)s more networks", left)
        shown = f"{shown} ({more})"
    _finish(words, axis, findings, shown)
    patches = library("matplotlib.patches")
    legend = (
        (BLOCKED, words.gettext("blocked")),
        (OPEN, words.gettext("open")),
        (MIXED, words.gettext("open in part or at times")),
        (UNDECIDED, words.gettext("undecided")),
        (NO_DATA, words.gettext("nothing known")),
    )
    figure.legend(
        handles=[patches.Patch(facecolor=colour, label=text) for colour, text in legend],
        loc="outside lower center",
        ncols=len(legend) if sum(len(text) for _, text in legend) < _LEGEND_LINE else 3,
        frameon=False,
    )
    return figure


def _bars(slots: Sequence[Slot], width: timedelta) -> list[tuple[str, datetime, datetime]]:
    """Colour, start and end. Equal neighbours are one bar, even over one empty slot, since cycles
    do not start exactly on time."""
    bars: list[tuple[str, datetime, datetime]] = []
    for slot in slots:
        colour = _colour(slot)
        if bars and slot.start - bars[-1][2] <= width:
            before, since, _ = bars.pop()
            bars.append((before, since, slot.start))
            if before == colour:
                bars[-1] = (before, since, slot.end)
                continue
        bars.append((colour, slot.start, slot.end))
    return bars


def _colour(slot: Slot) -> str:
    if slot.in_part or (slot.open and slot.blocked):
        return MIXED
    if slot.blocked:
        return BLOCKED
    return OPEN if slot.open else UNDECIDED


def _mark(axis: Any, event: Event) -> None:
    """The onset and the end of every stretch, each with the time between its bounds."""
    spans = stretches(event)
    for earliest, latest, style in (
        *((one.onset_earliest, one.onset_latest, "--") for one in spans),
        *((one.end_earliest, one.end_latest, ":") for one in spans),
    ):
        if latest is not None:
            axis.axvline(latest, color="black", linewidth=1, linestyle=style)
        if earliest is not None and latest is not None and earliest < latest:
            axis.axvspan(earliest, latest, color="black", alpha=0.15, linewidth=0)


def _label(lane: Lane) -> str:
    asn, called = lane.network
    number = f"AS{asn}" if asn else ""
    return "\n".join(filter(None, (plain(called, _LABEL), number))) or "?"


def _finish(words: ReportWords, axis: Any, findings: Findings, title: str) -> None:
    """What both charts have: the events, the time axis and a title."""
    for story in findings.stories:
        _mark(axis, story.event)
    start, end = _bounds(findings)
    dates = library("matplotlib.dates")
    # With the usual five ticks at least, nothing fits a span of four to five hours.
    locator = dates.AutoDateLocator(minticks=3, maxticks=9, tz=UTC)
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=UTC))
    axis.set_xlim(start, end)
    axis.xaxis.get_offset_text().set_visible(False)
    span = words.gettext(
        "UTC, %(first)s to %(last)s",
        first=short(words, start)[:-3],
        last=short(words, end)[:-3],
    )
    axis.set_xlabel(_line(words, span))
    # At the side where lines of text begin.
    side = "right" if words.language.direction == "rtl" else "left"
    axis.set_title(_line(words, title), loc=side, weight="bold")


def _line(words: ReportWords, text: str) -> str:
    """A line that runs in the direction of its language, even if it begins with a Latin name."""
    return f"{_RIGHT_TO_LEFT}{text}" if words.language.direction == "rtl" else text


def _availability(words: ReportWords, findings: Findings, title: str) -> Any:
    lanes = findings.lanes[:_MOST_LANES]
    figure, axis = _figure(2.7)
    start, end = _bounds(findings)
    for number, lane in enumerate(lanes):
        points = _shares(lane, start, end)
        axis.step(
            [at for at, _ in points],
            [float("nan") if share is None else 100 * share for _, share in points],
            where="post",
            color=_COLOURS[number % len(_COLOURS)],
            linestyle=_LINES[number % len(_LINES)],
            linewidth=1.8,
            # The number first, so that the line runs from the left in any script.
            label=" ".join(reversed(_label(lane).split("\n"))),
        )
    axis.set_ylim(-4, 104)
    height = wrap(words.gettext("share open, wholly or in part, per cent"), _Y_LABEL)
    axis.set_ylabel("\n".join(height))
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    shown = words.gettext(
        "%(platform)s in %(country)s: share of verdicts that found it open, wholly or in part",
        platform=plain(title, 40),
        country=words.country(findings.wanted.country),
    )
    _finish(words, axis, findings, shown)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, handlelength=3)
    return figure


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
