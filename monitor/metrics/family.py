"""One Prometheus family, and how the modules beside this one declare theirs.

A function that gives samples is decorated with the kind of its family and the names of its labels;
its name is the family's, and its docstring the help text.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from monitor.analysis.events.event import Event
from monitor.metrics.snapshot import Histogram, Snapshot, VantageView

PREFIX = "shutwatch_"
UNITS = ("seconds", "bytes", "ratio")
"""Units of families. A name with a unit ends in it, before `_total`."""

VANTAGE = ("country", "network", "asn", "vantage")
ROLE = "vantage_role"
PAIR = ("country", "platform")

Rows = Iterable[tuple[tuple[str, ...], float | Histogram]]
"""The values of a family's labels, and the value of the sample."""
Samples = Callable[[Snapshot, datetime], Rows]
VantageSamples = Callable[[VantageView, datetime], Rows]


class Family(NamedTuple):
    """One family: its name and its help text are the name and the docstring of the function that
    gives its samples."""

    kind: type[Any]
    name: str
    text: str
    labels: tuple[str, ...]
    samples: Samples
    everywhere: bool
    """True for facts about this process. Every collector exposes them; all other families come from
    the leader alone, so that nothing is counted twice."""
    of_vantage: VantageSamples | None
    """The samples of one vantage, without the values of `VANTAGE`. They stay as they are until its
    view changes or `VantageView.holds_until`; None where the family is about more than one, or
    always changes."""

    def metric(self, rows: Rows) -> Metric:
        """The family with these samples."""
        if self.kind is InfoMetricFamily:
            info = InfoMetricFamily(self.name, self.text)
            for labels, _ in rows:
                info.add_metric((), dict(zip(self.labels, labels, strict=True)))
            return info
        unit = unit_of(self.name)
        metric: Metric = self.kind(self.name, self.text, labels=self.labels, unit=unit)
        for labels, value in rows:
            if isinstance(value, Histogram):
                metric.add_metric(labels, value.cumulative(), value.total)  # type: ignore[attr-defined]
            else:
                metric.add_metric(labels, float(value))  # type: ignore[attr-defined]
        return metric


def unit_of(name: str) -> str:
    """The unit in the name of a family; empty where it counts something, or is a state."""
    return next((unit for unit in UNITS if name.endswith(f"_{unit}")), "")


def _help(samples: Callable[..., Rows]) -> str:
    """The docstring on one line, as a scrape has it."""
    return " ".join((samples.__doc__ or "").split())


class Families(list[Family]):
    """The families of a module, in the order in which it declares them."""

    def info(self, *labels: str, everywhere: bool = False) -> Callable[[Samples], Samples]:
        """The decorated function gives facts in labels; the value is always 1."""
        return self._of_all(InfoMetricFamily, labels, everywhere)

    def gauge(self, *labels: str, everywhere: bool = False) -> Callable[[Samples], Samples]:
        """The decorated function gives values that go up and down."""
        return self._of_all(GaugeMetricFamily, labels, everywhere)

    def counter(self, *labels: str, everywhere: bool = False) -> Callable[[Samples], Samples]:
        """The decorated function gives counts since the process started."""
        return self._of_all(CounterMetricFamily, labels, everywhere)

    def vantage_info(self, *labels: str) -> Callable[[VantageSamples], VantageSamples]:
        """As `info`, of one vantage: `labels` follow those of `VANTAGE`, whose values the decorated
        function leaves out."""
        return self._of_each(InfoMetricFamily, labels)

    def vantage_gauge(self, *labels: str) -> Callable[[VantageSamples], VantageSamples]:
        """As `gauge`, of one vantage."""
        return self._of_each(GaugeMetricFamily, labels)

    def vantage_counter(self, *labels: str) -> Callable[[VantageSamples], VantageSamples]:
        """As `counter`, of one vantage."""
        return self._of_each(CounterMetricFamily, labels)

    def vantage_histogram(self, *labels: str) -> Callable[[VantageSamples], VantageSamples]:
        """The decorated function gives histograms of one vantage."""
        return self._of_each(HistogramMetricFamily, labels)

    def _of_all(
        self, kind: type[Any], labels: tuple[str, ...], everywhere: bool
    ) -> Callable[[Samples], Samples]:
        def add(samples: Samples) -> Samples:
            name, text = PREFIX + samples.__name__, _help(samples)
            self.append(Family(kind, name, text, labels, samples, everywhere, None))
            return samples

        return add

    def _of_each(
        self, kind: type[Any], labels: tuple[str, ...]
    ) -> Callable[[VantageSamples], VantageSamples]:
        def add(own: VantageSamples) -> VantageSamples:
            def samples(snapshot: Snapshot, at: datetime) -> Rows:
                for view in snapshot.vantages:
                    of = of_vantage(view)
                    for rest, value in own(view, at):
                        yield (*of, *rest), value

            name, text = PREFIX + own.__name__, _help(own)
            self.append(Family(kind, name, text, (*VANTAGE, *labels), samples, False, own))
            return own

        return add


def of_vantage(view: VantageView) -> tuple[str, ...]:
    """The values of `VANTAGE`."""
    point = view.point
    return point.country, point.network, str(point.asn), point.id


def role_of(view: VantageView) -> tuple[str, ...]:
    """The value of `ROLE`."""
    return (str(view.point.role),)


def seconds_of(moment: datetime | None) -> float:
    """Seconds since 1970, and 0 for a moment that has not come."""
    return moment.timestamp() if moment else 0.0


def pairs_of(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str], Event | None]]:
    """Every country with every platform, and what is known to happen to it there."""
    for country in snapshot.countries:
        for platform in snapshot.platforms:
            yield (country, platform), snapshot.events.get((country, platform))
