"""What tells people, started, changed and stopped as one thing."""

import asyncio
from collections.abc import Callable

import msgspec

from monitor.app.notify_setup import Notifications
from monitor.config.load import default_settings
from monitor.config.settings import Settings
from monitor.notify.apprise_service import fault_of
from monitor.notify.settings import NotifySettings, Target
from tests.contract.cycles import cycle
from tests.prometheus import world
from tests.worlds.memory_store import MemoryStore
from tests.worlds.notify_world import block, entry, route
from tests.worlds.receiver import Inbox, receiving


def settings(inbox: Inbox) -> Settings:
    """Everything goes to this receiver, at once and often."""
    target = Target(name="1-json", url=inbox.url("told"))
    assert fault_of(target.url) == ""
    notify = NotifySettings(
        timeout=100.0,
        ping_url=f"http://127.0.0.1:{inbox.port}/ping",
        ping_interval=0.05,
        route=(route(urls=(target,), gather=0.0),),
    )
    return msgspec.structs.replace(
        default_settings(), notify=notify, public_url="https://w.example"
    )


async def until(true: Callable[[], object]) -> None:
    """Wait for it, on a machine that may be slow."""
    async with asyncio.timeout(120):
        while not true():  # noqa: ASYNC110 # threads say nothing when they are done
            await asyncio.sleep(0.01)


async def test_other_settings_are_gone_by_at_once() -> None:
    """Messages and pings go where the new configuration says, and no longer where the old one did;
    an end of it ends both."""
    publisher = world.x_blocked_on_two_of_three()
    store = MemoryStore()
    await store.open()
    with receiving() as before, receiving() as after:
        telling = Notifications(settings(before), store, publisher)
        task = asyncio.create_task(telling.run())
        await until(lambda: before.letters)
        telling.use(settings(after))
        await until(lambda: after.letters)
        known = len(before.letters)
        line = entry("confirmed", msgspec.structs.replace(block(), updated_at=publisher.now()))
        notices = telling.delivery.announce([line])
        await store.save(cycle(1), [line.snapshot], [line], notices=notices)
        telling.delivery.wake()
        await until(lambda: [one for one in after.letters if one["path"] == "/told"])
        await until(lambda: publisher.snapshot.routes["ops"].sent)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert len(before.letters) <= known + 1  # one may have been on its way
        assert {one["path"] for one in before.letters} == {"/ping"}
        (letter,) = [one for one in after.letters if one["path"] == "/told"]
        assert letter["title"] == "Confirmed: X is blocked in Pakistan"
        assert f"Evidence and data: https://w.example/events/{block().id}" in letter["message"]
        assert publisher.snapshot.routes["ops"].sent == 1
        await asyncio.sleep(0.3)  # for what was on its way
        count = len(after.letters)
        await asyncio.sleep(0.3)
        assert len(after.letters) == count
