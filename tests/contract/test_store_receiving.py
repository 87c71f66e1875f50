"""What agents hand in: stored once, whole, and waiting until it is judged."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from probes.measurement import HttpObservation
from storage.store import CollectorStore
from storage.values.fleet import ReceivedBatch, Reception
from storage.values.prunable import Prunable
from tests.contract.agents import batch, by_start, control_look, ids, seen, seen_cycle, waits
from tests.contract.cycles import cycle, measurement
from tests.contract.listing import EVERYTHING, contents, flat

FIRST, SECOND = batch(1), batch(2)
LOOKS = 4
"""In one cycle."""


async def test_a_batch_comes_back_as_it_was_sent(make_store: Callable[[], CollectorStore]) -> None:
    """Body, signature and all, with its cycles and their measurements, also after reopening."""
    store = make_store()
    await store.open()
    cycles = [seen(cycle(n), hurried=n == 1, backfilled=n == 2) for n in (1, 2)]
    assert await store.receive(FIRST, cycles) == Reception(known=False, measurements=2 * LOOKS)
    await store.close()
    store = make_store()
    await store.open()
    assert await store.waiting(10) == [waits(one, FIRST) for one in cycles]
    for one in await store.waiting(10):
        (whole,) = [cycle for cycle in cycles if cycle.id == one.id]
        assert await store.measurements_of(one) == by_start(whole.measurements)
        assert await store.received_batches([one.id]) == [FIRST]
    stored = await flat(store.measurements(EVERYTHING))
    assert stored == by_start([look for one in cycles for look in one.measurements])
    await store.close()


async def test_the_same_batch_again_changes_nothing(store: CollectorStore) -> None:
    """It is known, whether its cycle still waits or was judged since."""
    one = seen_cycle(1)
    await store.receive(FIRST, [one])
    waiting = await store.waiting(10)
    assert await store.receive(FIRST, [one]) == Reception(known=True)
    assert await store.waiting(10) == waiting
    await store.save(cycle(1))
    before = await contents(store)
    assert await store.receive(FIRST, [one]) == Reception(known=True)
    assert await contents(store) == before
    assert await store.waiting(10) == []


async def test_another_body_under_a_known_id_is_a_conflict(store: CollectorStore) -> None:
    """Nothing of it is stored, and what was stays."""
    await store.receive(FIRST, [seen_cycle(1)])
    other = batch(1, body=b"something else")
    assert await store.receive(other, [seen_cycle(2)]) == Reception(known=False, conflict=True)
    assert ids(await store.waiting(10)) == [seen_cycle(1).id]
    assert await store.received_batches([seen_cycle(1).id]) == [FIRST]
    assert await store.received_batches([seen_cycle(2).id]) == []
    assert len(await flat(store.measurements(EVERYTHING))) == LOOKS


async def test_a_batch_is_known_by_its_vantage_too(store: CollectorStore) -> None:
    """Nobody can keep another's batch out by using its id first."""
    squatter = replace(batch(1, vantage="lhe-evil", body=b"mine"), id=FIRST.id)
    await store.receive(squatter, [seen_cycle(1, vantage="lhe-evil")])
    assert (await store.receive(FIRST, [seen_cycle(1)])).measurements == LOOKS


async def test_a_cycle_in_two_batches_is_taken_once(store: CollectorStore) -> None:
    """As it first came: who knows its id cannot add looks to it, before or after it is judged."""
    one = seen_cycle(1)
    more = replace(
        one,
        measurements=(*one.measurements, measurement("m-more", 301, cycle=one.id)),
        hurried=True,
    )
    await store.receive(FIRST, [one])
    assert await store.receive(SECOND, [more, seen_cycle(2)]) == Reception(
        known=False, measurements=LOOKS
    )
    assert await store.waiting(10) == [waits(one, FIRST), waits(seen_cycle(2), SECOND)]
    assert await store.measurements_of(waits(one, FIRST)) == by_start(one.measurements)
    await store.save(cycle(1))
    assert await store.receive(batch(3), [more]) == Reception(known=False)
    assert ids(await store.waiting(10)) == [seen_cycle(2).id]
    assert await store.measurements_of(waits(one, FIRST)) == by_start(one.measurements)
    assert ids(await store.received_batches([one.id])) == [FIRST.id, SECOND.id, batch(3).id]


async def test_a_cycle_twice_in_one_batch_is_taken_once(store: CollectorStore) -> None:
    """The first of the two."""
    one = seen_cycle(1)
    received = await store.receive(FIRST, [one, replace(one, measurements=(), hurried=True)])
    assert received == Reception(known=False, measurements=LOOKS)
    assert await store.waiting(10) == [waits(one, FIRST)]


