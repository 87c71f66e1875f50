"""Detects blocks and tells of them until it is killed.

`python -m tests.e2e.notify_worker`. Each line of standard input, a file, a port and a first number,
forks a child, so that a round costs no start of an interpreter: it stores one confirmed block after
another from that number on, and delivers notices to the web server on that port. With a negative
number it stores nothing, and ends once all is delivered. Lines out: `worker PID`, `stored NUMBER`,
`ended`.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.events.event import EventState
from monitor.notify.apprise_service import AppriseService, fault_of
from monitor.notify.delivery import Delivery
from monitor.notify.settings import NotifySettings, Route, Target
from storage.open_store import sql_store
from storage.values.outbox import NoticeState
from storage.values.steady_clock import utc_now
from tests.contract.cycles import cycle, event, log_entry


class _Nobody:
    """Counts nothing."""

    def notified(self, route: str, count: int) -> None: ...

    def notification_failed(self, route: str) -> None: ...

    def notifications_pending(
        self, pending: Mapping[str, Sequence[datetime]], given_up: Mapping[str, int]
    ) -> None: ...


def _say(line: str) -> None:
    """In one write: a line that `print` wrote in two could lose its end to the kill."""
    os.write(1, f"{line}\n".encode())


async def _tell(file: str, port: int, number: int) -> None:
    store = sql_store(f"sqlite:///{file}")
    await store.open()
    target = Target(name="1-json", url=f"json://127.0.0.1:{port}/")
    courier = Delivery(store, AppriseService(), _Nobody(), now=utc_now, chance=lambda: 0.5)
    courier.use(NotifySettings(route=(Route(name="ops", urls=(target,), gather=0.0),)), {}, "")
    task = asyncio.create_task(courier.run())
    if number < 0:
        while await store.outbox(NoticeState.PENDING):  # noqa: ASYNC110 # it is in a file
            await asyncio.sleep(0.05)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await store.close()
        return
    while True:
        block = event(f"event-{number:05}", state=EventState.CONFIRMED)
        # Nothing is news that is older than a day.
        block = msgspec.structs.replace(block, updated_at=utc_now())
        line = log_entry(1, block, "confirmed")
        saved = cycle(number, platforms=("x",), endpoints=1)
        await store.save(saved, [block], [line], notices=courier.announce([line]))
        courier.wake()
        _say(f"stored {number}")
        number += 1
        await asyncio.sleep(0.02)


def main() -> None:
    """Serve one worker after another."""
    fault_of("json://127.0.0.1/")  # loads Apprise once for all
    for line in sys.stdin:
        file, port, number = line.rsplit(maxsplit=2)
        child = os.fork()
        if child == 0:
            asyncio.run(_tell(file, int(port), int(number)))
            os._exit(0)
        _say(f"worker {child}")
        os.waitpid(child, 0)
        _say("ended")


if __name__ == "__main__":
    main()
