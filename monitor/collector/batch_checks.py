"""The JSON of a batch → its cycles, if they hold only what their sender may say.

A key speaks for one vantage and nothing else. Values that end up in columns and labels must have
the form they have everywhere. The content of an endpoint's answer is evidence and is kept as it is,
with a limit on its size: censors write block pages, and would like to have them refused. Pure: no
clock, no database.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import isfinite
from typing import TypeVar, cast

import msgspec
from msgspec.structs import force_setattr

from monitor.analysis.vantage.health import MOST_PASSING
from monitor.analysis.verdict import VantageHealth
from monitor.collector.number_checks import check_health, check_numbers
from monitor.wire.answers import Reason
from monitor.wire.batch import FORMAT, MOST_REPORTS, Batch, CycleReport
from monitor.wire.refusal import Refused, malformed
from probes.catalog.endpoint_text import parse_endpoint
from probes.failure_strings import UNKNOWN_PREFIX, Failure
from probes.measurement import Measurement, Purpose
from storage.values.fleet import Enrolment, SeenCycle

AHEAD = 120.0
"""Seconds that a corrected time may be ahead of the collector's clock."""
BACKFILLED = 900.0
"""Seconds after which a cycle is late, at least."""
BACKFILLED_INTERVALS = 3
LONGEST_CYCLE = timedelta(days=7)
"""The longest interval there is. Only a machine that slept in mid-cycle takes longer."""
AROUND = timedelta(minutes=1)
"""By how much a measurement may reach beyond its cycle."""
MOST_MEASUREMENTS = 20_000
"""In one batch."""
MOST_OBSERVATIONS = 500
"""In one measurement."""
LARGEST_MEASUREMENT = 2 * 2**20
"""Bytes of one measurement's JSON."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_NAME = re.compile(r"(?=.{1,40}\Z)[a-z0-9]+(?:[-_][a-z0-9]+)*").fullmatch
_WORD = re.compile(r"[\x20-\x7e]{0,64}").fullmatch
_HOST = re.compile(r"[a-z0-9.:_-]{1,253}").fullmatch
_LONGEST_ENDPOINT = 2048
_LONGEST_FAILURE = 1024
_MOST_WORDS = 64
_FAILURES = frozenset(Failure)

Json = bytes | msgspec.Raw
T = TypeVar("T")


class _Report(CycleReport, frozen=True, kw_only=True):
    """A report whose measurements are still JSON, so that the size of each is checked first."""

    measurements: tuple[msgspec.Raw, ...] = ()  # type: ignore[assignment] # on purpose


class _Batch(Batch, frozen=True, kw_only=True):
    reports: tuple[_Report, ...]


class _Head(msgspec.Struct):
    format: int = 1
    """The first format left its own number out."""


_READ_HEAD = msgspec.json.Decoder(_Head).decode
_READ_BATCH = msgspec.json.Decoder(_Batch).decode
_READ_SMALL_BATCH = msgspec.json.Decoder(Batch).decode
_READ_MEASUREMENT = msgspec.json.Decoder(Measurement).decode


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on the times of a batch."""

    now: datetime
    """UTC; when it was received."""
    earliest: datetime
    """UTC; nothing older is kept."""
    late_after: float
    """Seconds after which a cycle is late."""

    def is_late(self, finished_at: datetime) -> bool:
        """Whether a cycle that ended at that moment (UTC) comes late."""
        return (self.now - finished_at).total_seconds() > self.late_after


def frame_of(now: datetime, interval: float, kept: float) -> Frame:
    """The bounds for a batch received now. `interval` is the seconds between two cycles, `kept` for
    how many seconds measurements are stored, which may be infinite."""
    try:
        earliest = now - timedelta(seconds=kept)
    except OverflowError:
        earliest = datetime.min.replace(tzinfo=UTC)
    late_after = max(BACKFILLED_INTERVALS * interval, BACKFILLED)
    return Frame(now=now, earliest=earliest, late_after=late_after)


class CheckedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a batch, with every time by the collectors' clock."""

    cycles: tuple[SeenCycle, ...]
    measurements: int
    backfilled: int
    """Measurements of late cycles."""


def is_id(text: str) -> bool:
    """Whether it is a UUID in its canonical form."""
    return _ID(text) is not None