async def test_a_measurement_in_two_cycles_is_stored_once(store: CollectorStore) -> None:
    """Under the cycle it first came with, and counted once; new ones beside it are stored."""
    one, two = seen_cycle(1), seen_cycle(2)
    await store.receive(FIRST, [one])
    both = replace(two, measurements=(one.measurements[0], *two.measurements))
    assert await store.receive(SECOND, [both]) == Reception(known=False, measurements=LOOKS)
    assert await store.measurements_of(waits(two, SECOND)) == by_start(two.measurements)
    assert len(await flat(store.measurements(EVERYTHING))) == 2 * LOOKS


async def test_cycles_wait_in_the_order_they_ended(store: CollectorStore) -> None:
    """Whenever their batches came, and however they lie in them."""
    late = [seen_cycle(number) for number in (9, 3, 7)]
    await store.receive(batch(1, seconds=5000), late)
    await store.receive(batch(2, seconds=4000), [seen_cycle(20)])
    other = [seen_cycle(number, vantage="gru", country="BR") for number in range(1, 12)]
    await store.receive(batch(1, vantage="gru", country="BR", seconds=6000), other)
    cycles = sorted((seen_cycle(20), *late, *other), key=lambda one: (one.finished_at, one.id))
    wanted = [one.id for one in cycles]
    assert ids(await store.waiting(100)) == wanted
    assert ids(await store.waiting(5)) == wanted[:5]
    there = [one.id for one in cycles if one.vantage == "gru"]
    assert ids(await store.waiting(5, skip=["khi-ptcl"])) == there[:5]
    assert await store.waiting(5, skip=["khi-ptcl", "gru"]) == []


async def test_a_cycle_waits_for_those_that_ended_before_it(store: CollectorStore) -> None:
    """Until `order_wait` after its end, or after it came where its end is yet to come, or not at
    all where a collector whose clock is ahead received it. Late ones are asked for apart."""
    one, two, late = seen_cycle(1), seen_cycle(2), seen_cycle(3)
    ended = two.finished_at
    await store.receive(replace(FIRST, received_at=ended), [one, two])
    await store.receive(
        replace(SECOND, received_at=ended + timedelta(days=1)), [replace(late, backfilled=True)]
    )
    soon: dict[str, Any] = {"now": ended + timedelta(seconds=9.9), "order_wait": 10.0}
    assert ids(await store.waiting(9, backfilled=False, **soon)) == [one.id]
    then: dict[str, Any] = {"now": ended + timedelta(seconds=10), "order_wait": 10.0}
    assert ids(await store.waiting(9, backfilled=False, **then)) == [one.id, two.id]
    assert ids(await store.waiting(9, backfilled=True, **then)) == [late.id]
    before: dict[str, Any] = {"now": one.finished_at - timedelta(days=1), "order_wait": 10.0}
    assert len(await store.waiting(9, **before)) == 3
    received: dict[str, Any] = {"now": ended + timedelta(days=1), "order_wait": 0.0}
    assert len(await store.waiting(9, **received)) == 3


@pytest.mark.parametrize("again", [False, True])
async def test_saving_a_cycle_takes_it_off_the_list(store: CollectorStore, again: bool) -> None:
    """Also when it was saved before, and with or without the measurements that are stored."""
    whole = cycle(1)
    await store.receive(FIRST, [seen(whole), seen_cycle(2)])
    await store.save(whole if again else replace(whole, measurements=()))
    if again:
        await store.save(whole)
    assert ids(await store.waiting(10)) == [seen_cycle(2).id]
    assert len(await flat(store.verdicts(EVERYTHING))) == len(whole.verdicts)
    of_cycle = [m for m in await flat(store.measurements(EVERYTHING)) if m.cycle == whole.id]
    assert of_cycle == by_start(whole.measurements)


async def test_many_at_once_are_each_answered_for_themselves(store: CollectorStore) -> None:
    """Sixty callers, one of them twice, one with another body, some with looks of controls."""
    batches = [batch(n) for n in range(60)]
    receptions = await asyncio.gather(
        *(store.receive(one, [seen_cycle(n)]) for n, one in enumerate(batches)),
        store.add_control_measurements([control_look(1, 10.0)]),
        store.receive(batches[7], [seen_cycle(7)]),
        store.receive(batch(8, body=b"other"), [seen_cycle(99)]),
    )
    assert receptions[:60] == [Reception(known=False, measurements=LOOKS)] * 60
    assert receptions[60:] == [
        None,
        Reception(known=True),
        Reception(known=False, conflict=True),
    ]
    assert len(await store.waiting(100)) == 60
    assert len(await flat(store.measurements(EVERYTHING))) == 60 * LOOKS + 1


