"""What people add is kept beside what was detected, and alters none of it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from storage.open_store import sql_store
from storage.store import StorageError, Store
from storage.values.acts import Acknowledgement, Act, ActKind, Mute
from storage.values.reviews import AnnotationKind, Mark, deciding_review
from tests.contract.cycles import annotation, at, cycle, event, log_entry, review
from tests.contract.listing import contents


async def _with_event(store: Store) -> None:
    await store.save(cycle(1), [event()], [log_entry(1, event())])
    other = event("event-2", country="BR")
    await store.save(cycle(2, country="BR", vantage="gru"), [other], [log_entry(1, other)])


async def test_reviews_come_back_by_the_time_they_were_given(
    make_store: Callable[[], Store],
) -> None:
    """Exactly as given, awkward text included, of one event or of all, also after reopening."""
    store = make_store()
    await store.open()
    await _with_event(store)
    made = [review(f"review-{n}", 1200.0 + n, of="event-1") for n in range(20)]
    for one in reversed(made):
        await store.add_review(one)
    elsewhere = review("review-x", 1210.5, Mark.NOTE, of="event-2", country="BR")
    await store.add_review(elsewhere)
    await store.close()
    store = make_store()
    await store.open()
    assert await store.reviews("event-1") == made
    assert await store.reviews("event-2") == [elsewhere]
    assert await store.reviews("nobody") == []
    assert await store.reviews() == [*made[:11], elsewhere, *made[11:]]
    await store.close()


async def test_the_last_line_of_many_logs_is_read_at_once(store: Store) -> None:
    """Of each event that is asked for, however many, the newest line and no other."""
    events = [event(f"event-{number:02}") for number in range(20)]
    lines = [
        log_entry(sequence, one)
        for number, one in enumerate(events)
        for sequence in range(1, 2 + number % 3)
    ]
    await store.save(cycle(1), events, lines)
    last = {line.event: line for line in lines}
    asked = [one.id for one in events[1:]]
    found = await store.last_log_lines([*asked, "nobody"])
    assert {line.event: line for line in found} == {name: last[name] for name in asked}
    assert len(found) == len(asked)


async def test_a_review_alters_nothing_that_was_detected(store: Store) -> None:
    """Everything that can be read of a store is the same before and after."""
    await _with_event(store)
    before = await contents(store, "event-1", "event-2")
    for number, mark in enumerate(Mark):
        await store.add_review(review(f"review-{number}", mark=mark))
    await store.add_annotations([annotation(), annotation(300, 600)])
    assert await contents(store, "event-1", "event-2") == before


async def test_the_detected_record_stays_as_it_was_byte_for_byte(tmp_path: Path) -> None:
    """The rows of events and of their log are the very same cells, whatever people add."""
    file = tmp_path / "store.db"
    store = sql_store(f"sqlite:///{file}")
    await store.open()
    await _with_event(store)
    before = _rows(file, "event", "event_log")
    assert len(before) == 4
    await store.add_review(review(mark=Mark.REJECTED))
    await store.add_annotations([annotation()])
    await store.remove_annotations([annotation().id])
    await store.close()
    assert _rows(file, "event", "event_log") == before


def _rows(file: Path, *tables: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as database:
        return [
            row
            for table in tables
            for row in database.execute(f"SELECT * FROM {table} ORDER BY 1, 2")  # noqa: S608
        ]


@pytest.mark.parametrize("change", ["DELETE FROM review", "UPDATE review SET note = ''"])
async def test_the_database_refuses_to_alter_a_review(tmp_path: Path, change: str) -> None:
    """Not even somebody with an SQL shell makes a review unsaid by accident."""
    file = tmp_path / "store.db"
    store = sql_store(f"sqlite:///{file}")
    await store.open()
    await _with_event(store)
    await store.add_review(review())
    await store.close()
    with (
        closing(sqlite3.connect(file)) as database,
        pytest.raises(sqlite3.IntegrityError, match="review is append-only"),
    ):
        database.execute(change)


async def test_only_what_was_detected_can_be_reviewed(store: Store) -> None:
    """An event that is not there, or is another country's, is named in the refusal."""
    await _with_event(store)
    for wrong in (review(of="event-3"), review(country="BR")):
        with pytest.raises(StorageError, match=rf"no event {wrong.event} of country"):
            await store.add_review(wrong)
    assert await store.reviews() == []


async def test_the_same_review_again_changes_nothing(store: Store) -> None:
    """A review whose fate was unknown may be stored again; the first form of it stays."""
    await _with_event(store)
    await store.add_review(review())
    await store.add_review(review())
    assert await store.reviews() == [review()]


async def test_the_event_may_change_after_its_review(store: Store) -> None:
    """A review does not hold up the detector: the event goes on, the review stays."""
    await _with_event(store)
    await store.add_review(review())
    changed = event(updated=9000)
    await store.save(cycle(30), [changed], [log_entry(2, changed)])
    assert changed in await store.active_events()
    assert await store.reviews("event-1") == [review()]


