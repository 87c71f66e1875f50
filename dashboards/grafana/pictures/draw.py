"""Draw the dashboards from a recording: `python -m dashboards.grafana.pictures.draw`.

It uses no Grafana. The pictures show the recorded answers with the titles, colours, units and
positions of the dashboards, so that a person can judge each panel.
"""

import json
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dashboards.grafana.generate import BOARDS, FOLDER
from dashboards.grafana.pictures.recording import FILE, ROOT, Answer, Recording, Series, load
from dashboards.grafana.pictures.table import rows_of, widths
from dashboards.grafana.pictures.values import legend, mapped, text_of, threshold

PICTURES = ROOT / "docs/dashboards"
LABEL = "drawn by shutwatch from the same queries; not Grafana"

UNIT = 0.36
"""Inches of a panel's unit of height."""
WIDTH = 17.0
"""Inches."""
MARGIN = 0.7
INK, FAINT, PAPER, FRAME = "#1f2428", "#6a737d", "#ffffff", "#d8dee4"
LINES = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#000000",
    "#8a3cc0",
    "#999933",
    "#882255",
)


def draw(board: Mapping[str, Any], recording: Recording, path: Path) -> None:
    """One dashboard as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    height = bottom * UNIT + 2 * MARGIN
    figure = Figure(figsize=(WIDTH, height), dpi=80, facecolor="#f3f5f7")
    FigureCanvasAgg(figure)
    figure.text(0.012, 1 - 0.33 / height, board["title"], size=15, color=INK, weight="bold")
    figure.text(0.012, 1 - 0.6 / height, board["description"], size=11, color=FAINT)
    for place in (1 - 0.33 / height, 0.2 / height):
        figure.text(0.988, place, LABEL, size=11, color="#b42318", ha="right", weight="bold")
    until = datetime.fromtimestamp(recording.end, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    figure.text(0.012, 0.2 / height, f"a block in the lab, until {until}", size=10, color=FAINT)
    answers = recording.answers[board["uid"]]
    for panel in board["panels"]:
        place = panel["gridPos"]
        top = 1 - (MARGIN + place["y"] * UNIT) / height
        low = 1 - (MARGIN + (place["y"] + place["h"]) * UNIT) / height
        left, right = (0.01 + 0.98 * at / 24 for at in (place["x"], place["x"] + place["w"]))
        if panel["type"] == "row":
            figure.text(left + 0.003, low + 0.1 / height, panel["title"], size=12, color=FAINT)
            continue
        box = (left + 0.002, low + 0.04 / height, right - left - 0.004, top - low - 0.08 / height)
        _frame(figure, box, panel["title"])
        _fill(figure, box, height, panel, answers[panel["title"]], recording)
    figure.savefig(path, metadata={"Software": "shutwatch", "Description": LABEL})


Box = tuple[float, float, float, float]
"""Left, bottom, width and height, as shares of the figure."""


def _frame(figure: Any, box: Box, title: str) -> None:
    area = figure.add_axes(box)
    area.set(facecolor=PAPER, xticks=[], yticks=[])
    for side in area.spines.values():
        side.set_color(FRAME)
    area.annotate(
        title, (0, 1), (6, -5), "axes fraction", "offset points", va="top", size=10, color=INK
    )


def _fill(
    figure: Any,
    box: Box,
    height: float,
    panel: Mapping[str, Any],
    answers: Mapping[str, Answer],
    recording: Recording,
) -> None:
    left, low, width, tall = box
    inner = tall - 0.3 / height
    if panel["type"] == "stat":
        _stat(figure.add_axes((left, low, width, inner)), panel, answers)
    elif panel["type"] == "table":
        _table(figure.add_axes((left, low, width, inner)), panel, answers, inner * height)
    elif panel["type"] in ("status-history", "state-timeline"):
        names = 0.155
        room = (left + names, low + 0.55 / height, width - names - 0.03, inner - 0.6 / height)
        _states(figure.add_axes(room), panel, answers, recording)
    else:
        share = 0.34 if width < 0.6 else 0.22
        room = (left + 0.045, low + 0.3 / height, width * (1 - share) - 0.05, inner - 0.4 / height)
        _graph(figure.add_axes(room), panel, answers, recording)


def _stat(area: Any, panel: Mapping[str, Any], answers: Mapping[str, Answer]) -> None:
    (answer,) = answers.values()
    defaults = panel["fieldConfig"]["defaults"]
    known = [one for series in answer.series for one in series.values if one is not None]
    value = known[-1] if known else None
    word = mapped(value, defaults["mappings"])
    text = word.text if word else text_of(value or 0, defaults["unit"])
    colour = word.colour if word else threshold(value, defaults["thresholds"]["steps"])
    area.set_facecolor(colour)
    for side in area.spines.values():
        side.set_visible(False)
    area.set_xticks([])
    area.set_yticks([])
    area.text(0.5, 0.5, text, ha="center", va="center", size=24, color=_ink_on(str(colour)))


def _ink_on(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#ffffff" if 0.3 * red + 0.59 * green + 0.11 * blue < 140 else INK


def _table(
    area: Any, panel: Mapping[str, Any], answers: Mapping[str, Answer], inches: float
) -> None:
    area.axis("off")
    names, rows = rows_of(panel, answers)
    overrides = {
        one["matcher"]["options"]: {item["id"]: item["value"] for item in one["properties"]}
        for one in panel["fieldConfig"]["overrides"]
    }
    texts, colours = [], []
    for row in rows:
        shown = []
        for name in names:
            value, own = row[name], overrides.get(name, {})
            word = mapped(value, own.get("mappings", [])) if value is not None else None
            if word:
                shown.append((word.text, word.colour or INK))
            elif isinstance(value, float):
                shown.append((text_of(value, own.get("unit", "short")), INK))
            else:
                shown.append((value or "", "#0969da" if "links" in own and value else INK))
        texts.append([text for text, _ in shown])
        colours.append([colour for _, colour in shown])
    room = int((inches - 0.1) / 0.27)
    shares = widths(names, texts)
    for line, cells in enumerate([names, *texts][:room]):
        at, y = 0.012, 1 - (line + 0.5) * 0.27 / inches
        for column, text in enumerate(cells):
            colour = FAINT if line == 0 else colours[line - 1][column]
            chip = line > 0 and "mappings" in overrides.get(names[column], {})
            area.text(
                at,
                y,
                text,
                size=9,
                va="center",
                color=_ink_on(colour) if chip else colour,
                weight="bold" if line == 0 else "normal",
                bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.5} if chip else None,
                transform=area.transAxes,
            )
            at += shares[column] * 0.976
    if not rows:
        area.text(0.5, 0.5, "no data", ha="center", color=FAINT, transform=area.transAxes)


def _named(
    panel: Mapping[str, Any], answers: Mapping[str, Answer]
) -> list[tuple[str, str, Series]]:
    patterns = {target["refId"]: target["legendFormat"] for target in panel["targets"]}
    found = [
        (legend(patterns[ref], series.labels), ref, series)
        for ref, answer in answers.items()
        for series in answer.series
    ]
    return sorted(found, key=lambda one: (one[1], one[0]))


def _states(
    area: Any, panel: Mapping[str, Any], answers: Mapping[str, Answer], recording: Recording
) -> None:
    mappings = panel["fieldConfig"]["defaults"]["mappings"]
    named = _named(panel, answers)
    count = 90 if panel["type"] == "status-history" else recording.steps
    gap = 0.25 if panel["type"] == "status-history" else 0.0
    words: dict[str, str] = {}
    for line, (_, _, series) in enumerate(named):
        cells: dict[str, list[tuple[float, float]]] = {}
        for index in range(count):
            value = series.values[index * recording.steps // count]
            word = mapped(value, mappings)
            if word is None or word.colour is None or value is None:
                continue
            words[word.text] = word.colour
            cells.setdefault(word.colour, []).append((index / count, (1 - gap) / count))
        for colour, spans in cells.items():
            area.broken_barh(spans, (line - 0.4, 0.8), color=colour, lw=0)
    area.set_xlim(0, 1)
    area.set_ylim(len(named) - 0.4, -0.6)
    area.set_yticks(range(len(named)), [name for name, _, _ in named], size=8.5, color=INK)
    _time_axis(area, recording)
    for index, (word_text, colour) in enumerate(sorted(words.items())):
        for text, shift, ink in (("■", 0, colour), (word_text, 12, INK)):
            place = (index * 105 + shift, -38)
            area.annotate(text, (0, 0), place, "axes fraction", "offset points", size=9, color=ink)


def _graph(
    area: Any, panel: Mapping[str, Any], answers: Mapping[str, Answer], recording: Recording
) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    dashed = {
        one["matcher"]["options"]
        for one in panel["fieldConfig"]["overrides"]
        if one["matcher"]["id"] == "byFrameRefID"
    }
    times = [index / max(recording.steps - 1, 1) for index in range(recording.steps)]
    named = _named(panel, answers)
    for index, (name, ref, series) in enumerate(named):
        area.plot(
            times,
            [float("nan") if value is None else value for value in series.values],
            color=LINES[index % len(LINES)],
            linestyle="--" if ref in dashed or index >= len(LINES) else "-",
            lw=1.6,
            label=textwrap.shorten(name, 46) or "value",
        )
    area.set_xlim(0, 1)
    highest = max(
        (value for _, _, one in named for value in one.values if value is not None), default=1
    )
    area.set_ylim(0, defaults.get("max") or (highest * 1.15 or 1))
    ticks = [tick for tick in area.get_yticks() if 0 <= tick <= area.get_ylim()[1]]
    area.set_yticks(ticks, [text_of(tick, defaults["unit"]) for tick in ticks], size=8, color=FAINT)
    area.grid(axis="y", color=FRAME, lw=0.6)
    _time_axis(area, recording)
    if named:
        area.legend(
            loc="upper left", bbox_to_anchor=(1.005, 1.04), frameon=False, fontsize=7.5, ncols=1
        )


def _time_axis(area: Any, recording: Recording) -> None:
    area.set_facecolor(PAPER)
    for side in area.spines.values():
        side.set_color(FRAME)
    seconds = recording.end - recording.start
    marks = [mark / 6 for mark in range(7)]
    texts = [
        datetime.fromtimestamp(recording.start + mark * seconds, UTC).strftime("%H:%M:%S")
        for mark in marks
    ]
    area.set_xticks(marks, texts, size=8, color=FAINT)
    area.tick_params(length=2, color=FRAME)


def draw_all(recording: Recording, folder: Path = PICTURES) -> Sequence[Path]:
    """Draw all five dashboards; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for board in BOARDS:
        path = folder / f"{board.uid.removeprefix('shutwatch-')}.png"
        text = (FOLDER / "json" / f"{board.uid}.json").read_text("utf-8")
        draw(json.loads(text), recording, path)
        made.append(path)
    return made


if __name__ == "__main__":
    draw_all(load(FILE))
