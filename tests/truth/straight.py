"""A world told straight, so that very many can be: no store, no server, one language.

What a cycle of a network in each condition finds is measured and judged by the real path once, and
remembered: later cycles in the same condition have the same verdicts at other times. Detection, the
publisher, the pages' own functions and templates, messages, the report, the API's and the files'
rows and the metrics are those of the program.
"""

import asyncio
import csv
import io
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from monitor.analysis.coverage import Coverage, Tallies, coverage_of
from monitor.analysis.events.detection import EventBook, Rebuild, Step, key_of, pass_time
from monitor.analysis.events.event import Event, EventKind, EventLogEntry, EventState
from monitor.analysis.verdict import PlatformVerdict, VantageState
from monitor.app.cycle_job import measure_and_judge
from monitor.config.settings import Settings
from monitor.export.coverage import coverage_object
from monitor.export.csv import header, value_lines
from monitor.export.kinds import EXPORTS, Kind
from monitor.export.public_view import PublicView, is_public
from monitor.export.stretches import rows_of
from monitor.judging.judge_cycle import judge_cycle
from monitor.judging.quarantine import NOBODY
from monitor.measuring.controls import LocalControls
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.probers import Probers
from monitor.metrics.publisher import Publisher
from monitor.metrics.snapshot import Snapshot
from monitor.notify.body import NoticeContent
from monitor.notify.message import message, section
from monitor.notify.names_without_markup import message_words
from monitor.notify.notice_kinds import notice_kind_of
from monitor.report.batches import Signed
from monitor.report.compose import document
from monitor.report.findings import Findings, Imprint, Story, Wanted
from monitor.report.lanes import lanes_of
from monitor.server import compare_page, pages
from monitor.server.api.json_rows import json_rows
from monitor.server.compare import CompareAsked
from monitor.server.event_filter import EventFilter
from monitor.server.event_shown import event_shown
from monitor.server.events_shown import events_shown
from monitor.server.history import SPANS, HistoryAsked
from monitor.server.listed_events import public_snapshot
from monitor.server.page import Reader, render
from monitor.server.present_shown import now_shown, over_shown
from monitor.wording.coverage import coverage_sentences
from monitor.wording.languages import BY_CODE
from probes.testing import VirtualClockLoop
from probes.vantage import VantageRole
from storage.values.cycle import Cycle
from storage.values.history_cell import HistoryCell
from storage.values.log import LogHead
from storage.values.rollup import COUNTS, Availability, counted
from storage.values.selection import Selection
from storage.values.times import text_time
from tests.truth.check import Told
from tests.truth.extract import false_claims
from tests.truth.live import (
    CONTROLS,
    STAGGER,
    TIME_PASSES,
    TITLES,
    Sent,
    network_of,
    settings,
)
from tests.truth.reading import FalseClaim
from tests.truth.surfaces import (
    Answer,
    Page,
    Report,
    Surfaces,
    mapped,
    page_of,
    picture_of,
    scraped,
)
from tests.truth.world import (
    COUNTRY,
    INTERVAL,
    PLATFORM,
    Block,
    Fault,
    Network,
    Part,
    Trouble,
    World,
)
from tests.worlds.build import START

_ALWAYS = float("-inf")

NO_PREVIEW = {"preview_tags": (), "shared": "", "preview_picture": ""}
"""Of a page that is not asked for from elsewhere."""


def told_straight(world: World, code: str) -> Told:
    """What is said of a world in one language, at each moment at which it is read."""
    configured = settings(world, "memory:")
    clock = _Clock(world)
    publisher = Publisher(
        configured.vantages, configured.catalog, clock.now, interval=configured.interval
    )
    telling = _Telling(world, configured, publisher, code)
    found: dict[FalseClaim, None] = {}
    claims = 0
    looks = [(turn + 1) * INTERVAL - 1 for turn in sorted({*world.seen_at, world.turns - 1})]
    for seconds, cycle in [*_cycles(world, configured), (float("inf"), None)]:
        while looks and looks[0] < seconds:
            clock.pass_to(looks.pop(0), telling)
            said, sent = telling.said(clock.now(), last=not looks)
            false, compared = false_claims(world, clock.seconds, said, sent)
            found.update(dict.fromkeys(false))
            claims += compared
        if cycle is not None:
            clock.pass_to(seconds, telling)
            telling.take(cycle, seconds)
    return Told(tuple(found), claims)


