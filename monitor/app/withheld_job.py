"""Looks from time to time whether platforms withhold the pages that `[withheld]` names.

Only vantages of this program look; no agent is ever told which pages. A vantage that is not well
says nothing: it may be elsewhere than it is said to be.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from monitor.analysis.verdict import VantageState
from monitor.config.settings import Settings
from monitor.logs import logger
from monitor.metrics.page_look import NOT_SEEN, PageLook
from monitor.metrics.publisher import Publisher
from monitor.recording.withheld import TOLD, Look, compared
from probes.catalog.public_pages import PublicPage
from probes.layers.offer import Offer
from probes.vantage import VantagePoint, VantageRole
from storage.store import StorageError, Store
from storage.values.withheld import Withheld

log = logger(__name__)

_TELL = (VantageState.OK, VantageState.LOSSY)
_IDLE = 60.0
"""Seconds between two looks whether the configuration names pages."""
AGAIN = 600.0
"""Seconds until pages are looked at again that were withheld for the first time."""


class Asks(Protocol):
    """What asks from a vantage."""

    async def offer(self, vantage_id: str, page: PublicPage) -> Offer | None:
        """What a page says; None where it was not reached."""


class WithheldJob:
    """Looks until cancelled."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        asks: Callable[[], Asks],
        store: Store,
        publisher: Publisher,
        *,
        now: Callable[[], datetime],
    ) -> None:
        """`settings` and `asks` give those in use; `now` gives UTC."""
        self._settings = settings
        self._asks = asks
        self._store = store
        self._publisher = publisher
        self._now = now
        self._known: dict[tuple[str, str], Withheld] = {}
        """Country and page → what is withheld, told or seen once."""
        self._looks: dict[tuple[str, str], PageLook] = {}

    async def run(self) -> None:
        """Until cancelled."""
        restored = False
        while True:
            settings = self._settings().withheld
            pages: Sequence[PublicPage] = settings.pages
            wait = settings.every if pages else _IDLE
            try:
                if pages and not restored:
                    await self.restore()
                    restored = True
                if pages or self._looks:
                    await self.round(pages)
                once = {url for (_, url), one in self._known.items() if one.rounds < TOLD}
                if once:
                    await asyncio.sleep(AGAIN)
                    await self.round([one for one in pages if one.url in once])
            except StorageError as error:
                log.error("withheld pages not stored, trying again", error=str(error))
                wait = _IDLE
            await asyncio.sleep(wait)

    async def restore(self) -> None:
        """Go on with what an earlier process found. StorageError."""
        found = await self._store.withheld(since=self._now())
        self._known |= {(one.country, one.url): one for one in found if one.over_at is None}

    async def round(self, pages: Iterable[PublicPage]) -> None:
        """Look at each of these pages from every vantage that is well, and show what is known.
        StorageError."""
        settings = self._settings()
        well = {
            (health.vantage, health.country)
            for health in await self._store.latest_health()
            if health.state in _TELL
        }
        for page in pages:
            await self._look(page, settings.vantages, well)
        configured = {one.url for one in settings.withheld.pages}
        countries = {one.country for one in settings.vantages}
        fields = {one.country for one in settings.vantages if one.role is VantageRole.FIELD}
        self._known = {
            key: one
            for key, one in self._known.items()
            if one.url in configured and one.country in fields
        }
        self._looks = {
            key: one
            for key, one in self._looks.items()
            if one.url in configured and one.country in countries
        }
        told = (one for one in self._known.values() if one.rounds >= TOLD)
        self._publisher.withheld_seen(
            tuple(sorted(told, key=lambda one: (one.country, one.url))),
            tuple(self._looks[key] for key in sorted(self._looks)),
        )

    async def _look(
        self, page: PublicPage, vantages: Sequence[VantagePoint], well: set[tuple[str, str]]
    ) -> None:
        asked = [
            one
            for one in vantages
            if one.role is VantageRole.CONTROL or (one.id, one.country) in well
        ]
        said = await asyncio.gather(*(self._asks().offer(one.id, page) for one in asked))
        looks = [
            (one.role, Look(country=one.country, offer=offer))
            for one, offer in zip(asked, said, strict=True)
        ]
        controls = [look for role, look in looks if role is VantageRole.CONTROL]
        for one in vantages:
            key = (one.country, page.url)
            of_role = [look for role, look in looks if role is one.role]
            here = [look for look in of_role if look.country == one.country]
            self._looks[key] = PageLook(
                country=one.country,
                platform=page.platform,
                kind=str(page.kind),
                url=page.url,
                said=_said(here),
                control=one.role is VantageRole.CONTROL,
            )
        for country in {one.country for one in vantages if one.role is VantageRole.FIELD}:
            here = [
                look
                for role, look in looks
                if role is VantageRole.FIELD and look.country == country
            ]
            await self._compare(page, country, here, controls)

    async def _compare(
        self, page: PublicPage, country: str, here: Sequence[Look], controls: Sequence[Look]
    ) -> None:
        key = (country, page.url)
        known = self._known.get(key)
        found = compared(known, page, country, here, controls, self._now())
        if found == known:
            return
        if found is None or found.over_at is not None:
            del self._known[key]
        else:
            self._known[key] = found
        if found is not None and found.rounds >= TOLD:
            await self._store.save_withheld([found])
            log.info(
                "page withheld by its platform",
                country=country,
                url=page.url,
                over=found.over_at is not None,
            )


def _said(here: Sequence[Look]) -> str:
    """What a page said in a country: the same from all networks there, or unclear."""
    words = {str(look.offer.offered) for look in here if look.offer}
    if not words:
        return NOT_SEEN
    return words.pop() if len(words) == 1 else "unclear"
