"""A country's cycles through our events and through the rivals', clean stretches at a jump.

A cycle in which nothing can be seen is like any other such, so only the cycles near episodes are
looked at one by one. Between them all rules get the clean cycles they would have got: the rivals in
closed form, ours one by one, or, after more of them than a stream remembers, by taking up the book
of a country that has seen nothing else. A test holds this equal to going through every cycle.
"""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from benchmarks.simulation.cycle_times import begins, lasts
from benchmarks.simulation.looks import placed
from benchmarks.simulation.rivals import OURS, RULES, Alarm, Rule, merged, sample_of
from benchmarks.simulation.world import BUCKET, CLEAN, Seen, World
from monitor.analysis.events.detection import EventBook, advance
from monitor.analysis.events.event import Event, EventKind
from monitor.analysis.events.sequential_test import (
    Detector,
    DetectorSettings,
    Phase,
    reading_of,
    suspicious,
    update,
)
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.verdict import Evidence, PlatformVerdict
from monitor.app.schedule import SHORT_TESTS
from probes.measure.line_pace import FLOOR

START = datetime(2025, 1, 6, tzinfo=UTC)
FAST = EventSettings().fast_lane
"""Seconds from the start of a hurried cycle to that of the next."""
SHORT = FLOOR
"""Seconds until a short test between two turns is given up."""
WARM_UP = 2016
"""Clean cycles after which a stream remembers nothing else: its detector's `memory`."""
CALM = 3
"""Clean cycles a window begins and ends with."""
ASNS = (17557, 59257, 45669, 9541, 23674, 24499, 38264, 45595)


SHARED_FAULT = 0.005
"""Chance that a fault on one network shows on another network of the country as well."""

TEST_ALONE = "sequential test alone"
"""The detector without the event layer: suspected and confirmed by `joint_score` of the country's
networks, over when all of them are clear."""


def joint_score(scores: Iterable[float]) -> float:
    """The score of a country from the scores of its networks, to compare with `confirm_at`.

    The highest score counts in full. Each further one adds at most -ln(SHARED_FAULT), since a
    fault of the platform's nearest servers can show on several networks.
    """
    ranked = sorted(scores, reverse=True)
    return sum(ranked[:1]) + sum(min(score, -math.log(SHARED_FAULT)) for score in ranked[1:])


class Outcome(msgspec.Struct, frozen=True):
    """What one simulated stretch came to."""

    alarms: Mapping[str, list[Alarm]]
    """By rule."""
    fast: int
    """Cycles of the fast lane."""
    readings: Mapping[str, int]
    """Base cycles that accused, by evidence."""


def simulate(
    world: World,
    buckets: int,
    settings: EventSettings,
    *,
    rivals: bool = True,
    fast_lane: bool = True,
    jump: bool = True,
) -> Outcome:
    """So many base intervals of one country. Without `jump` every cycle is gone through."""
    base = [_base_cycles(world, vantage, buckets) for vantage in range(world.vantages)]
    ours = _Ours(world, settings, buckets, fast_lane=fast_lane, jump=jump)
    accusing = sorted(
        {bucket for one in base for bucket, _, seen in one if _accuses(seen)}
        | (_met_between(world, buckets) if fast_lane else set())
    )
    ours.run(accusing if jump else range(buckets))
    alarms: dict[str, list[Alarm]] = {OURS: ours.alarms(), TEST_ALONE: ours.test.alarms}
    if rivals:
        for name, make in RULES.items():
            alarms[name] = merged([_alarms(make(), one, buckets) for one in base])
    readings: dict[str, int] = {}
    for one in base:
        for _, _, seen in one:
            if _accuses(seen):
                grade = seen.verdict.evidence.value
                readings[grade] = readings.get(grade, 0) + 1
    return Outcome(alarms=alarms, fast=ours.fast, readings=readings)


def start_of(world: World, vantage: int, bucket: int) -> float:
    """When the base cycle of a vantage in this bucket starts: as the schedule has it."""
    rng = random.Random(hash((world.seed, vantage, bucket, 1)) & 0xFFFFFFFF)
    return bucket * BUCKET + begins(vantage, world.vantages, rng)


def between(world: World, vantage: int, bucket: int) -> list[float]:
    """When the short tests before the next base cycle of a vantage start."""
    rng = random.Random(hash((world.seed, vantage, bucket, 3)) & 0xFFFFFFFF)
    return [
        (bucket + share) * BUCKET + begins(vantage, world.vantages, rng) for share in SHORT_TESTS
    ]


