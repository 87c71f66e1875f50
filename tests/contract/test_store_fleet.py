"""Who may speak, who is left out, and what controls saw."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from probes.measurement import Purpose
from storage.store import CollectorStore, StorageError
from storage.values.fleet import REPLACED
from tests.contract.agents import (
    batch,
    control_look,
    enrolment,
    ids,
    invitation,
    quarantine,
    seen_cycle,
    waits,
)
from tests.contract.cycles import PLAIN, at
from tests.contract.listing import EVERYTHING, flat

ONE_TICK = timedelta(microseconds=1)


async def test_a_key_is_enrolled_and_listed(make_store: Callable[[], CollectorStore]) -> None:
    """As it was given, by vantage and time, also after reopening."""
    store = make_store()
    await store.open()
    assert await store.enrolments() == []
    made = [
        enrolment(1, 5, vantage="lhe-nayatel", network=PLAIN),
        enrolment(2, 0, vantage="khi-ptcl"),
        *(enrolment(n, n, vantage=f"isb-{n:02}") for n in range(3, 20)),
    ]
    for one in made:
        await store.enrol(one)
    await store.close()
    store = make_store()
    await store.open()
    assert await store.enrolments() == sorted(made, key=lambda one: one.vantage)
    await store.close()


async def test_a_new_key_revokes_the_one_before(store: CollectorStore) -> None:
    """In the same transaction, so that a vantage has one key that may speak, never two or none."""
    old, new, elsewhere = enrolment(1, 0), enrolment(2, 60), enrolment(3, 30, vantage="lhe-1")
    for one in (old, elsewhere, new):
        await store.enrol(one)
    gone = replace(old, revoked_at=new.enrolled_at, reason=REPLACED)
    assert await store.enrolments() == [gone, new, elsewhere]


async def test_a_key_counts_in_full_once_it_agreed_for_long_enough(store: CollectorStore) -> None:
    """From the moment it has, and for good; a revoked key earns nothing."""
    one, other, gone = enrolment(1), enrolment(2, vantage="lhe-1"), enrolment(3, vantage="isb-1")
    for each in (one, other, gone):
        await store.enrol(each)
    await store.revoke("isb-1", at(1), "lost")
    keys = [one.fingerprint, gone.fingerprint]
    for seconds in (600, 1200, 1800):
        await store.agree(keys, 600.0, 1200.0, at(seconds))
    await store.agree([], 600.0, 1200.0, at(2400))
    known = {each.vantage: each for each in await store.enrolments()}
    assert known["khi-ptcl"] == replace(one, agreed=1800.0, established_at=at(1200))
    assert known["lhe-1"] == other
    assert (known["isb-1"].agreed, known["isb-1"].established_at) == (0.0, None)


async def test_a_key_is_revoked_once(store: CollectorStore) -> None:
    """From then on, and for the reason given first; a vantage without a key has none to revoke."""
    one = enrolment(1)
    await store.enrol(one)
    assert await store.revoke("khi-ptcl", at(60), PLAIN)
    assert not await store.revoke("khi-ptcl", at(90), "again")
    assert not await store.revoke("nobody", at(90), "who?")
    assert await store.enrolments() == [replace(one, revoked_at=at(60), reason=PLAIN)]


@pytest.mark.parametrize("revoked", [False, True])
async def test_a_key_is_enrolled_once_for_ever(store: CollectorStore, revoked: bool) -> None:
    """Neither for another vantage nor again after it was revoked; and what was there stays."""
    await store.enrol(enrolment(1))
    await store.enrol(enrolment(2, vantage="lhe-1"))
    if revoked:
        await store.revoke("khi-ptcl", at(60), "stolen")
    before = await store.enrolments()
    for vantage in ("khi-ptcl", "lhe-1"):
        with pytest.raises(StorageError, match=r"was enrolled before.*nothing was changed"):
            await store.enrol(replace(enrolment(1, 90), vantage=vantage))
        assert await store.enrolments() == before


async def test_an_invitation_enrols_one_key_as_it_says(store: CollectorStore) -> None:
    """Once: a second key changes nothing, nor does a digest that nobody has."""
    made = invitation(1, network=PLAIN)
    await store.invite(made)
    await store.invite(invitation(2, vantage="lhe-1"))
    first, second = enrolment(1, 60, network=PLAIN), enrolment(2, 90)
    assert not await store.redeem("0" * 64, first.key, first.fingerprint, at(60))
    assert await store.redeem(made.digest, first.key, first.fingerprint, at(60))
    assert not await store.redeem(made.digest, second.key, second.fingerprint, at(90))
    assert await store.enrolments() == [replace(first, held_by="host-7")]
    used = replace(made, used_at=at(60), used_by=first.fingerprint)
    assert await store.invitations() == [used, invitation(2, vantage="lhe-1")]


async def test_an_invitation_ends_by_time_by_another_and_by_revoking(store: CollectorStore) -> None:
    """At the moment it says; one that was withdrawn stays so. Those long expired are deleted."""
    key = enrolment(1)
    old, newer = invitation(1), invitation(2, 60)
    await store.invite(old)
    await store.invite(newer)
    assert not await store.redeem(old.digest, key.key, key.fingerprint, at(70))
    assert not await store.redeem(newer.digest, key.key, key.fingerprint, newer.expires_at)
    assert await store.revoke("khi-ptcl", at(80), "taken")
    assert not await store.revoke("khi-ptcl", at(80), "taken")
    assert not await store.redeem(newer.digest, key.key, key.fingerprint, at(90))
    assert await store.enrolments() == []
    gone = [replace(old, withdrawn_at=at(60)), replace(newer, withdrawn_at=at(80))]
    assert await store.invitations() == gone
    later = invitation(3, 2 * 86400, vantage="lhe-1")
    await store.invite(later)
    assert await store.invitations() == [later]


async def test_an_invitation_replaces_a_key_only_when_it_is_used(store: CollectorStore) -> None:
    """Until then the old key speaks; the new one keeps what the vantage earned, as long as nobody
    revoked it in between."""
    old, new = enrolment(1), replace(enrolment(2, 60), held_by="host-7")
    await store.enrol(old)
    await store.agree([old.fingerprint], 600.0, 600.0, at(30))
    one = invitation(1)
    await store.invite(one)
    assert [each.revoked_at for each in await store.enrolments()] == [None]
    assert await store.redeem(one.digest, new.key, new.fingerprint, at(60))
    gone, known = await store.enrolments()
    assert (gone.revoked_at, gone.reason) == (at(60), REPLACED)
    assert known == replace(new, agreed=600.0, established_at=at(30))
    await store.revoke("khi-ptcl", at(90), "stolen")
    another, fresh = invitation(2, 95), replace(enrolment(3, 100), held_by="host-7")
    await store.invite(another)
    assert await store.redeem(another.digest, fresh.key, fresh.fingerprint, at(100))
    assert (await store.enrolments())[-1] == fresh


@pytest.mark.parametrize(
    ("differs", "agreed"),
    [
        ({"held_by": "host-8"}, 0.0),
        ({"asn": 9541}, 0.0),
        ({"role": "control"}, 0.0),
        ({"country": "BR"}, 0.0),
        ({"network": "PTCL, its new name"}, 600.0),
    ],
)
async def test_another_host_or_network_earned_nothing(
    store: CollectorStore, differs: dict[str, Any], agreed: float
) -> None:
    """What a vantage earned is of whoever ran it, where it was. A network keeps its number."""
    old = replace(enrolment(1), held_by="host-7")
    await store.enrol(old)
    await store.agree([old.fingerprint], 600.0, 600.0, at(30))
    one = replace(invitation(1), **differs)
    await store.invite(one)
    key = enrolment(2)
    assert await store.redeem(one.digest, key.key, key.fingerprint, at(60))
    (new,) = [each for each in await store.enrolments() if each.revoked_at is None]
    assert (new.agreed, new.established_at) == (agreed, at(30) if agreed else None)


async def test_a_key_that_was_enrolled_before_uses_up_no_invitation(store: CollectorStore) -> None:
    """The refusal takes back the whole transaction."""
    await store.enrol(enrolment(1, vantage="lhe-1"))
    await store.invite(invitation(1))
    known = enrolment(1)
    with pytest.raises(StorageError, match="was enrolled before"):
        await store.redeem(invitation(1).digest, known.key, known.fingerprint, at(60))
    assert await store.invitations() == [invitation(1)]
    assert await store.redeem(invitation(1).digest, "key-9", "9" * 64, at(60))


async def test_a_quarantine_replaces_the_one_before(store: CollectorStore) -> None:
    """One for a vantage, as it was decided last, until it is taken back."""
    first, other = quarantine(), quarantine("a-vantage", reason="broken clock")
    await store.quarantine(first)
    await store.quarantine(other)
    assert await store.quarantines() == [other, first]
    later = replace(first, since=None, until=at(1e6), reason="all of it", at=at(60))
    await store.quarantine(later)
    assert await store.quarantines() == [other, later]
    assert await store.release("khi-ptcl")
    assert not await store.release("khi-ptcl")
    assert await store.quarantines() == [other]


async def test_what_controls_saw_for_a_cycle_is_with_it(store: CollectorStore) -> None:
    """Stored before the cycle comes or after; of other field vantages nothing is."""
    one = seen_cycle(1)
    before, after = control_look(1, 310.0, cycle=one.id), control_look(2, 320.0, cycle=one.id)
    await store.add_control_measurements([before])
    came = batch(1)
    foreign = seen_cycle(1, vantage="lhe-evil")
    crafted = replace(
        foreign, measurements=tuple(replace(m, cycle=one.id) for m in foreign.measurements)
    )
    await store.receive(batch(1, vantage="lhe-evil"), [crafted])
    assert (await store.receive(came, [one])).measurements == len(one.measurements)
    await store.add_control_measurements([after, before])
    found = await store.measurements_of(waits(one, came))
    assert sorted(ids(found)) == sorted([*ids(one.measurements), before.id, after.id])
    assert [look.started_at for look in found] == sorted(look.started_at for look in found)


async def test_looks_of_controls_are_listed_by_start(store: CollectorStore) -> None:
    """At endpoints and references, whichever cycle they were for; from the first moment, before
    the last; nothing of the field, and nothing controls look at for themselves."""
    looks = [
        control_look(n, n * 10.0, cycle=f"c-{n % 3}", look=kind, vantage=vantage)
        for n, (kind, vantage) in enumerate(
            (kind, vantage)
            for kind in (Purpose.CONTROL, Purpose.REFERENCE)
            for vantage in ("ams", "fra")
            for _ in range(5)
        )
    ]
    await store.add_control_measurements(list(reversed(looks)))
    others = (Purpose.SCHEDULED, Purpose.RETRY, Purpose.TRANSFER, Purpose.FOLLOW_UP)
    await store.add_control_measurements(
        [control_look(90 + n, 50.5, look=k) for n, k in enumerate(others)]
    )
    await store.receive(batch(0), [seen_cycle(0)])
    assert await store.control_measurements(at(0), at(1e6)) == looks
    assert await store.control_measurements(at(20), at(90)) == looks[2:9]
    assert await store.control_measurements(at(20) + ONE_TICK, at(90) + ONE_TICK) == looks[3:10]
    assert await store.control_measurements(at(90), at(20)) == []


async def test_the_newest_look_of_each_control_at_each_endpoint(store: CollectorStore) -> None:
    """By when it began; none at references, none too old, and no speed measured."""
    endpoints = ("https://x.com/0", "https://x.com/1")
    old = [control_look(n, n, endpoint=endpoints[n % 2]) for n in range(6)]
    fra = control_look(50, 60.0, vantage="fra", endpoint=endpoints[0])
    ams = control_look(51, 50.0, vantage="ams", endpoint=endpoints[0])
    await store.add_control_measurements([fra, *old])
    await store.add_control_measurements(
        [
            *(ams, control_look(52, 70.0, look=Purpose.REFERENCE)),
            control_look(53, 80.0, look=Purpose.TRANSFER, endpoint=endpoints[1]),
        ]
    )
    await store.receive(batch(1), [seen_cycle(1)])
    assert await flat(store.latest_control_measurements(at(0))) == [old[5], ams, fra]
    assert await flat(store.latest_control_measurements(at(5))) == [old[5], ams, fra]
    assert await flat(store.latest_control_measurements(at(5) + ONE_TICK)) == [ams, fra]
    assert await flat(store.latest_control_measurements(at(61))) == []


async def test_looks_of_controls_at_the_endpoints_that_are_asked_for(
    store: CollectorStore,
) -> None:
    """Whatever else a control sent is not even read, also where a catalogue lists many."""
    listed, other = control_look(1, 10.0), control_look(2, 20.0, endpoint="https://x.com/junk")
    await store.add_control_measurements([listed, other])
    place = (listed.platform, listed.function, listed.endpoint)
    many = [*((*place[:2], f"https://{n}.example/") for n in range(1200)), place]
    found = store.latest_control_measurements
    assert await flat(found(at(0), many)) == [listed]
    assert await flat(found(at(0), [("y", *place[1:])])) == []
    assert await flat(found(at(0), [])) == []


async def test_a_clock_ahead_does_not_stand_in_the_way(store: CollectorStore) -> None:
    """A look of the far future is the newest until one arrives, not until that future does."""
    ahead = control_look(1, 400.0 * 86400 * 365)
    await store.add_control_measurements([ahead])
    assert await flat(store.latest_control_measurements(at(0))) == [ahead]
    await store.add_control_measurements([control_look(2, 60.0)])
    (now,) = await flat(store.latest_control_measurements(at(0)))
    assert now.id == control_look(2, 60.0).id


async def test_looks_of_controls_are_stored_once(store: CollectorStore) -> None:
    """Sent twice by whoever did not hear the answer, also with others beside them."""
    looks = [control_look(n, n) for n in range(10)]
    await store.add_control_measurements(looks[:6])
    await store.add_control_measurements(looks)
    await store.add_control_measurements([*looks, *looks])
    await store.add_control_measurements([])
    assert await flat(store.measurements(EVERYTHING)) == looks
