"""The dead man's switch."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from structlog.testing import capture_logs

from monitor.app.heartbeat import is_well, ping
from probes.testing import VirtualClockLoop
from tests.prometheus import world
from tests.worlds.http_client import httpx

LOOP = VirtualClockLoop
URL = "https://ping.example/SECRET"


class Switch(httpx.AsyncBaseTransport):
    """Whoever is asked; answers with a status, or with nothing."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.asked: list[float] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Note when."""
        assert str(request.url) == URL
        assert request.method == "GET"
        self.asked.append(asyncio.get_running_loop().time())
        if not self.status:
            raise httpx.ConnectError("no route to SECRET")
        return httpx.Response(self.status)


async def asking(switch: Switch, well: list[bool], seconds: float) -> int:
    """Ping for so long; how many failed."""
    failures = 0

    def failed() -> None:
        nonlocal failures
        failures += 1

    task = asyncio.create_task(ping(URL, 60.0, lambda: well[0], failed, switch))
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return failures


async def test_it_is_asked_at_its_interval_while_all_is_well() -> None:
    """Once a minute, from the start."""
    switch = Switch()
    assert await asking(switch, [True], 310) == 0
    assert switch.asked == [pytest.approx(60 * n, abs=1) for n in range(6)]


async def test_it_is_not_asked_while_the_monitor_stands_still() -> None:
    """Silence is what tells; and it goes on as soon as cycles do."""
    switch, well = Switch(), [False]
    with capture_logs() as log:
        task = asyncio.create_task(asking(switch, well, 600))
        await asyncio.sleep(300)
        assert switch.asked == []
        well[0] = True
        assert await task == 0
    assert len(switch.asked) == 5
    assert [line["event"] for line in log] == ["no ping, since no cycle is completed"]


@pytest.mark.parametrize("status", [0, 404, 500])
async def test_what_is_not_answered_is_counted_and_the_address_not_logged(status: int) -> None:
    """And the next one is sent all the same."""
    switch = Switch(status)
    with capture_logs() as log:
        assert await asking(switch, [True], 130) == 3
    assert [line["event"] for line in log] == ["ping failed"] * 3
    assert "SECRET" not in str(log)


def test_well_is_a_cycle_that_was_stored_lately() -> None:
    """Not one that was seen and could not be stored, and not an old one."""
    publisher = world.x_blocked_on_two_of_three()
    snapshot = publisher.snapshot
    newest = max(v.last_success_at for v in snapshot.vantages if v.last_success_at is not None)
    stale = max(view.stale_after for view in snapshot.vantages)
    assert is_well(snapshot, newest)
    assert is_well(snapshot, newest + timedelta(seconds=stale))
    assert not is_well(snapshot, newest + timedelta(seconds=stale + 1))
    unstored = tuple(msgspec.structs.replace(v, last_success_at=None) for v in snapshot.vantages)
    assert not is_well(msgspec.structs.replace(snapshot, vantages=unstored), newest)
