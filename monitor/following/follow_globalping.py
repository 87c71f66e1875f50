"""Asks Globalping for a second opinion whenever a block is suspected, and never otherwise.

Whoever hosts a probe has their line test the suspected name. So it is asked twice for each platform
and country in a day, five minutes apart or more, from few probes, and only about what our own
vantages or volunteers suspect since lately. Each try is noted before it is made: one that is cut
short is not repeated for ever.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from monitor.config.settings import Settings, SourceSettings
from monitor.following.kept_state import KeptState
from monitor.following.opinion_row import Suspect
from monitor.following.quota import charged, may_list
from monitor.following.second_opinion import Round, second_opinion
from monitor.following.suspects import LATELY, NothingToAskError, Suspects, references_of
from monitor.sources import rounds
from monitor.sources.fault import SourceFault
from monitor.sources.globalping_client import Finished, GlobalpingClient, Question
from probes.layers.bogon import BogonList
from storage.store import Store
from storage.values.sourced import SourcedRow, SourceState

ROUNDS, TRIES = 2, 4
"""Rounds of each platform and country in a day, and tries to make them."""
APART = timedelta(minutes=5)
_REMEMBERED = timedelta(days=30)
"""For how long it is known that somebody was asked, also where nobody answered."""
_LIMITS_EVERY = timedelta(minutes=30)
"""How often it is asked what is left, which costs nothing, so that its health is known before it is
needed."""


class GlobalpingFollower:
    """Asks for one `[[source]]` of kind `globalping`."""

    def __init__(
        self,
        source: SourceSettings,
        settings: Settings,
        store: Store,
        client: GlobalpingClient,
        *,
        now: Callable[[], datetime],
    ) -> None:
        """`now` gives UTC."""
        self._source = source
        self._settings = settings
        self._store = store
        self._client = client
        self._now = now
        self._bogons = BogonList(settings.probe.bogon_allow)
        self._suspects = Suspects(source, settings, store)
        self._how = Round(
            probes=source.probes, beside=source.beside, references=references_of(settings)
        )
        self._kept = KeptState(str(source.kind), store)

    @property
    def state(self) -> SourceState:
        """As it is known here."""
        return self._kept.now

    @state.setter
    def state(self, state: SourceState) -> None:
        self._kept.now = state

    async def restore(self) -> None:
        """Go on from what is stored. StorageError."""
        await self._kept.read()
        asked = ",".join(sorted(self._source.countries))
        self.state = msgspec.structs.replace(self.state, asked=asked)

    async def keep(self) -> None:
        """Store what is known of it, beside what people noted meanwhile. StorageError."""
        await self._kept.write()

    async def poll(self) -> None:
        """Ask about what is suspected since lately. Raises SourceFault and StorageError."""
        await self.restore()  # A person may have asked meanwhile, by a process of their own.
        now = self._now()
        self._forget(now)
        due = [one for one in await self._suspects.lately(now) if self._due(one, now)]
        answered = self.state.answered_at
        if due or answered is None or now - answered >= _LIMITS_EVERY:
            await self._read_limits()
        for suspect in due:
            await self.keep()  # A person may ask while a round lasts.
            if not self._affordable():
                return
            if self._due(suspect, self._now()):
                await self._round(suspect)

    async def ask_now(self, country: str, platform: str) -> list[SourcedRow]:
        """One round that a person asked for, suspected or not; what it brought is stored. Raises
        NothingToAskError, SourceFault and StorageError."""
        self._forget(self._now())
        suspect = self._suspects.one(country, platform)
        await self._read_limits()
        await self.keep()
        if rounds.being_made(self.state.cursors, country, platform, self._now()):
            raise NothingToAskError(f"probes test {platform} in {country} already")
        if not self._affordable():
            raise SourceFault("limited", f"a round takes up to {self._how.cost} points")
        rows = await self._round(suspect)
        await self.keep()
        return rows

    def _affordable(self) -> bool:
        """Whether our budget and what is left of the quota have room for a whole round."""
        left = self.state.remaining
        room = may_list(self.state, self._source.budget, self._how.cost, self._now())
        return room and (left is None or left >= self._how.cost)

    async def close(self) -> None:
        """Release its connections."""
        await self._client.close()

    async def _read_limits(self) -> None:
        now = self._now()
        try:
            await self._client.limits()
        finally:
            self._charge()
        self.state = msgspec.structs.replace(self.state, answered_at=now)

    def _charge(self) -> None:
        state = charged(self.state, self._client.taken, self._now())
        self.state = msgspec.structs.replace(state, remaining=self._client.remaining)

    async def _round(self, suspect: Suspect) -> list[SourcedRow]:
        self._note(suspect, rounds.TRIED)
        await self.keep()
        rows, malformed = await second_opinion(
            self._ask, suspect, self._how, self._bogons, self._now
        )
        self._note(suspect, rounds.DONE)
        newest = [one.measured_at for one in rows]
        known = [] if self.state.newest_at is None else [self.state.newest_at]
        self.state = msgspec.structs.replace(
            self.state,
            answered_at=self._now(),
            newest_at=max((*newest, *known), default=None),
            malformed=self.state.malformed + malformed,
            judged=self.state.judged + len(rows),
        )
        added = await self._kept.write(rows)
        state = self.state
        self.state = msgspec.structs.replace(
            state, rows=state.rows + added, repeated=state.repeated + len(rows) - added
        )
        return rows

    async def _ask(self, question: Question) -> Finished | None:
        asked_at = self._now()
        try:
            asked = await self._client.ask(question)
        finally:
            self._charge()
        if not asked:
            return None
        found = await self._client.finished(asked)
        # Between the question and now, whatever the service's clock says.
        created_at = min(max(found.created_at, asked_at), self._now())
        return msgspec.structs.replace(found, created_at=created_at)

    def _due(self, suspect: Suspect, now: datetime) -> bool:
        lately = rounds.forgotten(self.state.cursors, now - LATELY)
        place = suspect.country, suspect.platform.name
        tried = rounds.moments(lately, rounds.TRIED, *place)
        done = rounds.moments(lately, rounds.DONE, *place)
        if len(done) >= ROUNDS or len(tried) >= TRIES:
            return False
        if rounds.being_made(lately, *place, now):
            return False
        return not done or now - max(done) >= APART

    def _note(self, suspect: Suspect, what: str) -> None:
        place = suspect.country, suspect.platform.name
        cursors = rounds.noted(self.state.cursors, what, *place, self._now())
        self.state = msgspec.structs.replace(self.state, cursors=cursors)

    def _forget(self, now: datetime) -> None:
        cursors = rounds.forgotten(self.state.cursors, now - _REMEMBERED)
        self.state = msgspec.structs.replace(self.state, cursors=cursors)
