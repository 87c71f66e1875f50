"""Tell somebody else that all is well, again and again, so that silence tells them that it is not.

A monitor that has died cannot say so. Whoever is asked at `notify.ping_url`, a dead man's switch,
raises the alarm when the pings stop: with the process, with the machine, with its network, or
because no cycle is completed and stored any more.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import httpx

from monitor.logs import logger
from monitor.metrics.snapshot import Snapshot

log = logger(__name__)

TIMEOUT = 20.0
"""Seconds that one ping may take."""


def is_well(snapshot: Snapshot, at: datetime) -> bool:
    """Whether a cycle was completed and stored so lately that the next is not overdue.

    One vantage is enough: that others are silent is told by events and alerts, which somebody must
    be there to send.
    """
    return any(
        view.last_success_at is not None
        and (at - view.last_success_at).total_seconds() <= view.stale_after
        for view in snapshot.vantages
    )


async def ping(
    url: str,
    interval: float,
    well: Callable[[], bool],
    failed: Callable[[], None],
    transport: httpx.AsyncBaseTransport | None = None,
) -> None:
    """Ask `url` every `interval` seconds while all is `well`, until cancelled.

    `failed` counts pings that were not answered with success; `transport` takes the place of the
    network's.
    """
    async with httpx.AsyncClient(timeout=TIMEOUT, transport=transport) as client:
        told = True
        while True:
            if well():
                reason = await _ask(client, url)
                if reason:
                    failed()
                    log.warning("ping failed", reason=reason)
                told = True
            elif told:
                log.warning("no ping, since no cycle is completed")
                told = False
            await asyncio.sleep(interval)


async def _ask(client: httpx.AsyncClient, url: str) -> str:
    """Empty on success, else why not, without the address: it holds what makes it ours."""
    try:
        async with asyncio.timeout(TIMEOUT), client.stream("GET", url) as answer:
            return "" if answer.is_success else f"HTTP status {answer.status_code}"
    except TimeoutError:
        return "no answer within the time limit"
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return type(error).__name__
