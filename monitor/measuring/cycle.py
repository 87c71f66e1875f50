"""One cycle of one vantage: look at everything, look again where something is wrong, judge.

    references → every endpoint, in random order
                   └ suspicious? control, then the endpoint again after a pause, then control
                 references again, if anything failed → transfers → judge → roll up

The second round of references comes after the last failure: an uplink that died in mid-cycle
must not turn into accusations. Likewise every failure is judged against a control look that
began after it. A quiet vantage, whose looks are spread over minutes, has its references asked near
every failure as well.
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from functools import partial

import msgspec
import uuid_utils

from monitor.analysis.judge.quic_blocked import quic_failed
from monitor.analysis.judge.suspicion import answered, attempts_agree, looks_overloaded, suspicious
from monitor.analysis.outcome import working_families
from monitor.analysis.vantage.health import assess, hints_at_nat64
from monitor.analysis.verdict import VantageHealth, VantageState, Verdict
from monitor.budget.budget import Allotment, Effort
from monitor.budget.ledger import BudgetSpentError
from monitor.config.settings import Settings
from monitor.judging.judge import (
    HOPELESS,
    EndpointMeasurements,
    Seen,
    not_settled_by,
    platforms_on,
    verdicts_on,
)
from monitor.measuring.checkups import Checkups
from monitor.measuring.controls import ControlHealth, Controls
from monitor.measuring.effort import (
    CycleEffort,
    EffortPlanner,
    reference_allotment,
    reference_reduction,
)
from monitor.measuring.http3 import (
    Http3,
    UdpWitness,
    only_quic_failed,
    reached_over_quic,
    tries_quic,
)
from monitor.measuring.pace import Pace, pace_of
from monitor.measuring.probers import Probers, ReferenceMeasurements
from monitor.measuring.scheduled_controls import ScheduledControls
from monitor.measuring.transfers import Transferred, Transfers
from probes.catalog.catalog import Endpoint, EndpointKind, Platform, ReferenceScope, Role
from probes.measure.follow_up import plan_follow_up, plan_http3
from probes.measurement import Measurement, Purpose
from probes.target import Target
from probes.vantage import Profile, VantagePoint, VantageRole
from storage.values.cycle import Cycle

FOLLOW_UPS_PER_ROLE, FOLLOW_UPS_PER_CYCLE = 2, 16
"""A national block fails everything at once; a few questions each tell as much as all of them."""
FITFUL_PAUSE = 3.0
"""Times as long before the last look at what may be a server that has too much to do: it may do so
for some seconds."""
_FOLLOW_UP_BYTES = 100_000
"""What the questions of one follow-up take at most, about."""
_NO_TRANSFERS = Transferred()


class Allowance:
    """How many more of something may be done, for each key and in all."""

    def __init__(self, *, each: int, total: int) -> None:
        self._each = each
        self._left = total
        self._taken: Counter[str] = Counter()

    def take(self, key: str) -> bool:
        """Take one, if there is one left."""
        if self._left <= 0 or self._taken[key] >= self._each:
            return False
        self._left -= 1
        self._taken[key] += 1
        return True


class CycleContext(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle of one vantage, as those who look need to know it."""

    vantage: VantagePoint
    cycle: str
    platforms: tuple[Platform, ...]
    """What is looked at."""
    early: VantageHealth
    """What the references told before anything was looked at."""
    pace: Pace
    checkups: Checkups
    follow_ups: Allowance
    http3: frozenset[str]
    """Ids of the endpoints whose looks go over HTTP/3 too."""
    udp: UdpWitness
    closeness: CycleEffort
    no_more_after: float = math.inf
    """Time of the event loop after which nothing further is begun, so that the cycle ends before
    the next one is due."""

    @property
    def late(self) -> bool:
        """Whether it is time to come to an end."""
        return asyncio.get_running_loop().time() > self.no_more_after


