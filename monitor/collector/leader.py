"""One collector leads: it judges what waits, detects events, notifies people and deletes old rows.

All collectors ask the database for the lead every few seconds; one has it. A new leader restores
the detectors as after a restart, and continues. A collector that loses the lead, or whose database
fails, drops all that it did not store: the next leader detects the same from the same measurements,
so nobody is notified twice. The other collectors show what is stored.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from monitor.analysis.events.event import Event
from monitor.app.service_setup import show
from monitor.collector.agreement_watch import AgreementWatch
from monitor.collector.judging_queue import JudgingQueue, wait_of
from monitor.collector.leader_duty import AGAIN, Duty, do
from monitor.collector.received_cycles import REMEMBERED, ReceivedCycles
from monitor.collector.watched_vantages import WatchedVantages
from monitor.config.settings import Settings
from monitor.judging.quarantine import Quarantined
from monitor.logs import logger
from monitor.metrics.publisher import Publisher
from monitor.recording.recent_events import recent_events
from monitor.recording.recorder import Notifier, Recorder
from storage.store import CollectorStore, NotLeadingError, StorageError
from storage.values.fleet import Quarantine
from storage.values.selection import Selection

log = logger(__name__)

ASK_EVERY = 3.0
"""Seconds between two requests for the lead, and for the enrolled vantages."""
PAUSE = 0.5
"""Seconds until the queue is read again, when nothing waited."""
TIME_PASSES = timedelta(seconds=30)
"""How often it is noted that time passed, when nothing waits."""
AGENTS_RETURN = timedelta(minutes=16)
"""Time in which agents return after no collector answered: by then their longest pause is over, and
what they measured meanwhile is here."""


class Leader:
    """Leads when it may, and shows what is stored when it may not. Run it once."""

    def __init__(
        self,
        settings: Settings,
        store: CollectorStore,
        publisher: Publisher,
        *,
        now: Callable[[], datetime],
        notifier: Notifier | None = None,
        duties: Sequence[Duty] = (),
        ask_every: float = ASK_EVERY,
        pause: float = PAUSE,
        duty_again: float = AGAIN,
    ) -> None:
        """`now` gives UTC. Without a `notifier` nobody is notified. `duties` are what only the
        leader does besides judging, each until cancelled; one that fails is tried again after
        `duty_again`. That, `ask_every` and `pause` are seconds."""
        self._store = store
        self._publisher = publisher
        self._now = now
        self._notifier = notifier
        self._duties = duties
        self._ask_every = ask_every
        self._pause = pause
        self._duty_again = duty_again
        self._watched = WatchedVantages(settings, store)
        self._recorder: Recorder | None = None
        self._queue: JudgingQueue | None = None
        self.agreement: AgreementWatch | None = None
        """Compares agents while this process leads."""
        self._shown_at: datetime | None = None
        self._well = False

    @property
    def leading(self) -> bool:
        """Whether this process judges now."""
        return self._recorder is not None

    @property
    def _active(self) -> tuple[Event, ...]:
        return () if self._recorder is None else self._recorder.book.active

    def ready(self) -> tuple[bool, str]:
        """Whether the database answers, and a sentence that says so. A ready collector accepts
        batches, whether or not it has anything to show yet."""
        if self._well:
            return True, "ready, leading" if self.leading else "ready, another one leads"
        return False, "not ready: the database does not answer"

    async def use(self, settings: Settings) -> None:
        """Use other settings from now on."""
        self._watched.use(settings)
        await self._judge_by(self._watched.settings)
        if self._queue is not None:
            self._queue.use(self._watched.settings)
        show(self._publisher, self._watched.settings, self._active)
        self._shown_at = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                if await self._store.lead():
                    await self._lead()
                else:
                    await self._follow()
                self._well = True
            except StorageError as error:
                self._well = False
                log.error("the database does not answer, asking again", error=str(error))
            except Exception:
                # A bug in judging must not stop the receiving: it is logged, and tried again.
                log.exception("leading failed, our own fault")
            await asyncio.sleep(self._ask_every)

    # -- others lead ---------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Show what is stored, about as often as it changes."""
        if await self._watched.refresh():
            await self._show_watched()
        every = min(self._watched.settings.interval, 60.0)
        known = self._shown_at
        if known is not None and (self._now() - known).total_seconds() < every:
            return
        quarantined = Quarantined(await self._store.quarantines())
        self._publisher.restore(
            await self._store.latest_platforms(),
            await self._store.latest_health(),
            await self._store.active_events(),
        )
        self._publisher.mark_quarantined(partial(quarantined.covers, at=self._now()))
        self._publisher.show_ended(await recent_events(self._store, self._now()))
        self._shown_at = self._now()

    async def _show_watched(self) -> None:
        settings = self._watched.settings
        await self._judge_by(settings)
        self._publisher.watch(settings.vantages, self._active)
        self._shown_at = None

    async def _judge_by(self, settings: Settings) -> None:
        if self._recorder is not None:
            await self._recorder.use(settings)
        if self._queue is not None:
            self._queue.believe(settings)

    # -- this one leads ------------------------------------------------------------------------

    async def _lead(self) -> None:
        """Until the lead is lost or the database fails. StorageError only before it began."""
        if await self._watched.refresh():
            await self._show_watched()
        settings = self._watched.settings
        recorder = Recorder(
            settings,
            self._store,
            self._publisher,
            now=self._now,
            notifier=self._notifier,
            keep=False,
        )
        quarantines = await self._store.quarantines()
        await recorder.quarantine(quarantines)
        await recorder.restore()
        received = ReceivedCycles(settings, self._store)
        # The recent health of controls.
        async for page in self._store.cycles(Selection(since=self._now() - REMEMBERED)):
            for cycle in page:
                received.learn(cycle.id, cycle.finished_at, cycle.health)
        queue = JudgingQueue(
            self._store,
            received,
            recorder,
            control_wait=wait_of(settings),
            order_wait=settings.collector.order_wait,
            now=self._now,
        )
        agreement = AgreementWatch(self._store, lambda: self._watched.settings, recorder, self._now)
        self._recorder, self._queue, self.agreement = recorder, queue, agreement
        self._publisher.lead(leading=True)
        log.info("leading the analysis", vantages=len(settings.vantages))
        try:
            if self._watched.settings is not settings:
                # Others were taken into use while history was read.
                await self._judge_by(self._watched.settings)
                queue.use(self._watched.settings)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_the_lead(recorder, quarantines))
                tasks.create_task(self._judge_queue(queue, recorder))
                tasks.create_task(agreement.run())
                for duty in self._duties:
                    tasks.create_task(do(duty, self._duty_again))
        except* StorageError as errors:
            for error in errors.exceptions:
                log.warning("no longer leading the analysis", reason=str(error))
        finally:
            self._publisher.lead(leading=False)
            self._recorder = self._queue = self.agreement = None
            self._shown_at = None

    async def _keep_the_lead(self, recorder: Recorder, quarantines: list[Quarantine]) -> None:
        """Renew the lead again and again, and read enrolments and quarantines; the recorder knows
        `quarantines`."""
        while True:
            self._well = True
            await asyncio.sleep(self._ask_every)
            if not await self._store.lead():
                raise NotLeadingError("another collector leads now")
            if await self._watched.refresh():
                await self._show_watched()
            now = await self._store.quarantines()
            if now != quarantines:
                quarantines = now
                await recorder.quarantine(now)
                self._publisher.show_events(recorder.book.active)

    async def _judge_queue(self, queue: JudgingQueue, recorder: Recorder) -> None:
        # Nobody could report while no collector ran. Until agents are back, silence says nothing.
        noted = self._now() + AGENTS_RETURN
        while True:
            begun = self._now()
            if await queue.judge_waiting():
                continue
            if not queue.held and begun - noted >= TIME_PASSES:
                # Whatever ended before that is judged.
                wait = self._watched.settings.collector.order_wait
                await recorder.pass_time(begun - timedelta(seconds=wait))
                noted = begun
            await asyncio.sleep(self._pause)
