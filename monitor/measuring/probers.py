"""All that measures, built once from the settings: one Prober for each vantage, one Runner."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

from monitor.analysis.vantage.health import ReferenceMeasurements
from monitor.budget.budget import Allotment, allotment_of
from monitor.budget.bytes_used import request_bytes
from monitor.budget.ledger import Ledger
from monitor.config.settings import Settings
from monitor.measuring.exits import Exits
from monitor.measuring.references import first_of
from probes.catalog.catalog import Reference
from probes.catalog.public_pages import PublicPage
from probes.layers.bogon import BogonList, is_stub
from probes.layers.http import HttpClient
from probes.layers.offer import Offer
from probes.measure.exit_address import ask_echo
from probes.measure.follow_up import follow_up
from probes.measure.follow_up_plan import FollowUpPlan
from probes.measure.offered import MOST_BYTES, ask_offer
from probes.measure.ordered_addresses import OrderedLimits
from probes.measure.prober import Prober
from probes.measure.runner import Runner, Start, Urgency
from probes.measure.transfer import TransferPlan, transfer
from probes.measurement import REFERENCE_PLATFORM, Measurement, Purpose
from probes.sockets.network import Network, SocketNetwork, TlsContexts
from probes.sockets.system_resolvers import ResolverAddress, system_resolvers
from probes.target import Dial, Reduction, Target
from probes.vantage import VantagePoint

MakeNetwork = Callable[[VantagePoint], Network]


class MakeRunner(Protocol):
    """Makes the runner that keeps to a rate and a number of measurements."""

    def __call__(self, *, rate: float, concurrency: int) -> Runner: ...


_URGENCY = {Purpose.CONTROL: Urgency.CONTROL, Purpose.RETRY: Urgency.RETRY}


class Probers:
    """Measures from any configured vantage. Use as an async context manager."""

    def __init__(
        self,
        settings: Settings,
        *,
        now: Callable[[], datetime],
        clock_ahead: Callable[[], float] = lambda: 0.0,
        make_network: MakeNetwork | None = None,
        ledger: Ledger | None = None,
        limits: OrderedLimits | None = None,
        make_runner: MakeRunner = Runner,
    ) -> None:
        """`clock_ahead` gives the seconds by which the machine's clock, by which certificates are
        checked, is ahead of `now`. `make_network` replaces real sockets, for tests; by default each
        egress gets its own.

        Every measurement is counted in `ledger`; by default nothing limits them. `limits` go on
        from one configuration to the next, for endpoints that are measured by an order.
        `make_runner` is for tests in virtual time.
        """
        self.now = now
        self.clock_ahead = clock_ahead
        self.ledger = ledger or Ledger(settings, now=now, limited=False)
        self._catalog = settings.catalog
        self._client = HttpClient()
        self._runner = make_runner(rate=settings.probe.rate, concurrency=settings.probe.concurrency)
        contexts = TlsContexts(settings.probe.trust_anchors, settings.catalog.authorities)
        network_of = make_network or (lambda vantage: SocketNetwork(vantage.egress, contexts))
        self._probers: Mapping[str, Prober] = {
            vantage.id: Prober(
                vantage,
                network_of(vantage),
                settings.probe,
                self._client,
                resolvers=partial(_resolvers, vantage, BogonList(settings.probe.bogon_allow)),
                now=now,
            )
            for vantage in settings.vantages
        }
        for prober in self._probers.values():
            prober.ordered = settings.catalog.ordered
            prober.authorities = settings.catalog.authorities
            prober.limits = limits or prober.limits
        self.exits = Exits(settings, self._ask_echo)
        if self.exits.checked:
            for vantage_id, prober in self._probers.items():
                prober.on_exit = partial(self.exits.heard, vantage_id)

    async def __aenter__(self) -> "Probers":
        await self._runner.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.__aexit__(None, None, None)

    def __iter__(self) -> Iterator[Prober]:
        """The probers of all vantages."""
        return iter(self._probers.values())

    def inherit(self, before: "Probers", vantages: Collection[str]) -> None:
        """Go on with what was learnt from these vantages under other settings."""
        for vantage_id in vantages:
            self._probers[vantage_id].inherit(before.prober(vantage_id))

    def vantage(self, vantage_id: str) -> VantagePoint:
        """The vantage point of that id."""
        return self._probers[vantage_id].vantage

    def prober(self, vantage_id: str) -> Prober:
        """The prober of that vantage."""
        return self._probers[vantage_id]

    def references(self, vantage_id: str) -> tuple[Reference, ...]:
        """Every reference for the vantage's country."""
        return self._catalog.references_for(self.vantage(vantage_id).country)

    async def _ask_echo(self, vantage_id: str, url: str) -> str:
        """Empty, too, where no bytes of the day are left to ask with."""
        if not self.ledger.buy(vantage_id, Allotment.ROUTINE, request_bytes()):
            return ""
        work = partial(ask_echo, self._probers[vantage_id], url)
        return await self._runner.run(work, vantage=vantage_id)

    async def offer(self, vantage_id: str, page: PublicPage) -> Offer | None:
        """What a platform says of a page to whoever asks from this vantage, when the rate lets it;
        None where it was not reached, or no bytes of the day are left to ask with."""
        if not self.ledger.buy(vantage_id, Allotment.ROUTINE, MOST_BYTES[page.kind]):
            return None
        work = partial(ask_offer, self._probers[vantage_id], page)
        return await self._runner.run(work, vantage=vantage_id)

    async def measure(
        self,
        vantage_id: str,
        target: Target,
        *,
        cycle: str = "",
        purpose: Purpose = Purpose.SCHEDULED,
        attempt: int = 1,
        quic: bool = False,
        unadvertised: bool = True,
        otherwise: bool = False,
        smaller: bool = False,
        reduction: Reduction | None = None,
        also: Dial | None = None,
        brisk: bool = False,
        allotment: Allotment | None = None,
    ) -> Measurement:
        """One measurement, when the rate lets it; with `quic` over HTTP/3 too (without
        `unadvertised` only where that is offered), with `otherwise` in another form of TLS greeting
        too, with `smaller` in small packets where it falls silent. `reduction` says what to leave
        out, and `also` which addresses to connect to besides; a `brisk` one waits for what stays
        silent only as long as tells something on this line.

        `allotment` pays for it where that is not the one of its purpose. Raises BudgetSpentError.
        """
        prober = self._probers[vantage_id]
        how = partial(
            prober.measure,
            cycle=cycle,
            purpose=purpose,
            attempt=attempt,
            smaller=smaller,
            reduction=reduction,
            also=also,
            brisk=brisk,
        )
        paid_from = allotment or allotment_of(purpose)
        with self.ledger.holding(vantage_id, paid_from, target.endpoint.id):
            measured = await self._runner.run(
                partial(how, target, quic=quic, unadvertised=unadvertised, otherwise=otherwise),
                _URGENCY.get(purpose, Urgency.SCHEDULED),
                vantage_id,
            )
            self.ledger.count(measured, paid_from)
        return measured

    async def follow_up(self, vantage_id: str, plan: FollowUpPlan, *, cycle: str) -> Measurement:
        """Ask what `plan` says about a failed attempt, when the rate lets it."""
        prober = self._probers[vantage_id]
        return await self._counted(vantage_id, partial(follow_up, prober, plan, cycle=cycle))

    async def transfer(
        self, vantage_id: str, plan: TransferPlan, *, cycle: str = "", attempt: int = 1
    ) -> Measurement:
        """One round of transfers, when the rate lets it."""
        prober = self._probers[vantage_id]
        work = partial(transfer, prober, plan, cycle=cycle, attempt=attempt)
        return await self._counted(vantage_id, work)

    async def _counted(self, vantage_id: str, work: Start) -> Measurement:
        made = await self._runner.run(work, Urgency.RETRY, vantage_id)
        self.ledger.count(made)
        return made

    async def measure_references(
        self,
        vantage_id: str,
        *,
        cycle: str = "",
        wait: Callable[[], float] | None = None,
        reduction: Reduction | None = None,
        allotment: Allotment | None = None,
        references: Sequence[Reference] | None = None,
        smaller: Collection[Reference] = (),
    ) -> ReferenceMeasurements:
        """One measurement of each of these references, side by side; by default of those that a
        round of this cycle measures from the vantage's country.

        `wait` gives the seconds that each of them waits first; without it none does.
        `reduction` says what to leave out, `allotment` what pays where that is not the routine,
        `smaller` which are greeted in small packets too where they fall silent.
        """

        async def at(reference: Reference) -> Measurement:
            if wait is not None:
                await asyncio.sleep(wait())
            target = Target(
                platform=REFERENCE_PLATFORM, function=reference.scope, endpoint=reference.endpoint
            )
            return await self.measure(
                vantage_id,
                target,
                cycle=cycle,
                purpose=Purpose.REFERENCE,
                smaller=reference in smaller,
                reduction=reduction,
                allotment=allotment,
            )

        if references is None:
            references = first_of(self.references(vantage_id), cycle)
        made = await asyncio.gather(*map(at, references))
        return tuple(zip(references, made, strict=True))


def _resolvers(vantage: VantagePoint, bogons: BogonList) -> Sequence[ResolverAddress]:
    if vantage.resolver.system or vantage.resolver.url:
        # One that is asked over HTTPS has a name, which is all the machine's own are asked for.
        return system_resolvers()
    address = vantage.resolver.address
    stub = is_stub(address, bogons)
    return (ResolverAddress(address=address, port=vantage.resolver.port, stub=stub),)
