"""Makes the body of a batch from some cycles of the spool, one after the other, so that they are
never all in memory."""

import zlib
from collections.abc import Iterator, Sequence

import msgspec
import uuid_utils

from monitor import __version__
from monitor.agent.collector_clock import AgentClock
from monitor.wire.batch import FORMAT, MOST_PACKED, MOST_REPORTS, MOST_UNPACKED, CycleReport
from storage.agent.spool import Frozen, Share, Spooled
from storage.values.cycle import Cycle
from storage.values.storable_text import storable

SHARE = Share(
    cycles=min(25, MOST_REPORTS),
    measurements=10_000,
    packed=384 * 1024,
    unpacked=MOST_UNPACKED // 4,
)
"""Of one batch: far less than a collector accepts, so that a bad connection carries it, a proxy in
front of the collector lets it pass, and little is lost with a refused batch."""
_LARGEST = MOST_UNPACKED - 4096
"""Bytes of one report that still make a batch."""
_LARGEST_PACKED = MOST_PACKED - 4096
_GZIP = 16 + zlib.MAX_WBITS
_ENCODER = msgspec.json.Encoder()


class TooLargeError(Exception):
    """A cycle that no batch can hold."""


class _Waiting(CycleReport, frozen=True, kw_only=True):
    """A report of which the largest parts stay JSON."""

    health: msgspec.Raw  # type: ignore[assignment] # on purpose
    measurements: msgspec.Raw = msgspec.Raw(b"[]")  # type: ignore[assignment] # on purpose


_DECODER = msgspec.json.Decoder(_Waiting)


def spooled(cycle: Cycle, clock: AgentClock) -> Spooled:
    """A finished cycle for the spool: the vantage's own measurements, and the clock they were made
    by. Raises TooLargeError."""
    own = tuple(one for one in cycle.measurements if one.vantage == cycle.vantage)
    report = CycleReport(
        cycle=cycle.id,
        started_at=cycle.started_at,
        finished_at=cycle.finished_at,
        hurried=cycle.hurried,
        health=cycle.health,
        measurements=own,
    )
    body = _ENCODER.encode(storable(report, CycleReport))
    may_be_too_large = len(body) > _LARGEST_PACKED
    if len(body) > _LARGEST or (may_be_too_large and len(zlib.compress(body)) > _LARGEST_PACKED):
        raise TooLargeError(cycle.id)
    return Spooled(
        id=cycle.id,
        boot=clock.machine.boot,
        boottime=clock.since_boot(cycle.finished_at),
        measurements=len(own),
        report=body,
    )


def freeze(
    vantage: str, clock: AgentClock, cycles: Sequence[Spooled], behind: int, dropped: int
) -> Frozen:
    """The batch of these cycles, with dates where the collectors' time is known; `behind` and
    `dropped` are the measurements that wait behind it, and those ever given up."""
    packer = zlib.compressobj(wbits=_GZIP)
    parts = (packer.compress(part) for part in _parts(vantage, clock, cycles, behind, dropped))
    body = b"".join(parts) + packer.flush()
    return Frozen(
        id=str(uuid_utils.uuid7()),
        encoding="gzip",
        measurements=sum(cycle.measurements for cycle in cycles),
        body=body,
    )


def _parts(
    vantage: str, clock: AgentClock, cycles: Sequence[Spooled], behind: int, dropped: int
) -> Iterator[bytes]:
    """The JSON of a `monitor.wire.batch.Batch`."""
    head = {
        "format": FORMAT,
        "vantage": vantage,
        "version": __version__,
        "spooled": behind,
        "dropped": dropped,
        "reports": (),
    }
    yield _ENCODER.encode(head).removesuffix(b"]}")
    for number, cycle in enumerate(cycles):
        if number:
            yield b","
        yield _ENCODER.encode(_dated(cycle, clock))
    yield b"]}"


def _dated(cycle: Spooled, clock: AgentClock) -> _Waiting:
    waiting = _DECODER.decode(cycle.report)
    offset = clock.offset_of(cycle.boot, cycle.boottime, waiting.finished_at)
    if offset is None:
        return msgspec.structs.replace(waiting, dated=False)
    return msgspec.structs.replace(waiting, offset=round(offset, 3))
