"""Writes a scrape out: what prometheus_client writes, byte for byte, in a fraction of the time.

Almost all labels of a scrape are those of the one before, so what they look like is remembered.
What is not known here (exemplars, timestamps, rarer kinds of metrics) is left to prometheus_client.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

_KNOWN = frozenset({"gauge", "counter", "info", "histogram"})
_OPENMETRICS = "application/openmetrics-text"
_REMEMBERED = 16_384
"""More than three times the samples of twenty vantages."""


def exposition(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The scrape in the form that an Accept header asks for, and its content type."""
    encode, content_type = choose_encoder(accept)
    openmetrics = content_type.startswith(_OPENMETRICS)
    metrics = list(registry.collect())
    if not all(map(_is_plain, metrics)):
        return encode(registry), content_type
    return "".join(_lines(metrics, openmetrics)).encode(), content_type


def _is_plain(metric: Metric) -> bool:
    return metric.type in _KNOWN and not any(
        sample.timestamp is not None
        or sample.exemplar is not None
        or sample.native_histogram is not None
        or sample.name.endswith("_created")
        for sample in metric.samples
    )


def _lines(metrics: Iterable[Metric], openmetrics: bool) -> Iterator[str]:
    for metric in metrics:
        yield from _head(metric, openmetrics)
        for name, labels, value, *_ in metric.samples:
            shown = _labels(tuple(labels), tuple(labels.values())) if labels else ""
            # To a cache 0.0 and -0.0 are the same.
            number = _number(value) if value else repr(float(value))
            yield f"{name}{shown} {number}\n"
    if openmetrics:
        yield "# EOF\n"


def _head(metric: Metric, openmetrics: bool) -> Iterator[str]:
    name, kind = metric.name, metric.type
    if not openmetrics and kind in ("counter", "info"):
        name += "_total" if kind == "counter" else "_info"
        kind = "counter" if kind == "counter" else "gauge"
    said = metric.documentation.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        said = said.replace('"', r"\"")
    yield f"# HELP {name} {said}\n# TYPE {name} {kind}\n"
    if openmetrics and metric.unit:
        yield f"# UNIT {name} {metric.unit}\n"


@lru_cache(maxsize=_REMEMBERED)
def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    pairs = sorted(zip(names, values, strict=True))
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


_number = lru_cache(maxsize=4096)(floatToGoString)
