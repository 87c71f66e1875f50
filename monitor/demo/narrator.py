"""Tells the story: turns the world chapter by chapter, and says what the monitor makes of it."""

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum

from monitor.demo.censor import Censor
from monitor.demo.chapters import Chapter, Sight
from monitor.demo.found import Watcher
from monitor.demo.screen import Screen

PATIENCE = 300.0
"""Seconds that the monitor gets to notice one turn of the story; a quiet machine takes a few."""
GLANCE = 0.25
"""Seconds from one look into the database to the next."""
NOT_FOUND = 3
"""Exit code of a check that did not hold."""


class Outcome(StrEnum):
    """How far it came."""

    UNFINISHED = "unfinished"
    MISSED = "missed"
    """The monitor did not find in time what there was to find."""
    FOUND = "found"
    """All of it."""

    def exit_code(self, *, to_the_end: bool) -> int:
        """Of the command; `to_the_end`: an end before the story's own is a failure."""
        held = self is Outcome.FOUND or (self is Outcome.UNFINISHED and not to_the_end)
        return 0 if held else NOT_FOUND


class Narrator:
    """Tells one story, once."""

    def __init__(
        self,
        story: Sequence[Chapter],
        censor: Censor,
        watcher: Watcher,
        screen: Screen,
        *,
        pace: float = 1.0,
        hold: bool = False,
        patience: float = PATIENCE,
    ) -> None:
        """`pace`: how many times shorter chapters linger; `hold`: stand still where one may."""
        self.outcome = Outcome.UNFINISHED
        self._story = story
        self._censor = censor
        self._watcher = watcher
        self._screen = screen
        self._pace = pace
        self._hold = hold
        self._patience = patience

    async def tell(self) -> None:
        """To its end, or to where it is held. Raises StorageError."""
        for chapter in self._story:
            self._screen.happens(chapter.said)
            self._censor.rules = chapter.rules
            if not await self._until(chapter.noticed, self._patience):
                self._screen.missed(chapter.awaited)
                self.outcome = Outcome.MISSED
                return
            self._screen.found(chapter.awaited)
            if chapter.held and self._hold:
                return
            await self._until(_never, chapter.linger / self._pace)
        self.outcome = Outcome.FOUND

    async def watch_on(self) -> None:
        """Go on saying what the monitor finds, until cancelled. Raises StorageError."""
        while True:
            await self._until(_never, self._patience)

    async def _until(self, noticed: Callable[[Sight], bool], seconds: float) -> bool:
        """Show what is found until it is what was wanted, or the time is over; which of them."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            sight = await self._watcher.look()
            self._screen.show(sight)
            if sight.event is not None:
                async for entry in self._watcher.news(sight.event):
                    self._screen.logged(entry)
            if noticed(sight):
                return True
            left = deadline - loop.time()
            if left <= 0:
                return False
            await asyncio.sleep(min(GLANCE, left))


def _never(_: Sight) -> bool:
    return False
