"""The stored looks as lines of OONI's format, each field look beside the control made for it."""

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
"""How long after a look its control may begin and still be found: far longer than a cycle takes
to ask for one."""
_MOST_WAITING = 20_000
"""Looks that wait for their control at a time, however many begin within PATIENCE."""
_encode = msgspec.json.Encoder().encode


async def write_ooni(store: Store, selection: Selection, out: BinaryIO) -> int:
    """Write the selected looks to `out`, one JSON object a line; returns how many.

    With a country selected, control looks are written that were made for looks from there.
    StorageError from the store; OSError from `out`.
    """
    # Controls stand in other countries, and look after what they are made for.
    until = None if selection.until is None else selection.until + PATIENCE
    wider = msgspec.structs.replace(selection, country="", until=until)
    pairing = Pairing(selection)
    count = 0
    async for batch in store.measurements(wider):
        count += await asyncio.to_thread(_write, list(pairing.take(batch)), out)
    return count + await asyncio.to_thread(_write, list(pairing.rest()), out)


def _write(pairs: Sequence[tuple[Measurement, Measurement | None]], out: BinaryIO) -> int:
    for look, control in pairs:
        out.write(_encode(ooni_measurement(look, control)) + b"\n")
    return len(pairs)


class Pairing:
    """Looks in the order they began, each with the control look made for it."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._waiting: deque[Measurement] = deque()
        self._controls: dict[str, Measurement] = {}
        """By the id of the look they serve."""
        self._asked: dict[tuple[str, str], list[Measurement]] = {}
        """Waiting looks that failed, by cycle and endpoint."""

    def take(
        self, batch: Sequence[Measurement]
    ) -> Iterator[tuple[Measurement, Measurement | None]]:
        """Add looks, which must come in order of time; gives those that need wait no longer."""
        for look in batch:
            yield from self._ripe(look.started_at)
            if look.look is Purpose.CONTROL:
                served = self._serve(look)
                if not (served or self._wanted(look)):
                    continue
            elif not self._wanted(look):
                continue
            elif not look.reached:
                self._asked.setdefault((look.cycle, look.endpoint), []).append(look)
            self._waiting.append(look)

    def rest(self) -> Iterator[tuple[Measurement, Measurement | None]]:
        """What is left at the end."""
        while self._waiting:
            yield self._next()

    def _serve(self, control: Measurement) -> bool:
        """Remember which looks it was made for; False for none that is wanted."""
        failed = self._asked.get((control.cycle, control.endpoint), ())
        for look in failed:
            # One that began before the look failed is no control: see docs/rules.md.
            if control.started_at.timestamp() >= look.ended_at:
                self._controls.setdefault(look.id, control)
        return bool(failed)

    def _wanted(self, look: Measurement) -> bool:
        wanted = self._selection
        if wanted.until is not None and look.started_at >= wanted.until:
            return False
        return not wanted.country or look.country == wanted.country

    def _ripe(self, now: datetime) -> Iterator[tuple[Measurement, Measurement | None]]:
        while self._waiting and (
            now - self._waiting[0].started_at > PATIENCE or len(self._waiting) > _MOST_WAITING
        ):
            yield self._next()

    def _next(self) -> tuple[Measurement, Measurement | None]:
        look = self._waiting.popleft()
        key = (look.cycle, look.endpoint)
        alike = self._asked.get(key)
        if alike is not None and look in alike:
            alike.remove(look)
            if not alike:
                del self._asked[key]
        return look, self._controls.pop(look.id, None)
