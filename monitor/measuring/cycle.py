"""One cycle of one vantage: it measures, and returns what was seen. It judges nothing.

    references → every endpoint, in random order
                   └ suspicious? control, then the endpoint again after a pause, then control
                 references again, if anything failed → transfers → `monitor.analysis.seen.Seen`

The second round of references comes after the last failure: an uplink that died in the middle of
the cycle must not turn into accusations. One that came back must not either, so a cycle accuses
nobody where the first round shows a vantage in trouble. For the same reason each failure is judged
against a control measurement that began after it. A quiet vantage spreads its measurements over
minutes, so it measures its references near every failure as well.

What a cycle needs to know of earlier ones comes back from the judge: see `CycleRunner.learn`.
"""

import asyncio
import random
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial

import msgspec

from monitor.analysis.judge.second_attempt import answered, needs_comparison, suspicious
from monitor.analysis.judge.siblings import unconnected
from monitor.analysis.measurement_summary import decisive, working_families
from monitor.analysis.seen import EndpointMeasurements, ObjectTransfers, Seen
from monitor.analysis.vantage.health import ReferenceMeasurements, assess, hints_at_nat64
from monitor.analysis.verdict import VantageHealth, VantageState, Verdict
from monitor.budget.budget import Allotment, Effort
from monitor.budget.ledger import BudgetSpentError
from monitor.config.settings import Settings
from monitor.measuring.controls import Controls
from monitor.measuring.effort import EffortPlanner
from monitor.measuring.endpoints import Checkups, EndpointTests
from monitor.measuring.hellos import Hellos
from monitor.measuring.http3 import Http3, QuicWitness
from monitor.measuring.pace import first_and_rest, pace_of
from monitor.measuring.probers import Probers
from monitor.measuring.references import alarming, failed, first_of, greeted_smaller, others
from monitor.measuring.scheduled_controls import ScheduledControls
from monitor.measuring.transfers import Transfers
from monitor.wire.answers import ControlState
from probes.catalog.catalog import Reference, ReferenceScope
from probes.catalog.endpoint_kinds import EndpointKind
from probes.failure_strings import CERTIFICATE_FAILURES
from probes.layers.bogon import NO_NAT64
from probes.measure.follow_up_plan import plan_http3
from probes.measurement import REFERENCE_PLATFORM, Measurement, id_at
from probes.target import Reduction, Target
from probes.vantage import Profile, VantageRole
from storage.values.cycle import Cycle

_MAY_BE_OVER = (VantageState.OFFLINE, VantageState.INTERNATIONAL_CUT, VantageState.ALLOWLIST)
"""States that a line which came back in mid-cycle seems to be in, until references answer again."""


