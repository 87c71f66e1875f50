"""What detectors go on from: their checkpoints, and the verdicts and health since."""

import msgspec
import pytest

from storage.store import Store
from storage.values.checkpoint import Checkpoint
from storage.values.selection import Selection
from tests.contract.cycles import PLAIN, at, cycle
from tests.contract.listing import EVERYTHING, flat

X = Checkpoint(
    country="PK", platform="x", kind="test-1", until=at(300), until_key="cycle a", state='{"a":1}'
)
VANTAGES = Checkpoint(
    country="", platform="", kind="test-1", until=None, until_key="", state=f'"{PLAIN}"'
)


async def test_conclusions_come_back_exactly(store: Store) -> None:
    """Every field survives, those of what has no country and no platform too."""
    await store.save(cycle(1), checkpoints=[X, VANTAGES])
    assert await store.checkpoints() == [VANTAGES, X]


async def test_a_conclusion_replaces_the_one_before(store: Store) -> None:
    """There is one for each platform in each country: the last that was saved."""
    later = msgspec.structs.replace(X, until=at(600), state="{}")
    await store.save(cycle(1), checkpoints=[X])
    await store.save(cycle(2), checkpoints=[later])
    await store.save(cycle(3))
    assert await store.checkpoints() == [later]


async def test_earlier_states_are_kept_until_something_comes_before_them(store: Store) -> None:
    """The newest before a moment, of the same timeline and kind. One that lacks what came late is
    dropped, and so are those of long ago."""
    moments = [at(300), at(600), at(900)]
    kept = [msgspec.structs.replace(X, until=moment) for moment in moments]
    for one in kept:
        await store.keep_checkpoints([one], at(0))
    assert await store.earlier_checkpoint("PK", "x", "test-1", at(900)) == kept[1]
    assert await store.earlier_checkpoint("PK", "x", "test-1", at(901)) == kept[2]
    for place in (("BR", "x", "test-1"), ("PK", "facebook", "test-1"), ("PK", "x", "test-2")):
        assert await store.earlier_checkpoint(*place, at(901)) is None
    await store.drop_checkpoints("PK", "x", at(600))
    assert await store.earlier_checkpoint("PK", "x", "test-1", at(901)) == kept[0]
    other = msgspec.structs.replace(X, country="BR")
    await store.keep_checkpoints([other], at(500))
    assert await store.earlier_checkpoint("PK", "x", "test-1", at(901)) == kept[0]
    await store.keep_checkpoints([kept[1]], at(500))
    assert await store.earlier_checkpoint("PK", "x", "test-1", at(600)) is None
    assert await store.checkpoints() == []


async def test_history_since_a_moment(store: Store) -> None:
    """Verdicts and health from a moment on, that moment included, oldest first."""
    cycles = [cycle(number) for number in (1, 2, 3)]
    for one in reversed(cycles):
        await store.save(one)
    second = cycles[1]
    verdicts = await store.recent_platforms(second.platforms[0].judged_at)
    assert {verdict.cycle for verdict in verdicts} == {one.id for one in cycles[1:]}
    health = await store.recent_health(second.health.at)
    assert health == [one.health for one in cycles[1:]]


async def test_history_of_one_platform_since_a_moment(store: Store) -> None:
    """In one country, and nothing of any other."""
    for one in (*map(cycle, (1, 2, 3)), cycle(3, country="BR", vantage="gru-vivo")):
        await store.save(one)
    since = cycle(2).platforms[0].judged_at
    found = await store.recent_platforms(since, "PK", "x")
    places = [(one.cycle, one.country, one.platform) for one in found]
    assert places == [(cycle(number).id, "PK", "x") for number in (2, 3)]


@pytest.mark.parametrize("platform", ["x", "whatsapp", ""])
async def test_history_of_one_platform(store: Store, platform: str) -> None:
    """All verdicts on one platform in one country, in the order judged."""
    made = [cycle(1), cycle(2), cycle(1, country="BR", vantage="gru-vivo")]
    for one in made:
        await store.save(one)
    found = await flat(store.platforms(Selection(country="PK", platform=platform)))
    expected = [
        verdict
        for one in made[:2]
        for verdict in one.platforms
        if platform in ("", verdict.platform)
    ]
    assert sorted(found, key=lambda v: (v.cycle, v.platform)) == sorted(
        expected, key=lambda v: (v.cycle, v.platform)
    )
    assert [v.judged_at for v in found] == sorted(v.judged_at for v in found)
    assert len(await flat(store.platforms(EVERYTHING))) == sum(len(c.platforms) for c in made)