class CycleRunner:
    """Runs cycles of any configured vantage."""

    def __init__(
        self,
        settings: Settings,
        looking: Probers,
        desk: Controls,
        rng: random.Random,
        on_endpoint: Callable[[str], None] | None = None,
        transfers: Transfers | None = None,
        http3: Http3 | None = None,
        standing: ScheduledControls | None = None,
    ) -> None:
        """`rng` orders the looks and picks pool members; it need not be secret.

        `on_endpoint` is told the vantage whenever one of the `endpoints_per_cycle` is done with.
        Without `transfers` no speed is measured; without `http3` nothing is asked over HTTP/3. With
        `standing` controls look at every endpoint by the clock, without only when they are asked.
        """
        self._settings = settings
        self._looking = looking
        self._desk = desk
        self._rng = rng
        self._on_endpoint = on_endpoint
        self._transfers = transfers
        self._http3 = http3 or Http3(0.0, rng)
        self._standing = standing
        self._modesty = EffortPlanner(looking.ledger)

    @property
    def desk(self) -> Controls:
        """Whoever this runner asks for control looks."""
        return self._desk

    def remember(self, latest: Sequence[Verdict]) -> None:
        """Go on being wary of what an earlier process found; `latest` are the newest stored."""
        self._http3.remember(latest)
        self._modesty.remember(latest)

    def inherit(self, before: "CycleRunner", vantages: Collection[str]) -> None:
        """Go on with what the runner of other settings knew of these vantages."""
        self._http3.inherit(before._http3, vantages)
        self._modesty.inherit(before._modesty, vantages)
        if self._transfers is not None and before._transfers is not None:
            self._transfers.inherit(before._transfers, vantages)

    def endpoints_per_cycle(self, vantage_id: str) -> int:
        """How many endpoints a cycle of this vantage looks at while all is well."""
        vantage = self._looking.vantage(vantage_id)
        if vantage.role is VantageRole.CONTROL:
            return 0
        pace = pace_of(vantage, self._settings.interval)
        roles = (role for platform in self._settings.catalog.platforms for role in platform.roles)
        return sum(len(_split(role.endpoints, pace.sampled(role.sample))[0]) for role in roles)

    def left_out(self, vantage_id: str) -> Cycle:
        """A turn in which nothing is looked at: nothing is known, which is not silence."""
        vantage = self._looking.vantage(vantage_id)
        now = self._looking.now()
        return Cycle(
            id=str(uuid_utils.uuid7()),
            vantage=vantage.id,
            country=vantage.country,
            started_at=now,
            finished_at=now,
            health=assess(vantage, (), (), now),
            measurements=(),
            verdicts=(),
            platforms=(),
            hurried=True,
        )

    async def run(
        self,
        vantage_id: str,
        effort: Effort = Effort.WHOLE,
        only: Collection[str] = (),
    ) -> Cycle:
        """One cycle. May be cancelled at any point; then nothing of it remains.

        A hurried one looks `only` at the platforms of these names, and measures no speed: a verdict
        of throttling stands as long as it would have.

        Raises BudgetSpentError when the vantage's bytes of the day do not even suffice for its
        first looks.
        """
        began = asyncio.get_running_loop().time()
        vantage = self._looking.vantage(vantage_id)
        cycle = str(uuid_utils.uuid7())
        started_at = self._looking.now()
        pace = pace_of(vantage, self._settings.interval)
        exits = self._looking.exits
        await exits.begin(vantage_id)
        at_references = partial(self._at_references, vantage_id, cycle, pace, effort)
        before = await at_references()
        early = assess(vantage, before, (), self._looking.now(), exits.of(vantage))
        nat64 = await self._learn_nat64(vantage_id, before)
        if nat64 and early.state is not VantageState.OK:
            before = await at_references()
            early = assess(vantage, before, (), self._looking.now(), exits.of(vantage))
        early = msgspec.structs.replace(early, nat64=nat64)
        if vantage.role is VantageRole.CONTROL:
            return await self._control_cycle(vantage, cycle, started_at, early, before, effort)
        platforms = tuple(
            platform
            for platform in self._settings.catalog.platforms
            if effort is not Effort.HURRIED or platform.name in only
        )
        visit = CycleContext(
            vantage=vantage,
            cycle=cycle,
            platforms=platforms,
            early=early,
            pace=pace,
            checkups=Checkups(
                vantage,
                at_references,
                self._looking.now,
                pace.references,
                partial(exits.of, vantage),
            ),
            follow_ups=Allowance(each=FOLLOW_UPS_PER_ROLE, total=FOLLOW_UPS_PER_CYCLE),
            http3=self._http3.draw(
                vantage,
                early,
                (e for p in platforms for r in p.roles for e in r.endpoints),
            ),
            udp=UdpWitness(
                partial(self._ask_http3, vantage_id, cycle),
                self._rng,
                self._http3.offering(vantage_id),
            ),
            closeness=self._modesty.begin(vantage_id, effort, early.families),
            no_more_after=began + pace.last_begun,
        )
        looked = await self._look_at_everything(visit)
        references = before + visit.checkups.looks
        checks: tuple[ControlHealth, ...] = ()
        if any(suspicious(one.attempts[-1], early.families) for one in looked):
            await exits.look(vantage_id)
            references += await at_references()
            checks = await self._check_controls(looked, cycle)
        witnesses = tuple(m for one in looked for m in one.attempts if m.reached)
        health = assess(vantage, references, witnesses, self._looking.now(), exits.of(vantage))
        health = msgspec.structs.replace(health, nat64=nat64)
        transferred = Transferred()
        if self._transfers is not None and effort is Effort.HURRIED:
            transferred = self._transfers.standing(vantage, cycle, health, only)
        elif self._transfers is not None:
            looks = [one.attempts[-1] for one in looked]
            transferred = await self._transfers.run(vantage, cycle, health, looks)
        done = self._cycle(
            cycle,
            vantage,
            started_at,
            health,
            references,
            looked,
            visit.udp.looks,
            checks,
            transferred,
        )
        visit.closeness.learn([one.attempts[-1] for one in looked], done.verdicts)
        return msgspec.structs.replace(done, hurried=effort is Effort.HURRIED)

    async def _control_cycle(
        self,
        vantage: VantagePoint,
        cycle: str,
        started_at: datetime,
        health: VantageHealth,
        references: ReferenceMeasurements,
        effort: Effort,
    ) -> Cycle:
        """A control's own: how it is, and what it sees where it looks by the clock. Where something
        failed, its references are asked again, for it may be the one in trouble."""
        looks: tuple[Measurement, ...] = ()
        if self._standing is not None and health.state is VantageState.OK:
            platforms = self._settings.catalog.platforms
            looks = await self._standing.look(vantage, cycle, platforms, health.families)
        if not all(map(answered, looks)):
            pace = pace_of(vantage, self._settings.interval)
            references += await self._at_references(vantage.id, cycle, pace, effort)
            exits = self._looking.exits.of(vantage)
            known = health
            health = assess(vantage, references, (), self._looking.now(), exits)
            health = msgspec.structs.replace(health, nat64=known.nat64)
        return self._cycle(cycle, vantage, started_at, health, references, standing=looks)

    async def _learn_nat64(
        self, vantage_id: str, references: ReferenceMeasurements
    ) -> tuple[str, ...]:
        """The prefixes of the network's NAT64; asked for only where something hints at one."""
        if not hints_at_nat64(references):
            self._looking.forget_nat64(vantage_id)
            return ()
        alone = not any("ipv4" in working_families(look) for _, look in references)
        return await self._looking.learn_nat64(vantage_id, alone=alone)

    async def _at_references(
        self, vantage_id: str, cycle: str, pace: Pace, effort: Effort
    ) -> ReferenceMeasurements:
        return await self._looking.at_references(
            vantage_id,
            cycle=cycle,
            wait=lambda: self._rng.uniform(0, pace.references),
            reduction=reference_reduction(effort),
            purse=reference_allotment(effort),
        )

    # -- looking -------------------------------------------------------------------------

    async def _look_at_everything(self, visit: CycleContext) -> list[EndpointMeasurements]:
        roles = [(platform, role) for platform in visit.platforms for role in platform.roles]
        self._rng.shuffle(roles)
        results = await asyncio.gather(
            *(self._look_at_role(visit, platform, role) for platform, role in roles)
        )
        return [looked for several in results for looked in several]

    async def _look_at_role(
        self, visit: CycleContext, platform: Platform, role: Role
    ) -> list[EndpointMeasurements]:
        """Every endpoint, or of a pool a sample, and the rest only when one of it fails."""
        endpoints = list(role.endpoints)
        if role.sample:
            self._rng.shuffle(endpoints)
        first, rest = _split(endpoints, visit.pace.sampled(role.sample))
        looked = await self._look_at_each(visit, platform, role, first, visit.pace.spread)
        if self._on_endpoint is not None:
            for _ in first:
                self._on_endpoint(visit.vantage.id)
        hopeless = visit.early.state in HOPELESS
        more = rest and not hopeless and not visit.late
        if more and any(not one.attempts[-1].reached for one in looked):
            looked += await self._look_at_each(visit, platform, role, rest, visit.pace.pool)
        return looked

    async def _look_at_each(
        self,
        visit: CycleContext,
        platform: Platform,
        role: Role,
        endpoints: Iterable[Endpoint],
        spread: float,
    ) -> list[EndpointMeasurements]:
        """Each at a random moment of the next `spread` seconds."""

        async def at(endpoint: Endpoint) -> EndpointMeasurements:
            await asyncio.sleep(self._rng.uniform(0, spread))
            return await self._look_closely(visit, platform, role, endpoint)

        return await asyncio.gather(*map(at, endpoints))

    async def _look_closely(
        self, visit: CycleContext, platform: Platform, role: Role, endpoint: Endpoint
    ) -> EndpointMeasurements:
        """Purpose once, and where that calls for it again, between two rounds of control looks."""
        early, cycle = visit.early, visit.cycle
        target = Target(platform=platform.name, role=role.name, endpoint=endpoint)
        reduction, purse = visit.closeness.first(platform, role, endpoint)
        async with visit.udp.watching(target) as tell:
            first = await self._looking.at(
                visit.vantage.id,
                target,
                cycle=cycle,
                quic=endpoint.id in visit.http3 and not (reduction and reduction.greet),
                unadvertised=False,
                reduction=reduction,
                purse=purse,
            )
            tell(first)
        quic = tries_quic(first)
        attempts: tuple[Measurement, ...] = (first,)
        controls: tuple[Measurement, ...] = ()
        follow_ups: tuple[Measurement, ...] = ()
        health: VantageHealth | None = None
        if early.state not in HOPELESS and suspicious(attempts[-1], early.families):
            controls = await self._at_controls(visit, target, attempts[-1], quic=quic)
            known = self._desk.known(target)
            if await self._worth_more(visit, endpoint, first, controls or known):
                attempts += await self._again(visit, platform, role, target, first)
                if suspicious(attempts[-1], early.families):
                    controls += await self._at_controls(visit, target, attempts[-1], quic=quic)
                    follow_ups = await self._follow_up(
                        visit, target, attempts[-1], controls or known
                    )
                    if visit.pace.spread:
                        health = await visit.checkups.after(attempts[-1].ended_at)
        return EndpointMeasurements(
            platform=platform.name,
            role=role.name,
            endpoint=endpoint.id,
            attempts=attempts,
            controls=controls,
            follow_ups=follow_ups,
            health=health,
        )

    async def _at_controls(
        self, visit: CycleContext, target: Target, failed: Measurement, *, quic: bool
    ) -> tuple[Measurement, ...]:
        """The endpoint from the controls, after a look that failed; none once bytes are spent."""
        try:
            return await self._desk.look(
                target,
                after=failed.ended_at,
                cycle=visit.cycle,
                quic=quic,
                reduction=visit.closeness.at_control(failed),
            )
        except BudgetSpentError:
            return ()

    async def _worth_more(
        self,
        visit: CycleContext,
        endpoint: Endpoint,
        first: Measurement,
        controls: Sequence[Measurement],
    ) -> bool:
        """Whether a second look from here could change the verdict; `controls` may be older where
        none could be asked."""
        if only_quic_failed(first, visit.early.families):
            if not any(map(reached_over_quic, controls)):
                return False
            return await visit.udp.answers_beside(endpoint)
        return not_settled_by(controls, first)

    async def _ask_http3(self, vantage_id: str, cycle: str, target: Target) -> Measurement:
        return await self._looking.follow_up(vantage_id, plan_http3(target), cycle=cycle)

    async def _follow_up(
        self,
        visit: CycleContext,
        target: Target,
        failed: Measurement,
        controls: Sequence[Measurement],
    ) -> tuple[Measurement, ...]:
        """Change one thing at a time, where that can tell more: never at a quiet vantage, whose
        host such questions would single out, and never where the platform is down for everybody,
        as controls see it now or, where none could be asked, saw it before. They are about TCP:
        where that works, they tell nothing."""
        if visit.vantage.profile is Profile.QUIET or not any(map(answered, controls)):
            return ()
        if only_quic_failed(failed, visit.early.families):
            return ()
        ledger, asked = self._looking.ledger, visit.vantage.id
        if visit.late or not ledger.affords(asked, Allotment.SUSPICION, _FOLLOW_UP_BYTES):
            return ()
        if not visit.follow_ups.take(f"{target.platform} {target.role}"):
            return ()
        plan = plan_follow_up(
            target,
            failed,
            controls,
            elsewhere=self._innocuous_host(visit.vantage, target.endpoint.host),
        )
        return (await self._looking.follow_up(visit.vantage.id, plan, cycle=visit.cycle),)

    def _innocuous_host(self, vantage: VantagePoint, suspected: str) -> str:
        """A foreign reference to say the suspected name to; empty when there is none."""
        hosts = [
            reference.endpoint.host
            for reference in self._settings.catalog.references_for(vantage.country)
            if reference.scope is ReferenceScope.INTERNATIONAL
            and reference.endpoint.kind in (EndpointKind.HTTPS, EndpointKind.TLS)
            and reference.endpoint.host != suspected
        ]
        return self._rng.choice(hosts) if hosts else ""

    async def _again(
        self,
        visit: CycleContext,
        platform: Platform,
        role: Role,
        target: Target,
        first: Measurement,
    ) -> tuple[Measurement, ...]:
        attempts: tuple[Measurement, ...] = (first,)
        families = visit.early.families
        pause, retries = self._settings.probe.retry_pause, self._settings.probe.retries
        for retry in range(retries + 1 if retries else 0):
            if retry == retries:
                if not looks_overloaded(attempts, families):
                    break
                pause *= FITFUL_PAUSE
            least = visit.pace.retry_pause
            await asyncio.sleep(
                max(pause * self._rng.uniform(0.5, 1.5), least * self._rng.uniform(1, 2))
            )
            allowed, reduction = visit.closeness.again(platform, role, target.endpoint, first)
            if visit.late or not allowed:
                break
            attempts += (
                await self._looking.at(
                    visit.vantage.id,
                    target,
                    cycle=visit.cycle,
                    look=Purpose.RETRY,
                    attempt=retry + 2,
                    quic=tries_quic(first),
                    reduction=reduction,
                ),
            )
            if not suspicious(attempts[-1], families):
                break
            # What TCP came to is no news where QUIC fails, and silence is never settled.
            if attempts_agree(attempts, families) and not quic_failed(attempts[-1], families):
                break
        return attempts[1:]

    async def _check_controls(
        self, looked: Sequence[EndpointMeasurements], cycle: str
    ) -> tuple[ControlHealth, ...]:
        """A control that saw the endpoint fail may itself be in trouble: ask its references."""
        controls = [control for one in looked for control in one.controls]
        if not controls:
            return ()
        failed = [control for control in controls if not answered(control)]
        # One that reached everything has shown its health; its last check will do.
        after = max((control.ended_at for control in failed), default=0.0)
        try:
            return await self._desk.health(after=after, cycle=cycle)
        except BudgetSpentError:
            return ()

    # -- judging -------------------------------------------------------------------------

    def _cycle(
        self,
        cycle: str,
        vantage: VantagePoint,
        started_at: datetime,
        health: VantageHealth,
        references: ReferenceMeasurements,
        looked: Sequence[EndpointMeasurements] = (),
        witnesses: Sequence[Measurement] = (),
        checks: Sequence[ControlHealth] = (),
        transferred: Transferred = _NO_TRANSFERS,
        standing: Sequence[Measurement] = (),
    ) -> Cycle:
        seen = Seen(
            cycle=cycle,
            vantage=vantage,
            health=health,
            looked=tuple(looked),
            witnesses=tuple(witnesses),
            control_health={check.health.vantage: check.health for check in checks},
            speeds=(*transferred.fresh, *transferred.standing),
            judged_at=self._looking.now(),
        )
        verdicts = verdicts_on(seen, self._settings.fingerprints)
        platforms = platforms_on(seen, verdicts, self._settings.catalog.platforms)
        self._http3.learn(vantage.id, seen.looks, verdicts)
        measurements = {
            m.id: m
            for m in (
                *(look for _, look in references),
                *(m for one in looked for m in (*one.attempts, *one.controls, *one.follow_ups)),
                *witnesses,
                *(look for check in checks for look in check.looks),
                *transferred.measurements,
                *standing,
            )
        }
        return Cycle(
            id=cycle,
            vantage=vantage.id,
            country=vantage.country,
            started_at=started_at,
            finished_at=self._looking.now(),
            health=health,
            measurements=tuple(measurements.values()),
            verdicts=tuple(verdicts),
            platforms=platforms,
            transfers=transferred.fresh,
        )


def _split(
    endpoints: Sequence[Endpoint], sample: int
) -> tuple[Sequence[Endpoint], Sequence[Endpoint]]:
    """The endpoints to look at now, and those kept back; a sample of 0 keeps none back."""
    return (endpoints[:sample], endpoints[sample:]) if sample else (endpoints, ())
