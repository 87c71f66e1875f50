"""Scrapes put together from fragments: the lines of each vantage, written when they change.

prometheus_client writes every line, and takes ten times as long for it as working out the samples
does. Between two scrapes few vantages report, and most samples of those stay the same. So the lines
of each family and vantage are kept for as long as its samples are equal; a vantage that left the
configuration leaves no series behind. `docs/adr/0037-fragments-of-scrapes.md` has the figures.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from hashlib import blake2b
from threading import Lock
from typing import NamedTuple

import msgspec
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from monitor.metrics.families_with_values import FAMILIES, Family, Rows, families, shown_families
from monitor.metrics.ingest_counts import IngestCounts
from monitor.metrics.ingest_families import IngestCollector
from monitor.metrics.published_state import Snapshot, VantageView
from monitor.metrics.publisher import Publisher

_END = b"# EOF\n"
"""The last line of a scrape in OpenMetrics."""

_encoded = msgspec.msgpack.Encoder().encode
Encode = Callable[[Collector], bytes]


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
            if family.of_vantage is None:
                metric = family.metric(family.samples(snapshot, at))
                yield encode(_One(metric)).removesuffix(_END)
                continue
            yield encode(_One(family.metric(()))).removesuffix(_END)
            number = _NUMBERS[family.name]
            for fragment in self._fragments.values():
                yield fragment.lines[number]

    def _fragment(self, view: VantageView, at: datetime) -> "_Fragment":
        known = self._fragments.get(view.point.id)
        if known is not None and known.view is view and known.since <= at <= known.until:
            return known
        digests, lines = [], []
        for number, (family, samples) in enumerate(_OF_VANTAGES):
            rows = list(samples(view, at))
            digest = blake2b(_encoded(rows), digest_size=16).digest()
            if known is not None and known.digests[number] == digest:
                lines.append(known.lines[number])
            else:
                lines.append(_lines(family, rows))
            digests.append(digest)
        return _Fragment(view, at, view.holds_until(at), tuple(digests), tuple(lines))


_OF_VANTAGES = tuple((one, one.of_vantage) for one in FAMILIES if one.of_vantage is not None)
_NUMBERS = {family.name: number for number, (family, _) in enumerate(_OF_VANTAGES)}


class _Fragment(NamedTuple):
    """What one vantage contributes to a scrape: for each of `_OF_VANTAGES` its lines, which are the
    same in every format."""

    view: VantageView
    since: datetime
    until: datetime
    """UTC; from when until when they hold, while the view is this one."""
    digests: tuple[bytes, ...]
    """Of the samples that the lines were made of."""
    lines: tuple[bytes, ...]


def _lines(family: Family, rows: Rows) -> bytes:
    head = generate_latest(_One(family.metric(())))
    return generate_latest(_One(family.metric(rows))).removeprefix(head)


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