class CycleRunner:
    """Runs cycles of any configured vantage."""

    def __init__(
        self,
        settings: Settings,
        probers: Probers,
        controls: Controls,
        rng: random.Random,
        on_endpoint: Callable[[str], None] | None = None,
        transfers: Transfers | None = None,
        http3: Http3 | None = None,
        scheduled_controls: ScheduledControls | None = None,
        hellos: Hellos | None = None,
    ) -> None:
        """`rng` orders the measurements and picks pool members; it need not be secret.

        `on_endpoint` gets the vantage whenever one of the `endpoints_per_cycle` is finished.
        Without `transfers` no speed is measured; without `http3` nothing is tested over HTTP/3, and
        without `hellos` nothing is greeted in another form.
        With `scheduled_controls` controls measure every endpoint by the clock, else only on demand.
        """
        self.settings = settings
        self.probers = probers
        self.controls = controls
        self.rng = rng
        self.on_endpoint = on_endpoint
        self.transfers = transfers
        self.http3 = http3 or Http3(0.0, rng)
        self.scheduled_controls = scheduled_controls
        self.hellos = hellos or Hellos(rng, 0.0)
        self.effort_planner = EffortPlanner(probers.ledger)
        self.silent: dict[str, frozenset[tuple[str, str]]] = {}
        """Vantage → platform and endpoint of those to which its last cycle made no connection."""
        self.answered: dict[str, frozenset[tuple[str, str]]] = {}
        """The same of those that answered."""
        self.in_doubt: set[str] = set()
        """Vantages that measure all references in their next cycle: a few may be on a list of sites
        that was in force in the last one."""

    def remember(self, latest: Sequence[Verdict]) -> None:
        """Continue with what an earlier process found; `latest` are the newest stored verdicts."""
        self.http3.remember(latest)
        self.hellos.remember(latest)
        self.effort_planner.remember(latest)

    def inherit(self, before: "CycleRunner", vantages: Collection[str]) -> None:
        """Continue with what the runner of other settings knows of these vantages."""
        self.probers.inherit(before.probers, vantages)
        self.http3.inherit(before.http3, vantages)
        self.hellos.inherit(before.hellos, vantages)
        self.effort_planner.inherit(before.effort_planner, vantages)
        self.in_doubt = before.in_doubt.intersection(vantages)
        if self.transfers is not None and before.transfers is not None:
            self.transfers.inherit(before.transfers, vantages)

    def endpoints_per_cycle(self, vantage_id: str) -> int:
        """How many endpoints a cycle of this vantage measures while all is well."""
        vantage = self.probers.vantage(vantage_id)
        if vantage.role is VantageRole.CONTROL:
            return 0
        pace = pace_of(vantage, self.settings.interval)
        functions = (
            function
            for platform in self.settings.catalog.platforms
            for function in platform.functions
        )
        return sum(
            len(first_and_rest(pool, pace.sampled(function.sample))[0])
            for function in functions
            for pool in function.pools
        )

    def skipped(self, vantage_id: str) -> Seen:
        """A cycle that measures nothing: nothing is known, and the vantage is not silent."""
        vantage = self.probers.vantage(vantage_id)
        now = self.probers.now()
        return Seen(
            cycle=id_at(now),
            vantage=vantage,
            started_at=now,
            finished_at=now,
            judged_at=now,
            health=assess(vantage, (), (), now),
            out_of_turn=True,
        )

    async def run(
        self, vantage_id: str, effort: Effort = Effort.WHOLE, only: Collection[str] = ()
    ) -> Seen:
        """One cycle. May be cancelled at any point; then nothing of it remains.

        A cycle out of turn measures `only` the platforms of these names, and no speed.

        Raises BudgetSpentError when the vantage's bytes of the day do not even suffice for its
        first measurements.
        """
        return await _CycleSteps(self, vantage_id, effort, only).run()

    def learn(self, seen: Seen, judged: Cycle) -> None:
        """Remember for the vantage's next cycles what the judge made of this one."""
        if seen.health.state in _MAY_BE_OVER:
            self.in_doubt.add(seen.vantage.id)
        else:
            self.in_doubt.discard(seen.vantage.id)
        self.http3.learn(seen.vantage.id, seen.own, judged.verdicts, seen.health.families)
        self.hellos.learn(seen.vantage.id, seen.own, judged.verdicts)
        last = [one.attempts[-1] for one in seen.endpoints]
        self.effort_planner.learn(seen.vantage.id, last, judged.verdicts)
        self.silent[seen.vantage.id] = frozenset(
            (one.platform, one.endpoint) for one in last if unconnected(one)
        )
        self.answered[seen.vantage.id] = frozenset(
            (one.platform, one.endpoint) for one in last if one.reached
        )
        if self.transfers is not None:
            self.transfers.learn(seen, judged.transfers)


