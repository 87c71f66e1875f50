"""Blocks of every kind and length, to be found among the noise."""

import random
from collections.abc import Callable, Mapping, Sequence

import msgspec

from benchmarks.simulation.noise import DAY, HOUR, MINUTE, Episode, Strikes

LEAK = 0.05
"""Share of looks that get past a filter in a leaky cycle (`world.LEAKY`): our assumption."""
TECHNIQUES: Mapping[str, float] = {
    "tls_reset": 0.35,
    "tls_timeout": 0.25,
    "dns_nxdomain": 0.1,
    "dns_bogon": 0.15,
    "tls_forged": 0.05,
    "tcp_timeout": 0.06,
    "tcp_refused": 0.04,
}
"""Shares in which networks block a platform. Names are what nearly all act on today (Niaki et al.
2020; OONI's reports on X in Pakistan and Brazil); the exact shares are our assumption."""
MEDIA = (4, 5, 6)
EVERY_HOUR = HOUR
"""Seconds within which the speed of a platform is measured by the clock."""


class Block(msgspec.Struct, frozen=True):
    """One block as it really was."""

    networks: int
    """Networks watched; some may be spared."""
    episodes: tuple[Episode, ...]
    times: tuple[tuple[float, float], ...]
    """When it was on, on any network."""


class Kind(msgspec.Struct, frozen=True):
    """One kind of block."""

    name: str
    full: bool
    """Of all of the platform, for half an hour or more, on a network that is watched."""
    make: Callable[[random.Random, float], Block]


def _technique(rng: random.Random) -> str:
    return rng.choices(tuple(TECHNIQUES), tuple(TECHNIQUES.values()))[0]


def _on(network: int, start: float, end: float, fate: str, hosts: tuple[int, ...] = ()) -> Episode:
    return Episode(
        strikes=Strikes.BLOCK,
        start=start,
        end=end,
        place=network,
        fate=fate,
        level=1.0 - LEAK,
        hosts=hosts,
    )


def _national(length: float, networks: int = 3) -> Callable[[random.Random, float], Block]:
    """All networks within a minute, each in its own way."""

    def make(rng: random.Random, at: float) -> Block:
        begins = [at, *(at + rng.uniform(0.0, MINUTE) for _ in range(networks - 1))]
        episodes = tuple(
            _on(number, begin, at + length, _technique(rng)) for number, begin in enumerate(begins)
        )
        return Block(networks, episodes, ((at, at + length),))

    return make


def _one_of_six(rng: random.Random, at: float) -> Block:
    end = at + 5 * HOUR
    return Block(6, (_on(rng.randrange(6), at, end, _technique(rng)),), ((at, end),))


def _exams(rng: random.Random, at: float) -> Block:
    """Kenya's, November 2023: mornings and afternoons on five days, on three of four networks."""
    day = at - at % DAY + DAY + rng.uniform(0.0, 10 * MINUTE)
    times = tuple(
        (day + number * DAY + begin * HOUR, day + number * DAY + (begin + 4) * HOUR)
        for number in range(5)
        for begin in (7, 13)
    )
    ways = [_technique(rng) for _ in range(3)]
    return Block(
        4,
        tuple(_on(n, begin, end, way) for n, way in enumerate(ways) for begin, end in times),
        times,
    )


def _throttled(rng: random.Random, at: float) -> Block:
    """Slowed on three networks for twelve hours; seen once the speed is measured."""
    end = at + 12 * HOUR
    return Block(
        3,
        tuple(
            Episode(
                strikes=Strikes.SLOW, start=at + rng.uniform(0.0, EVERY_HOUR), end=end, place=number
            )
            for number in range(3)
        ),
        ((at, end),),
    )


def _spreading(rng: random.Random, at: float) -> Block:
    end = at + DAY
    return Block(
        3,
        tuple(_on(n, at + 3 * HOUR * n, end, _technique(rng)) for n in range(3)),
        ((at, end),),
    )


def _on_off_on(rng: random.Random, at: float) -> Block:
    times = ((at, at + 2 * HOUR), (at + 5 * HOUR, at + 7 * HOUR))
    ways = [_technique(rng) for _ in range(3)]
    return Block(3, tuple(_on(n, b, e, way) for n, way in enumerate(ways) for b, e in times), times)


def _switching(rng: random.Random, at: float) -> Block:
    """By names for four hours, then by the ClientHello."""
    end = at + 12 * HOUR
    switch = at + 4 * HOUR
    return Block(
        3,
        tuple(
            episode
            for n in range(3)
            for episode in (
                _on(n, at, switch, rng.choice(("dns_nxdomain", "dns_bogon"))),
                _on(n, switch, end, rng.choice(("tls_reset", "tls_timeout"))),
            )
        ),
        ((at, end),),
    )


def _media(rng: random.Random, at: float) -> Block:
    end = at + 5 * HOUR
    return Block(3, tuple(_on(n, at, end, _technique(rng), MEDIA) for n in range(3)), ((at, end),))


KINDS: Sequence[Kind] = (
    Kind("10 minutes", False, _national(10 * MINUTE)),
    Kind("30 minutes", True, _national(30 * MINUTE)),
    Kind("5 hours", True, _national(5 * HOUR)),
    Kind("12 hours", True, _national(12 * HOUR)),
    Kind("24 hours", True, _national(24 * HOUR)),
    Kind("3 days", True, _national(72 * HOUR)),
    Kind("30 minutes, one network watched", True, _national(30 * MINUTE, 1)),
    Kind("5 hours, one network watched", True, _national(5 * HOUR, 1)),
    Kind("5 hours on 1 of 6 networks", True, _one_of_six),
    Kind("exam hours, 3 of 4 networks", True, _exams),
    Kind("spreading from network to network", True, _spreading),
    Kind("on, off, on again", True, _on_off_on),
    Kind("switching technique", True, _switching),
    Kind("media only", False, _media),
    Kind("throttling, 12 hours", False, _throttled),
)
