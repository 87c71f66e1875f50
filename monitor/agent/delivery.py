"""What waits in the spool goes to a collector, as soon as one can be reached.

One batch is under way at a time. It is tried at each collector in turn; a signed receipt lets it be
forgotten, a refusal for good puts it aside, and everything else leaves it where it is, to be sent
again after a while: the same bytes under the same id, so that nothing is ever counted twice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from monitor.agent.batch_body import SHARE, freeze
from monitor.agent.collector_client import CollectorClient, RefusedError, Signed, UnreachableError
from monitor.agent.collector_clock import AgentClock
from monitor.agent.delays import Backoff
from monitor.agent.orders import Orders
from monitor.agent.saved_state import ANCHOR, RECEIPT, TROUBLE, LastReceipt, Trouble
from monitor.logs import logger
from monitor.wire.answers import BATCHES, FOR_GOOD, SETTINGS, AgentSettings, Reason, Receipt
from storage.agent.spool import Frozen, Spool
from storage.store import StorageError

log = logger(__name__)

ASK_AGAIN = 3600.0
"""Seconds after which settings are asked for in any case: what controls saw grows old."""
ASK_AGAIN_SOON = 300.0
"""The same where they could not be had."""
MOST_UNTIMELY = 8
"""Times that a batch may be of the future, once the time is known, until it is put aside."""
REST = 60.0
"""Seconds to wait after the spool failed."""
LONGEST_TRY = 900.0
"""Seconds that one request may take in all."""
_TIMING = (Reason.STALE, Reason.FUTURE)
_WAIT = (Reason.TOO_FAST, Reason.BUSY, Reason.STORAGE)


class BatchDelivery:
    """The one who hands in. Only the event loop's thread calls the methods."""

    def __init__(
        self,
        vantage: str,
        spool: Spool,
        line: CollectorClient,
        clock: AgentClock,
        orders: Orders,
        backoff: Backoff,
        *,
        woken: asyncio.Event,
        ordered: Callable[[AgentSettings, Signed], Awaitable[None]],
    ) -> None:
        """`woken` is set whenever something new waits in the spool; `ordered` is told of settings
        that a collector gave."""
        self._vantage = vantage
        self._spool = spool
        self._line = line
        self._clock = clock
        self._orders = orders
        self._backoff = backoff
        self._ordered = ordered
        self._woken = woken
        self._ask_at = 0.0
        """When to ask for settings, in the event loop's seconds."""
        self._untimely = ("", 0)
        """A batch, and how often it was of the future."""
        self._trouble = ""

    async def run(self, allowed: asyncio.Event) -> None:
        """Hand in what there is, until cancelled; nothing is begun while it is not `allowed`."""
        while True:
            await allowed.wait()
            self._woken.clear()
            try:
                pause = await self._hand_in()
            except StorageError as error:
                log.error("spool failed", reason=str(error))
                pause = REST
            except Exception:
                # A bug must not end the looks, nor the next try.
                log.exception("handing in failed, our own fault")
                pause = REST
            if pause is None:
                await self._until_there_is_something()
            elif pause:
                await asyncio.sleep(pause)

    async def _until_there_is_something(self) -> None:
        left = self._ask_at - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(left, 1.0)):
                await self._woken.wait()
        except TimeoutError:
            return
        await asyncio.sleep(self._backoff.after_a_cycle())

    async def _hand_in(self) -> float | None:
        """One errand; seconds to wait before the next one, None when there is none."""
        loop = asyncio.get_running_loop()
        if self._clock.anchor is None:
            # A batch is dated when it is made: first the time.
            return await self._try(self._learn_time)
        if loop.time() >= self._ask_at:
            # Before there is an answer: whatever comes of it, what was seen comes next.
            self._ask_at = loop.time() + ASK_AGAIN_SOON
            return await self._try(self._ask_for_settings)
        batch = await self._spool.freeze(SHARE, partial(freeze, self._vantage, self._clock))
        if batch is None:
            return None
        return await self._try(partial(self._deliver, batch))

    async def _try(self, errand: Callable[[str], Awaitable[None]]) -> float:
        """Do it at one collector after the other until one answers; seconds to wait after that."""
        wait: float | None = None
        for collector in self._line.collectors():
            try:
                async with asyncio.timeout(LONGEST_TRY):
                    await errand(collector)
            except TimeoutError:
                await self._note("no answer in time")
            except UnreachableError as error:
                await self._note(str(error))
            except RefusedError as error:
                await self._note(str(error))
                if error.reason in _WAIT and error.retry_after is not None:
                    wait = max(wait or 0.0, error.retry_after)
                if error.reason is Reason.TOO_FAST:
                    break  # all collectors count alike
            else:
                self._backoff.succeeded()
                await self._note("")
                return 0.0
        pause = self._backoff.failed()
        return pause if wait is None else wait + self._backoff.after_a_cycle()

    # -- errands -------------------------------------------------------------------------------

    async def _learn_time(self, collector: str) -> None:
        if await self._line.learn_time(collector):
            await self._spool.note({ANCHOR: _json(self._clock.anchor)})

    async def _ask_for_settings(self, collector: str) -> None:
        answer = await self._timely(collector, "GET", SETTINGS)
        self._ask_at = asyncio.get_running_loop().time() + ASK_AGAIN
        await self._ordered(answer.read(AgentSettings), answer)

    async def _deliver(self, batch: Frozen, collector: str) -> None:
        try:
            answer = await self._timely(
                *(collector, "POST", BATCHES),
                request=batch.id,
                body=batch.body,
                encoding=batch.encoding,
            )
        except RefusedError as error:
            if not self._for_good(batch, error.reason):
                raise
            log.error("batch refused for good", batch=batch.id, reason=str(error))
            await self._spool.put_aside(batch.id, error.reason, error.detail)
            return
        receipt = answer.read(Receipt)
        if receipt.batch != batch.id:
            raise UnreachableError("a receipt for another batch")
        last = LastReceipt(batch=batch.id, at=receipt.at, measurements=batch.measurements)
        await self._spool.forget(batch.id, {RECEIPT: _json(last)})
        log.info("handed in", batch=batch.id, measurements=batch.measurements, known=receipt.known)
        if not self._orders.knows(receipt.settings):
            self._ask_at = 0.0

    async def _timely(
        self,
        collector: str,
        method: str,
        path: str,
        *,
        request: str = "",
        body: bytes = b"",
        encoding: str = "identity",
    ) -> Signed:
        """The answer to a request; asked again once where its time of sending was wrong."""
        ask = partial(
            self._line.ask,
            *(collector, method, path),
            request=request,
            body=body,
            encoding=encoding,
        )
        since_boot = self._clock.machine.since_boot
        try:
            return await ask()
        except RefusedError as error:
            if error.reason not in _TIMING:
                raise
            before = self._clock.anchor
            asked = since_boot()
            await self._line.learn_time(collector)
            log.info("asked for the time", took=round(since_boot() - asked, 2))
            if self._clock.anchor != before:
                await self._spool.note({ANCHOR: _json(self._clock.anchor)})
        return await ask()

    def _for_good(self, batch: Frozen, reason: Reason) -> bool:
        """Whether it is of no use to send it again."""
        if reason is Reason.FUTURE:
            known, times = self._untimely
            self._untimely = (batch.id, times + 1 if known == batch.id else 1)
        return reason in FOR_GOOD or self._untimely == (batch.id, MOST_UNTIMELY)

    async def _note(self, trouble: str) -> None:
        """Remember what went wrong last, for whoever asks; nothing once all is well."""
        if trouble == self._trouble:
            return
        if trouble:
            log.warning("nothing handed in", reason=trouble)
        self._trouble = trouble
        told = Trouble(what=trouble, at=self._clock.now())
        try:
            await self._spool.note({TROUBLE: _json(told)})
        except StorageError as error:
            log.error("spool failed", reason=str(error))


def _json(value: msgspec.Struct | None) -> str:
    return msgspec.json.encode(value).decode()