class _CycleSteps:
    """One cycle, step by step."""

    def __init__(
        self, runner: CycleRunner, vantage_id: str, effort: Effort, only: Collection[str]
    ) -> None:
        self._runner = runner
        self._probers = runner.probers
        self._vantage = runner.probers.vantage(vantage_id)
        self._effort = effort
        self._platforms = tuple(
            platform
            for platform in runner.settings.catalog.platforms
            if effort is not Effort.OUT_OF_TURN or platform.name in only
        )
        self._started_at = runner.probers.now()
        self._cycle = id_at(self._started_at)
        self._pace = pace_of(self._vantage, runner.settings.interval)
        self._last_begun = asyncio.get_running_loop().time() + self._pace.last_begun
        self._nat64: tuple[str, ...] = ()

    async def run(self) -> Seen:
        """All steps, in order."""
        first = await self._check_references()
        early = self._assess(first)
        if self._vantage.role is VantageRole.CONTROL:
            return await self._control(early, first)
        tests = self._endpoint_tests(early, first)
        endpoints, over_udp = await asyncio.gather(tests.run(), self._ask_over_udp())
        references = first + over_udp + tests.checkups.measurements
        checks: tuple[ControlState, ...] = ()
        reached = [m for one in endpoints for m in one.attempts if m.reached]
        failing = any(needs_comparison(one.attempts, early.families) for one in endpoints)
        if failing or self._probers.exits.doubtful(self._vantage):
            await self._probers.exits.ask(self._vantage.id)
        if failing:
            whole = self._asks_for_all_references(endpoints, early)
            references += await self._measure_references_again(first, whole=whole)
            checks = await self._check_controls(endpoints)
        elif reached and early.state in _MAY_BE_OVER:
            references += await self._measure_references_again(first)
        health = self._assess(references, reached)
        transfers = await self._measure_transfers(health, endpoints)
        return self._seen(
            health,
            references,
            endpoints,
            tests.quic.measurements,
            checks,
            transfers,
            early=self._assess(first),  # where the packets come out is known better by now
        )

    # -- the vantage itself ------------------------------------------------------------------

    async def _check_references(self) -> ReferenceMeasurements:
        """The first round of references; a second one in its place where the network turned out to
        have NAT64, which the first knew nothing of."""
        hurried = self._effort is Effort.OUT_OF_TURN
        await self._probers.exits.begin(self._vantage.id, out_of_turn=hurried)
        found = await self._measure_references()
        self._nat64 = await self._learn_nat64(found)
        if self._nat64 and self._assess(found).state is not VantageState.OK:
            found = await self._measure_references()
        if alarming(found) or self._vantage.id in self._runner.in_doubt:
            found += await self._measure_all_references(found)
        return found

    async def _measure_all_references(self, found: ReferenceMeasurements) -> ReferenceMeasurements:
        """All others, and again what failed: whether that lasts tells a loss from a list."""
        more = [*failed(found), *self._others(found)]
        with suppress(BudgetSpentError):
            return await self._measure_references(more, smaller=greeted_smaller(more))
        return ()

    async def _measure_references_again(
        self, found: ReferenceMeasurements, *, whole: bool = False
    ) -> ReferenceMeasurements:
        """A further round: what the first one measured, and whatever failed last. A `whole` one
        measures what was not measured yet, too."""
        chosen = first_of(self._probers.references(self._vantage.id), self._cycle)
        more = [one for one in failed(found) if one not in chosen]
        rest = self._others(found) if whole else []
        smaller = greeted_smaller([*more, *rest]) if whole else ()
        return await self._measure_references([*chosen, *more, *rest], smaller=smaller)

    def _others(self, found: ReferenceMeasurements) -> Sequence[Reference]:
        known = self._probers.references(self._vantage.id)
        return others(known, {reference for reference, _ in found})

    def _asks_for_all_references(
        self, endpoints: Sequence[EndpointMeasurements], early: VantageHealth
    ) -> bool:
        """Whether platforms of several owners fail, or all that there are: then the line may let
        only a list of sites pass, on which the few references measured may be. So does a forged
        certificate: whoever forges those of references too is a device at the vantage's own site.
        """
        owners = {one.name: one.owner for one in self._platforms}
        failing = [one for one in endpoints if suspicious(one.attempts[-1], early.families)]
        forged = any(
            outcome is not None and outcome.failure in CERTIFICATE_FAILURES
            for outcome in (decisive(one.attempts[-1], early.families) for one in failing)
        )
        troubled = {owners[one.platform] for one in failing}
        return forged or len(troubled) > 1 or troubled == set(owners.values())

    async def _measure_references(
        self,
        references: Sequence[Reference] | None = None,
        smaller: Collection[Reference] = (),
    ) -> ReferenceMeasurements:
        return await self._probers.measure_references(
            self._vantage.id,
            cycle=self._cycle,
            wait=lambda: self._runner.rng.uniform(0, self._pace.references),
            # What is left out are pages: references must show which families work.
            reduction=None if self._effort is Effort.WHOLE else Reduction(greet=True),
            allotment=Allotment.SUSPICION if self._effort is Effort.OUT_OF_TURN else None,
            references=references,
            # No browser asks for small packets.
            smaller=() if self._vantage.profile is Profile.QUIET else smaller,
        )

    async def _ask_over_udp(self) -> ReferenceMeasurements:
        """A server for calls that is no platform's, and the other references over UDP where that
        is silent: whether UDP gets out. Only where a platform's calls are tested."""
        endpoints = [
            e for p in self._platforms for function in p.functions for e in function.endpoints
        ]
        ports = {one.port for one in endpoints if one.kind is EndpointKind.STUN}
        if not ports or self._vantage.egress.proxied:
            return ()
        known = [
            one
            for one in self._runner.settings.catalog.references
            if one.scope is ReferenceScope.UDP
        ]
        self._runner.rng.shuffle(known)
        # One on the port of the platforms' servers says most.
        known.sort(
            key=lambda one: (
                one.endpoint.kind is not EndpointKind.STUN,
                one.endpoint.port not in ports,
            )
        )
        found: ReferenceMeasurements = ()
        for several in (known[:1], known[1:]):
            if several and not any(made.reached for _, made in found):
                with suppress(BudgetSpentError):
                    found += await self._measure_references(several)
        return found

    async def _learn_nat64(self, references: ReferenceMeasurements) -> tuple[str, ...]:
        """The prefixes of the network's NAT64; asked for only where something hints at one."""
        prober = self._probers.prober(self._vantage.id)
        if not hints_at_nat64(references):
            prober.translate(NO_NAT64)
            return ()
        alone = not any("ipv4" in working_families(one) for _, one in references)
        return await prober.learn_nat64(alone=alone)

    def _assess(
        self, references: ReferenceMeasurements, witnesses: Sequence[Measurement] = ()
    ) -> VantageHealth:
        """The vantage's health as these measurements show it."""
        where = self._probers.exits.of(self._vantage)
        ahead = float(round(self._probers.clock_ahead())) or None
        health = assess(self._vantage, references, witnesses, self._probers.now(), where, ahead)
        return msgspec.structs.replace(health, nat64=self._nat64)

    # -- a control's own cycle ---------------------------------------------------------------

    async def _control(self, health: VantageHealth, references: ReferenceMeasurements) -> Seen:
        """The health of a control, and what it measures by the clock. Where something failed, it
        measures its references again: the control may be the one in trouble."""
        scheduled: tuple[Measurement, ...] = ()
        by_clock = self._runner.scheduled_controls
        if by_clock is not None and health.state is VantageState.OK:
            platforms = self._runner.settings.catalog.platforms
            scheduled = await by_clock.measure(
                self._vantage, self._cycle, platforms, health.families
            )
        if not all(map(answered, scheduled)):
            references += await self._measure_references_again(references)
            health = self._assess(references)
        return self._seen(health, references, scheduled=scheduled)

    # -- platforms -----------------------------------------------------------------------------

    def _endpoint_tests(self, early: VantageHealth, first: ReferenceMeasurements) -> EndpointTests:
        runner, vantage = self._runner, self._vantage
        functions = (function for platform in self._platforms for function in platform.functions)
        endpoints = [endpoint for function in functions for endpoint in function.endpoints]
        return EndpointTests(
            settings=runner.settings,
            probers=runner.probers,
            controls=runner.controls,
            rng=runner.rng,
            on_endpoint=runner.on_endpoint,
            vantage=vantage,
            cycle=self._cycle,
            platforms=self._platforms,
            early=early,
            pace=self._pace,
            checkups=Checkups(
                partial(self._measure_references_again, first),
                self._assess,
                lambda: self._probers.now().timestamp(),
                self._pace.references,
            ),
            http3=runner.http3.draw(vantage, early, endpoints),
            hellos=runner.hellos.draw(vantage, early, endpoints),
            quic=QuicWitness(
                self._ask_http3,
                runner.rng,
                runner.http3.offering(vantage.id),
                self._references_over_tls(),
                early.families,
            ),
            effort=runner.effort_planner.begin(vantage.id, self._effort, early.families),
            last_begun=self._last_begun,
            answered_before=runner.answered.get(vantage.id, frozenset()),
            silent_before=(
                runner.silent.get(vantage.id, frozenset())
                if self._effort is Effort.OUT_OF_TURN
                else frozenset()
            ),
        )

    def _references_over_tls(self) -> list[Target]:
        """Foreign references that may answer over HTTP/3."""
        return [
            Target(platform=REFERENCE_PLATFORM, function=one.scope, endpoint=one.endpoint)
            for one in self._runner.settings.catalog.references_for(self._vantage.country)
            if one.scope is ReferenceScope.INTERNATIONAL
            and one.endpoint.kind in (EndpointKind.TLS, EndpointKind.HTTPS)
        ]

    async def _ask_http3(self, target: Target) -> Measurement:
        plan = plan_http3(target)
        return await self._probers.follow_up(self._vantage.id, plan, cycle=self._cycle)

    async def _check_controls(
        self, endpoints: Sequence[EndpointMeasurements]
    ) -> tuple[ControlState, ...]:
        """The health of the controls: one that saw the endpoint fail may itself be in trouble."""
        controls = [control for one in endpoints for control in one.controls]
        if not controls:
            return ()
        failed = [control for control in controls if not answered(control)]
        # One that reached everything has shown its health; its last check suffices.
        after = max((control.ended_at for control in failed), default=0.0)
        try:
            return await self._runner.controls.health(after=after, cycle=self._cycle)
        except BudgetSpentError:
            return ()

    async def _measure_transfers(
        self, health: VantageHealth, endpoints: Sequence[EndpointMeasurements]
    ) -> tuple[ObjectTransfers, ...]:
        transfers = self._runner.transfers
        if transfers is None or self._effort is Effort.OUT_OF_TURN:
            return ()
        return await transfers.run(self._vantage, self._cycle, self._started_at, health, endpoints)

    # -- the result ------------------------------------------------------------------------------

    def _seen(
        self,
        health: VantageHealth,
        references: ReferenceMeasurements,
        endpoints: Sequence[EndpointMeasurements] = (),
        witnesses: Sequence[Measurement] = (),
        checks: Sequence[ControlState] = (),
        transfers: Sequence[ObjectTransfers] = (),
        scheduled: Sequence[Measurement] = (),
        early: VantageHealth | None = None,
    ) -> Seen:
        # Endpoints share measurements of controls.
        measurements = {
            m.id: m
            for m in (
                *(one for _, one in references),
                *(m for one in endpoints for m in (*one.attempts, *one.controls, *one.follow_ups)),
                *witnesses,
                *(m for check in checks for m in check.measurements),
                *(m for one in transfers for m in (*one.made, *one.controls)),
                *scheduled,
            )
        }
        now, known = self._probers.now(), self._runner.transfers
        return Seen(
            cycle=self._cycle,
            vantage=self._vantage,
            started_at=self._started_at,
            finished_at=now,
            judged_at=now,
            health=health,
            early=early,
            endpoints=tuple(endpoints),
            witnesses=tuple(witnesses),
            control_health={check.health.vantage: check.health for check in checks},
            transfers=tuple(transfers),
            accusations=() if known is None else known.accusations(self._vantage),
            measurements=tuple(measurements.values()),
            out_of_turn=self._effort is Effort.OUT_OF_TURN,
        )
