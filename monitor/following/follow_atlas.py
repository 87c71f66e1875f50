"""Asks RIPE Atlas for a second opinion whenever a block is suspected, and never otherwise.

Whoever hosts a probe has their line test the suspected name. So it is asked as Globalping is: twice
for each platform and country in a day, from few probes. Results trickle in for minutes, so a round
is begun in one poll and read in a later one; what was begun is noted in the same write as the
credits that it takes. Of a host nothing is kept but country and network: which probe it was is
forgotten as soon as its results are put together.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from monitor.analysis.verdict import State
from monitor.config.settings import Settings, SourceSettings
from monitor.following.atlas_results import CLOCK_TRUSTED, Roots, greeted, looked_up
from monitor.following.opinion_row import (
    Found,
    Suspect,
    health_of,
    opinion_of,
)
from monitor.following.quota import charged, may_list
from monitor.following.suspects import LATELY, NothingToAskError, Suspects, references_of
from monitor.sources import rounds
from monitor.sources.atlas_client import (
    OLDEST_FIRMWARE,
    AtlasClient,
    Result,
    definition,
    homes,
)
from monitor.sources.fault import SourceFault
from monitor.sources.terms import TERMS
from probes.catalog.catalog import Endpoint
from probes.layers.bogon import BogonList
from probes.measurement import Measurement, Purpose
from probes.vantage import VantagePoint, VantageRole
from storage.store import Store
from storage.values.sourced import SourcedRow, SourceState

ROUNDS, TRIES = 2, 4
"""Rounds of each platform and country in a day, and tries to make them."""
APART = timedelta(minutes=15)
"""From the beginning of a round to that of the next: probes are slower than Globalping's."""
WAIT = timedelta(minutes=10)
"""Time in which results come."""
CREDITS = 20
"""Credits of one result of a test that is made once, as far as is known."""
_GIVEN_UP = timedelta(hours=6)
_REMEMBERED = timedelta(days=30)
_BALANCE_EVERY = timedelta(minutes=30)
_ASK_AGAIN = 30.0
"""Seconds between two looks whether all results are there, for a person who waits."""
_ASKED = "asked"
TEST = "sslcert"
"""Name of the test in rows."""


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A round under way, as the name of a cursor has it."""

    name: str
    country: str
    platform: str
    here: tuple[int, ...]
    """`dns`, `sslcert` of the page and of each reference, from the country."""
    begun: datetime
    """UTC."""
    beside: tuple[tuple[int, ...], ...] = ()
    """`sslcert` of the page and of a reference, from each country to compare with; asked for once a
    probe failed."""
    at: datetime
    """UTC; when something was asked for last."""

    @classmethod
    def of(cls, name: str, at: datetime) -> "_Asked | None":
        """None for a cursor of something else."""
        word, *fields = name.split(" ")
        if word != _ASKED:
            return None
        country, platform, begun, here, *beside = fields
        return cls(
            name=name,
            country=country,
            platform=platform,
            begun=datetime.fromtimestamp(int(begun), UTC),
            here=_numbers(here),
            beside=tuple(map(_numbers, beside)),
            at=at,
        )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


class AtlasFollower:
    """Asks for one `[[source]]` of kind `atlas`."""

    def __init__(
        self,
        source: SourceSettings,
        settings: Settings,
        store: Store,
        client: AtlasClient,
        *,
        now: Callable[[], datetime],
    ) -> None:
        """`now` gives UTC."""
        self._source = source
        self._store = store
        self._client = client
        self._now = now
        self._bogons = BogonList(settings.probe.bogon_allow)
        self._roots = Roots(settings.probe.trust_anchors)
        self._suspects = Suspects(source, settings, store)
        self._references = references_of(settings)
        self.state = SourceState()

    @property
    def cost(self) -> int:
        """Credits that a round takes at most."""
        here = self._source.probes * (2 + len(self._references))
        return CREDITS * (here + 2 * len(self._source.beside))

    async def restore(self) -> None:
        """Go on from what is stored. StorageError."""
        kind = str(self._source.kind)
        self.state = (await self._store.source_states()).get(kind, SourceState())
        asked = ",".join(sorted(self._source.countries))
        self.state = msgspec.structs.replace(self.state, asked=asked)

    async def poll(self) -> None:
        """Read what was asked for, and ask about what is suspected since lately. Raises SourceFault
        and StorageError."""
        await self.restore()  # A person may have asked meanwhile, by a process of their own.
        now = self._now()
        self.state = msgspec.structs.replace(
            self.state, cursors=rounds.forgotten(self.state.cursors, now - _REMEMBERED)
        )
        for one in self._under_way():
            if now - one.at >= WAIT:
                await self._read(one)
        suspects = await self._suspects.lately(now)
        due = [one for one in suspects if self._due(one, now)]
        answered = self.state.answered_at
        if due or answered is None or now - answered >= _BALANCE_EVERY:
            await self._read_balance()
        for suspect in due:
            if not self._affordable(now):
                return
            await self._ask(suspect)

    async def ask_now(
        self, country: str, platform: str, sleep: Callable[[float], Awaitable[None]]
    ) -> list[SourcedRow]:
        """One round that a person asked for, suspected or not; what it brought is stored. `sleep`
        waits so many seconds. Raises NothingToAskError, SourceFault and StorageError."""
        suspect = self._suspects.one(country, platform)
        begun = self._round_of(country, platform)
        if begun is not None and self._now() - begun.at < 2 * WAIT:
            # A monitor began it, and reads it.
            raise NothingToAskError(
                f"probes test {platform} in {country} already: its results come"
            )
        if begun is None:
            await self._read_balance()
            if not self._affordable(self._now()):
                raise SourceFault("limited", f"a round takes up to {self.cost} credits")
            await self._ask(suspect)
        rows: list[SourcedRow] = []
        while (asked := self._round_of(country, platform)) is not None:
            if self._now() - asked.at < WAIT and not await self._complete(asked):
                await sleep(_ASK_AGAIN)
                continue
            rows = await self._read(asked)
        return rows

    async def close(self) -> None:
        """Release its connections."""
        await self._client.close()

    def _affordable(self, now: datetime) -> bool:
        """Whether our budget and the account have enough for a whole round."""
        left = self.state.remaining
        room = may_list(self.state, self._source.budget, self.cost, now)
        return room and (left is None or left >= self.cost)

    async def _read_balance(self) -> None:
        try:
            balance = await self._client.balance()
        finally:
            self.state = charged(self.state, 0, self._now())
        self.state = msgspec.structs.replace(self.state, remaining=balance, answered_at=self._now())

    def _due(self, suspect: Suspect, now: datetime) -> bool:
        lately = rounds.forgotten(self.state.cursors, now - LATELY)
        place = suspect.country, suspect.platform.name
        if self._round_of(*place) is not None:
            return False
        tried = rounds.moments(lately, rounds.TRIED, *place)
        done = rounds.moments(lately, rounds.DONE, *place)
        if len(done) >= ROUNDS or len(tried) >= TRIES:
            return False
        return not tried or now - max(tried) >= APART

    def _under_way(self) -> list[_Asked]:
        found = (_Asked.of(name, at) for name, at in self.state.cursors.items())
        return [one for one in found if one is not None]

    def _round_of(self, country: str, platform: str) -> _Asked | None:
        """The round of a platform and country that is under way."""
        place = country, platform
        return next(
            (one for one in self._under_way() if (one.country, one.platform) == place), None
        )

    async def _complete(self, asked: _Asked) -> bool:
        """Whether every probe that was asked for has answered: often there are fewer."""
        groups, probes = (asked.beside, 1) if asked.beside else ((asked.here,), self._source.probes)
        return all(
            [
                len((await self._results(number))[0]) >= probes
                for group in groups
                for number in group
            ]
        )

    # -- a round ---------------------------------------------------------------------------------

    async def _ask(self, suspect: Suspect) -> None:
        """Begin one, noted before it is made and once it is."""
        kind, host = str(self._source.kind), suspect.endpoint.host
        place = suspect.country, suspect.platform.name
        cursors = rounds.noted(self.state.cursors, rounds.TRIED, *place, self._now())
        state = charged(self.state, self.cost, self._now())
        self.state = msgspec.structs.replace(state, cursors=cursors)
        await self._store.add_sourced((), kind, self.state)
        tests = [definition("dns", host), definition("sslcert", host)]
        tests += [definition("sslcert", one.host) for one in self._references]
        here = await self._client.create(tests, homes(suspect.country, self._source.probes))
        groups = ",".join(map(str, here))
        begun = int(self._now().timestamp())
        name = f"{_ASKED} {suspect.country} {suspect.platform.name} {begun} {groups}"
        await self._note(name)

    async def _note(self, name: str, instead: str = "") -> None:
        cursors = {n: at for n, at in self.state.cursors.items() if n != instead}
        self.state = msgspec.structs.replace(self.state, cursors={**cursors, name: self._now()})
        await self._store.add_sourced((), str(self._source.kind), self.state)

    async def _compare(self, suspect: Suspect, asked: _Asked) -> None:
        """Have probes elsewhere test the page, after those in the country did."""
        tests = [definition("sslcert", suspect.endpoint.host)]
        tests += [definition("sslcert", one.host) for one in self._references[:1]]
        beside = [
            await self._client.create(tests, homes(country, 1)) for country in self._source.beside
        ]
        groups = " ".join(",".join(map(str, group)) for group in beside)
        await self._note(f"{asked.name} {groups}", instead=asked.name)

    async def _read(self, asked: _Asked) -> list[SourcedRow]:
        """Judge what came of a round, and forget which probes it was; none while it goes on
        elsewhere."""
        kind, now = str(self._source.kind), self._now()
        cursors = {n: at for n, at in self.state.cursors.items() if n != asked.name}
        suspects = self._suspects.named({(asked.country, asked.platform): ()})
        rows: list[SourcedRow] = []
        malformed = 0
        if suspects and now - asked.at < _GIVEN_UP:
            rows, malformed = await self._rows(suspects[0], asked)
            if not asked.beside and any(one.failed for one in rows):
                await self._compare(suspects[0], asked)
                return []
        cursors = rounds.noted(cursors, rounds.DONE, asked.country, asked.platform, now)
        newest = [one.measured_at for one in rows]
        known = [] if self.state.newest_at is None else [self.state.newest_at]
        state = msgspec.structs.replace(
            self.state,
            cursors=cursors,
            answered_at=now,
            newest_at=max((*newest, *known), default=None),
            malformed=self.state.malformed + malformed,
            judged=self.state.judged + len(rows),
        )
        added = await self._store.add_sourced(rows, kind, state)
        self.state = msgspec.structs.replace(state, rows=state.rows + added)
        return rows

    async def _rows(self, suspect: Suspect, asked: _Asked) -> tuple[list[SourcedRow], int]:
        malformed = 0
        by_test: list[dict[int, Result]] = []
        for number in asked.here:
            found, bad = await self._results(number)
            malformed += bad
            by_test.append(found)
        controls: list[tuple[Measurement, VantagePoint, Sequence[Found]]] = []
        for page, *references in asked.beside:
            pages, bad = await self._results(page)
            malformed += bad
            tested = [(await self._results(one))[0] for one in references]
            for probe, result in pages.items():
                own = [one[probe] for one in tested if probe in one]
                control = await self._control(suspect, asked, len(controls), probe, result, own)
                if control is not None:
                    controls.append(control)
        named, pages, *others = by_test
        rows = []
        for number, (probe, result) in enumerate(pages.items()):
            place = await self._client.place(probe)
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

    async def _results(self, number: int) -> tuple[dict[int, Result], int]:
        """The newest result of each probe that can be used, and how many cannot be read."""
        found, malformed = await self._client.results(number)
        return {one.prb_id: one for one in found if one.fw >= OLDEST_FIRMWARE}, malformed

    async def _control(
        self,
        suspect: Suspect,
        asked: _Asked,
        number: int,
        probe: int,
        result: Result,
        references: Sequence[Result],
    ) -> tuple[Measurement, VantagePoint, Sequence[Found]] | None:
        place = await self._client.place(probe)
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
        asked: _Asked,
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
        asked: _Asked,
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
