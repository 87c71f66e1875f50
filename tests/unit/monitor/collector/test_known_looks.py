"""Agents are told what controls saw last, in an answer that stays small."""

from datetime import timedelta

import msgspec
import pytest

from monitor.collector.known_looks import KNOWN_FOR, LARGEST_LOOK, MOST_BYTES, KnownLooks
from monitor.config.load import default_settings
from monitor.config.settings import Settings
from probes.measurement import Measurement
from storage.values.fleet import EndpointKey
from tests.collector.world import NOW, Ticks
from tests.contract.agents import control_look
from tests.worlds.build import dns, http
from tests.worlds.memory_store import MemoryStore

SETTINGS = default_settings()
PLACES = sorted(
    (platform.name, function.name, endpoint.id)
    for platform in SETTINGS.catalog.platforms
    for function in platform.functions
    for endpoint in function.endpoints
)


def seen(number: int, place: EndpointKey, *, headers: int = 0, ago: float = 60.0) -> Measurement:
    """What a control saw there, with so many bytes of headers."""
    platform, function, endpoint = place
    return msgspec.structs.replace(
        control_look(number, 0.0, endpoint=endpoint),
        started_at=NOW - timedelta(seconds=ago),
        platform=platform,
        function=function,
        observations=(dns(), http(headers=(("x", "y" * headers),))),
    )


class World:
    """What a collector tells, and the store that it tells it from."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.ticks = Ticks()
        self.settings: Settings = SETTINGS
        self.looks = KnownLooks(
            self.store, lambda: self.settings, now=lambda: NOW, clock=self.ticks
        )

    async def told(self) -> list[Measurement]:
        """What an agent is told once that was read anew."""
        self.ticks.now += KNOWN_FOR
        return [*await self.looks.known()]


@pytest.fixture
async def world() -> World:
    """A store without anything."""
    made = World()
    await made.store.open()
    return made


def places(looks: list[Measurement]) -> list[EndpointKey]:
    """Where they were made."""
    return [(one.platform, one.function, one.endpoint) for one in looks]


async def test_only_what_the_catalogue_lists_is_told(world: World) -> None:
    """In the place where it is listed: of others no agent asks. A catalogue without the platform
    leaves out its endpoints."""
    listed, (platform, function, endpoint) = PLACES[0], PLACES[1]
    elsewhere = [("junk", function, endpoint), (platform, "junk", endpoint), (platform, "web", "x")]
    made = [seen(n, place) for n, place in enumerate([listed, *elsewhere])]
    await world.store.add_control_measurements(made)
    assert places(await world.told()) == [listed]
    catalog = msgspec.structs.replace(SETTINGS.catalog, platforms=())
    world.settings = msgspec.structs.replace(SETTINGS, catalog=catalog)
    assert await world.told() == []


async def test_the_newest_of_any_control_is_told(world: World) -> None:
    """Once, whichever control it is."""
    old, new = seen(1, PLACES[0], ago=90.0), seen(2, PLACES[0], ago=30.0)
    other = msgspec.structs.replace(new, vantage="fra", reached=not old.reached)
    await world.store.add_control_measurements([other, old])
    (told,) = await world.told()
    assert told.reached is other.reached


async def test_attack_a_large_look_takes_no_others_place(world: World) -> None:
    """What a control filled with headers is left out, and what another one saw there before is
    told in its place."""
    fair = seen(1, PLACES[0], ago=90.0)
    large = seen(2, PLACES[0], headers=LARGEST_LOOK, ago=30.0)
    await world.store.add_control_measurements(
        [fair, msgspec.structs.replace(large, vantage="fra")]
    )
    (told,) = await world.told()
    assert told.observations[1] == fair.observations[1]


async def test_attack_many_large_looks_leave_room_for_the_others(world: World) -> None:
    """A control fills every endpoint but a few as far as it may: the answer has its limit, and what
    others saw at those few is in it."""
    few, many = PLACES[:5], PLACES[5:]
    # More than a catalogue of this size can hold: this is about larger ones.
    platform = SETTINGS.catalog.platforms[0]
    function = platform.functions[0]
    more = [
        msgspec.structs.replace(function.endpoints[0], path=f"/{number}") for number in range(200)
    ]
    wide = msgspec.structs.replace(function, endpoints=(*function.endpoints, *more))
    platforms = (
        msgspec.structs.replace(platform, functions=(wide, *platform.functions[1:])),
        *SETTINGS.catalog.platforms[1:],
    )
    catalog = msgspec.structs.replace(SETTINGS.catalog, platforms=platforms)
    world.settings = msgspec.structs.replace(SETTINGS, catalog=catalog)
    many += [(platform.name, function.name, one.id) for one in more]
    large = [seen(n, place, headers=LARGEST_LOOK - 3000) for n, place in enumerate(many)]
    fair = [seen(n + len(many), place) for n, place in enumerate(few)]
    await world.store.add_control_measurements([*large, *fair])
    told = await world.told()
    assert len(msgspec.json.encode(told)) <= MOST_BYTES + len(told) + 1
    assert set(few) < set(places(told))
    assert 50 < len(told) < len(many)


async def test_it_is_read_now_and_then(world: World) -> None:
    """Not for every agent that asks."""
    assert await world.told() == []
    await world.store.add_control_measurements([seen(1, PLACES[0])])
    assert await world.looks.known() == ()
    assert places(await world.told()) == [PLACES[0]]
