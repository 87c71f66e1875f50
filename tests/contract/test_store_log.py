"""The append-only log: what is received, enrolled and revoked is in it, once and for good."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from storage.store import CollectorStore
from storage.values import merkle
from storage.values.log import (
    HeadStamp,
    LogHead,
    batch_digest,
    enrolment_digest,
    revocation_digest,
)
from tests.contract.agents import batch, enrolment, seen_cycle
from tests.contract.cycles import at

NOBODY = LogHead(size=0, root=merkle.EMPTY.hex())


async def _receive(store: CollectorStore, numbers: range) -> list[str]:
    for number in numbers:
        await store.receive(batch(number), [seen_cycle(number)])
    return [batch_digest(batch(number)) for number in numbers]


def _proved(place: object, digest: str, head: LogHead) -> bool:
    position, path = place.position, place.path  # type: ignore[attr-defined]
    steps = [bytes.fromhex(step) for step in path]
    return merkle.is_included(
        bytes.fromhex(digest), position, head.size, steps, bytes.fromhex(head.root)
    )


async def test_what_is_stored_is_logged_with_a_proof(store: CollectorStore) -> None:
    """Each signed batch, each key, and each revocation, also that by a key that follows."""
    assert await store.append_to_log() == NOBODY
    digests = await _receive(store, range(20))
    old, new, other = enrolment(1, 0), enrolment(2, 60), enrolment(3, 30, vantage="lhe-1")
    for one in (old, other, new):
        await store.enrol(one)
        digests.append(enrolment_digest(one))
    await store.revoke("lhe-1", at(90), "stolen")
    digests += [revocation_digest(old.fingerprint, new.enrolled_at)]
    digests += [revocation_digest(other.fingerprint, at(90))]
    head = await store.append_to_log()
    assert head.size == len(digests)
    places = await store.log_places(digests, head.size)
    assert sorted(place.position for place in places.values()) == list(range(head.size))
    assert all(_proved(places[digest], digest, head) for digest in digests)
    assert not _proved(places[digests[0]], digests[1], head)


async def test_the_same_again_is_logged_once(make_store: Callable[[], CollectorStore]) -> None:
    """A batch that is sent again, and a log that was reopened."""
    store = make_store()
    await store.open()
    await _receive(store, range(3))
    head = await store.append_to_log()
    await _receive(store, range(3))
    assert await store.append_to_log() == head
    await store.close()
    again = make_store()
    await again.open()
    assert await again.append_to_log() == head
    await again.close()


async def test_a_batch_that_nobody_signed_is_not_logged(store: CollectorStore) -> None:
    """There is nothing to prove about it."""
    await store.receive(replace(batch(1), fingerprint="", signature="", body=b""), [])
    assert await store.append_to_log() == NOBODY


async def test_the_log_only_grows(store: CollectorStore) -> None:
    """Every head is proved to continue each before it."""
    heads = [await store.append_to_log()]
    for start in range(0, 30, 5):
        await _receive(store, range(start, start + 5))
        heads.append(await store.append_to_log())
    last = heads[-1]
    proofs = await store.log_consistency([head.size for head in heads], last.size)
    for head in heads:
        steps = [bytes.fromhex(step) for step in proofs[head.size]]
        root, end = bytes.fromhex(head.root), bytes.fromhex(last.root)
        assert merkle.is_consistent(head.size, root, last.size, steps, end)
    late = batch_digest(batch(29))
    assert await store.log_places([late, "00" * 32], heads[1].size) == {}


async def test_two_collectors_add_to_one_log(make_store: Callable[[], CollectorStore]) -> None:
    """At the same time: nothing is lost, nothing is twice, and the tree is whole."""
    stores = [make_store(), make_store()]
    for store in stores:
        await store.open()

    async def work(store: CollectorStore, numbers: range) -> None:
        for number in numbers:
            await store.receive(batch(number), [seen_cycle(number)])
            await store.append_to_log()

    await asyncio.gather(work(stores[0], range(15)), work(stores[1], range(15, 30)))
    head = await stores[0].append_to_log()
    digests = [batch_digest(batch(number)) for number in range(30)]
    places = await stores[1].log_places(digests, head.size)
    assert head.size == 30
    assert all(_proved(places[digest], digest, head) for digest in digests)
    for store in stores:
        await store.close()


async def test_stamps_of_heads_are_kept(store: CollectorStore) -> None:
    """By size; a proof that was completed replaces the one before."""
    one = HeadStamp(
        size=2**40, root="ab" * 32, kind="rfc3161", authority="https://t.example", at=at(1)
    )
    first = replace(one, size=3, kind="report", authority="cd" * 32)
    for stamp in (one, first):
        await store.add_head_stamp(stamp)
    whole = replace(one, proof=b"\0whole", at=one.at + timedelta(days=1))
    await store.add_head_stamp(whole)
    assert await store.head_stamps() == [first, whole]


@pytest.mark.parametrize("cancel_after", [0.0, 0.001])
async def test_a_cancelled_append_loses_nothing(store: CollectorStore, cancel_after: float) -> None:
    """It is done or not; what waits is added later."""
    await _receive(store, range(10))
    task = asyncio.create_task(store.append_to_log())
    await asyncio.sleep(cancel_after)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert (await store.append_to_log()).size == 10