def read_batch(body: bytes, sender: Enrolment, frame: Frame) -> CheckedBatch:
    """Read and check an unpacked body. Refused."""
    batch = _decoded(body)
    _check_head(batch, sender)
    seen: set[str] = set()
    cycles = tuple(_cycle(report, sender, frame, seen) for report in batch.reports)
    if len({cycle.id for cycle in cycles}) != len(cycles):
        raise malformed("a cycle is in it twice")
    return CheckedBatch(
        cycles=cycles,
        measurements=len(seen),
        backfilled=sum(len(one.measurements) for one in cycles if one.backfilled),
    )


def _decoded(body: bytes) -> Batch:
    if len(body) <= LARGEST_MEASUREMENT:
        # The usual case. No measurement can be too large, so all is read at once. If that fails,
        # the reading below finds the reason.
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _READ_SMALL_BATCH(body)
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        _check_format(_READ_HEAD(body).format)
    return read_json(_READ_BATCH, body, "batch")


def read_json(read: Callable[[Json], T], body: Json, what: str) -> T:
    """What `body` holds. Refused when that is no `what`."""
    try:
        return read(body)
    except UnicodeDecodeError:
        reason = "not UTF-8"
    except msgspec.MsgspecError as error:
        reason = str(error)[:200]
    except RecursionError:
        reason = "nested too deeply"
    raise malformed(f"no {what}: {reason}")


def _check_format(found: int) -> None:
    if found > FORMAT:
        # An agent that was updated first keeps what it has until the collectors are.
        raise Refused(Reason.NEWER, f"format {found} is of a newer version: update the collector")
    if found != FORMAT:
        raise malformed(f"format {FORMAT} is the one that is read here, not {found}")


def _check_head(batch: Batch, sender: Enrolment) -> None:
    _check_format(batch.format)
    if batch.vantage != sender.vantage:
        raise Refused(Reason.OTHER_VANTAGE, "the batch is of another vantage than its sender")
    if not 0 < len(batch.reports) <= MOST_REPORTS:
        raise malformed(f"1 to {MOST_REPORTS} reports in one batch")
    if sum(len(report.measurements) for report in batch.reports) > MOST_MEASUREMENTS:
        raise malformed(f"more than {MOST_MEASUREMENTS} measurements in one batch")
    if not _WORD(batch.version):
        raise malformed("version is a short word")


def _cycle(report: CycleReport, sender: Enrolment, frame: Frame, seen: set[str]) -> SeenCycle:
    if not _ID(report.cycle):
        raise malformed("a cycle's id is no UUID")
    times = _Times(report.offset, frame)
    started, finished = times.corrected(report.started_at), times.corrected(report.finished_at)
    if finished < started:
        raise malformed("a cycle ended before it began")
    if finished - started > LONGEST_CYCLE:
        raise malformed(
            f"a cycle of more than {LONGEST_CYCLE.days} days, as when the machine slept meanwhile"
        )
    health = _health(report.health, sender, times)
    measurements = tuple(_measurements(report, sender, times, seen))
    if any(
        started - one.started_at > AROUND
        or one.started_at + timedelta(seconds=one.duration) - finished > AROUND
        for one in measurements
    ):
        raise malformed("a measurement began before its cycle or ended after it")
    return SeenCycle(
        country=sender.country,
        id=report.cycle,
        vantage=sender.vantage,
        started_at=started,
        finished_at=finished,
        health=health,
        hurried=report.hurried,
        # A cycle without a date may be of any time.
        backfilled=not report.dated or frame.is_late(finished),
        measurements=measurements,
    )


class _Times:
    """Converts and checks the times of one report."""

    def __init__(self, offset: float, frame: Frame) -> None:
        try:
            self._offset = timedelta(seconds=offset)
        except (OverflowError, ValueError):
            raise malformed("offset is beyond all calendars") from None
        self._shifted = bool(self._offset)
        self._earliest = frame.earliest
        self._latest = frame.now + timedelta(seconds=AHEAD)

    def corrected(self, moment: datetime, lasting: float = 0.0) -> datetime:
        """The moment by the collectors' clock, UTC, of something that lasted so many seconds.
        Refused when it is impossible."""
        if moment.tzinfo is None:
            raise malformed("a time without a zone")
        try:
            found = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
            if self._shifted:
                found += self._offset
            ended = found + timedelta(seconds=lasting)
        except OverflowError:
            raise malformed("a time beyond all calendars") from None
        if ended > self._latest:
            raise Refused(Reason.FUTURE, "a time in the future")
        if found < self._earliest:
            raise Refused(Reason.TOO_OLD, "older than anything stored here")
        return found