def test_the_last_review_that_decides_holds() -> None:
    """Notes decide nothing; of several decisions the last one counts."""
    yes, no = review("1", 1, Mark.CONFIRMED), review("2", 2, Mark.REJECTED)
    note = review("3", 3, Mark.NOTE)
    assert deciding_review([]) is None
    assert deciding_review([note]) is None
    assert deciding_review([yes, note]) == yes
    assert deciding_review([yes, no, note]) == no


async def test_annotations_come_back_by_when_they_begin(store: Store) -> None:
    """Exactly as given, over several pages."""
    made = [annotation(n * 60.0, until=n * 60.0 + 30 if n % 2 else None) for n in range(20)]
    assert await store.add_annotations(list(reversed(made))) == 20
    assert await store.annotations() == made


async def test_an_annotation_is_there_once(store: Store) -> None:
    """Added again, whenever that is, it adds nothing; the count says so."""
    first = annotation()
    assert await store.add_annotations([first]) == 1
    again = replace(first, added_at=at(99999))
    assert await store.add_annotations([again, annotation(5)]) == 1
    assert await store.annotations() == [first, annotation(5)]
    assert await store.add_annotations([]) == 0


async def test_removed_annotations_are_gone(store: Store) -> None:
    """Those named, and no other; the count tells how many there were."""
    made = [annotation(n) for n in range(4)]
    await store.add_annotations(made)
    assert await store.remove_annotations([made[1].id, made[3].id, "nobody"]) == 2
    assert await store.annotations() == [made[0], made[2]]
    assert await store.remove_annotations([]) == 0


async def test_annotations_of_a_place_and_time(store: Store) -> None:
    """What touches the time, ends excluded; a platform brings those of none in particular too."""
    before = annotation(0, 100)
    across = annotation(50, 150, platform="x", kind=AnnotationKind.COURT_ORDER)
    moment = annotation(100, platform="facebook")
    late = annotation(200)
    elsewhere = annotation(100, country="BR")
    await store.add_annotations([before, across, moment, late, elsewhere])
    assert await store.annotations("PK", at(100), at(200)) == [across, moment]
    assert await store.annotations("PK", since=at(150)) == [late]
    assert await store.annotations("PK", until=at(50)) == [before]
    assert await store.annotations("PK", platform="x") == [before, across, late]
    assert elsewhere in await store.annotations(since=at(100), until=at(101))
    assert await store.annotations("BR") == [elsewhere]


def _act(number: int, what: ActKind = ActKind.MUTE) -> Act:
    return Act(id=f"act-{number}", at=at(number), who="asma", what=what, target="country PK")


async def test_every_act_is_in_the_audit_log_with_what_it_did(
    make_store: Callable[[], Store],
) -> None:
    """In the transaction of the change, only where there is one, and oldest first; it outlives a
    restart, and no line of it can be altered."""
    store = make_store()
    await store.open()
    await _with_event(store)
    await store.add_review(review(of="event-1"), _act(1, ActKind.CONFIRM))
    with pytest.raises(StorageError):
        await store.add_review(review(of="event-0"), _act(2, ActKind.CONFIRM))
    assert await store.add_annotations([annotation()], _act(3, ActKind.ANNOTATE)) == 1
    assert await store.add_annotations([annotation()], _act(4, ActKind.ANNOTATE)) == 0
    mute = Mute(country="", event="event-1", until=at(900), at=at(5))
    await store.mute(mute, _act(5))
    assert await store.mutes() == [mute]
    assert await store.unmute("", "event-1", _act(6, ActKind.UNMUTE))
    assert not await store.unmute("", "event-1", _act(7, ActKind.UNMUTE))
    known = Acknowledgement(finding="no_asn", at=at(8))
    await store.acknowledge(known, _act(8, ActKind.ACKNOWLEDGE))
    await store.note(_act(9, ActKind.REPORT))
    await store.close()
    store = make_store()
    await store.open()
    acts = await store.acts()
    assert [one.id for one in acts] == [f"act-{n}" for n in (1, 3, 5, 6, 8, 9)]
    assert await store.acts(at(3), at(8)) == acts[1:4]
    assert await store.mutes() == []
    assert await store.acknowledgements() == [known]
    await store.close()


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = ''", "DELETE FROM audit"])
async def test_a_line_of_the_audit_log_stays(statement: str, tmp_path: Path) -> None:
    """The database itself refuses to alter one."""
    file = tmp_path / "store.db"
    store = sql_store(f"sqlite:///{file}")
    await store.open()
    await store.note(_act(1))
    await store.close()
    with closing(sqlite3.connect(file)) as database, pytest.raises(sqlite3.IntegrityError):
        database.execute(statement)
