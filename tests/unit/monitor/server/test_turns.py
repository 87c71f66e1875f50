"""Who asks least goes first, and all at a bounded rate."""

import heapq
from collections.abc import Callable

from monitor.server.turns import Turns


class World:
    """A clock with a list of what is to be done."""

    def __init__(self, rate: float) -> None:
        self.now = 0.0
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self.turns = Turns(rate, lambda: self.now, self._call_later)

    def _call_later(self, seconds: float, work: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._later, (self.now + seconds, self._number, work))

    def run(self, until: float) -> None:
        """Go on until then."""
        while self._later and self._later[0][0] <= until:
            self.now, _, work = heapq.heappop(self._later)
            work()
        self.now = until


class Client:
    """A connection that asks again as soon as it had its turn."""

    def __init__(self, world: World, source: str, *, again: bool = True) -> None:
        self.source, self.requests, self.turns = source, 0, list[float]()
        self._world, self._again = world, again

    def ask(self) -> None:
        """One more request."""
        if self._world.turns.may_go(self):
            self._served()

    def go(self) -> None:
        """Its turn."""
        self._served()

    def _served(self) -> None:
        self.requests += 1
        self.turns.append(self._world.now)
        if self._again:
            self._world._call_later(0.0, self.ask)


def test_a_flood_gets_the_rate_and_no_more() -> None:
    """Two hundred connections that ask without a pause are answered 200 times a second."""
    world = World(200.0)
    clients = [Client(world, f"192.0.2.{n % 4}") for n in range(200)]
    for one in clients:
        one.ask()
    world.run(10.0)
    assert 1900 <= sum(len(one.turns) for one in clients) <= 2300


def test_somebody_from_elsewhere_goes_before_a_flood() -> None:
    """The attack: a flood from a few places, in which an operator's request would wait. It waits
    for a moment; one from the flood's own place, on a new connection, for hardly longer."""
    world = World(200.0)
    for n in range(400):
        Client(world, f"192.0.2.{n % 4}").ask()
    world.run(5.0)
    operator = Client(world, "198.51.100.7", again=False)
    neighbour = Client(world, "192.0.2.1", again=False)
    operator.ask()
    neighbour.ask()
    world.run(7.0)
    assert operator.turns[0] - 5.0 <= 0.05
    assert neighbour.turns[0] - 5.0 <= 1.0


def test_one_who_leaves_has_no_turn() -> None:
    """A connection that is closed while it waits is forgotten."""
    world = World(1.0)
    first, second = (Client(world, "192.0.2.1", again=False) for _ in range(2))
    first.ask()
    second.ask()
    world.turns.leave(second)
    world.run(10.0)
    assert (len(first.turns), len(second.turns)) == (1, 0)
