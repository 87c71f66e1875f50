"""Stored measurements as lines of OONI's format, each with the control measurement made for it."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import BinaryIO

import msgspec

from monitor.export.ooni_format import ooni_measurement
from probes.measurement import Measurement, Purpose
from storage.store import Store
from storage.values.selection import Selection

PATIENCE = timedelta(minutes=10)
"""How long after a measurement its control may start and still be found: far longer than a cycle
takes to request one, and as long as one by the clock takes by the usual interval."""
_MOST_WAITING = 20_000
"""Measurements that wait for their control at the same time."""
_encode = msgspec.json.Encoder().encode


async def write_ooni(store: Store, selection: Selection, out: BinaryIO) -> int:
    """Write the selected measurements to `out`, one JSON object a line; returns how many.

    With a country selected, the control measurements made for it are written as well.
    StorageError from the store; OSError from `out`.
    """
    # Controls are in other countries, and measure later than what they are made for.
    until = None if selection.until is None else selection.until + PATIENCE
    wider = msgspec.structs.replace(selection, country="", until=until)
    matcher = ControlMatcher(selection)
    count = 0
    async for batch in store.measurements(wider):
        count += await asyncio.to_thread(_write, list(matcher.take(batch)), out)
    return count + await asyncio.to_thread(_write, list(matcher.rest()), out)


def _write(pairs: Sequence[tuple[Measurement, Measurement | None]], out: BinaryIO) -> int:
    for measurement, control in pairs:
        out.write(_encode(ooni_measurement(measurement, control)) + b"\n")
    return len(pairs)


class ControlMatcher:
    """Pairs measurements, in the order they started, with the controls made for them."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._waiting: deque[Measurement] = deque()
        self._controls: dict[str, Measurement] = {}
        """By the id of the measurement beside which each stands."""
        self._failed: dict[str, list[Measurement]] = {}
        """Waiting measurements that failed, by endpoint."""

    def take(
        self, batch: Sequence[Measurement]
    ) -> Iterator[tuple[Measurement, Measurement | None]]:
        """Add measurements, in order of time; yields those that are complete."""
        for measurement in batch:
            yield from self._complete(measurement.started_at)
            if measurement.look is Purpose.CONTROL:
                matched = self._match(measurement)
                if not (matched or self._is_selected(measurement)):
                    continue
            elif not self._is_selected(measurement):
                continue
            elif not measurement.reached:
                self._failed.setdefault(measurement.endpoint, []).append(measurement)
            self._waiting.append(measurement)

    def rest(self) -> Iterator[tuple[Measurement, Measurement | None]]:
        """The remaining measurements, at the end."""
        while self._waiting:
            yield self._next()

    def _match(self, control: Measurement) -> bool:
        """Note the measurements that it is a control of; returns whether there are any. Cycles
        share controls, and some test by the clock: one of its own cycle comes first."""
        matched = False
        for measurement in self._failed.get(control.endpoint, ()):
            own = control.cycle == measurement.cycle
            # A measurement started before the failure is no control: see docs/rules.md.
            after = control.started_at.timestamp() >= measurement.ended_at
            known = self._controls.get(measurement.id)
            if after and (known is None or (own and known.cycle != measurement.cycle)):
                self._controls[measurement.id] = control
            matched = matched or own or after
        return matched

    def _is_selected(self, measurement: Measurement) -> bool:
        selection = self._selection
        if selection.until is not None and measurement.started_at >= selection.until:
            return False
        return not selection.country or measurement.country == selection.country

    def _complete(self, now: datetime) -> Iterator[tuple[Measurement, Measurement | None]]:
        while self._waiting and (
            now - self._waiting[0].started_at > PATIENCE or len(self._waiting) > _MOST_WAITING
        ):
            yield self._next()

    def _next(self) -> tuple[Measurement, Measurement | None]:
        measurement = self._waiting.popleft()
        alike = self._failed.get(measurement.endpoint)
        if alike is not None and measurement in alike:
            alike.remove(measurement)
            if not alike:
                del self._failed[measurement.endpoint]
        return measurement, self._controls.pop(measurement.id, None)
