"""The store in memory: the same behaviour as SQL in plain Python, for tests and trials.

The contract tests run on both.
"""

import asyncio
from collections import Counter
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from datetime import datetime
from itertools import islice
from typing import Any, Generic, TypeVar

from msgspec.structs import replace

from monitor.analysis.events.event import Event, EventLogEntry
from monitor.analysis.verdict import PlatformVerdict, VantageHealth, Verdict
from probes.measurement import Measurement
from storage.memory.fleet_store import MemoryFleet, measurement_key
from storage.memory.rows import stored_cells
from storage.store import StorageError
from storage.values.conclusion import Conclusion
from storage.values.current_event import current_events
from storage.values.cursor import place_of
from storage.values.cycle import Cycle, StoredCycle
from storage.values.outbox import Notice, NoticeState
from storage.values.prunable import Prunable
from storage.values.rejudging import Rejudging
from storage.values.reviews import Annotation, Review, no_such_event
from storage.values.rollup import COUNTS, Availability, Period, counted
from storage.values.row_kind import RowKind
from storage.values.selection import Selection
from storage.values.storable_text import storable
from storage.values.times import Arrivals, text_time, time_text, utc_now

T = TypeVar("T")


class _Latest(Generic[T]):
    """The newest value of each key, by when its cycle started."""

    def __init__(self) -> None:
        self._rows: dict[Any, tuple[datetime, str, T]] = {}

    def offer(self, key: Any, value: T, cycle: Cycle, received_at: datetime) -> None:
        """Keep `value` if its cycle is newer than what is kept; see `storage.sql.writing`."""
        kept = self._rows.get(key)
        if (
            kept is None
            or (cycle.started_at, cycle.id) > kept[:2]
            or kept[0] > received_at  # from a clock that was ahead
        ):
            self._rows[key] = (cycle.started_at, cycle.id, value)

    def values(self) -> list[T]:
        """By key."""
        return [self._rows[key][2] for key in sorted(self._rows)]


