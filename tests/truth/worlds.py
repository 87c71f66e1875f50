"""The worlds by name: one for each way in which a sentence was once false, and each cause of not
knowing."""

from tests.truth.world import INTERVAL, Block, Fault, Method, Network, Part, Trouble, World

T = INTERVAL
FOREVER = float("inf")


def ptcl(*blocks: Block, faults: tuple[Fault, ...] = ()) -> Network:
    """The first network."""
    return Network(vantage="khi-ptcl", asn=17557, name="PTCL", blocks=blocks, faults=faults)


def nayatel(*blocks: Block, faults: tuple[Fault, ...] = ()) -> Network:
    """The third one."""
    return Network(vantage="isb-nayatel", asn=23674, name="Nayatel", blocks=blocks, faults=faults)


def jazz(*blocks: Block, faults: tuple[Fault, ...] = ()) -> Network:
    """The second one."""
    return Network(vantage="lhe-jazz", asn=45669, name="Jazz", blocks=blocks, faults=faults)


def blocked(
    since: float,
    until: float = FOREVER,
    method: Method = Method.NXDOMAIN,
    part: Part = Part.ALL,
) -> Block:
    """Blocked from one turn to another; parts of turns are allowed."""
    return Block(since * T, until * T, method, part)


def fault(trouble: Trouble, since: float = 0, until: float = FOREVER) -> Fault:
    """A fault from one turn to another."""
    return Fault(since * T, until * T, trouble)


