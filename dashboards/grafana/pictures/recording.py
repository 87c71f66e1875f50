"""A recording of Prometheus's answers to every query of the dashboards."""

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[3]
FILE = ROOT / "docs/dashboards/recording.json.gz"

Labels = Mapping[str, str]


class Series(msgspec.Struct, frozen=True):
    """One series on the steps of the recording; an instant query has one value."""

    labels: dict[str, str]
    values: tuple[float | None, ...]


class Answer(msgspec.Struct, frozen=True):
    """The answer to one query."""

    expression: str
    """As in the dashboard, before variables were filled in."""
    series: tuple[Series, ...]


class Recording(msgspec.Struct, frozen=True):
    """Answers by dashboard, panel and `refId` of the query."""

    start: float
    """Unix time of the first step, seconds."""
    step: float
    """Seconds."""
    steps: int
    answers: dict[str, dict[str, dict[str, Answer]]]

    @property
    def end(self) -> float:
        """Unix time in seconds of the last step, which instant queries use."""
        return self.start + self.step * (self.steps - 1)


def series_of(result: Sequence[Mapping[str, Any]], start: float, step: float, steps: int) -> Any:
    """Series from the `result` of one of Prometheus's answers, NaN as a gap."""
    found = []
    for one in result:
        at = [one["value"]] if "value" in one else one["values"]
        if "value" in one:
            values = [_number(at[0][1])]
        else:
            by_step = {round((moment - start) / step): _number(text) for moment, text in at}
            values = [by_step.get(index) for index in range(steps)]
        found.append(Series(dict(one["metric"]), tuple(values)))
    return tuple(found)


def _number(text: str) -> float | None:
    value = float(text)
    return None if value != value else float(f"{value:.12g}")


def save(recording: Recording, path: Path = FILE) -> None:
    """Write the recording compressed. Equal recordings give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(msgspec.to_builtins(recording), separators=(",", ":"), sort_keys=True)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def load(path: Path = FILE) -> Recording:
    """Read the recording. Raises OSError if there is none."""
    return msgspec.json.decode(gzip.decompress(path.read_bytes()), type=Recording)