class _Clock:
    def __init__(self, world: World) -> None:
        self._world = world
        self.seconds = 0.0

    def pass_to(self, seconds: float, telling: "_Telling") -> None:
        """A later second of the world; time passes on the way, as in the program."""
        while (self.seconds // TIME_PASSES + 1) * TIME_PASSES <= seconds:
            self.seconds = (self.seconds // TIME_PASSES + 1) * TIME_PASSES
            telling.pass_time(self.now(), self.seconds)
        self.seconds = seconds

    def now(self) -> datetime:
        """What the program's clock shows."""
        return self._world.wall(self.seconds)


# -- cycles --------------------------------------------------------------------------------------


def _cycles(world: World, configured: Settings) -> list[tuple[float, Cycle]]:
    """Every cycle and when it ends, in the world's time and in that order."""
    found = []
    truths = [*world.networks, *map(_of_a_control, [world] * len(CONTROLS))]
    for number, vantage in enumerate(configured.vantages):
        for turn in range(world.turns):
            start = turn * INTERVAL + number * STAGGER
            fault = truths[number].fault_at(start)
            if fault is not None and fault.trouble is Trouble.UNWATCHED:
                continue
            known = _found(_Condition.of(world, truths[number], start, vantage.id))
            length = (known.finished_at - known.started_at).total_seconds()
            shift = world.wall(start) - START
            found.append((start + length, _moved(known, shift, f"{vantage.id}-{turn}")))
    return sorted(found, key=lambda pair: pair[0])


def _of_a_control(world: World) -> Network:
    return Network(vantage="", asn=0, name="", faults=world.control_faults)


class _Condition(msgspec.Struct, frozen=True):
    """All that decides what a cycle finds in which nothing changes."""

    network: Network
    vantage: str
    """The network's, or a control's."""
    controls: bool
    control_fault: Trouble | None
    slow: float
    dual: bool

    @classmethod
    def of(cls, world: World, truth: Network, start: float, vantage: str) -> "_Condition":
        """That of a cycle that starts then."""
        block, fault = truth.block_at(start), truth.fault_at(start)
        own = next((one for one in world.networks if one.vantage == vantage), world.networks[0])
        still = Network(
            vantage=own.vantage,
            asn=own.asn,
            name=own.name,
            blocks=(Block(_ALWAYS, float("inf"), block.method, block.part),) if block else (),
            faults=(Fault(_ALWAYS, float("inf"), fault.trouble),) if fault else (),
        )
        of_control = next((one for one in world.control_faults if start in one), None)
        return cls(
            network=still,
            vantage=vantage,
            controls=world.controls,
            control_fault=of_control.trouble if of_control else None,
            slow=world.slow,
            dual=world.dual,
        )

    @property
    def world(self) -> World:
        """A world that stays so."""
        beside = Network(vantage="none", asn=64999, name="none")
        if self.dual:
            beside = msgspec.structs.replace(beside, blocks=(Block(-2.0, -1.0, part=Part.IPV6),))
        faults = (Fault(_ALWAYS, float("inf"), self.control_fault),) if self.control_fault else ()
        return World(
            name="still",
            networks=(self.network, beside) if self.dual else (self.network,),
            turns=1,
            controls=self.controls,
            control_faults=faults,
            slow=self.slow,
        )


@cache
def _found(condition: _Condition) -> Cycle:
    """What a cycle finds then: measured, and judged, once."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        found = runner.run(_measured(condition))
    return msgspec.structs.replace(found, measurements=(), verdicts=(), transfers=())


async def _measured(condition: _Condition) -> Cycle:
    world, loop = condition.world, asyncio.get_running_loop()
    configured = settings(world, "memory:")
    controls = CONTROLS if world.controls else ()
    async with Probers(
        configured,
        now=lambda: world.wall(loop.time()),
        make_network=lambda vantage: network_of(world, vantage.id),
    ) as probers:
        runner = CycleRunner(
            configured, probers, LocalControls(probers, controls), random.Random(1)
        )
        fault = condition.network.fault_at(0.0)
        if fault is not None and fault.trouble is Trouble.SKIPPED:
            skipped = runner.skipped(condition.vantage)
            return judge_cycle(skipped, configured.catalog, ())
        return await measure_and_judge(runner, condition.vantage)


def _moved(cycle: Cycle, by: timedelta, name: str) -> Cycle:
    """The same cycle at another time."""
    return msgspec.structs.replace(
        cycle,
        id=name,
        started_at=cycle.started_at + by,
        finished_at=cycle.finished_at + by,
        health=_at(cycle.health, by, "at", "measured_at"),
        platforms=tuple(
            _at(
                msgspec.structs.replace(one, cycle=name),
                by,
                *("started_at", "judged_at", "measured_at", "measured_until"),
            )
            for one in cycle.platforms
        ),
    )


def _at(value: Any, by: timedelta, *names: str) -> Any:
    times = {name: getattr(value, name) for name in names}
    moved = {name: time + by for name, time in times.items() if time is not None}
    return msgspec.structs.replace(value, **moved)


# -- what is said --------------------------------------------------------------------------------


class _Telling:
    """Detects what happens, and says it."""

    def __init__(self, world: World, configured: Settings, publisher: Publisher, code: str) -> None:
        self._world = world
        self._settings = configured
        self._publisher = publisher
        self._code = code
        self._book = EventBook()
        self._cycles: list[Cycle] = []
        self._events: dict[str, Event] = {}
        self._log: list[EventLogEntry] = []
        self._sent: list[Sent] = []
        self._reader = Reader(language=BY_CODE[code], chosen=True, operator=True, path="", query={})

    def take(self, cycle: Cycle, seconds: float) -> None:
        """One more cycle, which ends at that second of the world."""
        self._cycles.append(cycle)
        step = NOBODY.advance(
            self._book, cycle, cycle.platforms, cycle.health, self._settings.events
        )
        self._step(step, seconds)
        for place in step.late:
            own = [one for one in self._events.values() if (one.country, one.platform) == place]
            rebuild = Rebuild(self._book, place, own, self._settings.events)
            rebuild.take(sorted(self._verdicts(place[1]), key=key_of))
            self._step(rebuild.step(), seconds)
        self._publisher.publish(cycle, self._book.active)

    def pass_time(self, at: datetime, seconds: float) -> None:
        """Nobody reports anything until then."""
        if self._book.going_on:
            step = pass_time(self._book, at, self._settings.events)
            if step.changed:
                self._step(step, seconds)
                self._publisher.show_events(self._book.active)

    def _step(self, step: Step, seconds: float) -> None:
        self._book = step.book
        self._events |= {one.id: one for one in step.changed}
        self._publisher.show_ended(step.changed)
        self._log += step.log
        words = message_words(self._code)
        for line in step.log:
            if (kind := notice_kind_of(line)) is not None:
                told = section(words, NoticeContent(occasion=kind, entry=line), TITLES)
                self._sent.append(Sent(f"inbox-{self._code}", message(words, [told]), seconds))

    def _verdicts(self, platform: str = "") -> Iterator[PlatformVerdict]:
        """Of field vantages."""
        for cycle in self._cycles:
            for one in cycle.platforms:
                if one.vantage_role == VantageRole.FIELD and platform in ("", one.platform):
                    yield one

    def said(self, at: datetime, *, last: bool) -> tuple[Surfaces, list[Sent]]:
        """What every surface says now, and the messages of now and before. At the last moment the
        map and strips of the past, too."""
        events = sorted(self._events.values(), key=lambda one: one.onset_latest)
        blocks = [one for one in events if one.kind is EventKind.BLOCK]
        surfaces = Surfaces(
            pages=(*self._pages(events, at), *(self._drawings(at) if last else ())),
            reports=(self._report(blocks, events, at),),
            answers=(self._answer(events, at),),
            tables={
                "events": _table(Kind.EVENTS, map(EXPORTS[Kind.EVENTS].prepare, events)),
                "stretches": _table(
                    Kind.STRETCHES, [row for one in events for row in rows_of(one)]
                ),
            },
            samples=scraped(self._publisher),
        )
        return surfaces, self._sent

    def _pages(self, events: Sequence[Event], at: datetime) -> Iterator[Page]:
        """Those of operators, and those of everybody, with the pictures of events."""
        snapshot, view = self._publisher.snapshot, PublicView()
        yield from self._pages_of(self._reader, snapshot, events, at, 0.0)
        public = [view.event(one) for one in events if is_public(one)]
        everybody = msgspec.structs.replace(self._reader, operator=False)
        seen = public_snapshot(snapshot, view)
        yield from self._pages_of(everybody, seen, public, at, max(view.bucket, INTERVAL))
        yield from (picture_of(one, self._code) for one in public)

    def _pages_of(
        self,
        reader: Reader,
        snapshot: Snapshot,
        events: Sequence[Event],
        at: datetime,
        bucket: float,
    ) -> Iterator[Page]:
        newest = sorted(events, key=lambda one: one.onset_latest, reverse=True)
        over = [one for one in newest if not one.active]
        told = [
            one for one in over if one.kind in pages._TELLING if one.state != EventState.DISMISSED
        ]
        shown: dict[str, tuple[str, Mapping[str, Any]]] = {
            "front": (
                "now.html",
                {
                    **now_shown(reader, snapshot, at, {}, frozenset(), bucket),
                    "over": over_shown(reader, snapshot, told[: pages.MOST_OVER]),
                },
            ),
            "events": (
                "events.html",
                {
                    **events_shown(reader, snapshot, at, newest, EventFilter()),
                    "coverage": self._coverage_shown(at) if not newest else [],
                    "held": {},
                    "problem": False,
                },
            ),
        }
        for one in events:
            context = event_shown(reader, snapshot, at, one, pages.NOTHING)
            shown[f"events/{one.id}"] = ("event.html", {**context, **NO_PREVIEW, "problem": False})
        for name, (template, values) in shown.items():
            path = "" if name == "front" else name
            its = msgspec.structs.replace(reader, path=path)
            yield page_of(name, self._code, render(template, its, at, **values))

    def _drawings(self, at: datetime) -> tuple[Page, Page]:
        """The map, and the page that compares, network by network."""
        snapshot = self._publisher.snapshot
        by_network = HistoryAsked(span="day", by_network=True)
        asked = CompareAsked(countries=(COUNTRY,), history=by_network)
        pairs = asked.pairs(snapshot.countries, TITLES)
        reader = msgspec.structs.replace(self._reader, path="compare")
        values = compare_page._shown(reader, snapshot, at, asked, pairs, self._counts(at))
        shown = render("compare.html", reader, at, **values, problem=False)
        compared = page_of("compare/network", self._code, shown)
        return mapped(snapshot, at, self._code), compared

    def _counts(self, at: datetime) -> list[HistoryCell]:
        """The verdicts of the last day, counted by the hour as in a store."""
        found: dict[tuple[str, str, int, str, str], Counter[str]] = defaultdict(Counter)
        for one in counted(self._verdicts(), None):
            found[one[:5]][one.state.value] += 1
        span = SPANS["day"]
        return [
            HistoryCell(
                (country, platform, asn, network),
                number,
                1,
                (1, *(counts[state] for state in COUNTS)),
            )
            for (country, platform, asn, network, hour), counts in found.items()
            for number in [(text_time(hour) - span.since(at)) // span.cell]
            if 0 <= number < span.cells
        ]

    def _coverage(self, at: datetime, platform: str = "") -> Coverage:
        tallies = Tallies()
        for one in self._verdicts(platform):
            tallies.add(one)
        return coverage_of(tallies.made(), START, at, INTERVAL)

    def _coverage_shown(self, at: datetime) -> Sequence[str]:
        coverage = self._coverage(at)
        controls = self._publisher.snapshot.has_controls
        return list(coverage_sentences(self._reader.words, coverage, controls=controls))

    def _answer(self, events: Sequence[Event], at: datetime) -> Answer:
        export = EXPORTS[Kind.EVENTS]
        body = {
            "data": json_rows(export.columns, map(export.prepare, events)),
            "coverage": coverage_object(self._coverage(at), any_event=bool(events)),
        }
        return Answer("api/v1/events", 200, body)

    def _report(self, blocks: Sequence[Event], events: Sequence[Event], at: datetime) -> Report:
        wanted = Wanted(
            country=COUNTRY,
            platform=PLATFORM,
            since=START,
            until=at,
            controls=self._world.controls,
        )
        lanes = asyncio.run(lanes_of(_Kept(list(self._verdicts(PLATFORM))), wanted, INTERVAL))  # type: ignore[arg-type]
        well = (VantageState.OK, VantageState.LOSSY)
        ill: Counter[tuple[int, str]] = Counter()
        of_controls = 0
        for one in (cycle.health for cycle in self._cycles):
            if one.vantage_role == VantageRole.CONTROL:
                of_controls += one.state not in well
            else:
                ill[one.asn, one.network] += one.state not in well
        findings = Findings(
            wanted=wanted,
            stories=tuple(self._story(one) for one in blocks if one.platform == PLATFORM),
            stories_omitted=0,
            related=tuple(one for one in events if one.kind is not EventKind.BLOCK),
            annotations=(),
            lanes=lanes.found(ill),
            slot=lanes.slots.width,
            coverage=coverage_of(lanes.tallies.made(), START, at, INTERVAL),
            applied=(),
            examples=(),
            controls=len(CONTROLS) if self._world.controls else 0,
            control_measurements=1 if self._world.controls and blocks else 0,
            control_unwell=of_controls,
            rules_versions=tuple(sorted(lanes.versions)),
            rows={},
            no_rows={},
            signed=Signed(),
            log=LogHead(size=0, root="ab" * 32),
            windows=(),
        )
        imprint = Imprint(
            version="1",
            generated_at=at,
            fingerprint="ab" * 32,
            title=TITLES[PLATFORM],
            language=BY_CODE[self._code],
        )
        made = document(findings, imprint)
        return Report(COUNTRY, self._code, made.title, made.blocks)

    def _story(self, event: Event) -> Story:
        own = tuple(line for line in self._log if line.event == event.id)
        return Story(event=event, log=own, log_omitted=0, reviews=())


class _Kept:
    """The verdicts of a world, where a report looks for those of a store."""

    def __init__(self, verdicts: Sequence[PlatformVerdict]) -> None:
        self._verdicts = verdicts

    async def platforms(self, _: Selection) -> AsyncIterator[Sequence[PlatformVerdict]]:
        """All in one batch."""
        if self._verdicts:
            yield self._verdicts

    async def availability(self, _: Selection) -> AsyncIterator[Sequence[Availability]]:
        """No hour is older than the verdicts."""
        return
        yield


def _table(kind: Kind, values: Iterable[Any]) -> list[dict[str, str]]:
    columns = EXPORTS[kind].columns
    text = header(columns) + value_lines(columns, list(values))
    return list(csv.DictReader(io.StringIO(text)))
