"""Which platforms to measure again out of turn: those about which the detector cannot decide.

A first sign of a block is worth little five minutes later. So a vantage measures these platforms
again, and its references, every `fast_lane` seconds, until the detector has decided either way.
Limits:

* the bytes kept for suspicion (`monitor.budget.budget`), and `PER_HOUR` such cycles of one vantage;
* `IN_A_ROW` of them for a platform without the detector changing its mind: further ones would tell
  nothing new, and the platform is measured on schedule until something changes;
* a quiet vantage makes none: they would show on the line;
* throttling has a schedule of its own: these cycles would only repeat its last verdict.

Between two turns each vantage tests every platform about which nothing is suspicious, shortly and
twice (`monitor.measuring.between_turns`), and measures those that did not answer. Where that comes
to nothing, such tests of the platform pause, each time for twice as long.

When a platform becomes suspicious at one vantage, the others of the country measure it once at
once: what two networks see is worth more than what one sees twice.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from monitor.analysis.events.detection import EventBook
from monitor.analysis.events.sequential_test import Phase, suspicious
from monitor.analysis.verdict import State
from monitor.budget.budget import Allotment
from monitor.budget.ledger import Ledger
from monitor.config.settings import Settings
from monitor.measuring.between_turns import ShortTests
from probes.catalog.catalog import Platform
from probes.vantage import Profile, VantagePoint, VantageRole
from storage.values.cycle import Cycle

PER_HOUR = 60
IN_A_ROW = 12
SPARED_AT_MOST = 16
"""Short tests of a platform that are left out in a row because earlier ones came to nothing."""
_HOUR = timedelta(hours=1)
_TWICE = 2
"""Expected tests of an endpoint: what is suspicious is repeated."""


class FastLane:
    """Decides for every vantage; use from one thread."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._recent: dict[str, deque[datetime]] = {}
        self._row: dict[tuple[str, str], tuple[Phase, int]] = {}
        self._called: set[tuple[str, str]] = set()
        """Country and platform for which the other vantages were asked, until it is clear."""
        self._in_vain: dict[tuple[str, str], tuple[int, int]] = {}
        """How many short tests to leave out, and how many were left out since, by vantage and
        platform."""

    def use(self, settings: Settings) -> None:
        """Use other settings from now on."""
        self._settings = settings

    @property
    def pace(self) -> float:
        """Seconds from one such cycle to the next."""
        return self._settings.events.fast_lane

    def wanted(self, vantage: VantagePoint, cycle: Cycle, book: EventBook) -> frozenset[str]:
        """The platforms to measure again soon, once a cycle of this vantage is recorded."""
        if not self._allowed(vantage, cycle.finished_at):
            return frozenset()
        names = {
            verdict.platform
            for verdict in cycle.platforms
            if self._undecided(vantage, verdict.platform, book)
            and verdict.state is not State.THROTTLED
        }
        affordable = self._affordable(vantage, names)
        for name in affordable:
            phase, count = self._row[vantage.id, name]
            self._row[vantage.id, name] = (phase, count + 1)
        if affordable:
            self._recent.setdefault(vantage.id, deque()).append(cycle.finished_at)
        return affordable

    def short_tests(self, vantage: VantagePoint, book: EventBook) -> frozenset[str]:
        """The platforms to test now, between two turns of this vantage."""
        if not self.measures(vantage):
            return frozenset()
        wanted = set()
        for platform in self._settings.catalog.platforms:
            key = (vantage.id, platform.name)
            if self._phase(vantage, platform.name, book) not in (Phase.CLEAR, Phase.UNKNOWN):
                self._in_vain.pop(key, None)  # measured soon anyhow, or known to be blocked
                continue
            most, left_out = self._in_vain.get(key, (0, 0))
            if left_out < most:
                self._in_vain[key] = (most, left_out + 1)
                continue
            wanted.add(platform.name)
        return frozenset(wanted)

    def unanswered(self, vantage: VantagePoint, found: ShortTests) -> frozenset[str]:
        """The platforms to measure at once, after the short tests of this vantage."""
        for name in found.answered:
            self._in_vain.pop((vantage.id, name), None)
        if not self._allowed(vantage, found.at):
            return frozenset()
        affordable = self._affordable(vantage, found.silent)
        for name in affordable:
            most, _ = self._in_vain.get((vantage.id, name), (0, 0))
            self._in_vain[vantage.id, name] = (min(2 * most or 1, SPARED_AT_MOST), 0)
        if affordable:
            self._recent.setdefault(vantage.id, deque()).append(found.at)
        return affordable

    def witnesses(
        self, vantage: VantagePoint, cycle: Cycle, book: EventBook
    ) -> list[tuple[VantagePoint, frozenset[str]]]:
        """The other vantages of the country that should measure now, and what, once a cycle of this
        one is recorded: each platform once, until it is clear everywhere again."""
        new = set()
        for platform in {verdict.platform for verdict in cycle.platforms}:
            place = (vantage.country, platform)
            timeline = book.places.get(place)
            streams = timeline.current.streams.values() if timeline is not None else ()
            phases = {stream.detector.phase for stream in streams}
            if phases <= {Phase.CLEAR, Phase.UNKNOWN}:
                self._called.discard(place)
            elif place not in self._called and phases & {Phase.SUSPICIOUS, Phase.SUSPECTED}:
                self._called.add(place)
                new.add(platform)
        found = []
        for other in self._settings.vantages if new else ():
            beside = other.country == vantage.country and other.id != vantage.id
            if beside and self._allowed(other, cycle.finished_at):
                affordable = self._affordable(other, new)
                if affordable:
                    self._recent.setdefault(other.id, deque()).append(cycle.finished_at)
                    found.append((other, affordable))
        return found

    def measures(self, vantage: VantagePoint) -> bool:
        """Whether this vantage measures out of turn at all."""
        if not 0 < self.pace < self._settings.interval:
            return False
        return vantage.role is VantageRole.FIELD and vantage.profile is not Profile.QUIET

    def _allowed(self, vantage: VantagePoint, now: datetime) -> bool:
        if not self.measures(vantage):
            return False
        recent = self._recent.get(vantage.id, deque())
        while recent and now - recent[0] > _HOUR:
            recent.popleft()
        return len(recent) < PER_HOUR

    def _phase(self, vantage: VantagePoint, platform: str, book: EventBook) -> Phase:
        timeline = book.places.get((vantage.country, platform))
        stream = timeline.current.streams.get(vantage.id) if timeline is not None else None
        return Phase.UNKNOWN if stream is None else stream.detector.phase

    def _undecided(self, vantage: VantagePoint, platform: str, book: EventBook) -> bool:
        timeline = book.places.get((vantage.country, platform))
        stream = timeline.current.streams.get(vantage.id) if timeline is not None else None
        key = (vantage.id, platform)
        if stream is None or not suspicious(stream.detector):
            self._row.pop(key, None)
            return False
        phase, count = self._row.get(key, (stream.detector.phase, 0))
        if phase is not stream.detector.phase:
            count = 0
        self._row[key] = (stream.detector.phase, count)
        return count < IN_A_ROW

    def _affordable(self, vantage: VantagePoint, names: Iterable[str]) -> frozenset[str]:
        """As many of these as the bytes kept for suspicion suffice for, the cheapest first."""
        costs = sorted(
            (self._cost(vantage, platform), platform.name)
            for platform in self._settings.catalog.platforms
            if platform.name in names
        )
        taken: list[str] = []
        total = 0
        for cost, name in costs:
            total += cost
            if not self._ledger.affords(vantage.id, Allotment.SUSPICION, total):
                break
            taken.append(name)
        return frozenset(taken)

    def _cost(self, vantage: VantagePoint, platform: Platform) -> int:
        endpoints = (endpoint for function in platform.functions for endpoint in function.endpoints)
        return _TWICE * sum(self._ledger.usual(vantage.id, one.id) for one in endpoints)
