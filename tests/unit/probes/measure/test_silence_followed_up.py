"""What is asked about a silent address: hosts beside it, and the way to it."""

from collections.abc import Mapping

from probes.failure_strings import Failure
from probes.measure.follow_up import follow_up
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Measurement, TcpObservation
from probes.testing import HANG, Peer, VirtualClockLoop
from tests.worlds.follow_ups import (
    ENDPOINT,
    GIVEN,
    WELL,
    changed,
    handshakes,
    of,
    plan,
    prober,
    world,
)

LOOP = VirtualClockLoop
"""The loop with a virtual clock: deadlines pass at once, and durations are exact."""


BESIDE, OTHER_NETWORK = "203.0.113.250", "192.0.2.200"


async def _after_these(known: dict[str, str], **changes: object) -> Measurement:
    """A follow-up of a silent address by a vantage to which these names proved themselves."""
    network = world()
    for address in known.values():
        network.peer(address, 443, WELL)
    one = prober(network, changed(innocuous=""))
    for name, address in known.items():
        one.verified_addresses.add(name, address)
    what = plan(failed_addresses=(), unreached=(GIVEN,), **changes)
    return await follow_up(one, what, cycle="cycle-1")


async def test_hosts_beside_a_silent_address_are_asked_for_their_own_names() -> None:
    """Two of each family, those first that proved themselves last, in the routed network alone."""
    known = {
        **{f"n{number}.example": f"203.0.113.{240 + number}" for number in range(4)},
        "far.example": OTHER_NETWORK,
        "x.com": GIVEN,
    }
    made = await _after_these(known)
    assert handshakes(made, Reason.NEIGHBOUR) == [
        ("203.0.113.243", "n3.example", None),
        ("203.0.113.242", "n2.example", None),
    ]
    # The silent address is asked again after them.
    again = of(made, Reason.ADDRESS_AGAIN)
    assert [o.address for o in again if isinstance(o, TcpObservation)] == [GIVEN]
    assert min(o.start for o in again) >= max(o.start for o in of(made, Reason.NEIGHBOUR))


async def test_nobody_is_asked_that_the_vantage_does_not_know() -> None:
    """Without a host that proved itself beside the address there is nothing to compare with."""
    made = await _after_these({"far.example": OTHER_NETWORK})
    assert not of(made, Reason.NEIGHBOUR)


async def test_attack_an_order_reaches_no_private_neighbour() -> None:
    """An endpoint that an order named reaches public addresses alone, beside it as well."""
    network = world()
    one = prober(network)
    one.ordered = frozenset({ENDPOINT.id})
    one.verified_addresses.add("office.example", BESIDE)
    made = await follow_up(one, plan(failed_addresses=(), unreached=(GIVEN,)), cycle="cycle-1")
    assert not of(made, Reason.NEIGHBOUR)


# -- the way -------------------------------------------------------------------------------------

APART = ("198.51.100.7", "192.0.2.77", "198.18.5.5", "198.19.6.6", "203.0.112.9")
HOME, PROVIDER, BORDER, LINK = "10.0.0.1", "100.64.0.1", "198.51.100.129", "198.51.100.133"


async def _way(way: tuple[str, ...], others: Mapping[str, tuple[str, ...]]) -> TcpObservation:
    """What is said of the way to the silent address, where those to others are such."""
    network = world()
    network.peer(GIVEN, 443, Peer(connect=HANG))
    network.ways = {GIVEN: way, **others}
    one = prober(network, changed(innocuous=""))
    for address in others:
        network.peer(address, 443, WELL)
        one.verified_addresses.add(f"host-{address}.example", address)
    what = plan(failed_addresses=(), unreached=(GIVEN,), way=True)
    made = await follow_up(one, what, cycle="cycle-1")
    text = repr(made)
    assert not [router for router in (HOME, PROVIDER, BORDER, LINK) if router in text]
    (found,) = of(made, Reason.WAY)
    assert isinstance(found, TcpObservation)
    assert found.failure == Failure.GENERIC_TIMEOUT
    return found


async def test_where_packets_end_is_compared_with_ways_that_go_on() -> None:
    """Two counts, and no address of a router: those show where the vantage is."""
    beyond = (HOME, PROVIDER, BORDER)
    found = await _way((HOME, PROVIDER, *[""] * 10), dict.fromkeys(APART[:4], (*beyond, LINK)))
    assert (found.address, found.routers, found.ways) == (GIVEN, 2, 4)


async def test_attack_the_way_tells_neither_routers_nor_their_number() -> None:
    """Whoever reads batches, files or a seized database would learn how many routers lie between a
    host and the filter, and so how its line is built. Wherever beyond the first router packets end,
    the same is recorded; `_way` looks for addresses of routers in all of it."""
    found = set()
    for more in range(1, 9):
        way = (HOME, *[PROVIDER] * more)
        others = dict.fromkeys(APART[:4], (*way, LINK, BORDER))
        one = await _way((*way, *[""] * (11 - more)), others)
        found.add((one.routers, one.ways))
    assert found == {(2, 4)}
    near = dict.fromkeys(APART[:4], (HOME, PROVIDER, BORDER))
    assert (await _way((HOME, *[""] * 11), near)).routers == 1


async def test_ways_that_part_where_packets_end_count_for_nothing() -> None:
    """The last router that all share may have sent them to a dead link."""
    ways = {a: (HOME, PROVIDER, BORDER if n else LINK) for n, a in enumerate(APART[:4])}
    found = await _way((HOME, PROVIDER, *[""] * 10), ways)
    assert (found.routers, found.ways) == (2, 0)
    # One that ends at the router's own neighbour parts there, too.
    ends = {a: (HOME, PROVIDER, BORDER) if n else (HOME, PROVIDER) for n, a in enumerate(APART[:4])}
    assert (await _way((HOME, PROVIDER, *[""] * 10), ends)).ways == 0


async def test_ways_by_other_routers_tell_nothing() -> None:
    """Those that do not come by the last router, and a way on which no router says anything."""
    others = dict.fromkeys(APART[:4], (HOME, BORDER, LINK))
    assert (await _way((HOME, PROVIDER, *[""] * 10), others)).ways == 0
    found = await _way(("",) * 12, others)
    assert (found.routers, found.ways) == (0, 0)


async def test_hosts_of_one_network_are_one_way() -> None:
    """Three addresses of one routed network say no more than one."""
    others = {f"198.51.100.{n}": (HOME, PROVIDER, BORDER) for n in (7, 8, 9)}
    assert (await _way((HOME, PROVIDER, *[""] * 10), others)).ways == 1


async def test_nobody_asks_for_the_way_where_a_neighbour_answers() -> None:
    """It says enough, and costs less; nor where the plan does not ask."""
    network = world()
    network.peer(BESIDE, 443, WELL)
    one = prober(network)
    one.verified_addresses.add("beside.example", BESIDE)
    for what in (plan(unreached=(GIVEN,), way=True), plan(unreached=(), way=True)):
        made = await follow_up(one, what, cycle="cycle-1")
        assert not of(made, Reason.WAY)