class MemoryStore(MemoryFleet):
    """Implements `storage.store.CollectorStore`. Its rows outlive `close`, not the process."""

    def __init__(self, *, clock: Callable[[], datetime] = utc_now, page: int = 500) -> None:
        """`clock` stamps what arrives; `page` is how many values a batch has at most."""
        super().__init__()
        self._arrivals = Arrivals(clock)
        self._page = page
        self._open = False
        self._cycles: dict[tuple[str, str], StoredCycle] = {}
        self._measurements: dict[tuple[datetime, str, str], Measurement] = {}
        self._verdicts: dict[tuple[Any, ...], Verdict] = {}
        self._platforms: dict[tuple[Any, ...], PlatformVerdict] = {}
        self._events: dict[str, Event] = {}
        self._log: dict[tuple[str, int], EventLogEntry] = {}
        self._health: dict[tuple[Any, ...], VantageHealth] = {}
        self._conclusions: dict[tuple[str, str], Conclusion] = {}
        self._outbox: dict[tuple[str, str, int, str, str], Notice] = {}
        self._reviews: dict[tuple[datetime, str, str, str], Review] = {}
        self._annotations: dict[tuple[datetime, str, str], Annotation] = {}
        self._rejudgings: dict[str, Rejudging] = {}
        self._rejudged_verdicts: dict[str, dict[tuple[Any, ...], Verdict]] = {}
        self._rejudged_platforms: dict[str, dict[tuple[Any, ...], PlatformVerdict]] = {}
        self._rejudged_events: dict[str, dict[str, Event]] = {}
        self._rollups: Counter[tuple[Any, ...]] = Counter()
        """Period, time, and the rest of the key with the state → verdicts."""
        self._measured_hours: set[tuple[Any, ...]] = set()
        self._leading = False
        self._latest_verdicts: _Latest[Verdict] = _Latest()
        self._latest_platforms: _Latest[PlatformVerdict] = _Latest()
        self._latest_health: _Latest[VantageHealth] = _Latest()

    async def open(self) -> None:
        self._open = True

    async def close(self) -> None:
        self._open = False
        self._leading = False

    async def lead(self) -> bool:
        await self._wait()
        self._leading = True
        return True

    @property
    def leading(self) -> bool:
        return self._leading

    async def save(
        self,
        cycle: Cycle,
        events: Sequence[Event] = (),
        log: Sequence[EventLogEntry] = (),
        conclusions: Sequence[Conclusion] = (),
        notices: Sequence[Notice] = (),
    ) -> None:
        await self._wait()
        cycle = storable(cycle, Cycle)
        events = storable(tuple(events), tuple[Event, ...])
        log = storable(tuple(log), tuple[EventLogEntry, ...])
        received_at = self._arrivals.stamp()
        new = (cycle.country, cycle.id) not in self._cycles
        if new:
            self._add(cycle, received_at)
        self._inbox.pop((cycle.country, cycle.id), None)
        for event in current_events(events, log):
            kept = self._events.get(event.id)
            newer = kept is None or event.updated_at > kept.updated_at
            if newer or (new and kept is not None and event.updated_at == kept.updated_at):
                self._events[event.id] = event
        for entry in log:
            self._log.setdefault((entry.event, entry.sequence), entry)
        for conclusion in storable(tuple(conclusions), tuple[Conclusion, ...]):
            self._conclusions[conclusion.country, conclusion.platform] = conclusion
        for notice in storable(tuple(notices), tuple[Notice, ...]):
            self._outbox.setdefault(notice.key, notice)

    async def outbox(self, state: NoticeState | None = None, event: str = "") -> list[Notice]:
        await self._wait()
        return [
            notice
            for notice in sorted(self._outbox.values(), key=lambda one: (one.created_at, one.key))
            if state in (None, notice.state) and event in ("", notice.event)
        ]

    async def update_notices(self, notices: Sequence[Notice]) -> None:
        await self._wait()
        self._outbox |= {one.key: one for one in storable(tuple(notices), tuple[Notice, ...])}

    async def latest_platforms(self) -> list[PlatformVerdict]:
        await self._wait()
        return self._latest_platforms.values()

    async def latest_health(self) -> list[VantageHealth]:
        await self._wait()
        return self._latest_health.values()

    async def latest_verdicts(self) -> list[Verdict]:
        await self._wait()
        return self._latest_verdicts.values()

    async def recent_platforms(self, since: datetime) -> list[PlatformVerdict]:
        await self._wait()
        return [value for key, value in sorted(self._platforms.items()) if key[0] >= since]

    async def recent_health(self, since: datetime) -> list[VantageHealth]:
        await self._wait()
        return [value for key, value in sorted(self._health.items()) if key[0] >= since]

    async def conclusions(self) -> list[Conclusion]:
        await self._wait()
        return [value for _, value in sorted(self._conclusions.items())]

    async def active_events(self) -> list[Event]:
        await self._wait()
        return [event for event in self._events_in_order() if event.active]

    def cycles(self, selection: Selection) -> AsyncIterator[Sequence[StoredCycle]]:
        return self._batches(
            cycle
            for cycle in sorted(
                self._cycles.values(), key=lambda c: (c.finished_at, c.country, c.id)
            )
            if _matches(selection, cycle.finished_at, cycle.country, selection.platform)
        )

    def measurements(self, selection: Selection) -> AsyncIterator[Sequence[Measurement]]:
        return self._batches(
            (
                value
                for key, value in sorted(self._measurements.items())
                if _matches(selection, key[0], value.country, value.platform)
                and _matches_rest(selection, value)
            ),
            selection.batch,
        )

    def platforms(self, selection: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        return self._batches(
            value
            for key, value in sorted(self._platforms.items())
            if _matches(selection, key[0], value.country, value.platform)
        )

    def verdicts(self, selection: Selection) -> AsyncIterator[Sequence[Verdict]]:
        return self._batches(
            (
                value
                for key, value in sorted(self._verdicts.items())
                if _matches(selection, key[0], value.country, value.platform)
                and _matches_rest(selection, value)
            ),
            selection.batch,
        )

    def received_cycles(self, country: str) -> AsyncIterator[Sequence[StoredCycle]]:
        return self._batches(
            cycle
            for cycle in list(self._cycles.values())
            if not country or cycle.country == country
        )

    def received_platforms(self, selection: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        return self._batches(
            value
            for key, value in list(self._platforms.items())
            if _matches(selection, key[0], value.country, value.platform)
        )

    def events(self, selection: Selection) -> AsyncIterator[Sequence[Event]]:
        return self._batches(
            (
                event
                for event in self._events_in_order()
                if _overlaps(selection, event) and _matches_rest(selection, event)
            ),
            selection.batch,
        )

    def availability(self, selection: Selection) -> AsyncIterator[Sequence[Availability]]:
        return self._batches(
            (
                value
                for value in self._availability(selection)
                if not selection.after or place_of(value) > selection.after
            ),
            selection.batch,
        )

    async def rows(
        self, kind: RowKind, columns: Sequence[str], selection: Selection, rejudging: str = ""
    ) -> AsyncIterator[Sequence[Sequence[Any]]]:
        every = replace(selection, after=(), batch=0)
        listings: dict[tuple[RowKind, bool], AsyncIterator[Sequence[Any]]] = {
            (RowKind.MEASUREMENTS, False): self.measurements(every),
            (RowKind.VERDICTS, False): self.verdicts(every),
            (RowKind.VERDICTS, True): self.rejudged_verdicts(rejudging, every),
            (RowKind.AVAILABILITY, False): self.availability(every),
        }
        if (kind, bool(rejudging)) not in listings:
            raise ValueError(f"{kind} is never recomputed")
        async for batch in listings[kind, bool(rejudging)]:
            yield [[cells[name] for name in columns] for cells in map(stored_cells, batch)]

    def event_log(self, event_id: str) -> AsyncIterator[Sequence[EventLogEntry]]:
        return self._batches(
            entry for key, entry in sorted(self._log.items()) if key[0] == event_id
        )

    async def add_review(self, review: Review) -> None:
        await self._wait()
        review = storable(review, Review)
        known = self._events.get(review.event)
        if known is None or known.country != review.country:
            raise StorageError(no_such_event(review))
        self._reviews.setdefault((review.at, review.country, review.event, review.id), review)

    async def reviews(self, event_id: str = "") -> list[Review]:
        await self._wait()
        return [
            review for _, review in sorted(self._reviews.items()) if event_id in ("", review.event)
        ]

    async def add_annotations(self, annotations: Sequence[Annotation]) -> int:
        await self._wait()
        before = len(self._annotations)
        for one in storable(tuple(annotations), tuple[Annotation, ...]):
            self._annotations.setdefault((one.since, one.country, one.id), one)
        return len(self._annotations) - before

    async def remove_annotations(self, ids: Collection[str]) -> int:
        await self._wait()
        before = len(self._annotations)
        self._annotations = {
            key: one for key, one in self._annotations.items() if one.id not in ids
        }
        return before - len(self._annotations)

    async def annotations(
        self,
        country: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        platform: str = "",
    ) -> list[Annotation]:
        await self._wait()
        return [
            one
            for _, one in sorted(self._annotations.items())
            if country in ("", one.country)
            and (not platform or one.platform in ("", platform))
            and (until is None or one.since < until)
            and (since is None or one.since >= since or (one.until or one.since) > since)
        ]

    async def prune(self, what: Prunable, before: datetime) -> AsyncIterator[int]:
        await self._wait()
        parts: dict[Prunable, Mapping[str, dict[Any, Any]]] = {
            Prunable.REJUDGED_VERDICT: self._rejudged_verdicts,
            Prunable.REJUDGED_PLATFORM: self._rejudged_platforms,
            Prunable.REJUDGED_EVENT: self._rejudged_events,
        }
        if what in parts:
            for whose, rows in parts[what].items():
                if rows and self._rejudgings[whose].at < before:
                    gone = len(rows)
                    rows.clear()
                    yield gone
            return
        tables: dict[Prunable, tuple[dict[Any, Any], Callable[[Any, Any], datetime]]] = {
            Prunable.VERDICT: (self._verdicts, lambda key, _: key[0]),
            Prunable.PLATFORM_VERDICT: (self._platforms, lambda key, _: key[0]),
            Prunable.MEASUREMENT: (self._measurements, lambda key, _: key[0]),
            Prunable.VANTAGE_HEALTH: (self._health, lambda key, _: key[0]),
            Prunable.BATCH: (self._batch_bodies, lambda _, value: value.received_at),
            Prunable.REJUDGING: (self._rejudgings, lambda _, value: value.at),
            Prunable.CYCLE: (self._cycles, lambda _, value: value.finished_at),
            Prunable.AVAILABILITY_HOUR: (self._rollups, lambda key, _: text_time(key[1])),
            Prunable.LOOK_HOUR: (self._hourly_counts, lambda key, _: text_time(key[2])),
        }
        table, at = tables[what]
        old = [key for key, value in table.items() if at(key, value) < before]
        if what is Prunable.AVAILABILITY_HOUR:
            old = [key for key in old if key[0] is Period.HOUR]
        for start in range(0, len(old), self._page):
            await self._wait()
            some = old[start : start + self._page]
            for key in some:
                del table[key]
            yield len(some)

    async def save_rejudged(
        self,
        rejudging: Rejudging,
        verdicts: Sequence[Verdict] = (),
        platforms: Sequence[PlatformVerdict] = (),
        events: Sequence[Event] = (),
    ) -> None:
        await self._wait()
        self._rejudgings[rejudging.id] = rejudging
        judged = self._rejudged_verdicts.setdefault(rejudging.id, {})
        for verdict in verdicts:
            place = (verdict.platform, verdict.role, verdict.endpoint)
            judged.setdefault((*_judgement(verdict), *place), verdict)
        rolled_up = self._rejudged_platforms.setdefault(rejudging.id, {})
        for platform in platforms:
            rolled_up.setdefault((*_judgement(platform), platform.platform), platform)
        found = self._rejudged_events.setdefault(rejudging.id, {})
        for event in events:
            found.setdefault(event.id, event)

    async def rejudgings(self) -> list[Rejudging]:
        await self._wait()
        return sorted(self._rejudgings.values(), key=lambda one: (one.at, one.id))

    def rejudged_verdicts(
        self, rejudging: str, selection: Selection
    ) -> AsyncIterator[Sequence[Verdict]]:
        return self._batches(
            value
            for key, value in sorted(self._rejudged_verdicts.get(rejudging, {}).items())
            if _matches(selection, key[0], value.country, value.platform)
        )

    def rejudged_platforms(
        self, rejudging: str, selection: Selection
    ) -> AsyncIterator[Sequence[PlatformVerdict]]:
        return self._batches(
            value
            for key, value in sorted(self._rejudged_platforms.get(rejudging, {}).items())
            if _matches(selection, key[0], value.country, value.platform)
        )

    def rejudged_events(
        self, rejudging: str, selection: Selection
    ) -> AsyncIterator[Sequence[Event]]:
        found = self._rejudged_events.get(rejudging, {})
        return self._batches(
            event for event in _in_order(found.values()) if _overlaps(selection, event)
        )

    def _add(self, cycle: Cycle, received_at: datetime) -> None:
        self._cycles[cycle.country, cycle.id] = StoredCycle(
            id=cycle.id,
            vantage=cycle.vantage,
            country=cycle.country,
            started_at=cycle.started_at,
            finished_at=cycle.finished_at,
            health=cycle.health,
        )
        for measurement in cycle.measurements:
            self._measurements.setdefault(measurement_key(measurement), measurement)
        for verdict in cycle.verdicts:
            place = (verdict.platform, verdict.role, verdict.endpoint)
            self._verdicts.setdefault((*_judgement(verdict), *place), verdict)
            key = (verdict.country, verdict.vantage, *place)
            self._latest_verdicts.offer(key, verdict, cycle, received_at)
        for platform in cycle.platforms:
            self._platforms.setdefault((*_judgement(platform), platform.platform), platform)
            whose = (platform.country, platform.vantage, platform.platform)
            self._latest_platforms.offer(whose, platform, cycle, received_at)
        health = cycle.health
        self._health.setdefault((health.at, health.country, cycle.id, health.vantage), health)
        self._latest_health.offer((health.country, health.vantage), health, cycle, received_at)
        for one in () if cycle.hurried else counted(cycle.platforms):
            series = (one.country, one.platform, one.asn, one.network)
            self._measured_hours.add((one.hour, *series))
            self._rollups[Period.HOUR, one.hour, *series, one.state] += 1
            self._rollups[Period.DAY, one.day, *series, one.state] += 1

    def _availability(self, selection: Selection) -> list[Availability]:
        rows: dict[tuple[Any, ...], Counter[str]] = {}
        measured: dict[tuple[Any, ...], set[tuple[Any, ...]]] = {}
        for (period, at, country, platform, asn, network, state), count in self._rollups.items():
            begun = text_time(at)
            if period is not selection.period or not _matches(selection, begun, country, platform):
                continue
            if selection.asn not in (None, asn):
                continue
            whose = (asn, network) if selection.by_network else (None, "")
            key = (country, platform, begun, *whose)
            rows.setdefault(key, Counter())[state] += count
            measured.setdefault(key, set()).add((asn, network))
        found = []
        for (country, platform, begun, asn, network), counts in rows.items():
            networks = measured[country, platform, begun, asn, network]
            found.append(
                Availability(
                    country=country,
                    platform=platform,
                    starts_at=begun,
                    asn=asn,
                    network=network,
                    period=selection.period,
                    networks=len(networks),
                    hours=self._count_hours(country, platform, begun, selection.period, networks),
                    **{state: counts[state] for state in COUNTS},
                )
            )
        return sorted(found, key=place_of)

    def _count_hours(
        self,
        country: str,
        platform: str,
        begun: datetime,
        period: Period,
        networks: Collection[tuple[Any, ...]],
    ) -> int:
        length = len("2024-02-17T12" if period is Period.HOUR else "2024-02-17")
        prefix = time_text(begun)[:length]
        return len(
            {
                (at, asn, network)
                for at, where, what, asn, network in self._measured_hours
                if at.startswith(prefix)
                and (where, what) == (country, platform)
                and (asn, network) in networks
            }
        )

    def _events_in_order(self) -> list[Event]:
        return _in_order(self._events.values())

    async def _batches(self, values: Iterable[T], size: int = 0) -> AsyncIterator[Sequence[T]]:
        rest: Iterator[T] | None = None
        while True:
            await self._wait()
            rest = iter(values) if rest is None else rest
            batch = list(islice(rest, size or self._page))
            if not batch:
                return
            yield batch

    async def _wait(self) -> None:
        if not self._open:
            raise StorageError("the store in memory is not open")
        await asyncio.sleep(0)


def _in_order(events: Iterable[Event]) -> list[Event]:
    return sorted(events, key=lambda event: (event.detected_at, event.country, event.id))


def _judgement(verdict: Verdict | PlatformVerdict) -> tuple[Any, ...]:
    return (verdict.judged_at, verdict.country, verdict.cycle, verdict.vantage)


def _matches(selection: Selection, at: datetime, country: str, platform: str) -> bool:
    return (
        _matches_place(selection, country, platform)
        and (selection.since is None or at >= selection.since)
        and (selection.until is None or at < selection.until)
    )


def _overlaps(selection: Selection, event: Event) -> bool:
    begun = event.onset_earliest or event.onset_latest
    over = event.end_latest or event.updated_at
    return (
        _matches_place(selection, event.country, event.platform)
        and (selection.until is None or begun < selection.until)
        and (selection.since is None or event.active or over > selection.since)
    )


def _matches_place(selection: Selection, country: str, platform: str) -> bool:
    return selection.country in ("", country) and selection.platform in ("", platform)


def _matches_rest(selection: Selection, value: Measurement | Verdict | Event) -> bool:
    """Whether it has the selected network, vantage, state and id, and comes after the place."""
    if isinstance(value, Event):
        networks = value.networks_affected
        fits = selection.event in ("", value.id)
    else:
        networks = (value.asn,)
        fits = True
    if not isinstance(value, Measurement):
        fits = fits and selection.state in ("", value.state)
    return (
        fits
        and selection.vantage in ("", value.vantage)
        and (selection.asn is None or selection.asn in networks)
        and (not selection.after or place_of(value) > selection.after)
    )
