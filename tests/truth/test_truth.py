"""Every sentence of every surface, compared with what is true of the world that it is about.

A world is scripted (tests/truth/world.py), lived through by the real path (live.py), and read on
every surface (surfaces.py). What is said is turned into claims (extract.py) and compared with the
truth (truth.py). A failure names the world, the surface, the sentence and the truth.
"""

from collections.abc import Collection, Iterable
from functools import cache
from zlib import crc32

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.properties import examples
from tests.truth.check import Told, alerted, told
from tests.truth.generate import worlds
from tests.truth.live import LANGUAGES
from tests.truth.straight import told_straight
from tests.truth.world import Block, Fault, Method, Part, Trouble, World
from tests.truth.worlds import FOREVER, NAMED, WITH_ALERTS, jazz, nayatel, ptcl

_LEAST = 20
"""Claims that the surfaces make about any world, at least: else nothing was read."""


@cache
def told_of(world: World) -> Told:
    """What is said of a world, which is lived through once, for the alerts about it too."""
    return told(world, scrape=True)


def all_is_true(said: Told, least: int = _LEAST) -> None:
    """Nothing false was said."""
    assert said.claims >= least, "hardly anything was understood"
    false = [f"{len(said.false)} false claims of {said.claims}", *map(str, said.false)]
    assert not said.false, "\n".join(false)


_ALERTS_READ = (
    "blocked by dns.hijack, then over",
    "reopened",
    "blocked before it was watched",
)
_LIVED = frozenset((*_ALERTS_READ, "only a list of sites, then over", "always captive_portal"))
"""To live through a world takes five to ten seconds of a processor, and promtool some three more to
go through it minute by minute: CI does so with these, and `make soak` with all. CI reads every
world straight, in a quarter of a second each."""


def _marked(worlds: Iterable[World], usual: Collection[str]) -> list[object]:
    return [
        pytest.param(
            world,
            id=world.name.replace(" ", "-"),
            marks=[] if world.name in usual else [pytest.mark.soak],
        )
        for world in worlds
    ]


@pytest.mark.parametrize("world", _marked(NAMED, _LIVED))
def test_every_sentence_about_a_named_world_is_true(world: World) -> None:
    """One world for each way in which a sentence was once false, and each cause of not knowing."""
    all_is_true(told_of(world) if world in WITH_ALERTS else told(world))


@pytest.mark.parametrize("number", range(len(NAMED)), ids=lambda number: NAMED[number].name)
def test_every_sentence_about_a_named_world_read_straight_is_true(number: int) -> None:
    """The same worlds without a store and a server, each in one language of the three."""
    all_is_true(told_straight(NAMED[number], LANGUAGES[number % len(LANGUAGES)]))


@pytest.mark.prometheus
@pytest.mark.alertmanager
@pytest.mark.parametrize("world", _marked(WITH_ALERTS, _ALERTS_READ))
def test_every_alert_about_a_named_world_is_true(world: World) -> None:
    """What Alertmanager and the boards of Grafana say while it lasts, when it comes back, and when
    it is over."""
    all_is_true(alerted(world, told_of(world).scrapes))


_LIVED_THROUGH = 50
"""One made-up world in so many is: that takes fifty times as long as to read it straight."""