async def test_collectors_that_receive_the_same_at_once_store_it_once(
    make_store: Callable[[], CollectorStore],
) -> None:
    """Two of them get every batch, in opposite orders, and a cycle that lies in all of them with
    other looks in each: one form of it is stored, nothing twice, and neither waits for ever."""
    one, other = make_store(), make_store()
    await one.open()
    await other.open()
    shared = seen_cycle(99)
    forms = [
        replace(shared, measurements=(measurement(f"m-{n}", 29700.0 + n, cycle=shared.id),))
        for n in range(24)
    ]
    brought = [(batch(n), [seen_cycle(n), forms[n]]) for n in range(24)]
    answers = await asyncio.gather(
        *(one.receive(*each) for each in brought),
        *(other.receive(*each) for each in reversed(brought)),
    )
    assert sum(answer.known for answer in answers) == 24
    assert sum(answer.conflict for answer in answers) == 0
    assert sum(answer.measurements for answer in answers) == 24 * LOOKS + 1
    assert sorted(ids(await one.waiting(100))) == sorted(seen_cycle(n).id for n in (*range(24), 99))
    assert len(await flat(other.measurements(EVERYTHING))) == 24 * LOOKS + 1
    assert len(await one.received_batches([shared.id])) == 24
    await one.close()
    if other is not one:
        await other.close()


async def test_text_no_database_takes_costs_its_odd_characters(store: CollectorStore) -> None:
    """A lone surrogate in one agent's page title or name neither stops it nor its neighbours."""
    odd = HttpObservation(start=0.0, duration=0.1, url="https://x.com/", address="", title="\ud800")
    look = measurement("m-odd", 1.0, cycle="c-odd", observations=(odd,), endpoint="tls:\udc00")
    whole = replace(seen_cycle(1), id="c-odd", measurements=(look,))
    answers = await asyncio.gather(
        store.receive(FIRST, [whole]), store.receive(SECOND, [seen_cycle(2)])
    )
    assert [one.measurements for one in answers] == [1, LOOKS]
    (stored,) = await store.measurements_of(waits(whole, FIRST))
    assert stored.endpoint == "tls:�"


async def test_an_id_no_database_takes_holds_up_nobody(store: CollectorStore) -> None:
    """The same odd id in two batches: whatever becomes of the second, those beside it are told
    that they are stored, and they are."""
    odd = (measurement("m-\0", 1.0), measurement("m-plain", 2.0))
    await store.receive(FIRST, [replace(seen_cycle(1), measurements=odd)])
    answers = await asyncio.gather(
        store.receive(SECOND, [replace(seen_cycle(2), measurements=odd)]),
        *(store.receive(batch(n), [seen_cycle(n)]) for n in range(3, 9)),
        return_exceptions=True,
    )
    assert answers[1:] == [Reception(known=False, measurements=LOOKS)] * 6
    assert len(await flat(store.measurements(EVERYTHING))) == 2 + 6 * LOOKS


async def test_old_batches_go_with_what_they_brought_and_waiting_cycles_stay(
    store: CollectorStore,
) -> None:
    """Pruned by when they were received; whose cycles came in them is then forgotten as well."""
    for number in range(1, 20):
        await store.receive(batch(number), [seen_cycle(number)])
    gone = sum([rows async for rows in store.prune(Prunable.BATCH, batch(10).received_at)])
    assert gone == 9
    assert await store.received_batches([seen_cycle(9).id]) == []
    assert ids(await store.received_batches([seen_cycle(10).id])) == [batch(10).id]
    assert len(await store.waiting(100)) == 19


async def test_evidence_is_found_for_many_cycles_at_once(store: CollectorStore) -> None:
    """Each batch once, by when it came, however many ids are asked for."""
    batches: list[ReceivedBatch] = []
    for number in range(12):
        batches.append(batch(number))
        await store.receive(batches[-1], [seen_cycle(2 * number), seen_cycle(2 * number + 1)])
    asked = [seen_cycle(number).id for number in range(24)] + [f"no-{n}" for n in range(1200)]
    assert await store.received_batches(asked) == batches
    assert await store.received_batches([]) == []


async def test_an_empty_cycle_waits_like_any_other(store: CollectorStore) -> None:
    """A vantage that saw nothing is still heard of."""
    nothing = replace(seen_cycle(1), measurements=())
    assert await store.receive(FIRST, [nothing]) == Reception(known=False)
    assert await store.waiting(10) == [waits(nothing, FIRST)]
    assert await store.measurements_of(waits(nothing, FIRST)) == []
    await store.save(replace(cycle(1), measurements=(), verdicts=(), platforms=()))
    assert await store.waiting(10) == []
