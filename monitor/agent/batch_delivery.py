"""Delivers what waits in the spool to a collector, as soon as one can be reached.

One batch is under way at a time, and each collector is tried in turn. After a signed receipt the
batch is deleted; after a permanent refusal it is put aside. In all other cases it is sent again
later: the same bytes under the same id, so that nothing counts twice.

A finished cycle waits for some seconds, so that uploads do not follow tests at once. After failures
an agent waits longer each time, so that a collector that comes back is not overloaded. Full jitter:
every wait up to the limit is equally likely, so that agents that failed together do not return
together.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from monitor.agent.batch_body import ENCODING, BatchMaker
from monitor.agent.collector_client import (
    CollectorClient,
    RefusedError,
    RevokedError,
)
from monitor.agent.collector_clock import AgentClock
from monitor.agent.saved_state import ANCHOR, RECEIPT, TROUBLE, LastReceipt, Trouble, as_note
from monitor.agent.signed_answer import Signed, UnreachableError
from monitor.agent.what_orders_may_change import Orders
from monitor.logs import logger
from monitor.wire.answers import (
    BATCHES,
    FOR_GOOD,
    KNOWN,
    SETTINGS,
    AgentSettings,
    KnownControls,
    Reason,
    Receipt,
)
from monitor.wire.envelope import SealedBody
from probes.measurement import Measurement
from storage.agent.spool import Spool, Waiting
from storage.store import StorageError

log = logger(__name__)

ASK_AGAIN = 3600.0
"""Seconds after which settings are requested in any case: measurements of controls grow old."""
ASK_AGAIN_SOON = 300.0
"""The same after a failed request."""
MOST_UNTIMELY = 8
"""Times that a batch may be refused as from the future, with the time known, until it is put
aside."""
MOST_TOO_OLD = 12
"""Refusals as too old in a row, in about 20 minutes, until such batches are put aside. The clock of
a collector may have been far ahead at its start."""
LARGE_AGAIN = 3600.0
"""Seconds after which a batch is sent again that was too large for whatever is on the way; others
go first."""
REST = 60.0
"""Seconds to wait after the spool failed."""
LONGEST_TRY = 900.0
"""Seconds that one request may take in all."""
SHORTEST, LONGEST = 1.0, 900.0
"""Shortest and longest wait after a failure, in seconds."""
_DOUBLINGS = 10
"""Doublings after which the limit is LONGEST."""
AFTER_A_CYCLE = (0.5, 8.0)
"""Shortest and longest wait before sending, in seconds."""
_TIMING = (Reason.STALE, Reason.FUTURE)
_WAIT = (Reason.TOO_FAST, Reason.BUSY, Reason.STORAGE)


class Backoff:
    """Counts failures in a row."""

    def __init__(self, rng: random.Random) -> None:
        """`rng` need not be secret."""
        self._rng = rng
        self.failures = 0

    def failed(self) -> float:
        """Count one more; returns seconds to wait."""
        limit = min(LONGEST, SHORTEST * 2.0 ** min(self.failures + 1, _DOUBLINGS))
        self.failures += 1
        return self._rng.uniform(SHORTEST, limit)

    def after_a_cycle(self) -> float:
        """Seconds to wait before a finished cycle is sent."""
        return self._rng.uniform(*AFTER_A_CYCLE)


class BatchDelivery:
    """Delivers batches. Only the event loop's thread calls the methods."""

    def __init__(
        self,
        spool: Spool,
        maker: BatchMaker,
        client: CollectorClient,
        clock: AgentClock,
        orders: Orders,
        backoff: Backoff,
        *,
        woken: asyncio.Event,
        ordered: Callable[[AgentSettings, Signed], Awaitable[None]],
        known: Callable[[Sequence[Measurement]], None],
    ) -> None:
        """`woken` is set whenever something new waits in the spool; `ordered` gets the settings
        that a collector gave, `known` what its controls measured last."""
        self._spool = spool
        self._maker = maker
        self._client = client
        self._clock = clock
        self._orders = orders
        self._backoff = backoff
        self._ordered = ordered
        self._known = known
        self._woken = woken
        self._ask_at = 0.0
        """When to request settings, in the event loop's seconds."""
        self._untimely = ("", 0)
        """A batch, and how often it was refused as from the future."""
        self._large: dict[str, float] = {}
        """Batches too large for what is on the way, and until when others go first, in the event
        loop's seconds."""
        self._too_old = 0
        """Refusals as too old since a collector took a batch."""
        self._trouble = ""
        self._settle: Callable[[], Awaitable[None]] | None = None
        """Notes in the spool what became of the last batch, until that succeeded."""
        self._all_dated = False
        """Whether what waited undated when the time became known has its dates."""

    async def run(self, allowed: asyncio.Event) -> None:
        """Deliver until cancelled; nothing begins while it is not `allowed`."""
        while True:
            await allowed.wait()
            self._woken.clear()
            try:
                pause = await self._next()
            except StorageError as error:
                log.error("spool failed", reason=str(error))
                pause = REST
            except Exception:
                # A bug must end neither the measuring nor the next try.
                log.exception("delivery failed, our own fault")
                pause = REST
            if pause is None:
                await self._until_woken()
            elif pause:
                await asyncio.sleep(pause)

    async def _until_woken(self) -> None:
        left = self._ask_at - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(left, 1.0)):
                await self._woken.wait()
        except TimeoutError:
            return
        await asyncio.sleep(self._backoff.after_a_cycle())

    async def _next(self) -> float | None:
        """One request; returns the seconds to wait before the next, None when there is none."""
        loop = asyncio.get_running_loop()
        if self._clock.anchor is None:
            # Times of sending are by the collectors' clock, so that comes first.
            return await self._try(self._learn_time)
        if not self._all_dated:
            await self._spool.date(self._maker.dated)
            self._all_dated = True
        if loop.time() >= self._ask_at:
            # Set before the answer: also after a failure, batches come next.
            self._ask_at = loop.time() + ASK_AGAIN_SOON
            return await self._try(self._ask_for_settings)
        await self._settled()
        self._large = {id_: until for id_, until in self._large.items() if until > loop.time()}
        batch = await self._spool.next(self._large)
        if batch is None:
            return None
        return await self._try(partial(self._deliver, batch))

    async def _try(self, request: Callable[[str], Awaitable[None]]) -> float:
        """Try one collector after the other until one answers; returns the seconds to wait then."""
        wait: float | None = None
        for collector in self._client.collectors():
            try:
                async with asyncio.timeout(LONGEST_TRY):
                    await request(collector)
            except TimeoutError:
                await self._note("no answer in time")
            except UnreachableError as error:
                await self._note(str(error))
            except RefusedError as error:
                await self._note(str(error))
                if error.reason in _WAIT and error.retry_after is not None:
                    wait = max(wait or 0.0, error.retry_after)
                if error.reason is Reason.TOO_FAST or isinstance(error, RevokedError):
                    break  # all collectors share the limit, and the enrolments
            else:
                self._backoff.failures = 0
                await self._note("")
                return 0.0
        pause = self._backoff.failed()
        return pause if wait is None else wait + self._backoff.after_a_cycle()

    # -- requests ------------------------------------------------------------------------------

    async def _learn_time(self, collector: str) -> None:
        if await self._client.learn_time(collector):
            await self._spool.note({ANCHOR: as_note(self._clock.anchor)})

    async def _ask_for_settings(self, collector: str) -> None:
        answer = await self._timely(collector, "GET", SETTINGS)
        await self._ordered(answer.read(AgentSettings), answer)
        try:
            known = await self._timely(collector, "GET", KNOWN)
            self._known(known.read(KnownControls).looks)
        except (UnreachableError, RefusedError) as error:
            # Others fill this answer: it must not keep an order to pause from an agent.
            log.info("not told what controls saw", reason=str(error))
        else:
            self._ask_at = asyncio.get_running_loop().time() + ASK_AGAIN

    async def _deliver(self, batch: Waiting, collector: str) -> None:
        holding = await self._spool.holding()
        body = SealedBody(sealed=batch.body, digest=batch.digest, encoding=ENCODING)
        spool = f"{holding.measurements - batch.measurements} {holding.dropped}"
        try:
            answer = await self._timely(
                *(collector, "POST", BATCHES), request=batch.id, body=body, spool=spool
            )
        except RefusedError as error:
            if not (error.proven and self._permanent(batch, error.reason)):
                if error.reason is Reason.OVERSIZE:
                    # Of a proxy, or whoever poses as one: it must not hold up all that follows.
                    again = asyncio.get_running_loop().time() + LARGE_AGAIN
                    self._large[batch.id] = again
                raise
            log.error("batch refused permanently", batch=batch.id, reason=str(error))
            self._settle = partial(self._spool.put_aside, batch.id, error.reason, error.detail)
            await self._settled()
            return
        receipt = answer.read(Receipt)
        if receipt.batch != batch.id:
            raise UnreachableError("a receipt for another batch")
        self._too_old = 0
        self._large.pop(batch.id, None)
        last = LastReceipt(batch=batch.id, at=receipt.at, measurements=batch.measurements)
        self._settle = partial(self._spool.forget, batch.id, {RECEIPT: as_note(last)})
        await self._settled()
        log.info(
            "batch delivered", batch=batch.id, measurements=batch.measurements, known=receipt.known
        )
        if not self._orders.knows(receipt.settings):
            self._ask_at = 0.0

    async def _settled(self) -> None:
        """A batch that a full disk keeps in the spool must not be sent again and again."""
        if self._settle is not None:
            await self._settle()
            self._settle = None

    async def _timely(self, collector: str, method: str, path: str, **what: Any) -> Signed:
        """The answer to a request (see `CollectorClient.ask`), which is repeated once if its time
        of sending was wrong."""
        ask = partial(self._client.ask, collector, method, path, **what)
        since_boot = self._clock.machine.since_boot
        try:
            return await ask()
        except RefusedError as error:
            if error.reason not in _TIMING:
                raise
            asked = since_boot()
            await self._learn_time(collector)
            log.info("asked for the time", took=round(since_boot() - asked, 2))
        return await ask()

    def _permanent(self, batch: Waiting, reason: Reason) -> bool:
        """Whether sending it again is useless."""
        if reason is Reason.FUTURE:
            known, times = self._untimely
            self._untimely = (batch.id, times + 1 if known == batch.id else 1)
        if reason is Reason.TOO_OLD:
            self._too_old += 1
            return self._too_old >= MOST_TOO_OLD
        return reason in FOR_GOOD or self._untimely == (batch.id, MOST_UNTIMELY)

    async def _note(self, trouble: str) -> None:
        """Store what went wrong last, for `agent status`; empty once all is well."""
        if trouble == self._trouble:
            return
        if trouble:
            log.warning("nothing delivered", reason=trouble)
        self._trouble = trouble
        problem = Trouble(what=trouble, at=self._clock.now())
        try:
            await self._spool.note({TROUBLE: as_note(problem)})
        except StorageError as error:
            log.error("spool failed", reason=str(error))
