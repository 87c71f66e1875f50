"""Runs the story chapter by chapter, and shows what the monitor detects."""

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum

from monitor.demo.censor import Censor
from monitor.demo.chapters import Chapter, Results
from monitor.demo.screen import Screen
from monitor.demo.stored_events import Watcher

PATIENCE = 300.0
"""Seconds for the monitor to detect one chapter; an idle machine needs a few."""
POLL = 0.25
"""Seconds between two reads of the database."""
NOT_DETECTED = 3
"""Exit code when the monitor missed something."""


class Outcome(StrEnum):
    """How far the story came."""

    UNFINISHED = "unfinished"
    MISSED = "missed"
    """The monitor did not detect a chapter in time."""
    DETECTED = "detected"
    """The monitor detected every chapter."""

    def exit_code(self, *, to_the_end: bool) -> int:
        """Exit code of the command; with `to_the_end` an unfinished story is a failure."""
        good = self is Outcome.DETECTED or (self is Outcome.UNFINISHED and not to_the_end)
        return 0 if good else NOT_DETECTED


class Narrator:
    """Runs one story, once."""

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
        """`pace` divides the pauses between chapters; `hold` stops where the block is largest.

        `patience`: seconds for the monitor to detect one chapter.
        """
        self.outcome = Outcome.UNFINISHED
        self._story = story
        self._censor = censor
        self._watcher = watcher
        self._screen = screen
        self._pace = pace
        self._hold = hold
        self._patience = patience

    async def run(self) -> None:
        """Run the story to its end, or to the chapter to hold at. Raises StorageError."""
        for chapter in self._story:
            self._screen.happens(chapter.happens)
            self._censor.rules = chapter.rules
            if not await self._until(chapter.detected, self._patience):
                self._screen.missed(chapter.expected)
                self.outcome = Outcome.MISSED
                return
            self._screen.found(chapter.expected)
            if chapter.hold and self._hold:
                return
            await self._until(_never, chapter.linger / self._pace)
        self.outcome = Outcome.DETECTED

    async def follow(self) -> None:
        """Show what the monitor detects, until cancelled. Raises StorageError."""
        while True:
            await self._until(_never, self._patience)

    async def _until(self, detected: Callable[[Results], bool], seconds: float) -> bool:
        """Show results until they are as expected and told, or the time is over; whether they
        are."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            results = await self._watcher.read()
            self._screen.show(results)
            if results.event is not None:
                async for entry in self._watcher.new_entries(results.event):
                    self._screen.logged(entry)
            if detected(results) and not results.messages_wait:
                return True
            left = deadline - loop.time()
            if left <= 0:
                return False
            await asyncio.sleep(min(POLL, left))


def _never(_: Results) -> bool:
    return False
