"""The outbox: written with what it tells of, once, and only ever moved on by whoever sends."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from storage.open_store import sql_store
from storage.store import StorageError, Store
from storage.values.outbox import NoticeState
from tests.contract.cycles import PLAIN, at, cycle, event, log_entry, notice
from tests.contract.listing import contents

LOG = [log_entry(n, event(updated=600 + n)) for n in range(1, 13)]


async def test_notices_come_back_by_when_they_were_made(make_store: Callable[[], Store]) -> None:
    """Exactly as given, awkward text included, in pages, also after reopening."""
    store = make_store()
    await store.open()
    made = [notice(n, 700.0 + n // 3, target=f"{n}-json") for n in range(1, 13)]
    await store.save(cycle(1), [event()], LOG, notices=list(reversed(made)))
    await store.close()
    store = make_store()
    await store.open()
    assert await store.outbox() == sorted(made, key=lambda one: (one.created_at, one.key))
    await store.close()


async def test_notices_are_chosen_by_state_and_event(store: Store) -> None:
    """What waits is found without what was sent, and one event's without the others'."""
    other = event("event-2", country="BR")
    waiting, sent = notice(1), replace(notice(2), state=NoticeState.SENT, settled_at=at(900))
    elsewhere = notice(1, of="event-2", country="BR")
    await store.save(
        cycle(1), [event(), other], [*LOG, log_entry(1, other)], notices=[waiting, sent, elsewhere]
    )
    assert await store.outbox(NoticeState.PENDING) == [elsewhere, waiting]
    assert await store.outbox(NoticeState.SENT) == [sent]
    assert await store.outbox(event="event-2") == [elsewhere]
    assert await store.outbox(NoticeState.FAILED) == []


async def test_saving_again_does_not_make_a_notice_anew(store: Store) -> None:
    """What was sent stays sent when the cycle it came with is stored a second time."""
    saved = (cycle(1), [event()], LOG[:1])
    await store.save(*saved, notices=[notice(1)])
    sent = replace(notice(1), state=NoticeState.SENT, attempts=1, settled_at=at(900))
    await store.update_notices([sent])
    await store.save(*saved, notices=[notice(1)])
    assert await store.outbox() == [sent]


async def test_a_notice_is_moved_on_as_a_whole(store: Store) -> None:
    """An update replaces all that is known of the notice, and no other notice."""
    await store.save(cycle(1), [event()], LOG, notices=[notice(1), notice(2)])
    tried = replace(notice(2), attempts=3, retry_at=at(1000.25), reason=PLAIN)
    await store.update_notices([tried])
    assert await store.outbox() == [notice(1), tried]
    await store.update_notices([])
    assert await store.outbox() == [notice(1), tried]


async def test_the_key_of_targets_is_kept_with_their_new_names(
    make_store: Callable[[], Store],
) -> None:
    """Of a route and a target every notice gets the other name, and no other notice; the key is
    there after reopening."""
    store = make_store()
    await store.open()
    assert store.target_key == b""
    mine = [notice(n, route="ops", target="1-json") for n in (1, 2)]
    others = [notice(1, route="ops", target="2-json"), notice(1, route="desk", target="1-json")]
    await store.save(cycle(1), [event()], LOG, notices=[*mine, *others])
    await store.keep_target_key(b"key" * 8, {("ops", "1-json"): "json-k3fa"})
    await store.close()
    store = make_store()
    await store.open()
    assert store.target_key == b"key" * 8
    await store.keep_target_key(b"other", {("ops", "2-json"): "json-9999"})
    assert store.target_key == b"key" * 8
    renamed = [replace(one, target="json-k3fa") for one in mine]
    assert sorted(await store.outbox(), key=lambda one: one.key) == sorted(
        [*renamed, *others], key=lambda one: one.key
    )
    await store.close()


async def test_notices_alter_nothing_that_was_detected(store: Store) -> None:
    """Everything else that can be read of a store is the same with and without them."""
    await store.save(cycle(1), [event()], LOG)
    before = await contents(store, "event-1")
    await store.save(cycle(1), [event()], LOG, notices=[notice(1)])
    await store.update_notices([replace(notice(1), state=NoticeState.FAILED)])
    assert await contents(store, "event-1") == before


async def test_a_notice_and_what_it_tells_of_are_stored_together_or_not_at_all(
    tmp_path: Path,
) -> None:
    """One that tells of no line of the log takes the whole cycle with it."""
    file = tmp_path / "store.db"
    store = sql_store(f"sqlite:///{file}")
    await store.open()
    with pytest.raises(StorageError):
        await store.save(cycle(1), [event()], LOG[:1], notices=[notice(1), notice(2)])
    await store.close()
    database = sqlite3.connect(file)
    for table in ("cycle", "event", "event_log", "outbox"):
        assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # noqa: S608
    database.close()
