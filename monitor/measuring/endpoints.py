"""The endpoints of one cycle: each is tested once, and more closely where that may tell more."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from monitor.analysis.judge.hello_forms import greets_otherwise, other_hello_failed
from monitor.analysis.judge.quic_blocked import quic_failed
from monitor.analysis.judge.second_attempt import (
    answered,
    attempts_agree,
    cut_off_at_times,
    deepest,
    needs_comparison,
    one_more_pays,
    perhaps_by_chance,
    retry_may_tell,
    same_addresses,
    suspicious,
)
from monitor.analysis.judge.server_errors import errs
from monitor.analysis.judge.siblings import full_tests, silent_at, unconnected
from monitor.analysis.judge.silent_addresses import SEVERAL
from monitor.analysis.seen import EndpointMeasurements
from monitor.analysis.vantage.health import HOPELESS, ReferenceMeasurements
from monitor.analysis.verdict import VantageHealth
from monitor.budget.budget import Allotment
from monitor.budget.ledger import BudgetSpentError
from monitor.config.settings import Settings
from monitor.measuring.controls import Controls, Shared, Work
from monitor.measuring.effort import CycleEffort
from monitor.measuring.http3 import QuicWitness, only_quic_failed, reached_over_quic, tries_quic
from monitor.measuring.pace import (
    FOLLOW_UPS_PER_CYCLE,
    FOLLOW_UPS_PER_FUNCTION,
    FOLLOW_UPS_PER_PLATFORM,
    Pace,
    first_and_rest,
)
from monitor.measuring.pool_members import further_members
from monitor.measuring.probers import Probers
from probes.catalog.catalog import Endpoint, Function, Platform, ReferenceScope
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.host import is_literal
from probes.measure.flow_counts import FLOWS, cut_off_in_part
from probes.measure.follow_up_plan import plan_flows, plan_follow_up
from probes.measurement import Layer, Measurement, Purpose, family_of
from probes.target import Dial, Target
from probes.vantage import Profile, VantagePoint

OVERLOAD_PAUSE = 3.0
"""Times as long is the pause before the last attempt at what may be an overloaded server: overload
may last for some seconds."""
FLOWS_PER_CYCLE = 8
"""Functions of which connections are counted in one cycle, each at one address."""
_FLOW_BYTES = 1_000_000
"""Bytes of one such count at most, about."""
_FOLLOW_UP_BYTES = 100_000
"""Bytes of one follow-up at most, about."""


class Checkups:
    """Further rounds of references, near the failures of a quiet vantage. Failures that come close
    together share one.

    One round of references at the end of a cycle speaks for failures of the seconds before it. A
    quiet vantage spreads its measurements over minutes: an uplink that died and came back in
    between would go unnoticed, and its failures would count against the platforms.
    """

    def __init__(
        self,
        measure: Work[ReferenceMeasurements],
        assess: Callable[[ReferenceMeasurements], VantageHealth],
        now: Callable[[], float],
        gathering: float,
    ) -> None:
        """`measure` makes a round, `assess` gives the health it shows, `now` gives POSIX seconds;
        `gathering` is how many seconds a round waits for further failures."""
        self._measure = measure
        self._assess = assess
        self._now = now
        self._gathering = gathering
        self._shared: Shared[VantageHealth] | None = None
        self.measurements: ReferenceMeasurements = ()
        """Those of all rounds so far."""

    async def after(self, moment: float) -> VantageHealth:
        """The health that a round begun at or after `moment` (POSIX seconds) shows."""
        if self._shared is None or not self._shared.serves(moment):
            self._shared = Shared(self._round, self._now, self._gathering)
        return await self._shared.result()

    async def _round(self) -> VantageHealth:
        made = await self._measure()
        self.measurements += made
        return self._assess(made)


class EndpointTests(msgspec.Struct, kw_only=True, eq=False):
    """All endpoint tests of one cycle, and what they share."""

    settings: Settings
    probers: Probers
    controls: Controls
    rng: random.Random
    on_endpoint: Callable[[str], None] | None
    vantage: VantagePoint
    cycle: str
    platforms: tuple[Platform, ...]
    """Those that the cycle measures."""
    early: VantageHealth
    """The health before any endpoint was measured."""
    pace: Pace
    checkups: Checkups
    http3: frozenset[str]
    """Ids of the endpoints that are tested over HTTP/3 too."""
    hellos: frozenset[str]
    """Ids of the endpoints that are greeted in another form too."""
    quic: QuicWitness
    effort: CycleEffort
    answered_before: frozenset[tuple[str, str]]
    """Platform and endpoint of those that answered in the cycle before."""
    silent_before: frozenset[tuple[str, str]]
    """Platform and endpoint of those to which the vantage's last cycle made no connection."""
    last_begun: float
    """Time of the event loop after which nothing further begins, so that the cycle ends before the
    next one is due."""
    _follow_ups: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    """Those made so far, by platform and function."""
    _ways: set[str] = msgspec.field(default_factory=set)
    """Platforms the way to one of whose silent addresses was asked about."""
    _stand: dict[tuple[str, str, int, Layer], set[str]] = msgspec.field(default_factory=dict)
    """Silent members of a pool that are tested in full, by platform, function, pool and layer."""
    _aside: dict[tuple[str, str, str], Target] = msgspec.field(default_factory=dict)
    """Those they stand for, by platform, function and endpoint."""
    _counted: set[tuple[str, str, bool]] = msgspec.field(default_factory=set)
    """Where connections were counted so far: platforms and functions, by name."""

    @property
    def late(self) -> bool:
        """Whether nothing further may begin."""
        return asyncio.get_running_loop().time() > self.last_begun

    async def run(self) -> list[EndpointMeasurements]:
        """Every endpoint of the cycle's platforms, in random order."""
        functions = [
            (platform, function) for platform in self.platforms for function in platform.functions
        ]
        self.rng.shuffle(functions)
        results = await asyncio.gather(
            *(self._function(platform, function) for platform, function in functions)
        )
        return [measured for several in results for measured in several]

    async def _function(self, platform: Platform, function: Function) -> list[EndpointMeasurements]:
        """Every endpoint; of a pool, which every group is, a sample, and the rest of that pool only
        when one of its sample fails."""
        pools = await asyncio.gather(
            *(self._pool(platform, function, pool) for pool in function.pools)
        )
        return [measured for pool in pools for measured in pool]

    async def _pool(
        self, platform: Platform, function: Function, pool: Sequence[Endpoint]
    ) -> list[EndpointMeasurements]:
        endpoints = list(pool)
        if function.sample:
            self.rng.shuffle(endpoints)
            # An address of a family that does not work here stands for nobody, and an IPv6 address
            # that works not for those who have IPv4 alone.
            endpoints.sort(key=lambda one: (not self._may_answer(one), ":" in one.host))
        first, rest = first_and_rest(endpoints, self.pace.sampled(function.sample))
        # These suffice where the first ones stay silent, and they too.
        more = further_members(rest, first, self._may_answer)
        rest = [one for one in rest if one not in more]
        full = full_tests(function, pool, len(first) + len(more))
        measured = await self._each(platform, function, first, self.pace.spread, full)
        if self.on_endpoint is not None:
            for _ in first:
                self.on_endpoint(self.vantage.id)
        for several in (more, rest):
            failed = [one for one in measured if not one.attempts[-1].reached]
            silent = all(silent_at(one.attempts[-1]) for one in measured)
            given_up = self.early.state in HOPELESS or self.late
            # The cycle before asked further members already, in vain.
            places = {(platform.name, one.id) for one in pool}
            asked = places & self.silent_before and not places & self.answered_before
            if not failed or not several or given_up:
                break
            if silent and (asked or several is rest):
                break
            full = full_tests(function, pool, len(measured) + len(several))
            brisk = all(unconnected(one.attempts[-1]) for one in measured)
            measured += await self._each(
                platform, function, several, self.pace.pool, full, brisk=brisk
            )
        return await self._settled(platform, function, measured)

    def _may_answer(self, endpoint: Endpoint) -> bool:
        families = self.early.families
        return not families or not is_literal(endpoint.host) or family_of(endpoint.host) in families

    async def _each(
        self,
        platform: Platform,
        function: Function,
        endpoints: Iterable[Endpoint],
        spread: float,
        full: int,
        *,
        brisk: bool = False,
    ) -> list[EndpointMeasurements]:
        """Each at a random moment of the next `spread` seconds; of the function's silent ones
        `full` in full."""

        async def at(endpoint: Endpoint) -> EndpointMeasurements:
            await asyncio.sleep(self.rng.uniform(0, spread))
            target = Target(platform=platform.name, function=function.name, endpoint=endpoint)
            first = await self._first(platform, function, target, brisk=brisk)
            if self._others_stand_for(function, target, first, full):
                return EndpointMeasurements(
                    platform=platform.name,
                    function=function.name,
                    endpoint=endpoint.id,
                    attempts=(first,),
                )
            return await self._endpoint(platform, function, target, first)

        return await asyncio.gather(*map(at, endpoints))

    def _others_stand_for(
        self, function: Function, target: Target, first: Measurement, full: int
    ) -> bool:
        """Whether enough of the pool that are silent alike are tested in full."""
        layer, endpoint = silent_at(first), target.endpoint
        if layer is None or self.early.state in HOPELESS:
            return False
        number = next(n for n, pool in enumerate(function.pools) if endpoint in pool)
        stand = self._stand.setdefault((target.platform, function.name, number, layer), set())
        decides = endpoint == function.endpoints[0] if function.canonical else len(stand) < full
        of_platform = sum(
            len(several) for key, several in self._stand.items() if key[0] == target.platform
        )
        # Of one address alone nobody can tell whether it is dropped or dead.
        if decides or of_platform < SEVERAL:
            stand.add(endpoint.id)
            return False
        self._aside[target.platform, function.name, endpoint.id] = target
        return True

    async def _settled(
        self, platform: Platform, function: Function, measured: list[EndpointMeasurements]
    ) -> list[EndpointMeasurements]:
        """With those that were tested once tested in full, unless one that stands for them stayed
        silent alike."""

        def aside(one: EndpointMeasurements) -> Target | None:
            return self._aside.get((one.platform, one.function, one.endpoint))

        held = {silent_at(one.attempts[-1]) for one in measured if aside(one) is None}

        async def settled(one: EndpointMeasurements) -> EndpointMeasurements:
            target, first = aside(one), one.attempts[0]
            if target is None or silent_at(first) in held or self.late:
                return one
            return await self._endpoint(platform, function, target, first)

        return await asyncio.gather(*map(settled, measured))

    async def _endpoint(
        self, platform: Platform, function: Function, target: Target, first: Measurement
    ) -> EndpointMeasurements:
        """One test, and where that is suspicious more, between two control measurements."""
        endpoint = target.endpoint
        attempts: tuple[Measurement, ...] = (first,)
        controls: tuple[Measurement, ...] = ()
        follow_ups: tuple[Measurement, ...] = ()
        health: VantageHealth | None = None
        if self.early.state not in HOPELESS and suspicious(first, self.early.families):
            quic = tries_quic(first)
            # What stays silent is tested as often whatever controls see: they are asked afterwards.
            if not silent_at(first):
                controls = await self._at_controls(target, first, quic=quic)
            known = self.controls.known(target)
            if await self._worth_more(endpoint, first, controls or known):
                attempts += await self._again(platform, function, target, first)
                last = attempts[-1]
                where = cut_off_at_times(attempts, self.early.families)
                if where is not None:
                    follow_ups = await self._count_flows(function, target, where, controls or known)
                in_part = any(map(cut_off_in_part, follow_ups))
                if not in_part and suspicious(last, self.early.families):
                    controls += await self._at_controls(target, last, quic=quic)
                    telling = deepest(attempts, self.early.families)
                    follow_ups += await self._follow_up(target, telling, controls or known)
                    if self.pace.spread:
                        health = await self.checkups.after(last.ended_at)
                elif not in_part and needs_comparison(attempts, self.early.families):
                    controls += await self._at_controls(target, last, quic=quic)
                if where is None and (where := perhaps_by_chance(attempts, follow_ups)) is not None:
                    follow_ups += await self._count_flows(
                        function, target, where, controls or known
                    )
                    in_part = any(map(cut_off_in_part, follow_ups))
                if where is not None and in_part:
                    also = msgspec.structs.replace(where, times=FLOWS)
                    controls += await self._at_controls(target, last, quic=quic, also=also)
        return EndpointMeasurements(
            platform=platform.name,
            function=function.name,
            endpoint=endpoint.id,
            attempts=attempts,
            controls=controls,
            follow_ups=follow_ups,
            health=health,
        )

    async def _first(
        self, platform: Platform, function: Function, target: Target, *, brisk: bool
    ) -> Measurement:
        """The first attempt. It is brisk where patience showed nothing a moment ago."""
        endpoint = target.endpoint
        reduction, allotment = self.effort.first(platform, function, endpoint)
        attempt = self.probers.measure(
            self.vantage.id,
            target,
            cycle=self.cycle,
            quic=endpoint.id in self.http3 and not (reduction and reduction.greet),
            unadvertised=False,
            otherwise=endpoint.id in self.hellos,
            reduction=reduction,
            brisk=brisk or (platform.name, endpoint.id) in self.silent_before,
            allotment=allotment,
        )
        return await self.quic.first_attempt(target, attempt)

    async def _at_controls(
        self, target: Target, failed: Measurement, *, quic: bool, also: Dial | None = None
    ) -> tuple[Measurement, ...]:
        """The endpoint from the controls after an attempt that failed, and at the addresses that
        failed, or `also` at these; none once the day's bytes are spent. `quic` is whether to test
        HTTP/3 too."""
        try:
            return await self.controls.measure(
                target,
                after=failed.ended_at,
                cycle=self.cycle,
                quic=quic,
                reduction=self.effort.at_control(failed),
                also=also or same_addresses(failed, self.early.families, self.early.nat64),
            )
        except BudgetSpentError:
            return ()

    async def _worth_more(
        self, endpoint: Endpoint, first: Measurement, controls: Sequence[Measurement]
    ) -> bool:
        """Whether another attempt could change the verdict; `controls` may be older where none
        could be asked."""
        if only_quic_failed(first, self.early.families):
            if not any(map(reached_over_quic, controls)):
                return False
            return await self.quic.others_answer(endpoint)
        return retry_may_tell(first, controls, self.early.families)

    async def _count_flows(
        self, function: Function, target: Target, where: Dial, controls: Sequence[Measurement]
    ) -> tuple[Measurement, ...]:
        """How many connections are cut off where some are, at one endpoint of a function, and at
        one that merely informs where none of the platform was counted; see `_follow_up` for where
        never."""
        if self.vantage.profile is Profile.QUIET or not any(map(answered, controls)):
            return ()
        ledger, asked = self.probers.ledger, self.vantage.id
        if self.late or not ledger.affords(asked, Allotment.SUSPICION, _FLOW_BYTES):
            return ()
        informs = function.canonical and target.endpoint != function.endpoints[0]
        place = (target.platform, function.name, informs)
        if place in self._counted or len(self._counted) >= FLOWS_PER_CYCLE:
            return ()
        if informs and any(platform == target.platform for platform, *_ in self._counted):
            return ()
        self._counted.add(place)
        return (await self.probers.follow_up(asked, plan_flows(target, where), cycle=self.cycle),)

    async def _follow_up(
        self, target: Target, failed: Measurement, controls: Sequence[Measurement]
    ) -> tuple[Measurement, ...]:
        """Change one thing at a time, where that can tell more.

        Never at a quiet vantage, whose host such questions would single out. Never where the
        platform is down for everybody, as controls see it now or, where none could be asked, saw it
        before. Never where TCP works, for the questions are about TCP.
        """
        quiet = self.vantage.profile is Profile.QUIET
        if quiet or not controls or not retry_may_tell(failed, controls, self.early.families):
            return ()
        if only_quic_failed(failed, self.early.families) or errs(failed):
            return ()
        if failed.reached and other_hello_failed(failed):
            return ()
        ledger, asked = self.probers.ledger, self.vantage.id
        if self.late or not ledger.affords(asked, Allotment.SUSPICION, _FOLLOW_UP_BYTES):
            return ()
        place, made = (target.platform, target.function), self._follow_ups
        of_platform = sum(n for (platform, _), n in made.items() if platform == target.platform)
        spent = made.total() >= FOLLOW_UPS_PER_CYCLE and of_platform >= FOLLOW_UPS_PER_PLATFORM
        if made[place] >= FOLLOW_UPS_PER_FUNCTION or spent:
            return ()
        made[place] += 1
        elsewhere = self._innocuous_host(target.endpoint.host)
        plan = plan_follow_up(
            target,
            failed,
            controls,
            elsewhere=elsewhere,
            dials_known=self.controls.addresses_dialled,
            way=target.platform not in self._ways,
        )
        if plan.unreached:
            self._ways.add(target.platform)
        return (await self.probers.follow_up(asked, plan, cycle=self.cycle),)

    def _innocuous_host(self, suspected: str) -> str:
        """A foreign reference to send the suspected name to, best a popular one, which is hardly
        ever down; empty when there is none."""
        known = self.settings.catalog.references_for(self.vantage.country)
        popular = any(one.scope is ReferenceScope.POPULAR for one in known)
        hosts = [
            reference.endpoint.host
            for reference in known
            if reference.scope
            is (ReferenceScope.POPULAR if popular else ReferenceScope.INTERNATIONAL)
            and reference.endpoint.kind in (EndpointKind.HTTPS, EndpointKind.TLS)
            and reference.endpoint.host != suspected
        ]
        return self.rng.choice(hosts) if hosts else ""

    async def _again(
        self, platform: Platform, function: Function, target: Target, first: Measurement
    ) -> tuple[Measurement, ...]:
        """The further attempts."""
        attempts: tuple[Measurement, ...] = (first,)
        pause, retries = self.settings.probe.retry_pause, self.settings.probe.retries
        for retry in range(retries + 1 if retries else 0):
            if retry == retries:
                if not one_more_pays(attempts, self.early.families):
                    break
                pause *= OVERLOAD_PAUSE
            least = self.pace.retry_pause
            await asyncio.sleep(
                max(pause * self.rng.uniform(0.5, 1.5), least * self.rng.uniform(1, 2))
            )
            allowed, reduction = self.effort.again(platform, function, target.endpoint, first)
            if self.late or not allowed:
                break
            attempts += (
                await self.probers.measure(
                    self.vantage.id,
                    target,
                    cycle=self.cycle,
                    purpose=Purpose.RETRY,
                    attempt=retry + 2,
                    quic=tries_quic(first),
                    otherwise=greets_otherwise(first),
                    reduction=reduction,
                    brisk=unconnected(first),
                ),
            )
            if not suspicious(attempts[-1], self.early.families):
                break
            # What TCP came to is no news where QUIC or another greeting fails, and attempts that
            # time out never agree.
            last = attempts[-1]
            beside = quic_failed(last, self.early.families) or other_hello_failed(last)
            if attempts_agree(attempts, self.early.families) and not beside:
                break
        return attempts[1:]
