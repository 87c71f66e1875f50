"""Scrapes put together from forms and fragments, for a sixth of what the library takes.

prometheus_client writes each line once, as a *form*: name, labels and all escapes, with gaps for
the number and for the labels that tell vantages apart. A scrape fills in forms. What is filled in
for a vantage is its *fragment*, kept until its view changes; one that left the configuration leaves
no series behind. `docs/adr/0037-fragments-of-scrapes.md` and `0043-forms-of-lines.md` say why.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from secrets import token_hex
from threading import Lock
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from monitor.metrics.all_families import FAMILIES, families, shown_families
from monitor.metrics.family import VANTAGE, Family, Rows, of_vantage
from monitor.metrics.ingest_counts import IngestCounts
from monitor.metrics.ingest_families import IngestCollector
from monitor.metrics.publisher import Publisher
from monitor.metrics.snapshot import Histogram, Snapshot, VantageView

_END = b"# EOF\n"
"""The last line of a scrape in OpenMetrics."""
_FORMS = 1 << 14
"""Forms of lines about vantages that are kept. They are as many as there are families, platforms,
functions, states and failures, however many vantages there are."""
_GAP = token_hex(16)
"""Stands for the value of a label until the form is filled in. Nobody can guess it."""

Encode = Callable[[Collector], bytes]
Labels = tuple[str, ...]


class Scrapes(CollectorRegistry):
    """A registry with the publisher's families, others' beside them, and a faster way to write all
    of them. Any thread may ask."""

    def __init__(self, publisher: Publisher, others: Iterable[Collector] = ()) -> None:
        super().__init__()
        self._publisher = publisher
        self._others = CollectorRegistry()
        self.register(_SnapshotCollector(publisher))
        for one in others:
            self.register(one)
            self._others.register(one)
        self._fragments: dict[str, _Fragment] = {}
        self._forms: dict[str, dict[Labels, str]] = {}
        """Of each family that is about all vantages together, those of the last scrape."""
        self._lock = Lock()

    def scrape(self, accept: str) -> tuple[bytes, str]:
        """The text in the format that an Accept header asks for, and its content type. It is what
        prometheus_client's encoder makes of this registry."""
        encode, content_type = choose_encoder(accept)
        snapshot, at = self._publisher.snapshot, self._publisher.now()
        with self._lock:
            parts = list(self._parts(encode, snapshot, at))
        parts.append(encode(self._others))
        return b"".join(parts), content_type

    def _parts(self, encode: Encode, snapshot: Snapshot, at: datetime) -> Iterator[bytes]:
        views = snapshot.vantages if snapshot.leading else ()
        self._fragments = {view.point.id: self._fragment(view, at) for view in views}
        for family in shown_families(snapshot):
            yield encode(_One(family.metric(()))).removesuffix(_END)
            if family.of_vantage is None:
                yield self._together(family, family.samples(snapshot, at))
            else:
                number = _NUMBERS[family.name]
                yield from (fragment.lines[number] for fragment in self._fragments.values())

    def _together(self, family: Family, rows: Rows) -> bytes:
        """The lines of a family that is about all vantages."""
        known, forms, lines = self._forms.get(family.name, {}), dict[Labels, str](), list[str]()
        for labels, value in rows:
            form = forms[labels] = known.get(labels) or _form(family, labels)
            lines.append(_filled(form, (), value))
        self._forms[family.name] = forms
        return "".join(lines).encode()

    def _fragment(self, view: VantageView, at: datetime) -> "_Fragment":
        known = self._fragments.get(view.point.id)
        if known is not None and known.view is view and known.since <= at <= known.until:
            return known
        return _Fragment(view, at, view.holds_until(at), tuple(_lines_of(view, at)))


_OF_VANTAGES = tuple((one, one.of_vantage) for one in FAMILIES if one.of_vantage is not None)
_NUMBERS = {family.name: number for number, (family, _) in enumerate(_OF_VANTAGES)}


class _Fragment(NamedTuple):
    """What one vantage contributes to a scrape: for each of `_OF_VANTAGES` its lines, which are the
    same in every format."""

    view: VantageView
    since: datetime
    until: datetime
    """UTC; from when until when they hold, while the view is this one."""
    lines: tuple[bytes, ...]


def _lines_of(view: VantageView, at: datetime) -> Iterator[bytes]:
    by_name = dict(zip(VANTAGE, of_vantage(view), strict=True))
    # The library writes labels sorted by their names.
    own = tuple(_escaped(by_name[name]) for name in sorted(VANTAGE))
    for number, (_, samples) in enumerate(_OF_VANTAGES):
        rows = samples(view, at)
        lines = [_filled(_form_of_vantage(number, labels), own, value) for labels, value in rows]
        yield "".join(lines).encode()


@lru_cache(maxsize=_FORMS)
def _form_of_vantage(number: int, labels: Labels) -> str:
    """The form of a line of `_OF_VANTAGES`, with gaps for the values of `VANTAGE` too."""
    family, _ = _OF_VANTAGES[number]
    return _form(family, (*(_GAP for _ in VANTAGE), *labels)).replace(_GAP, "%s")


def _form(family: Family, labels: Labels) -> str:
    """The lines of one sample as the library writes them, `%s` in place of each number."""
    value = Histogram() if family.kind is HistogramMetricFamily else 0.0
    written = generate_latest(_One(family.metric([(labels, value)]))).decode()
    lines = [line for line in written.split("\n") if line and not line.startswith("#")]
    return "".join(f"{line.replace('%', '%%').rpartition(' ')[0]} %s\n" for line in lines)


def _filled(form: str, own: Labels, value: float | Histogram) -> str:
    """The lines with these numbers, and the values of `VANTAGE`, in the order of their names."""
    if not isinstance(value, Histogram):
        return form % (*own, _number(value + 0.0))
    counts = [count for _, count in value.cumulative()]
    numbers = (*counts, counts[-1], value.total)
    return form % tuple(one for number in numbers for one in (*own, _number(number)))


def _escaped(value: str) -> str:
    """The value of a label, as the format has it."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


_number = lru_cache(maxsize=4096)(floatToGoString)
"""A number as the library writes it; one value for all that are equal, so no zero is negative."""


class _One(Collector):
    """A registry of one family."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        """It."""
        yield self._metric


class _SnapshotCollector(Collector):
    """Reads the publisher's newest snapshot once."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def collect(self) -> Iterator[Metric]:
        """All families, from one snapshot at one moment."""
        return families(self._publisher.snapshot, self._publisher.now())


def create_registry(publisher: Publisher, ingest: IngestCounts | None = None) -> Scrapes:
    """A new registry with our families and this process's memory, CPU and descriptors.

    `ingest` counts what agents sent; None where no agents are served.
    """
    agents = () if ingest is None else (IngestCollector(ingest),)
    return Scrapes(publisher, (*agents, ProcessCollector(registry=None)))
