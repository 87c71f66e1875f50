"""Panels on one time axis: lanes of coloured bars, or lines of shares from 0 to 1, with the moments
and spans that matter marked, titles above and a legend below."""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain

import msgspec

from monitor.charts.letters import lines, width
from monitor.charts.svg import INK, SIZE, Drawing
from monitor.charts.ticks import MOST, ticks
from monitor.wording.words import Words

NO_DATA = "#e0e0e0"
DASHED, DOTTED, DASH_DOTTED = "3.7 1.6", "1 1.65", "6.4 1.6 1 1.6"
_LEADING, _TITLE, _SMALL = 1.3 * SIZE, 1.2 * SIZE, 0.8 * SIZE
_MARGIN, _GAP, _HANDLE = 6.0, 6.0, 28.0
_SHARES = 110.0
"""Height of a panel with lines."""
_GREY, _GRID = "#5a5a5a", "#dddddd"


class Bar(msgspec.Struct, frozen=True):
    """A span of time in a lane."""

    since: datetime
    until: datetime
    colour: str
    thin: bool = False


class Lane(msgspec.Struct, frozen=True):
    """A row of bars; a label may have several lines."""

    label: str
    bars: Sequence[Bar]


class Line(msgspec.Struct, frozen=True):
    """Shares from 0 to 1, each until the next moment; None breaks the line."""

    colour: str
    dashes: str
    points: Sequence[tuple[datetime, float | None]]


class Mark(msgspec.Struct, frozen=True):
    """A moment, and the span before it in which it may have been."""

    earliest: datetime | None
    latest: datetime
    dashes: str = DASHED


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """Lanes, or lines where there are none."""

    title: str
    note: str = ""
    lanes: Sequence[Lane] = ()
    lines: Sequence[Line] = ()
    marks: Sequence[Mark] = ()


class Key(msgspec.Struct, frozen=True):
    """An entry of the legend: a colour, as a line if it has dashes (also empty ones)."""

    text: str
    colour: str
    dashes: str | None = None