def _met_between(world: World, buckets: int) -> set[int]:
    """Buckets in which a short test has a cycle begin that accuses."""
    return {
        bucket
        for vantage in range(world.vantages)
        for bucket in {later for one in world.dirty(vantage) for later in (one - 1, one)}
        if 0 <= bucket < buckets
        and any(
            not world.answers(vantage, at) and _accuses(world.cycle(vantage, at + SHORT))
            for at in between(world, vantage, bucket)
        )
    }


def _base_cycles(world: World, vantage: int, buckets: int) -> list[tuple[int, float, Seen]]:
    """Bucket, start and outcome of the base cycles that differ from a clean one."""
    found = []
    for bucket in world.dirty(vantage):
        if bucket < buckets:
            at = start_of(world, vantage, bucket)
            seen = world.cycle(vantage, at)
            if seen.verdict is not CLEAN.verdict:
                found.append((bucket, at, seen))
    return found


def _accuses(seen: Seen) -> bool:
    return seen.verdict.evidence is not Evidence.NONE


def _alarms(
    rule: Rule, cycles: Sequence[tuple[int, float, Seen]], buckets: int
) -> list[tuple[float, bool]]:
    """When one stream's alarm rose and fell."""
    changes: list[tuple[float, bool]] = []
    state, last = False, -1
    for bucket, at, seen in cycles:
        if bucket - last > 1:
            until = (bucket - 1) * BUCKET
            state = _note(changes, state, rule.rest(bucket - last - 1, until), until)
        judged = at + lasts(seen)
        state = _note(changes, state, rule.take(sample_of(seen.verdict, judged)), judged)
        last = bucket
    if buckets - 1 > last:
        until = (buckets - 1) * BUCKET
        _note(changes, state, rule.rest(buckets - 1 - last, until), until)
    return changes


def _note(changes: list[tuple[float, bool]], before: bool, after: bool, at: float) -> bool:
    if before != after:
        changes.append((at, after))
    return after


class _Ours:
    """Our detector and events, with the fast lane."""

    def __init__(
        self, world: World, settings: EventSettings, buckets: int, *, fast_lane: bool, jump: bool
    ) -> None:
        self._world, self._settings, self._buckets = world, settings, buckets
        self._fast_lane, self._jump = fast_lane, jump
        self._detecting = DetectorSettings()
        self._fresh, self._warm = _warm(world.vantages, settings)
        self._book: EventBook = self._fresh
        self._streams = list(self._warm)
        self._done = -1
        self._ids: dict[str, Event] = {}
        self.test = _TestAlone(self._detecting)
        self.fast = 0

    def run(self, interesting: Sequence[int]) -> None:
        """Go through the cycles around these buckets."""
        for bucket in interesting:
            if bucket > self._done:
                self._skip_to(max(self._done + 1, bucket - CALM) if self._jump else bucket)
                self._window(set(interesting), max(self._done + 1, bucket - CALM))

    def alarms(self) -> list[Alarm]:
        """All events there were."""
        found = []
        for event in self._ids.values():
            confirmed = event.confirmed_at
            over = event.updated_at if not event.active else None
            found.append(
                Alarm(
                    _seconds(event.detected_at),
                    _seconds(confirmed) if confirmed else float("inf"),
                    _seconds(over) if over else float("inf"),
                    _seconds(event.onset_latest),
                )
            )
        return sorted(found, key=lambda alarm: alarm.suspected)

    def _skip_to(self, bucket: int) -> None:
        clean = bucket - self._done - 1
        if clean <= 0:
            return
        if clean >= WARM_UP:
            self._book, self._streams = self._fresh, list(self._warm)
        else:
            for number in range(self._done + 1, bucket):
                for vantage in range(self._world.vantages):
                    self._take(vantage, start_of(self._world, vantage, number), CLEAN)
        self._done = bucket - 1

    def _window(self, interesting: set[int], first: int) -> None:
        """Cycle by cycle from this bucket on until nothing is left open."""
        due = {
            vantage: (start_of(self._world, vantage, first), first)
            for vantage in range(self._world.vantages)
        }
        short: dict[tuple[float, int], int] = {}
        """Short tests to come: time and vantage → the bucket whose base cycle was before it."""
        calm = 0
        bucket = first
        while True:
            events = [(at, False, vantage) for vantage, (at, _) in due.items()]
            at, is_short, vantage = min([*events, *((at, True, one) for at, one in short)])
            _, number = due[vantage]
            if is_short:
                before = short.pop((at, vantage))
                clear = self._streams[vantage].phase in (Phase.CLEAR, Phase.UNKNOWN)
                if clear and before < number and not self._world.answers(vantage, at):
                    due[vantage] = (at + SHORT, before)
                continue
            if number > bucket:
                bucket = number
                ahead = any(number + more in interesting for more in range(CALM + 2))
                calm = 0 if ahead or self._open() else calm + 1
                if calm > CALM or number >= self._buckets:
                    break
            base = start_of(self._world, vantage, number)
            hurried = at > base
            self.fast += hurried
            seen = self._world.cycle(vantage, at)
            self._take(vantage, at, seen, hurried=hurried)
            following = start_of(self._world, vantage, number + 1)
            ended = at + lasts(seen, hurried=hurried)
            if self._fast_lane and at <= base:
                for test in between(self._world, vantage, number):
                    short[max(test, ended), vantage] = number
            soon = max(at + FAST, ended + 1.0)
            if self._fast_lane and suspicious(self._streams[vantage]) and soon < following - 1.0:
                due[vantage] = (soon, number)
            else:
                due[vantage] = (max(following, ended + 1.0), number + 1)
        self._done = bucket - 1

    def _open(self) -> bool:
        return bool(self._book.active) or any(
            stream.phase not in (Phase.CLEAR, Phase.UNKNOWN) for stream in self._streams
        )

    def _take(self, vantage: int, at: float, seen: Seen, *, hurried: bool = False) -> None:
        verdict = _placed(seen, vantage, at, hurried=hurried)
        self._streams[vantage] = update(
            self._streams[vantage], reading_of(verdict), self._detecting
        )
        self.test.take(self._streams, at + lasts(seen, hurried=hurried))
        step = advance(self._book, [verdict], self._settings)
        self._book = step.book
        for event in step.changed:
            if event.kind is EventKind.BLOCK:
                self._ids[event.id] = event


