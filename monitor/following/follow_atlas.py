"""Asks RIPE Atlas for a second opinion whenever a block is suspected, and never otherwise.

Whoever hosts a probe has their line test the suspected name. So it is asked as Globalping is: twice
for each platform and country in a day, from few probes. Results trickle in for minutes, so a round
is begun in one poll and read in a later one; whatever is begun is noted at once, in the same write
as the credits that it takes, so that no failure begins it again. Of a host nothing is kept but
country and network: which probe it was is forgotten as soon as its results are put together.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from monitor.config.settings import Settings, SourceSettings
from monitor.following.atlas_round import AtlasRound
from monitor.following.atlas_rows import AtlasRows
from monitor.following.kept_state import KeptState
from monitor.following.opinion_row import Suspect
from monitor.following.quota import charged, may_list
from monitor.following.suspects import LATELY, NothingToAskError, Suspects, references_of
from monitor.following.unforeseen import fault_in
from monitor.logs import logger
from monitor.sources import rounds
from monitor.sources.atlas_client import AtlasClient, definition, homes
from monitor.sources.fault import FOR_EVER, SourceFault
from monitor.sources.round_cost import BESIDE, PRICE, round_cost
from monitor.sources.terms import SourceKind
from storage.store import Store
from storage.values.sourced import SourcedRow, SourceState

log = logger(__name__)

ROUNDS, TRIES = 2, 4
"""Rounds of each platform and country in a day, and tries to make them."""
APART = timedelta(minutes=15)
"""From the beginning of a round to that of the next: probes are slower than Globalping's."""
WAIT = timedelta(minutes=10)
"""Time in which results come."""
_SOONER = timedelta(minutes=1)
"""A person who waits reads a round so much before a monitor does: else both might at once."""
_ELSEWHERE = BESIDE * PRICE[SourceKind.ATLAS]
"""Credits of what a probe elsewhere tests."""
_NOT_BEGUN = ("refused", "limited")
"""Problems after which nothing was begun for sure; else it is counted."""
_GIVEN_UP = timedelta(hours=6)
_REMEMBERED = timedelta(days=30)
_BALANCE_EVERY = timedelta(minutes=30)
_ASK_AGAIN = 30.0
"""Seconds between two looks whether all results are there, for a person who waits."""


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
        self._suspects = Suspects(source, settings, store)
        self._references = references_of(settings)
        self._rows = AtlasRows(source, settings, client, now)
        self._kept = KeptState(str(source.kind), store)

    @property
    def state(self) -> SourceState:
        """As it is known here."""
        return self._kept.now

    @state.setter
    def state(self, state: SourceState) -> None:
        self._kept.now = state

    @property
    def cost(self) -> int:
        """Credits that a round takes at most."""
        return self._cost_here + _ELSEWHERE * len(self._source.beside)

    @property
    def _cost_here(self) -> int:
        """Of these what is begun first."""
        return round_cost(SourceKind.ATLAS, self._source.probes, 0, len(self._references))

    async def restore(self) -> None:
        """Go on from what is stored. StorageError."""
        await self._kept.read()
        asked = ",".join(sorted(self._source.countries))
        self.state = msgspec.structs.replace(self.state, asked=asked)

    async def keep(self) -> None:
        """Store what is known of it, beside what people noted meanwhile. StorageError."""
        await self._kept.write()

    async def poll(self) -> None:
        """Read what was asked for, and ask about what is suspected since lately. A fault of one
        round keeps no other from either. Raises SourceFault and StorageError."""
        await self.restore()  # A person may have asked meanwhile, by a process of their own.
        now = self._now()
        self.state = msgspec.structs.replace(
            self.state, cursors=rounds.forgotten(self.state.cursors, now - _REMEMBERED)
        )
        faults = [
            await fault_in(self._read(one), str(self._source.kind))
            for one in self._under_way()
            if now - one.at >= WAIT
        ]
        suspects = await self._suspects.lately(now)
        due = [one for one in suspects if self._due(one, now)]
        answered = self.state.answered_at
        if due or answered is None or now - answered >= _BALANCE_EVERY:
            await self._read_balance()
        for suspect in due:
            if not self._affordable(now):
                break
            faults.append(await fault_in(self._ask(suspect), str(self._source.kind)))
        for fault in faults:
            if fault is not None:
                raise fault

    async def ask_now(
        self, country: str, platform: str, sleep: Callable[[float], Awaitable[None]]
    ) -> list[SourcedRow]:
        """One round that a person asked for, suspected or not; what it brought is stored. `sleep`
        waits so many seconds. Raises NothingToAskError, SourceFault and StorageError."""
        suspect = self._suspects.one(country, platform)
        begun = self._now()
        if not self._is_left(country, platform):
            await self._read_balance()
            if not self._affordable(self._now()):
                raise SourceFault("limited", f"a round takes up to {self.cost} credits")
            await self._ask(suspect, suspected=False)
        elif (left := self._round_of(country, platform)) is not None:
            begun = left.begun
        while (asked := self._round_of(country, platform)) is not None:
            if self._now() - asked.at < WAIT - _SOONER and not await self._complete(asked):
                await sleep(_ASK_AGAIN)
                await self.keep()
                continue
            await self._read(asked)
        await self.keep()
        return await self._brought(country, platform, begun)

    def _is_left(self, country: str, platform: str) -> bool:
        """Whether a round is under way that nobody seems to read. Raises NothingToAskError where
        somebody began one just now, and reads it."""
        begun, now = self._round_of(country, platform), self._now()
        left = begun is not None and now - begun.at >= 2 * WAIT
        at_it = rounds.being_made(self.state.cursors, country, platform, now)
        if begun is None and not at_it:
            return False
        if not left:
            raise NothingToAskError(
                f"probes test {platform} in {country} already: its results come"
            )
        return True

    async def _brought(self, country: str, platform: str, begun: datetime) -> list[SourcedRow]:
        """The rows of a round that was begun then (UTC), whoever read it."""
        since = begun.replace(microsecond=0)  # Probes tell whole seconds.
        return [
            one
            async for page in self._store.sourced_rows(str(self._source.kind), since)
            for one in page
            if (one.country, one.platform) == (country, platform) and one.received_at >= begun
        ]

    async def close(self) -> None:
        """Release its connections."""
        await self._client.close()

    def _affordable(self, now: datetime) -> bool:
        """Whether our budget and the account have enough for a whole round, beside what those under
        way may still take."""
        countries = len(self._source.beside)
        to_come = sum(max(0, countries - len(one.beside)) for one in self._under_way())
        needed = self.cost + _ELSEWHERE * to_come
        left = self.state.remaining
        room = may_list(self.state, self._source.budget, needed, now)
        return room and (left is None or left >= needed)

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

    def _under_way(self) -> list[AtlasRound]:
        found = (AtlasRound.of(name, at) for name, at in self.state.cursors.items())
        return [one for one in found if one is not None]

    def _round_of(self, country: str, platform: str) -> AtlasRound | None:
        """The round of a platform and country that is under way."""
        place = country, platform
        return next(
            (one for one in self._under_way() if (one.country, one.platform) == place), None
        )

    async def _complete(self, asked: AtlasRound) -> bool:
        """Whether every probe that was asked for has answered: often there are fewer."""
        groups, probes = (asked.beside, 1) if asked.beside else ((asked.here,), self._source.probes)
        return all(
            [
                len((await self._rows.results(number, probes))[0]) >= probes
                for group in groups
                for number in group
            ]
        )

    # -- a round ---------------------------------------------------------------------------------

    async def _ask(self, suspect: Suspect, *, suspected: bool = True) -> None:
        """Begin one, unless somebody did meanwhile: noted before it is made and once it is."""
        await self.keep()
        now, host = self._now(), suspect.endpoint.host
        place = suspect.country, suspect.platform.name
        begun = not self._due(suspect, now) if suspected else self._is_left(*place)
        if begun:
            return
        cursors = rounds.noted(self.state.cursors, rounds.TRIED, *place, now)
        state = charged(self.state, self._cost_here, now)
        self.state = msgspec.structs.replace(state, cursors=cursors)
        await self.keep()
        tests = [definition("dns", host), definition("sslcert", host)]
        tests += [definition("sslcert", one.host) for one in self._references]
        here = await self._client.create(tests, homes(suspect.country, self._source.probes))
        at = self._now()
        await self._note(
            AtlasRound(
                country=suspect.country,
                platform=suspect.platform.name,
                function=suspect.function.name,
                here=here,
                begun=at.replace(microsecond=0),
                at=at,
            )
        )

    async def _note(self, asked: AtlasRound) -> None:
        cursors = asked.noted(self.state.cursors)
        self.state = msgspec.structs.replace(self.state, cursors=cursors)
        await self.keep()

    async def _compare(self, suspect: Suspect, asked: AtlasRound) -> None:
        """Have probes elsewhere test the page, after those in the country did."""
        tests = [definition("sslcert", suspect.endpoint.host)]
        tests += [definition("sslcert", one.host) for one in self._references[:1]]
        for country in self._source.beside[len(asked.beside) :]:
            group = await self._begun_in(country, tests)
            asked = msgspec.structs.replace(asked, beside=(*asked.beside, group), at=self._now())
            await self._note(asked)

    async def _begun_in(self, country: str, tests: Sequence[dict[str, Any]]) -> tuple[int, ...]:
        """What a probe in a country to compare with tests; nothing where it cannot be asked for.
        Noted and charged before the next country is asked: what is begun is paid for."""
        try:
            made = await self._client.create(tests, homes(country, 1))
        except SourceFault as fault:
            if fault.problem not in _NOT_BEGUN:
                self.state = charged(self.state, _ELSEWHERE, self._now())
                await self.keep()
            if fault.problem not in FOR_EVER:
                raise
            log.warning("no probe to compare with", country=country, reason=str(fault))
            return ()
        self.state = charged(self.state, _ELSEWHERE, self._now())
        return made

    def _suspect_of(self, asked: AtlasRound) -> Suspect | None:
        """What its probes tested; None where that has no page any more. Judged by another page,
        every honest certificate would be a forged one."""
        place = asked.country, asked.platform
        named = self._suspects.named({place: (asked.function,)})
        return next((one for one in named if one.function.name == asked.function), None)

    async def _read(self, asked: AtlasRound) -> None:
        """Judge what came of a round, store it, and forget which probes it was; or have it go on
        elsewhere. Nothing where another process did meanwhile."""
        suspect = self._suspect_of(asked)
        rows: list[SourcedRow] = []
        malformed = 0
        if suspect is not None and self._now() - asked.at < _GIVEN_UP:
            rows, malformed = await self._rows.of(suspect, asked)
            await self.keep()
            if asked.name not in self.state.cursors:
                return
            more = len(asked.beside) < len(self._source.beside)
            if more and any(one.failed for one in rows):
                await self._compare(suspect, asked)
                return
        now = self._now()
        # One moment for all of them: it tells this round from the next.
        rows = [msgspec.structs.replace(one, received_at=now) for one in rows]
        place = asked.country, asked.platform
        newest = [one.measured_at for one in rows]
        known = [] if self.state.newest_at is None else [self.state.newest_at]
        self.state = msgspec.structs.replace(
            self.state,
            cursors=rounds.noted(asked.removed(self.state.cursors), rounds.DONE, *place, now),
            answered_at=now,
            newest_at=max((*newest, *known), default=None),
            malformed=self.state.malformed + malformed,
            judged=self.state.judged + len(rows),
        )
        added = await self._kept.write(rows)
        self.state = msgspec.structs.replace(self.state, rows=self.state.rows + added)