@given(world=worlds(), code=st.sampled_from(LANGUAGES))
@example(
    world=World(
        name="a false certificate comes back while no control can tell",
        networks=(ptcl(Block(0, 2700, Method.HIJACK), Block(5490, FOREVER, Method.HIJACK)),),
        turns=35,
        control_faults=(Fault(5200, 10500),),
    ),
    code="en",
)
@example(
    world=World(
        name="each network seen blocked once after it was offline, then one blocked again",
        networks=(
            ptcl(
                Block(2700, 5700, Method.NXDOMAIN),
                Block(8400, FOREVER, Method.NXDOMAIN),
                faults=(Fault(1150, 5350),),
            ),
            jazz(Block(2700, 6900, Method.NXDOMAIN), faults=(Fault(2350, 6550),)),
        ),
        turns=41,
        seen_at=(4,),
    ),
    code="en",
)
@example(
    world=World(
        name="one network joins a block that another began, without a control",
        networks=(
            ptcl(Block(2880, FOREVER, Method.HIJACK)),
            jazz(Block(0, 5880, Method.HIJACK)),
        ),
        turns=34,
        seen_at=(16,),
        controls=False,
    ),
    code="en",
)
@example(
    world=World(
        name="the clock is set forward while one network is offline and another silent",
        networks=(
            ptcl(faults=(Fault(-50, 4150),)),
            jazz(faults=(Fault(550, 4750, Trouble.UNWATCHED),)),
        ),
        turns=12,
        seen_at=(4,),
        steps=((1650, 1200),),
    ),
    code="en",
)
@example(
    world=World(
        name="suspected again, no control, and blocks beside it that nobody was sure of",
        networks=(
            ptcl(Block(0, 4800, Method.HIJACK), Block(7500, FOREVER, Method.HIJACK)),
            jazz(Block(0, 2790, Method.NXDOMAIN), faults=(Fault(-50, 850),)),
            nayatel(Block(0, 2700, Method.HIJACK), faults=(Fault(-50, 850),)),
        ),
        turns=41,
        seen_at=(4,),
        controls=False,
    ),
    code="en",
)
@example(
    world=World(
        name="back when a block is about to end, which one cycle is sure of, then blocked again",
        networks=(
            ptcl(
                *(Block(2700, 5790, Method.NXDOMAIN), Block(8400, FOREVER, Method.NXDOMAIN)),
                faults=(Fault(1150, 5350),),
            ),
        ),
        turns=33,
        seen_at=(4,),
    ),
    code="en",
)
@example(
    world=World(
        name="seen twice, an outage apart, then open, then blocked again",
        networks=(
            ptcl(
                *(Block(0, 4680, Method.NXDOMAIN), Block(7200, FOREVER, Method.NXDOMAIN)),
                faults=(Fault(250, 4450),),
            ),
        ),
        turns=29,
        seen_at=(4,),
    ),
    code="en",
)
@example(
    world=World(
        name="one network opens in the minute in which another one was last seen open",
        networks=(
            ptcl(Block(0, 2700, Method.NXDOMAIN)),
            jazz(Block(2994, 7500, Method.NXDOMAIN)),
        ),
        turns=40,
    ),
    code="en",
)
@example(
    world=World(
        name="one network is last seen open seconds before the other one opens, then both block",
        networks=(
            ptcl(
                *(Block(0, 2700, Method.NXDOMAIN), Block(6300, FOREVER, Method.NXDOMAIN)),
                faults=(Fault(3850, 8050),),
            ),
            jazz(
                *(Block(0, 3390, Method.NXDOMAIN), Block(6000, FOREVER, Method.NXDOMAIN)),
                faults=(Fault(-50, 850),),
            ),
        ),
        turns=28,
    ),
    code="en",
)
@example(
    world=World(
        name="reset over IPv6 alone, and no control that could show whether it is so elsewhere",
        networks=(ptcl(Block(0, 2700, Method.RESET, Part.IPV6)),),
        turns=23,
        seen_at=(4,),
        controls=False,
    ),
    code="en",
)
@example(
    world=World(
        name="everything over IPv6 on one network, pictures over both on another one",
        networks=(
            ptcl(Block(0, FOREVER, Method.RESET, Part.IPV6)),
            jazz(Block(0, 2700, Method.NXDOMAIN, Part.MEDIA)),
        ),
        turns=14,
    ),
    code="en",
)
@example(
    world=World(
        name="one network joins late, blocked, when another one is open again",
        networks=(
            ptcl(Block(1500, FOREVER, Method.NXDOMAIN), faults=(Fault(-50, 4150),)),
            jazz(faults=(Fault(-50, 850),)),
            nayatel(Block(0, 2700, Method.NXDOMAIN), faults=(Fault(-50, 850),)),
        ),
        turns=15,
    ),
    code="en",
)
@example(
    world=World(
        name="blocked, then nobody watches, and not even a control shows that time passes",
        networks=(
            ptcl(
                Block(0, 4590, Method.HIJACK),
                faults=(Fault(4750, 8950, Trouble.UNWATCHED),),
            ),
        ),
        turns=30,
        seen_at=(4,),
        controls=False,
    ),
    code="en",
)
@example(
    world=World(
        name="both were found open, one not for long, before the other blocks again",
        networks=(
            ptcl(Block(1500, 7890, Method.NXDOMAIN), faults=(Fault(-50, 850),)),
            jazz(Block(0, 5700, Method.NXDOMAIN), Block(8400, FOREVER, Method.NXDOMAIN)),
        ),
        turns=33,
        seen_at=(29,),
    ),
    code="en",
)
@example(
    world=World(
        name="another network blocks while nobody can tell, and the first is found open first",
        networks=(
            ptcl(Block(0, 2700, Method.NXDOMAIN), faults=(Fault(250, 4450),)),
            jazz(Block(1500, FOREVER, Method.NXDOMAIN), faults=(Fault(250, 4450),)),
        ),
        turns=17,
        seen_at=(4,),
    ),
    code="en",
)
@example(
    world=World(
        name="the same, and the other network's block ended since",
        networks=(
            ptcl(Block(0, 2700, Method.NXDOMAIN), faults=(Fault(250, 4450),)),
            jazz(Block(1500, 5100, Method.NXDOMAIN), faults=(Fault(250, 4450),)),
        ),
        turns=22,
        seen_at=(4,),
    ),
    code="en",
)
@example(
    world=World(
        name="a third network gets a list before the second of two others is back",
        networks=(
            ptcl(faults=(Fault(550, 1450, Trouble.ALLOWLIST),)),
            jazz(faults=(Fault(850, 1750, Trouble.ALLOWLIST),)),
            nayatel(faults=(Fault(1750, 2650, Trouble.ALLOWLIST),)),
        ),
        turns=12,
        seen_at=(7,),
    ),
    code="en",
)
@settings(
    max_examples=examples(30),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_every_sentence_about_any_world_is_true(world: World, code: str) -> None:
    """Worlds that nobody thought of: what the pages, a report, messages, rows and metrics say of
    them, made straight from their verdicts. A few of them are lived through, and every surface is
    read: with a store, a server, commands and feeds."""
    all_is_true(told_straight(world, code), least=5)
    if crc32(repr(world).encode()) % _LIVED_THROUGH == 0:
        all_is_true(told(world))
