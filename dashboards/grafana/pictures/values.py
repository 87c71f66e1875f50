"""Values as text: units, mappings and thresholds of the dashboards."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

GAP = "#b6c0c6"


class Shown(NamedTuple):
    """The text and colour of a value."""

    text: str
    colour: str | None


def _seconds(value: float) -> str:
    if value and value < 1:
        return f"{value * 1000:.3g} ms"
    if value < 100:
        return f"{value:.3g} s"
    return f"{value / 60:.3g} min" if value < 5400 else f"{value / 3600:.3g} h"


def _scaled(value: float, base: int, names: Sequence[str], end: str = "") -> str:
    for name in names[:-1]:
        if abs(value) < base:
            return f"{value:.3g} {name}{end}"
        value /= base
    return f"{value:.3g} {names[-1]}{end}"


def text_of(value: float, unit: str) -> str:
    """A number with its unit, which has Grafana's name."""
    match unit:
        case "percentunit":
            return f"{value * 100:.3g}%"
        case "s":
            return _seconds(value)
        case "dateTimeAsIso":
            return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        case "bytes":
            return _scaled(value, 1024, ("B", "KiB", "MiB", "GiB"))
        case "decbytes":
            return _scaled(value, 1000, ("B", "kB", "MB", "GB"))
        case "Bps":
            return _scaled(value, 1000, ("B", "kB", "MB"), "/s")
        case "cps":
            return f"{value:.3g}/s"
    return f"{value:.4g}"


def mapped(value: float | str | None, mappings: Sequence[Mapping[str, Any]]) -> Shown | None:
    """The text and colour that a mapping gives for a value, if any."""
    for mapping in mappings:
        options = mapping["options"]
        if mapping["type"] == "special":
            if value is None:
                return Shown(options["result"]["text"], options["result"]["color"])
        elif value is not None:
            key = value if isinstance(value, str) else f"{value:g}"
            if key in options:
                return Shown(options[key]["text"], options[key]["color"])
    return None


def threshold(value: float | None, steps: Sequence[Mapping[str, Any]]) -> str:
    """The colour of a number."""
    if value is None:
        return GAP
    reached = [step for step in steps if step["value"] is None or value >= step["value"]]
    return str(reached[-1]["color"])


def legend(pattern: str, labels: Mapping[str, str]) -> str:
    """The name of a series."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found.group(1), ""), pattern)
