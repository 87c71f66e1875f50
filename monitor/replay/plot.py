"""Draws the timelines. Needs matplotlib, from the extra `plot`."""

import importlib
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from monitor.export.output_file import written_file
from monitor.replay.imported_row import ReplayError
from monitor.replay.replay import NetworkTimeline, Replayed
from monitor.replay.results import CREDIT, end_text, onset_text
from monitor.wording.file_errors import file_error
from monitor.wording.missing_library import install_command

BLOCKED, OPEN, UNDECIDED, NO_DATA = "#b2182b", "#4393c3", "#fddbc7", "#e0e0e0"
"""Colours that colour-blind readers, and readers on paper, can tell apart."""
_MOST_NETWORKS = 24
_MOST_PANELS = 8
_DPI = 150


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
    """Write a PNG. Raises ReplayError without matplotlib or data, or when it cannot write."""
    try:
        figures = importlib.import_module("matplotlib.figure")
        dates = importlib.import_module("matplotlib.dates")
        patches = importlib.import_module("matplotlib.patches")
    except ImportError as error:
        raise ReplayError(
            f"--plot needs matplotlib ({error}): {install_command('plot')}"
        ) from error
    shown = panels(replayed)
    if not shown:
        raise ReplayError("--plot: there is no data to draw")
    heights = [len(panel.timelines) + 2.5 for panel in shown]
    figure = figures.Figure(figsize=(13, 0.25 * sum(heights) + 1.0), layout="constrained")
    axes = figure.subplots(
        len(shown), 1, squeeze=False, sharex=True, gridspec_kw={"height_ratios": heights}
    )[:, 0]
    spans = [span for panel in shown for timeline in panel.timelines for span in timeline.spans]
    start, end = min(span.start for span in spans), max(span.end for span in spans)
    for axis, panel in zip(axes, shown, strict=True):
        _draw_panel(axis, panel, start, end)
    locator = dates.AutoDateLocator(maxticks=14)
    axes[-1].xaxis.set_major_locator(locator)
    axes[-1].xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    axes[-1].xaxis.get_offset_text().set_visible(False)
    axes[-1].set_xlabel(f"UTC, {start:%Y-%m-%d} to {end:%Y-%m-%d}", fontsize=8)
    meanings = (
        (BLOCKED, "blocked"),
        (OPEN, "open"),
        (UNDECIDED, "undecided"),
        (NO_DATA, "no data (line: block not seen to end)"),
    )
    figure.legend(
        handles=[patches.Patch(facecolor=colour, label=text) for colour, text in meanings],
        loc="outside upper right",
        ncols=4,
        frameon=False,
        fontsize=8,
    )
    if ooni:
        figure.supxlabel(CREDIT, fontsize=7, color="#666666", x=0.995, ha="right")
    try:
        with written_file(path) as out:
            figure.savefig(out, format="png", dpi=_DPI)
    except OSError as error:
        raise ReplayError(f"--plot {file_error(error, path)}") from error


def _draw_panel(axis: Any, panel: Panel, start: datetime, end: datetime) -> None:
    colours = {True: BLOCKED, False: OPEN, None: UNDECIDED}
    for row, timeline in enumerate(panel.timelines):
        axis.broken_barh([(start, end - start)], (row - 0.4, 0.8), facecolor=NO_DATA, linewidth=0)
        for blocked in (None, False, True):
            bars = [(s.start, s.end - s.start) for s in timeline.spans if s.blocked is blocked]
            if bars:
                axis.broken_barh(bars, (row - 0.4, 0.8), facecolor=colours[blocked], linewidth=0)
        for since, until in timeline.blocks:
            # Nothing was measured, and nothing showed the end of the block.
            axis.plot(
                [since, until or end],
                [row, row],
                color=BLOCKED,
                linewidth=1.2,
                solid_capstyle="butt",
            )
    for earliest, latest in panel.marks:
        axis.axvline(latest, color="black", linewidth=0.8, linestyle="--")
        if earliest is not None and earliest < latest:
            axis.axvspan(earliest, latest, color="black", alpha=0.12, linewidth=0)
    axis.set_yticks(
        range(len(panel.timelines)),
        [timeline.label[:28] for timeline in panel.timelines],
        fontsize=8,
    )
    axis.set_ylim(len(panel.timelines) - 0.4, -0.6)
    axis.set_xlim(start, end)
    axis.tick_params(axis="x", labelsize=8)
    axis.set_title(panel.title, loc="left", fontsize=9, fontweight="bold")
    if panel.left_out:
        note = f"+ {panel.left_out} more networks, too little measured to decide"
        axis.text(1, 1.01, note, transform=axis.transAxes, ha="right", va="bottom", fontsize=7)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)


def _seconds(timeline: NetworkTimeline) -> float:
    return sum((span.end - span.start).total_seconds() for span in timeline.spans)