class TimeChart(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn, `width` points wide, a multiple of 3."""

    width: float
    since: datetime
    until: datetime
    axis: str
    """What stands below the axis."""
    panels: Sequence[Panel]
    legend: Sequence[Key]
    credit: str = ""


def draw(chart: TimeChart, words: Words) -> str:
    """The chart as SVG, in the direction and with the dates of a language. Raises ImportError
    without uharfbuzz."""
    sheet = _Sheet(chart, words)
    for panel in chart.panels:
        sheet.panel(panel)
    sheet.time_axis()
    sheet.legend()
    sheet.y += 2
    sheet.write(chart.credit, size=_SMALL, colour=_GREY, ends=True)
    return sheet.drawing.svg(sheet.y + _MARGIN, chart.panels[0].title)


class _Sheet:
    """A drawing that grows downwards from `y`."""

    def __init__(self, chart: TimeChart, words: Words) -> None:
        self._chart, self._words = chart, words
        self._rtl = words.language.direction == "rtl"
        self.drawing = Drawing(chart.width, rtl=self._rtl)
        self.y = _MARGIN
        self._right = chart.width - 2 * _MARGIN
        lines_too = any(panel.lines for panel in chart.panels)
        shares = [words.percent(one) for one in (0, 0.5, 1)] if lines_too else []
        labels = (self._label(lane) for panel in chart.panels for lane in panel.lanes)
        widest = max(width(text, SIZE) for text in chain(shares, *labels))
        self._left = _MARGIN + widest + _GAP

    def _label(self, lane: Lane) -> list[str]:
        return lines(lane.label, SIZE, self._chart.width / 3)

    def _x(self, at: datetime) -> float:
        part = (at - self._chart.since) / (self._chart.until - self._chart.since)
        return self._left + min(1.0, max(0.0, part)) * (self._right - self._left)

    def write(
        self,
        text: str,
        *,
        size: float = SIZE,
        bold: bool = False,
        colour: str = INK,
        ends: bool = False,
    ) -> None:
        """A paragraph at the side where lines begin, or end."""
        room = self._chart.width - 2 * _MARGIN
        for line in lines(text, size, room, bold=bold) if text else ():
            self.y += 1.3 * size
            x = _MARGIN + (room - width(line, size, bold=bold)) * (self._rtl != ends)
            self.drawing.text(x, self.y - 0.3 * size, line, size=size, bold=bold, colour=colour)

    def _centred(self, x: float, baseline: float, text: str) -> None:
        self.drawing.text(self._inside(x, text), baseline, text)

    def _inside(self, x: float, text: str) -> float:
        """Where a text around `x` begins, so that it stays in the picture."""
        wide = width(text, SIZE)
        return min(max(x - wide / 2, _MARGIN), self._chart.width - _MARGIN - wide)

    def panel(self, panel: Panel) -> None:
        self.write(panel.title, size=_TITLE, bold=True)
        self.write(panel.note, size=_SMALL, colour=_GREY)
        self.y += 4
        top = self.y
        for lane in panel.lanes:
            self._lane(lane)
        if panel.lines:
            self._lines(panel.lines)
        for mark in panel.marks:
            self._mark(mark, top)
        self.drawing.path(f"M{self._left:.2f} {self.y:.2f}H{self._right:.2f}")
        self.y += 8

    def _lane(self, lane: Lane) -> None:
        label = self._label(lane)
        tall = _LEADING * len(label) + 6
        self.drawing.rect(self._left, self.y + 2, self._right - self._left, tall - 4, NO_DATA)
        for bar in lane.bars:
            x, to = self._x(bar.since), self._x(bar.until)
            top, high = (tall / 2 - 0.6, 1.2) if bar.thin else (2.0, tall - 4)
            self.drawing.rect(x, self.y + top, to - x, high, bar.colour)
        for number, line in enumerate(label):
            x = self._left - _GAP - width(line, SIZE)
            self.drawing.text(x, self.y + 3 + _LEADING * (number + 0.77), line, name=True)
        self.y += tall

    def _lines(self, every: Sequence[Line]) -> None:
        top, tall = self.y + _GAP, _SHARES - 2 * _GAP
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            y = top + (1 - share) * tall
            self.drawing.path(f"M{self._left:.2f} {y:.2f}H{self._right:.2f}", _GRID, 0.6)
            if share in (0.0, 0.5, 1.0):
                said = self._words.percent(share)
                x = self._left - _GAP - width(said, SIZE)
                self.drawing.text(x, y + 0.35 * SIZE, said)
        for line in every:
            d, drawn = "", False
            ends = [at for at, _ in line.points[1:]] + [self._chart.until]
            for (at, part), until in zip(line.points, ends, strict=True):
                if part is not None:
                    y = top + (1 - part) * tall
                    d += f"V{y:.2f}" if drawn else f"M{self._x(at):.2f} {y:.2f}"
                    d += f"H{self._x(until):.2f}"
                drawn = part is not None
            self.drawing.path(d, line.colour, 1.8, line.dashes)
        self.drawing.path(f"M{self._left:.2f} {self.y:.2f}v{_SHARES}")
        self.y += _SHARES

    def _mark(self, mark: Mark, top: float) -> None:
        if mark.earliest is not None and mark.earliest < mark.latest:
            x, to = self._x(mark.earliest), self._x(mark.latest)
            self.drawing.rect(x, top, to - x, self.y - top, "#000", 0.15)
        if self._chart.since <= mark.latest <= self._chart.until:
            x = self._x(mark.latest)
            self.drawing.path(f"M{x:.2f} {top:.2f}V{self.y:.2f}", "#000", 1, mark.dashes)

    def time_axis(self) -> None:
        """As many ticks as there is room for their labels, and below them the larger unit, where it
        changes."""
        self.y -= 8
        for most in range(MOST, 0, -1):
            moments, in_day = ticks(self._chart.since, self._chart.until, most)
            labels = self._labels(moments, in_day=in_day)
            xs = [self._x(at) for at in moments]
            if not any(map(self._touch, xs, labels, xs[1:], labels[1:])):
                break
        for x, label in zip(xs, labels, strict=True):
            self.drawing.path(f"M{x:.2f} {self.y:.2f}v3.5")
            for number, line in enumerate(label):
                self._centred(x, self.y + 4 + _LEADING * (number + 0.85), line)
        self.y += 4 + 2 * _LEADING + 2
        for line in lines(self._chart.axis, SIZE, self._chart.width - 2 * _MARGIN):
            self.y += _LEADING
            self._centred((self._left + self._right) / 2, self.y - 0.3 * SIZE, line)
        self.y += 4

    def _labels(self, moments: Sequence[datetime], *, in_day: bool) -> list[list[str]]:
        words, labels, before = self._words, list[list[str]](), ""
        seconds = any(at.second for at in moments)
        for at in moments:
            day = words.short_day(at)
            clock = words.clock(at, seconds=seconds)
            said, larger = (clock, day) if in_day else (day, words.year(at))
            labels.append([said] if larger == before else [said, larger])
            before = larger
        return labels

    def _touch(self, x: float, label: list[str], x2: float, label2: list[str]) -> bool:
        ends = max(self._inside(x, line) + width(line, SIZE) for line in label)
        return ends + _GAP > min(self._inside(x2, line) for line in label2)

    def legend(self) -> None:
        """In as many columns as fit."""
        room = self._chart.width - 2 * _MARGIN
        keys = [(key, lines(key.text, SIZE, room - _HANDLE)) for key in self._chart.legend]
        wide = [_HANDLE + max(width(line, SIZE) for line in text) for _, text in keys]
        for count in range(len(keys), 0, -1):
            columns = [max(wide[first::count]) + 2 * _GAP for first in range(count)]
            if sum(columns) - 2 * _GAP <= room:
                break
        start = (self._chart.width - sum(columns) + 2 * _GAP) / 2
        for first in range(0, len(keys), count):
            row = keys[first : first + count]
            for number, (key, text) in enumerate(row):
                self._key(key, text, start + sum(columns[:number]))
            self.y += max(len(text) for _, text in row) * _LEADING + 2

    def _key(self, key: Key, text: list[str], x: float) -> None:
        drawn, middle = _HANDLE - _GAP, self.y + _LEADING / 2
        # The whole entry is mirrored where lines run from right to left.
        left = self._chart.width - x - drawn if self._rtl else x
        if key.dashes is None:
            self.drawing.rect(left, middle - 3.5, drawn, 7, key.colour)
        else:
            self.drawing.path(f"M{left:.2f} {middle:.2f}h{drawn}", key.colour, 1.8, key.dashes)
        for number, line in enumerate(text):
            at = self._chart.width - x - _HANDLE - width(line, SIZE) if self._rtl else x + _HANDLE
            baseline = self.y + _LEADING * (number + 0.77)
            self.drawing.text(at, baseline, line, name=key.dashes is not None)
