"""The sequential test of `monitor.analysis.events.sequential_test` on many streams, in numpy.

One row a stream. The same arithmetic in the same order, so phases and times come out equal and
scores to within rounding (numpy's exp and log may differ from the C library's in the last bit).
Times are microseconds since 1970, so that differences are exact.

A cycle is told by its time alone: one that is taken in again has the same start. This is for
processes with very many streams; an agent in the field has no need of it, nor of numpy.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.analysis.events.sequential_test import (
    ACTS,
    CARRIED,
    FORGOTTEN,
    SHORT,
    Baseline,
    Detector,
    DetectorSettings,
    Kind,
    Persistence,
    Phase,
    Reading,
)
from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Codes = NDArray[np.int8]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]

NEVER = np.iinfo(np.int64).min
"""The time of what has not happened."""

PHASES, KINDS, CLINGS = tuple(Phase), tuple(Kind), tuple(Persistence)
GRADES = tuple(EVIDENCE_ORDER)
_UNKNOWN, _CLEAR, _SUSPICIOUS, _SUSPECTED, _BLOCKED, _RECOVERING = range(len(PHASES))
_ACCUSES, _CLEARS, _NEITHER = range(len(KINDS))
_BRIEF = CLINGS.index(Persistence.BRIEF)
_STRONG = EVIDENCE_ORDER[Evidence.STRONG]
_CONCLUSIVE = EVIDENCE_ORDER[Evidence.CONCLUSIVE]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """At most one reading of each stream; every array has one row a stream."""

    at: Times
    """`NEVER` where there is no reading."""
    since: Times
    until: Times
    kind: Codes
    """Place in `KINDS`."""
    llr: Floats
    grade: Codes
    """Rank of the evidence."""
    persistence: Codes
    """Place in `CLINGS`."""
    alone: Bools
    """Enough of this kind confirm without another vantage."""
    control_failed: Bools


class Streams(msgspec.Struct, frozen=True, kw_only=True):
    """`Detector`, field by field, for many streams. Never changed in place."""

    phase: Codes
    """Place in `PHASES`."""
    score: Floats
    end_score: Floats
    onset_earliest: Times
    onset_latest: Times
    end_earliest: Times
    end_latest: Times
    run_at: Times
    at: Times
    accused_at: Times
    cleared_at: Times
    accused_since: Times
    cleared_since: Times
    down_at: Times
    open_since: Times
    best: Floats
    conclusive: Times
    """How many; no time."""
    wrong: Floats
    wrong_strong: Floats
    sent: Floats
    sent_at: Times
    carried: Floats
    known_readings: Floats
    known_wrong: Floats
    known_wrong_strong: Floats
    known_down: Floats

    def __len__(self) -> int:
        return len(self.phase)


def new_streams(count: int) -> Streams:
    """So many streams of which nothing is known."""
    return streams_of([Detector()] * count)


def streams_of(states: Sequence[Detector]) -> Streams:
    """The rows of these states, in their order."""

    def times(name: str) -> Times:
        return np.array([_microseconds(getattr(state, name)) for state in states], dtype=np.int64)

    def floats(name: str) -> Floats:
        return np.array([getattr(state, name) for state in states], dtype=np.float64)

    def known(name: str) -> Floats:
        return np.array([getattr(state.baseline, name) for state in states], dtype=np.float64)

    return Streams(
        phase=np.array([PHASES.index(state.phase) for state in states], dtype=np.int8),
        score=floats("score"),
        end_score=floats("end_score"),
        onset_earliest=times("onset_earliest"),
        onset_latest=times("onset_latest"),
        end_earliest=times("end_earliest"),
        end_latest=times("end_latest"),
        run_at=times("run_at"),
        at=times("at"),
        accused_at=times("accused_at"),
        cleared_at=times("cleared_at"),
        accused_since=times("accused_since"),
        cleared_since=times("cleared_since"),
        down_at=times("down_at"),
        open_since=times("open_since"),
        best=floats("best"),
        conclusive=np.array([state.conclusive for state in states], dtype=np.int64),
        wrong=floats("wrong"),
        wrong_strong=floats("wrong_strong"),
        sent=floats("sent"),
        sent_at=times("sent_at"),
        carried=floats("carried"),
        known_readings=known("readings"),
        known_wrong=known("wrong"),
        known_wrong_strong=known("wrong_strong"),
        known_down=known("down"),
    )


def detector_of(streams: Streams, row: int) -> Detector:
    """The state in one row; its cycle is not known."""

    def time(values: Times) -> datetime | None:
        value = int(values[row])
        return None if value == NEVER else _EPOCH + timedelta(microseconds=value)

    return Detector(
        phase=PHASES[streams.phase[row]],
        score=float(streams.score[row]),
        end_score=float(streams.end_score[row]),
        onset_earliest=time(streams.onset_earliest),
        onset_latest=time(streams.onset_latest),
        end_earliest=time(streams.end_earliest),
        end_latest=time(streams.end_latest),
        run_at=time(streams.run_at),
        at=time(streams.at),
        accused_at=time(streams.accused_at),
        cleared_at=time(streams.cleared_at),
        accused_since=time(streams.accused_since),
        cleared_since=time(streams.cleared_since),
        down_at=time(streams.down_at),
        open_since=time(streams.open_since),
        best=float(streams.best[row]),
        conclusive=int(streams.conclusive[row]),
        wrong=float(streams.wrong[row]),
        wrong_strong=float(streams.wrong_strong[row]),
        sent=float(streams.sent[row]),
        sent_at=time(streams.sent_at),
        carried=float(streams.carried[row]),
        baseline=Baseline(
            readings=float(streams.known_readings[row]),
            wrong=float(streams.known_wrong[row]),
            wrong_strong=float(streams.known_wrong_strong[row]),
            down=float(streams.known_down[row]),
        ),
    )


def readings_of(readings: Sequence[Reading | None]) -> Readings:
    """One row for each; None where a stream has no reading."""
    none = Reading(at=_EPOCH, cycle="", kind=Kind.NEITHER)
    given = [reading or none for reading in readings]
    at = [NEVER if reading is None else _microseconds(reading.at) for reading in readings]
    return Readings(
        at=np.array(at, dtype=np.int64),
        since=np.array([_microseconds(r.since or r.at) for r in given], dtype=np.int64),
        until=np.array([_microseconds(r.until or r.at) for r in given], dtype=np.int64),
        kind=np.array([KINDS.index(r.kind) for r in given], dtype=np.int8),
        llr=np.array([r.llr for r in given], dtype=np.float64),
        grade=np.array([EVIDENCE_ORDER[r.evidence] for r in given], dtype=np.int8),
        persistence=np.array([CLINGS.index(r.persistence) for r in given], dtype=np.int8),
        alone=np.array([r.alone for r in given], dtype=np.bool_),
        control_failed=np.array([r.control_failed for r in given], dtype=np.bool_),
    )


def suspicious_rows(streams: Streams) -> Bools:
    """Which streams to hurry, as `monitor.analysis.events.sequential_test.suspicious` says."""
    undecided: Bools = np.isin(streams.phase, (_SUSPICIOUS, _SUSPECTED, _RECOVERING))
    return undecided


def update_all(streams: Streams, readings: Readings, settings: DetectorSettings) -> Streams:
    """All streams after one more reading each. Raises ValueError when the rows do not match."""
    if len(readings.at) != len(streams):
        raise ValueError(f"{len(readings.at)} readings for {len(streams)} streams")
    after = _copy(streams)
    taken = readings.at > streams.at
    apart = taken & (readings.kind == _ACCUSES) & (streams.open_since != NEVER)
    apart &= _seconds(streams.accused_at, readings.at) > settings.gap
    _fade(after, np.flatnonzero(taken), readings.at, settings)
    standing = (after.phase == _BLOCKED) | (after.phase == _RECOVERING)
    accused = taken & (readings.kind == _ACCUSES)
    cleared = taken & (readings.kind == _CLEARS)
    down = taken & (readings.kind == _NEITHER) & readings.control_failed
    _accuse(after, np.flatnonzero(accused & ~standing), readings, settings)
    _accuse_again(after, np.flatnonzero(accused & standing), readings, settings)
    _begin(after, np.flatnonzero(apart), readings)
    _clear(after, np.flatnonzero(cleared & ~standing), readings, settings)
    _clear_again(after, np.flatnonzero(cleared & standing), readings, settings)
    _learn(after, np.flatnonzero(down), settings, down=1.0)
    np.copyto(after.down_at, readings.at, where=down)
    np.copyto(after.at, readings.at, where=taken)
    return after


# -- the four cases, each on the rows it concerns; they write into the copy ----------------------


def _accuse(s: Streams, rows: Rows, readings: Readings, settings: DetectorSettings) -> None:
    if not rows.size:
        return
    at, fresh_run = readings.at[rows], s.score[rows] == 0.0
    new = rows[fresh_run]
    _begin(s, new, readings)
    late = rows[s.open_since[rows] != NEVER]
    s.onset_latest[late] = readings.until[late]
    s.best[new] = s.wrong[new] = s.wrong_strong[new] = s.sent[new] = 0.0
    s.conclusive[new] = 0
    s.carried[new[_seconds(s.sent_at[new], readings.at[new]) > CARRIED]] = 0.0
    grade = readings.grade[rows]
    conclusive, strong = grade == _CONCLUSIVE, grade >= _STRONG
    before = s.score[rows]
    same = _same(s, rows, readings, settings)
    alone = _alone(s, rows, readings, settings, standing=False)
    upgrade = np.maximum(0.0, alone - s.best[rows])
    first = np.maximum(upgrade, alone - before)
    proof = np.where(s.conclusive[rows] > 0, alone, first)
    gain = np.maximum(_weighed(same, alone), upgrade)
    outage = settings.outage.again * np.exp(-_seconds(s.down_at[rows], at) / settings.outage.length)
    gain = np.where(outage > 0.0, np.minimum(gain, _weighed(outage, alone)), gain)
    gain = np.where(conclusive, proof, gain)
    score = before + gain
    sent = conclusive | ((readings.persistence[rows] == _BRIEF) & strong)
    carried = s.carried[rows]
    score = np.where(sent & (s.sent[rows] == 0.0), score + carried, score)
    capped = np.minimum(score, np.maximum(before, settings.confirm_at - SHORT))
    score = np.where(readings.alone[rows], score, capped)
    suspected = (score >= settings.suspect_at) | (s.phase[rows] == _SUSPECTED)
    confirmed = (score >= settings.confirm_at) & ((before > 0.0) | (carried > 0.0))
    phase = np.where(suspected, _SUSPECTED, _SUSPICIOUS)
    s.phase[rows] = np.where(confirmed, _BLOCKED, phase)
    s.score[rows] = score
    s.sent[rows] = np.where(sent, np.maximum(s.sent[rows], alone), s.sent[rows])
    s.sent_at[rows[sent]] = at[sent]
    s.accused_at[rows] = at
    s.accused_since[rows] = readings.since[rows]
    s.open_since[rows] = NEVER
    s.best[rows] = np.maximum(s.best[rows], alone)
    s.conclusive[rows] += conclusive
    fresh = np.where(conclusive, 0.0, (1.0 - same) * (1.0 - outage))
    s.wrong[rows] += fresh
    s.wrong_strong[rows] += np.where(strong, fresh, 0.0)


def _accuse_again(s: Streams, rows: Rows, readings: Readings, settings: DetectorSettings) -> None:
    if not rows.size:
        return
    alone = _alone(s, rows, readings, settings, standing=True)
    end_score = np.maximum(0.0, s.end_score[rows] - alone)
    s.phase[rows] = np.where(end_score > 0.0, _RECOVERING, _BLOCKED)
    s.end_score[rows] = end_score
    s.end_earliest[rows[end_score <= 0.0]] = NEVER
    s.end_latest[rows] = s.open_since[rows] = NEVER
    s.accused_at[rows] = readings.at[rows]
    s.accused_since[rows] = readings.since[rows]
    s.conclusive[rows] += readings.grade[rows] == _CONCLUSIVE


def _clear(s: Streams, rows: Rows, readings: Readings, settings: DetectorSettings) -> None:
    if not rows.size:
        return
    at = readings.at[rows]
    s.score[rows] = np.maximum(0.0, s.score[rows] + readings.llr[rows])
    nothing = s.score[rows] == 0.0
    _opened(s, rows, readings)
    phase = s.phase[rows]
    dropped = nothing & (phase == _SUSPICIOUS)
    over = rows[dropped | (nothing & (phase == _SUSPECTED))]
    s.end_earliest[over] = s.accused_since[over]
    s.end_latest[over] = s.open_since[over]
    wrong = np.where(dropped, s.wrong[rows], 0.0)
    strong = np.where(dropped, s.wrong_strong[rows], 0.0)
    s.carried[rows] = np.maximum(0.0, s.carried[rows] + math.log(1.0 - ACTS))
    showed = over[s.sent[over] != 0.0]
    s.carried[showed] += s.sent[showed] + math.log(ACTS)
    s.phase[rows[nothing]] = _CLEAR
    s.cleared_at[rows] = at
    s.cleared_since[rows] = readings.since[rows]
    _learn(s, rows, settings, right=1.0, wrong=wrong, strong=strong)


def _clear_again(s: Streams, rows: Rows, readings: Readings, settings: DetectorSettings) -> None:
    if not rows.size:
        return
    at = readings.at[rows]
    again = settings.leak.again * np.exp(-_seconds(s.cleared_at[rows], at) / settings.leak.length)
    same = np.where(s.end_score[rows] > 0.0, again, 0.0)
    end_score = s.end_score[rows] - np.log(same + (1.0 - same) * np.exp(readings.llr[rows]))
    over = end_score >= settings.end_at
    recovering = s.phase[rows] == _RECOVERING
    s.phase[rows] = np.where(over, _CLEAR, _RECOVERING)
    s.score[rows[over]] = 0.0
    s.end_score[rows] = np.where(over, 0.0, end_score)
    s.open_since[rows[~recovering]] = NEVER
    _opened(s, rows, readings)
    s.end_earliest[rows] = np.where(
        s.end_earliest[rows] == NEVER, s.accused_since[rows], s.end_earliest[rows]
    )
    s.end_latest[rows] = s.open_since[rows]
    s.cleared_at[rows] = at
    s.cleared_since[rows] = readings.since[rows]


# -- what they share -----------------------------------------------------------------------------


def _begin(s: Streams, rows: Rows, readings: Readings) -> None:
    s.run_at[rows] = readings.at[rows]
    s.onset_earliest[rows] = s.cleared_since[rows]
    s.onset_latest[rows] = readings.until[rows]
    s.end_earliest[rows] = s.end_latest[rows] = NEVER


def _opened(s: Streams, rows: Rows, readings: Readings) -> None:
    open_since = s.open_since[rows]
    s.open_since[rows] = np.where(open_since == NEVER, readings.until[rows], open_since)


def _weighed(same: Floats, alone: Floats) -> Floats:
    return -np.log(same + (1.0 - same) * np.exp(-alone))


def _same(s: Streams, rows: Rows, readings: Readings, settings: DetectorSettings) -> Floats:
    kinds = {
        Persistence.BRIEF: settings.brief,
        Persistence.NARROW: settings.narrow,
        Persistence.SLOW: settings.slow,
    }
    each = [kinds.get(persistence, settings.lasting) for persistence in CLINGS]
    again = np.array([episodes.again for episodes in each])
    length = np.array([episodes.length for episodes in each])
    persistence = readings.persistence[rows]
    seconds = _seconds(s.accused_at[rows], readings.at[rows])
    same = again[persistence] * np.exp(-seconds / length[persistence])
    alone = (s.score[rows] == 0.0) | (readings.grade[rows] == _CONCLUSIVE)
    return np.where(alone, 0.0, same)


def _alone(
    s: Streams, rows: Rows, readings: Readings, settings: DetectorSettings, *, standing: bool
) -> Floats:
    llr, grade = readings.llr[rows], readings.grade[rows]
    strong = grade >= _STRONG
    prior = np.exp(-llr)
    known, down = s.known_readings[rows], s.known_down[rows]
    count = np.where(strong, s.known_wrong_strong[rows], s.known_wrong[rows])
    total = settings.prior_wrong / prior + known
    if not standing:
        count = count + np.where(strong, s.wrong_strong[rows], s.wrong[rows])
        total = total + s.wrong[rows]
    rate = (settings.prior_wrong + count) / total
    cap = np.where(strong, settings.cap_strong, settings.cap_weak) + down / (known + down + 1.0)
    rate = np.minimum(1.0, np.maximum(prior, np.minimum(rate, cap)))
    return np.where(grade == _CONCLUSIVE, llr, -np.log(rate))


def _learn(
    s: Streams,
    rows: Rows,
    settings: DetectorSettings,
    *,
    right: float = 0.0,
    wrong: Floats | float = 0.0,
    strong: Floats | float = 0.0,
    down: float = 0.0,
) -> None:
    if not rows.size:
        return
    readings = s.known_readings[rows] + right + wrong
    downs = s.known_down[rows] + down
    keep = np.minimum(1.0, settings.memory / (readings + downs))
    s.known_readings[rows] = readings * keep
    s.known_wrong[rows] = (s.known_wrong[rows] + wrong) * keep
    s.known_wrong_strong[rows] = (s.known_wrong_strong[rows] + strong) * keep
    s.known_down[rows] = downs * keep


def _fade(s: Streams, rows: Rows, at: Times, settings: DetectorSettings) -> None:
    known = np.maximum(s.accused_at[rows], s.cleared_at[rows])
    silent = _seconds(known, at[rows])
    long = (known != NEVER) & (silent > settings.gap)
    rows, silent = rows[long], silent[long]
    if not rows.size:
        return
    keep = 0.5 ** ((silent - settings.gap) / settings.gap)
    score, end_score = s.score[rows] * keep, s.end_score[rows] * keep
    phase = s.phase[rows]
    standing = (phase == _BLOCKED) | (phase == _RECOVERING)
    recovering = standing & (end_score >= FORGOTTEN)
    blocked = rows[standing & ~recovering]
    s.end_earliest[blocked] = s.end_latest[blocked] = NEVER
    s.end_score[rows] = np.where(recovering, end_score, 0.0)
    suspected = ~standing & (phase == _SUSPECTED)
    forgotten = ~standing & ~suspected & (score < FORGOTTEN)
    score = np.where(suspected, np.maximum(score, FORGOTTEN), np.where(forgotten, 0.0, score))
    s.score[rows] = np.where(standing, s.score[rows], score)
    phase = np.where(standing, np.where(recovering, _RECOVERING, _BLOCKED), phase)
    s.phase[rows] = np.where(forgotten, _UNKNOWN, phase)


def _seconds(earlier: Times, later: Times) -> Floats:
    """As `math.inf` where the earlier time never was."""
    return np.where(earlier == NEVER, math.inf, (later - earlier) / 1e6)


def _copy(streams: Streams) -> Streams:
    return Streams(**{name: getattr(streams, name).copy() for name in streams.__struct_fields__})


def _microseconds(at: datetime | None) -> int:
    return NEVER if at is None else (at - _EPOCH) // _MICROSECOND
