"""Pings a dead man's switch while all is well.

A monitor that has died cannot report it. The service at `notify.ping_url` raises the alarm when the
pings stop: because the process, the machine or its network failed, or because no cycle is completed
and stored any more.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

from monitor.logs import logger
from monitor.metrics.snapshot import Snapshot
from probes.sockets.http_client import httpx
from probes.sockets.http_reason import why_no_answer

log = logger(__name__)

TIMEOUT = 20.0
"""Seconds that one ping may take."""


def is_well(snapshot: Snapshot, at: datetime) -> bool:
    """Whether a cycle was completed and stored so recently that the next is not overdue; without
    vantages, whether a source was read lately.

    One vantage suffices: events and alerts report that others are silent, as long as the monitor
    runs.
    """
    if not snapshot.vantages and snapshot.sources:
        return any(source.answers(at) for source in snapshot.sources)
    return any(
        view.last_success_at is not None
        and (at - view.last_success_at).total_seconds() <= snapshot.stalled_after
        for view in snapshot.vantages
    )


async def ping(
    url: str,
    interval: float,
    well: Callable[[], bool],
    failed: Callable[[], None],
    transport: httpx.AsyncBaseTransport | None = None,
) -> None:
    """Ask `url`, if there is one, every `interval` seconds while all is `well`, until cancelled.

    `failed` counts pings without a successful answer; `transport` replaces the network's.
    """
    if not url:
        return
    async with httpx.AsyncClient(timeout=TIMEOUT, transport=transport) as client:
        pinging = True
        while True:
            if well():
                reason = await ask(client, url)
                if reason:
                    failed()
                    log.warning("ping failed", reason=reason)
                pinging = True
            elif pinging:
                log.warning("no ping, since no cycle is completed")
                pinging = False
            await asyncio.sleep(interval)


async def ask(client: httpx.AsyncClient, url: str) -> str:
    """Empty on success, else the reason, without the URL: it holds a secret."""
    try:
        async with asyncio.timeout(TIMEOUT), client.stream("GET", url) as answer:
            return "" if answer.is_success else f"HTTP status {answer.status_code}"
    except TimeoutError:
        return "no answer within the time limit"
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return why_no_answer(error)
