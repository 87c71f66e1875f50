"""Makes a batch of each cycle as soon as it ends, sealed to the collectors: what waits in the spool
is nothing that the agent, or whoever takes the machine, can read.

A cycle whose time nobody knows yet, since no collector answered since the machine started, must be
dated later. So it is kept a second time, encrypted with a key that goes with the machine's power
(`monitor.agent.boot_key`). What an earlier start of the machine left like that stays undated.
"""

import gzip
import os
import struct
from datetime import datetime

import msgspec
import uuid_utils
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from monitor import __version__
from monitor.agent.collector_clock import AgentClock
from monitor.wire.batch import FORMAT, MOST_PACKED, MOST_UNPACKED, Batch, CycleReport, encode_batch
from monitor.wire.envelope import seal_body
from storage.agent.spool import Waiting
from storage.values.cycle import Cycle
from storage.values.storable_text import storable

ENCODING = "gzip"
_NONCE = 12
_SINCE_BOOT = struct.Struct("<d")


class TooLargeError(Exception):
    """A cycle that no batch can hold."""


class BatchMaker:
    """Makes the batches of one vantage."""

    def __init__(self, vantage: str, sealing_key: str, clock: AgentClock, boot_key: bytes) -> None:
        """`sealing_key` is the collectors' public one; `boot_key` encrypts what has no date."""
        self._vantage = vantage
        self._sealing_key = sealing_key
        self._clock = clock
        self._undated = ChaCha20Poly1305(boot_key)

    def make(self, cycle: Cycle) -> Waiting:
        """The batch of a finished cycle: the vantage's own measurements. Raises TooLargeError."""
        clock = self._clock
        since_boot = clock.since_boot(cycle.finished_at)
        offset = self._offset(since_boot, cycle.finished_at)
        report = CycleReport(
            cycle=cycle.id,
            started_at=cycle.started_at,
            finished_at=cycle.finished_at,
            offset=offset or 0.0,
            dated=offset is not None,
            hurried=cycle.hurried,
            health=cycle.health,
            measurements=tuple(one for one in cycle.measurements if one.vantage == cycle.vantage),
        )
        packed = self._packed(storable(report, CycleReport))
        made = self._sealed(str(uuid_utils.uuid7()), len(report.measurements), packed)
        if report.dated:
            return made
        nonce = os.urandom(_NONCE)
        text = _SINCE_BOOT.pack(since_boot) + packed
        undated = nonce + self._undated.encrypt(nonce, text, self._bound(made.id))
        return msgspec.structs.replace(made, undated=undated)

    def dated(self, waiting: Waiting) -> Waiting | None:
        """The same batch with its date, now that the collectors' time is known; None for one of an
        earlier start of the machine, or of another version."""
        nonce, sealed = waiting.undated[:_NONCE], waiting.undated[_NONCE:]
        try:
            text = self._undated.decrypt(nonce, sealed, self._bound(waiting.id))
        except InvalidTag:
            return None
        (since_boot,) = _SINCE_BOOT.unpack_from(text)
        body = gzip.decompress(text[_SINCE_BOOT.size :])
        try:
            (report,) = msgspec.json.decode(body, type=Batch).reports
        except msgspec.DecodeError:
            return None
        offset = self._offset(since_boot, report.finished_at)
        if offset is None:
            return None
        report = msgspec.structs.replace(report, offset=offset, dated=True)
        return self._sealed(waiting.id, waiting.measurements, self._packed(report))

    def _bound(self, id_: str) -> bytes:
        """What an undated text belongs to: its batch, and this start of the machine."""
        return f"{id_} {self._clock.machine.boot}".encode()

    def _offset(self, since_boot: float, own: datetime) -> float | None:
        """Seconds to add to the times of a cycle, to the millisecond; None while not known."""
        offset = self._clock.offset_of(self._clock.machine.boot, since_boot, own)
        return None if offset is None else round(offset, 3)

    def _packed(self, report: CycleReport) -> bytes:
        body = encode_batch(
            Batch(format=FORMAT, vantage=self._vantage, version=__version__, reports=(report,))
        )
        packed = gzip.compress(body)
        if len(body) > MOST_UNPACKED or len(packed) > MOST_PACKED:
            raise TooLargeError(report.cycle)
        return packed

    def _sealed(self, id_: str, measurements: int, packed: bytes) -> Waiting:
        body = seal_body(self._sealing_key, packed, ENCODING)
        return Waiting(id=id_, measurements=measurements, digest=body.digest, body=body.sealed)