def _health(health: VantageHealth, sender: Enrolment, times: _Times) -> VantageHealth:
    """Health with words and numbers of the usual form. Its content is judged elsewhere."""
    whose = (health.vantage, health.country, health.asn, health.network, health.vantage_role)
    if whose != _whose(sender):
        raise Refused(Reason.OTHER_VANTAGE, "the health is of another vantage than its sender")
    words = (health.rule_id, health.exit_country, *health.families, *health.nat64)
    if len(health.passing) > MOST_PASSING or not all(map(_HOST, health.passing)):
        raise malformed("health holds what is no host")
    numbers = (health.timeout_rate, health.clock_skew or 0.0)
    if len(words) > _MOST_WORDS or not all(map(_WORD, words)):
        raise malformed("health holds what is no word of it")
    if not all(map(isfinite, numbers)) or not 0 <= health.timeout_rate <= 1:
        raise malformed("health holds a number that cannot be")
    check_health(health)
    at, began = times.corrected(health.at), health.measured_at
    if began is not None:
        began = min(times.corrected(began), at)
    return msgspec.structs.replace(health, at=at, measured_at=began)


def _whose(sender: Enrolment) -> tuple[str, str, int, str, str]:
    return sender.vantage, sender.country, sender.asn, sender.network, sender.role


def _measurements(
    report: CycleReport, sender: Enrolment, times: _Times, seen: set[str]
) -> Iterator[Measurement]:
    whose, cycle = _whose(sender), report.cycle
    # Agents make no measurement by hand, and only controls measure for others.
    impossible = {Purpose.ADHOC} if sender.role == "control" else {Purpose.ADHOC, Purpose.CONTROL}
    for one in map(_measurement, report.measurements):
        if (one.vantage, one.country, one.asn, one.network, one.vantage_role) != whose:
            raise Refused(
                Reason.OTHER_VANTAGE, "a measurement is of another vantage than its sender"
            )
        if one.cycle != cycle:
            raise malformed("a measurement is of another cycle than its report")
        if one.look in impossible:
            raise malformed(f"a {sender.role} vantage makes no measurement of kind {one.look}")
        _check(one)
        seen_before = len(seen)
        seen.add(one.id)
        if len(seen) == seen_before:
            raise malformed("a measurement is in it twice")
        started = times.corrected(one.started_at, one.duration)
        if started is not one.started_at:
            # Nobody else has this new value: a copy would cost a sixth of the whole check.
            force_setattr(one, "started_at", started)
        yield one


def _measurement(raw: Measurement | msgspec.Raw) -> Measurement:
    if type(raw) is Measurement:  # `isinstance` takes five times as long of such a type
        return raw
    raw = cast("msgspec.Raw", raw)
    if memoryview(raw).nbytes > LARGEST_MEASUREMENT:
        raise malformed(f"a measurement of more than {LARGEST_MEASUREMENT} bytes")
    return read_json(_READ_MEASUREMENT, raw, "measurement")


def _check(one: Measurement) -> None:
    """Check what has a column or a label of its own."""
    if not _ID(one.id):
        raise malformed("a measurement's id is no UUID")
    if not (_NAME(one.platform) and _NAME(one.function)):
        raise malformed("a platform or a function has no usable name")
    if len(one.endpoint) > _LONGEST_ENDPOINT or not _can_be_reached(one.endpoint):
        raise malformed("an endpoint that no catalogue can have")
    if len(one.observations) > MOST_OBSERVATIONS or len(one.not_observed) > _MOST_WORDS:
        raise malformed(f"more than {MOST_OBSERVATIONS} observations in one measurement")
    check_numbers(one)
    for seen in one.observations:
        failure = seen.failure
        if failure is not None and not _is_failure(failure):
            raise malformed("a failure is none of the vocabulary")


@lru_cache(maxsize=4096)
def _can_be_reached(endpoint: str) -> bool:
    """Whether the judge will be able to read it."""
    with suppress(ValueError):
        parse_endpoint(endpoint)
        return endpoint.isprintable()
    return False


def _is_failure(text: str) -> bool:
    if text in _FAILURES:
        return True
    known = text.startswith(UNKNOWN_PREFIX) and len(text) <= _LONGEST_FAILURE
    return known and "\0" not in text
