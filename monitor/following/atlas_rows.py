"""Puts together what the probes of one round of RIPE Atlas found, and has our rules judge each.

Which probe it was is needed to join its results, and to know its country and network: no row has
it.
"""

import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from itertools import islice

import msgspec

from monitor.analysis.verdict import State
from monitor.config.settings import Settings, SourceSettings
from monitor.following.atlas_results import CLOCK_TRUSTED, Roots, greeted, looked_up
from monitor.following.atlas_round import AtlasRound
from monitor.following.opinion_row import Found, Suspect, health_of, opinion_of
from monitor.following.suspects import references_of
from monitor.sources.atlas_client import OLDEST_FIRMWARE, AtlasClient, Place, Result
from monitor.sources.fault import FOR_EVER, SourceFault
from monitor.sources.terms import TERMS
from probes.catalog.catalog import Endpoint
from probes.layers.bogon import BogonList
from probes.measurement import Measurement, Purpose
from probes.vantage import VantagePoint, VantageRole
from storage.values.sourced import SourcedRow

TEST = "sslcert"
"""Name of the test in rows."""


class AtlasRows:
    """Of one `[[source]]`."""

    def __init__(
        self,
        source: SourceSettings,
        settings: Settings,
        client: AtlasClient,
        now: Callable[[], datetime],
    ) -> None:
        """`now` gives UTC."""
        self._source = source
        self._client = client
        self._now = now
        self._bogons = BogonList(settings.probe.bogon_allow)
        self._roots = Roots(settings.probe.trust_anchors, settings.catalog.authorities)
        self._references = references_of(settings)

    async def of(self, suspect: Suspect, asked: AtlasRound) -> tuple[list[SourcedRow], int]:
        """A row for each probe that says something, and how many results could not be read. Raises
        SourceFault."""
        malformed = 0
        by_test: list[dict[int, Result]] = []
        for number in asked.here:
            found, bad = await self.results(number, self._source.probes)
            malformed += bad
            by_test.append(found)
        controls: list[tuple[Measurement, VantagePoint, Sequence[Found]]] = []
        for page, *references in filter(None, asked.beside):
            pages, bad = await self.results(page, 1)
            malformed += bad
            tested = [(await self.results(one, 1))[0] for one in references]
            for probe, result in pages.items():
                own = [one[probe] for one in tested if probe in one]
                control = await self._control(suspect, asked, len(controls), probe, result, own)
                if control is not None:
                    controls.append(control)
        named, pages, *others = by_test
        rows = []
        places = await self._places(pages)
        for number, (probe, result) in enumerate(pages.items()):
            place = places[probe]
            if place.country_code != suspect.country or not place.asn_v4:
                continue
            vantage = _vantage(suspect.country, place.asn_v4, VantageRole.FIELD)
            row = self._row(
                suspect,
                asked,
                vantage,
                number,
                (named.get(probe), result),
                [one.get(probe) for one in others],
                controls,
            )
            if row is not None:
                rows.append(row)
        return rows, malformed

    async def results(self, number: int, probes: int) -> tuple[dict[int, Result], int]:
        """The newest result of each probe that can be used, of so many probes as were asked for;
        and how many cannot be read."""
        found, malformed = await self._client.results(number)
        newest = {one.prb_id: one for one in found if one.fw >= OLDEST_FIRMWARE}
        return dict(islice(newest.items(), probes)), malformed

    async def _places(self, probes: Collection[int]) -> dict[int, Place]:
        """Where each of these is: nowhere where that of one alone is not told. Raises SourceFault
        where none is."""
        found: dict[int, Place] = {}
        faults: list[SourceFault] = []
        for probe in probes:
            try:
                found[probe] = await self._client.place(probe)
            except SourceFault as fault:
                if fault.problem not in FOR_EVER:
                    raise
                found[probe] = Place()
                faults.append(fault)
        if faults and len(faults) == len(found):
            raise faults[0]
        return found

    async def _control(
        self,
        suspect: Suspect,
        asked: AtlasRound,
        number: int,
        probe: int,
        result: Result,
        references: Sequence[Result],
    ) -> tuple[Measurement, VantagePoint, Sequence[Found]] | None:
        try:
            place = await self._client.place(probe)
        except SourceFault as fault:
            if fault.problem not in FOR_EVER:
                raise
            return None
        country = place.country_code or ""
        if not country or country == suspect.country:
            return None
        vantage = _vantage(country, place.asn_v4 or 0, VantageRole.CONTROL, number)
        at = self._moment(result, asked.at)
        found = greeted(result, suspect.endpoint.host, self._roots, None, at)
        if found is None:
            return None
        made = self._measurement(suspect, asked, vantage, at, found, Purpose.CONTROL)
        tested = [self._of_reference(one, asked.at) for one in references]
        well = [one for one in tested if one is not None] + ([found] if found[2] else [])
        return made, vantage, well

    def _of_reference(self, result: Result, asked_at: datetime, position: int = 0) -> Found | None:
        host = self._references[position].host
        return greeted(result, host, self._roots, None, self._moment(result, asked_at))

    def _moment(self, result: Result, asked_at: datetime) -> datetime:
        """When a probe tested: between the question and now, whatever its clock says."""
        if not 0 <= result.lts <= CLOCK_TRUSTED.total_seconds():
            return asked_at
        said = datetime.fromtimestamp(result.timestamp, UTC)
        return min(max(said, asked_at), self._now())

    def _row(
        self,
        suspect: Suspect,
        asked: AtlasRound,
        vantage: VantagePoint,
        number: int,
        results: tuple[Result | None, Result],
        references: Sequence[Result | None],
        controls: Sequence[tuple[Measurement, VantagePoint, Sequence[Found]]],
    ) -> SourcedRow | None:
        """What one probe says, as it is kept; None where it says nothing."""
        named, page = results
        host = suspect.endpoint.host
        lookup = looked_up(named, host, self._bogons) if named is not None else None
        at = self._moment(page, asked.begun)
        found = greeted(page, host, self._roots, lookup, at)
        if found is None:
            return None
        made = self._measurement(suspect, asked, vantage, at, found, Purpose.SCHEDULED, number)
        row = SourcedRow(
            country=vantage.country,
            source=str(self._source.kind),
            # Nothing of the probe's number: it leads to the host.
            uid=secrets.token_hex(12),
            measured_at=made.started_at,
            received_at=self._now(),
            asn=vantage.asn,
            platform=suspect.platform.name,
            part=suspect.part,
            test=TEST,
            failed=0.0,
            judged=str(State.OK),
            licence=TERMS[self._source.kind].licence,
        )
        if made.reached:
            return row
        tested = [
            self._of_reference(one, asked.begun, position)
            for position, one in enumerate(references)
            if one is not None
        ]
        health = health_of(vantage, [one for one in tested if one is not None], made.started_at)
        opinion = opinion_of(
            suspect,
            vantage,
            made,
            health,
            [(one, health_of(where, well, one.started_at)) for one, where, well in controls],
        )
        return msgspec.structs.replace(row, failed=1.0, **msgspec.structs.asdict(opinion))

    def _measurement(
        self,
        suspect: Suspect,
        asked: AtlasRound,
        vantage: VantagePoint,
        at: datetime,
        found: Found,
        purpose: Purpose,
        number: int = 0,
    ) -> Measurement:
        observations, not_observed, reached = found
        endpoint: Endpoint = suspect.endpoint
        return Measurement(
            id=f"{asked.here[0]}.{vantage.id}.{number}.{purpose}",
            cycle=f"{asked.here[0]}.{number}",
            **vantage.origin,
            platform=suspect.platform.name,
            function=suspect.function.name,
            endpoint=endpoint.id,
            look=purpose,
            started_at=at,
            duration=max((o.start + o.duration for o in observations), default=0.0),
            observations=observations,
            not_observed=not_observed,
            reached=reached,
        )


def _vantage(country: str, asn: int, role: VantageRole, number: int | None = None) -> VantagePoint:
    place = f"atlas-{country.lower()}-as{asn}"
    return VantagePoint(
        id=place if number is None else f"{place}-{number}",
        country=country,
        asn=asn,
        role=role,
    )
