"""Compare what vantages signed with the measurements of a report.

Three files, line by line: the keys, the batches they signed, and the measurements. A measurement
of a cycle that is in an enclosed batch must be in that batch, to the last character. A batch that
is not what its vantage signed fails the report, and so does one that unpacks to too much.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from monitor.report.batches import BATCHES, KEYS, KeyLine, Line, Room, Signed
from monitor.report.bounded_unzip import NotAsMadeError
from monitor.report.log_file import LOG, CheckedLog
from monitor.wire.proof import EvidenceError, digest, fault_of, measurements_in, unpacked
from probes.measurement import Measurement
from storage.values.log import LogPlace, batch_digest, enrolment_digest

MEASUREMENTS = "data/measurements.jsonl"
MOST_KEYS = 10_000
_Lines = Callable[[str], Iterator[bytes]]
_T = TypeVar("_T")


class _Held:
    """The contents of the batches as digests: a report may enclose half a million measurements."""

    def __init__(self) -> None:
        self.digests: set[bytes] = set()
        """Digests of all they hold of the platform."""
        self.cycles: set[tuple[str, str]] = set()
        """Vantage and cycle."""
        self.count = self.revoked = self.quarantined = 0
        self.vantages: set[str] = set()
        self.fingerprints: set[str] = set()
        self.logged = 0
        self.dates: list[datetime] = []
        """By when each batch was in the log, where somebody trusted says so."""


def check_batches(lines_of: _Lines, platform: str, log: CheckedLog | None) -> Signed:
    """How many of a report's measurements are signed by enclosed keys, and how many batches are in
    the log. `lines_of` gives the lines of one of its files. Raises NotAsMadeError, which names the
    file and the batch or measurement."""
    held = _batches(lines_of, platform, _keys(lines_of, log), log)
    signed = count = 0
    for number, line in enumerate(lines_of(MEASUREMENTS), 1):
        measurement = _read(line, Measurement, MEASUREMENTS, number)
        count += 1
        if digest(measurement) in held.digests:
            if not _part_of(msgspec.json.decode(line), msgspec.to_builtins(measurement)):
                raise NotAsMadeError(
                    f"{MEASUREMENTS}: line {number} says more than its vantage signed"
                )
            signed += 1
        elif (measurement.vantage, measurement.cycle) in held.cycles:
            raise NotAsMadeError(
                f"{MEASUREMENTS}: {measurement.id!r} is not what vantage {measurement.vantage!r} "
                f"signed in {BATCHES}"
            )
    return Signed(
        enclosed=True,
        compared=count,
        signed=signed,
        batches=held.count,
        vantages=len(held.vantages),
        revoked=held.revoked,
        quarantined=held.quarantined,
        fingerprints=tuple(sorted(held.fingerprints)),
        logged=held.logged,
        dated=len(held.dates),
        dated_by=max(held.dates, default=None),
    )


def _keys(lines_of: _Lines, log: CheckedLog | None) -> dict[str, KeyLine]:
    keys: dict[str, KeyLine] = {}
    for number, line in enumerate(lines_of(KEYS), 1):
        key = _read(line, KeyLine, KEYS, number)
        if key.fingerprint in keys or number > MOST_KEYS:
            raise NotAsMadeError(f"{KEYS}: line {number} is one too many")
        _check_place(key.place, enrolment_digest(key), log, f"{KEYS}: line {number}")
        keys[key.fingerprint] = key
    return keys


def _check_place(place: LogPlace | None, digest: str, log: CheckedLog | None, name: str) -> None:
    if place is not None and (log is None or not log.holds(digest, place)):
        raise NotAsMadeError(f"{name} is not where it should be in the log of {LOG}")


def _batches(
    lines_of: _Lines, platform: str, keys: dict[str, KeyLine], log: CheckedLog | None
) -> _Held:
    held, room = _Held(), Room()
    seen: set[tuple[str, str]] = set()
    for number, text in enumerate(lines_of(BATCHES), 1):
        line = _read(text, Line, BATCHES, number)
        batch, key = line.batch, keys.get(line.batch.fingerprint)
        name = f"{BATCHES}: batch {batch.id!r} of vantage {batch.vantage!r}"
        if (batch.vantage, batch.id) in seen:
            raise NotAsMadeError(f"{name} is there twice")
        seen.add((batch.vantage, batch.id))
        fault = fault_of(batch, key) or ("" if batch.fingerprint else "nobody signed it")
        if not fault and key is not None and key.revoked_at != line.key_revoked_at:
            fault = f"it and {KEYS} differ in whether its key was revoked"
        if fault:
            raise NotAsMadeError(f"{name} does not hold: {fault}")
        _check_place(line.place, batch_digest(batch), log, name)
        try:
            body = unpacked(batch)
            measurements = _add(held, body, batch.vantage, platform)
        except EvidenceError as error:
            raise NotAsMadeError(f"{name} does not hold: {error}") from error
        if not room.take(len(batch.body), len(body), measurements):
            raise NotAsMadeError(f"{name}: more than any report encloses")
        held.count += 1
        held.revoked += line.key_revoked_at is not None
        held.quarantined += line.quarantined
        held.vantages.add(batch.vantage)
        held.fingerprints.add(batch.fingerprint)
        if line.place is not None and log is not None:
            held.logged += 1
            by_when = log.by_when(line.place.position)
            held.dates += [] if by_when is None else [by_when]
    return held


def _add(held: _Held, body: bytes, vantage: str, platform: str) -> int:
    count = 1
    for cycle, measurements in measurements_in(body, vantage, platform):
        held.cycles.add((vantage, cycle))
        held.digests.update(map(digest, measurements))
        count += 1 + len(measurements)
    return count


def _read(line: bytes, kind: type[_T], file: str, number: int) -> _T:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        why = str(error)[:200]
        raise NotAsMadeError(f"{file}: line {number} cannot be read ({why})") from error


def _part_of(part: Any, whole: Any) -> bool:
    """Whether all of `part` is in `whole`, which may have fields of a later version."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and _part_of(value, whole[key]) for key, value in part.items()
        )
    if isinstance(part, list):
        return (
            isinstance(whole, list | tuple)
            and len(part) == len(whole)
            and all(map(_part_of, part, whole))
        )
    return bool(part == whole)