NAMED: tuple[World, ...] = (
    World(name="all open", networks=(ptcl(), jazz()), turns=14),
    World(name="blocked, no control", networks=(ptcl(blocked(0)),), turns=14, controls=False),
    World(
        name="blocked on one network, no control",
        networks=(ptcl(blocked(0)), jazz()),
        turns=14,
        controls=False,
    ),
    World(
        name="controls fail",
        networks=(ptcl(blocked(0)), jazz()),
        turns=14,
        control_faults=(fault(Trouble.OFFLINE),),
    ),
    *(
        World(
            name=f"always {trouble}",
            networks=(ptcl(blocked(0, method=Method.SILENCE), faults=(fault(trouble),)),),
            turns=14,
        )
        for trouble in Trouble
    ),
    World(
        name="offline beside open",
        networks=(ptcl(faults=(fault(Trouble.OFFLINE),)), jazz()),
        turns=14,
    ),
    *(
        World(
            name=f"blocked by {method}, then over",
            networks=(ptcl(blocked(7.4, 20.3, method)), jazz()),
            turns=34,
            seen_at=(16,),
        )
        for method in Method
    ),
    World(
        name="reopened",
        networks=(ptcl(blocked(7.4, 14.6), blocked(32.2)), jazz()),
        turns=46,
        seen_at=(12, 28, 40),
    ),
    World(
        name="reopened twice",
        networks=(ptcl(blocked(7.4, 14.6), blocked(30.2, 38.7), blocked(54.5, 62.5)), jazz()),
        turns=76,
        seen_at=(36, 48, 60),
    ),
    World(
        name="reopened on both networks",
        networks=(
            ptcl(blocked(7.4, 14.6), blocked(32.2, 44.4)),
            jazz(blocked(7.4, 14.7, Method.HIJACK), blocked(34.6, 45.1, Method.HIJACK)),
        ),
        turns=60,
        seen_at=(12, 28, 42),
    ),
    World(
        name="one network joins late",
        networks=(
            ptcl(blocked(7.4, 30.5)),
            jazz(blocked(7.4, 30.5, Method.HIJACK), faults=(fault(Trouble.UNWATCHED, 0, 16),)),
        ),
        turns=44,
        seen_at=(14, 24),
    ),
    *(
        World(
            name=f"one network joins late, blocked {when}",
            networks=(
                ptcl(blocked(since), faults=(fault(Trouble.OFFLINE, 0, joins - 0.2),)),
                jazz(blocked(begins)),
                nayatel(blocked(0, 9)),
            ),
            turns=34,
            seen_at=(20,),
        )
        for since, joins, begins, when in (
            (5, 26, FOREVER, "since before the other ended"),
            (10, 26, FOREVER, "since after the other ended"),
            (5, 30, 18.3, "since before a third one was"),
            (0, 12, 5.3, "before the first one was"),
        )
    ),
    World(
        name="blocked before it was watched",
        networks=(ptcl(Block(-86400.0, 20.4 * T, Method.NXDOMAIN)),),
        turns=34,
        seen_at=(10,),
    ),
    World(
        name="nobody sees the end",
        networks=(ptcl(blocked(7.4, 20.4), faults=(fault(Trouble.OFFLINE, 18, 40),)), jazz()),
        turns=56,
        seen_at=(16, 36),
    ),
    World(
        name="comes back while no control can tell",
        networks=(ptcl(blocked(5.6, 17.3), blocked(30)),),
        turns=45,
        control_faults=(fault(Trouble.OFFLINE, 22.3, 45),),
        seen_at=(15,),
    ),
    World(
        name="found open, then not measured, then blocked again",
        networks=(
            ptcl(blocked(0, 10)),
            jazz(
                blocked(9.6, 22),
                blocked(31.3),
                faults=(fault(Trouble.SKIPPED, 7450 / T, 11650 / T),),
            ),
            nayatel(blocked(5.98, 15.3), blocked(30.6)),
        ),
        turns=44,
        seen_at=(30, 36),
    ),
    *(
        World(
            name=f"{trouble} {when} it was found open once, then blocked again",
            networks=(
                ptcl(
                    blocked(7.4, 19.4),
                    blocked(33.4),
                    faults=(fault(trouble, since + 0.8, since + 14.8),),
                ),
            ),
            turns=44,
            seen_at=(30,),
        )
        for trouble, since, when in (
            (Trouble.OFFLINE, 18, "before"),
            (Trouble.SKIPPED, 20, "after"),
        )
    ),
    World(
        name="false certificates on both networks, no control",
        networks=(
            ptcl(blocked(0, 36, Method.HIJACK)),
            jazz(blocked(5.4, 36, Method.HIJACK)),
        ),
        turns=44,
        seen_at=(34,),
        controls=False,
    ),
    World(
        name="suspected without a control, then open",
        networks=(jazz(blocked(0, 18, Method.HIJACK)),),
        turns=27,
        seen_at=(21,),
        controls=False,
    ),
    World(
        name="lost from sight",
        networks=(ptcl(blocked(7.4), faults=(fault(Trouble.UNWATCHED, 18),)),),
        turns=44,
        seen_at=(16,),
    ),
    World(
        name="blocked, and the only vantage lost from sight",
        networks=(
            ptcl(blocked(7.4, method=Method.HIJACK), faults=(fault(Trouble.UNWATCHED, 18),)),
        ),
        turns=32,
        seen_at=(16, 24),
        controls=False,
    ),
    World(
        name="the clock goes forward",
        networks=(ptcl(blocked(7.4, 30.4)), jazz()),
        turns=44,
        steps=((18.5 * T, 1200.0),),
        seen_at=(16, 26),
    ),
    World(
        name="the clock goes back",
        networks=(ptcl(blocked(7.4, 34.4)), jazz()),
        turns=48,
        steps=((18.5 * T, -600.0),),
        seen_at=(16, 28),
    ),
    World(
        name="restarted while blocked",
        networks=(ptcl(blocked(7.4, 14.6), blocked(32.2, 44.4, Method.HIJACK)), jazz()),
        turns=60,
        restarts=(10, 24, 38, 50),
        seen_at=(24, 40),
    ),
    *(
        World(
            name=f"lifted {seconds} s after a cycle began",
            networks=(ptcl(blocked(7.4, 20 + seconds / T)), jazz()),
            turns=34,
        )
        for seconds in (1.01, 2.5)
    ),
    World(
        name="pictures and video blocked, then over",
        networks=(ptcl(blocked(7.4, 20.3, part=Part.MEDIA)), jazz()),
        turns=34,
        seen_at=(16,),
    ),
    World(
        name="pictures and video blocked, no control",
        networks=(ptcl(blocked(0, part=Part.MEDIA)), jazz()),
        turns=14,
        controls=False,
    ),
    World(
        name="pictures blocked, then all",
        networks=(
            ptcl(blocked(7.4, 20.3, part=Part.MEDIA), blocked(20.3, 34.2)),
            jazz(blocked(9.4, 34.2, part=Part.MEDIA)),
        ),
        turns=48,
        seen_at=(16, 28),
    ),
    World(
        name="blocked over IPv6 alone, then over",
        networks=(ptcl(blocked(7.4, 20.3, Method.RESET, Part.IPV6)), jazz()),
        turns=34,
        seen_at=(16,),
    ),
    World(
        name="only a list of sites, then over",
        networks=(
            ptcl(blocked(0, 6.5), faults=(fault(Trouble.ALLOWLIST, 11.5, 24.5),)),
            jazz(faults=(fault(Trouble.ALLOWLIST, 11.5, 24.5),)),
        ),
        turns=40,
        seen_at=(9, 18),
    ),
    World(
        name="only a list of sites on one network, blocked on the other",
        networks=(
            ptcl(faults=(fault(Trouble.ALLOWLIST, 4.5, 26.5),)),
            jazz(blocked(8.3, 22.6)),
        ),
        turns=40,
        seen_at=(16, 24),
    ),
    World(
        name="slow answers",
        networks=(ptcl(blocked(7.4, 20 + 15 / T, Method.HIJACK)), jazz()),
        turns=34,
        slow=6.0,
        seen_at=(16,),
    ),
)

WITH_ALERTS = tuple(
    world
    for world in NAMED
    if world.name
    in (
        "blocked by dns.hijack, then over",
        "reopened",
        "reopened twice",
        "nobody sees the end",
        "blocked before it was watched",
        "pictures blocked, then all",
        "blocked over IPv6 alone, then over",
        "only a list of sites, then over",
    )
)
"""Those whose alerts and boards are read too."""
