"""Worlds that hypothesis makes up: what happens, on which network, and what keeps it from view.

A block lasts long enough to be noticed, and so does the time between two blocks: what is shorter
than detection takes, nobody can claim. For the same reason it is of a kind that is noticed soon.
"""

from hypothesis import strategies as st

from tests.truth.world import INTERVAL, Block, Fault, Method, Network, Part, Trouble, World

PLACES = (
    ("khi-ptcl", 17557, "PTCL"),
    ("lhe-jazz", 45669, "Jazz"),
    ("isb-nayatel", 23674, "Nayatel"),
)
NOTICED = 9
"""Turns that a block lasts at least, and that lie between two."""
LEAST_TURNS, MOST_TURNS = 12, 48
_LATER = st.integers(NOTICED, NOTICED + 12)
_WITHIN = st.sampled_from((0.0, 0.3, 0.6, 0.98))
"""Where in a turn something changes: between two cycles, or while one runs."""


@st.composite
def blocks(draw: st.DrawFn, turns: int) -> tuple[Block, ...]:
    """Up to three blocks of one network, by one method and of one part."""
    part = draw(st.sampled_from((Part.ALL, Part.ALL, Part.MEDIA, Part.IPV6)))
    forged = draw(st.sampled_from((Method.NXDOMAIN, Method.HIJACK)))
    method = Method.RESET if part is Part.IPV6 else forged
    found: list[Block] = []
    at = draw(st.sampled_from((0, 0, 5, 9)))
    while at < turns - 4 and len(found) < draw(st.integers(0, 3)):
        since = 0.0 if not at else at + draw(_WITHIN)
        at += draw(_LATER)
        lasts = at >= turns - 4
        until = float("inf") if lasts else (at + draw(_WITHIN)) * INTERVAL
        found.append(Block(since * INTERVAL, until, method, part))
        at += draw(_LATER)
    return tuple(found)


@st.composite
def faults(draw: st.DrawFn, turns: int) -> tuple[Fault, ...]:
    """At most one fault of a vantage, for a while or for good."""
    if draw(st.booleans()):
        return ()
    since = draw(st.integers(0, turns))
    until = draw(st.sampled_from((since + 3, since + 14, since + 1000)))
    trouble = draw(st.sampled_from(Trouble))
    # Just before a cycle begins, so that it is in none half-way.
    return (Fault(since * INTERVAL - 50, until * INTERVAL - 50, trouble),)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Any world."""
    turns = draw(st.integers(LEAST_TURNS, MOST_TURNS))
    number = draw(st.integers(1, len(PLACES)))
    networks = tuple(
        Network(
            vantage=vantage,
            asn=asn,
            name=name,
            blocks=draw(blocks(turns)),
            faults=draw(faults(turns)),
        )
        for vantage, asn, name in PLACES[:number]
    )
    seen_at = draw(st.integers(4, turns - 1))
    turn = draw(st.integers(3, turns - 2).filter(lambda one: one != seen_at))
    # Never back: then some minutes come twice, and no moment in them has a name of its own.
    steps = draw(st.sampled_from(((), (), (((turn + 0.5) * INTERVAL, 1200.0),))))
    control_faults = draw(st.sampled_from(((), (), (), (Trouble.OFFLINE,))))
    return World(
        name="made up",
        networks=networks,
        turns=turns,
        seen_at=(seen_at,),
        controls=draw(st.sampled_from((True, True, True, False))),
        control_faults=tuple(
            Fault(turns * INTERVAL / 2 - 50, turns * INTERVAL, one) for one in control_faults
        ),
        restarts=draw(st.sampled_from(((), (), (turns // 2,)))),
        slow=draw(st.sampled_from((0.0, 0.0, 2.0))),
        steps=steps,
    )