class _TestAlone:
    """Alarms straight from the streams."""

    def __init__(self, settings: DetectorSettings) -> None:
        self._settings = settings
        self.alarms: list[Alarm] = []
        self._open: Alarm | None = None

    def take(self, streams: Sequence[Detector], at: float) -> None:
        """Look at all streams after one of them changed."""
        joint = joint_score(stream.score for stream in streams)
        blocked = any(stream.blocked for stream in streams)
        sure = blocked or joint >= self._settings.confirm_at
        if self._open is None:
            if joint < self._settings.suspect_at:
                return
            onset = min(
                _seconds(s.onset_latest) for s in streams if s.score > 0.0 and s.onset_latest
            )
            self._open = Alarm(at, math.inf, math.inf, onset)
            self.alarms.append(self._open)
        alarm = self._open
        if sure and alarm.confirmed == math.inf:
            alarm = msgspec.structs.replace(alarm, confirmed=at)
        if not any(stream.score > 0.0 for stream in streams):
            alarm = msgspec.structs.replace(alarm, over=at)
        self.alarms[-1] = alarm
        self._open = alarm if alarm.over == math.inf else None


def _placed(seen: Seen, vantage: int, at: float, *, hurried: bool = False) -> PlatformVerdict:
    return placed(
        seen.verdict,
        vantage=f"v{vantage}",
        asn=ASNS[vantage],
        started_at=START + timedelta(seconds=at),
        duration=seen.duration,
        judged=lasts(seen, hurried=hurried),
    )


_WARM: dict[tuple[int, bytes], tuple[EventBook, tuple[Detector, ...]]] = {}


def _warm(vantages: int, settings: EventSettings) -> tuple[EventBook, tuple[Detector, ...]]:
    """Book and detectors of a country that has seen nothing but clean cycles."""
    key = (vantages, msgspec.json.encode(settings))
    if key not in _WARM:
        book, detecting = EventBook(), DetectorSettings()
        streams = [Detector()] * vantages
        for number in range(-WARM_UP, 0):
            for vantage in range(vantages):
                verdict = _placed(CLEAN, vantage, number * BUCKET + BUCKET * vantage / vantages)
                streams[vantage] = update(streams[vantage], reading_of(verdict), detecting)
                book = advance(book, [verdict], settings).book
        _WARM[key] = (book, tuple(streams))
    return _WARM[key]


def _seconds(at: datetime) -> float:
    return (at - START).total_seconds()
