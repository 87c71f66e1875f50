"""Short tests between two turns of a vantage: does each platform still answer?

At an interval of five minutes a block is met when a turn comes, up to six minutes after it began.
So twice before it every platform gets one test, as slight as there are: one address, a connection
and a greeting, no page. What does not answer is measured at once, in a cycle out of turn
(`monitor.measuring.fast_lane`).

Such a test accuses nobody and is not recorded: nothing shows at that moment that the vantage's line
is well, no control was asked, and a packet may have been lost. Only the cycle that follows is
judged. Its bytes are those kept for suspicion, as far as a block could do without them.
"""

import asyncio
import random
from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from monitor.budget.budget import Allotment
from monitor.budget.ledger import BudgetSpentError
from monitor.measuring.probers import Probers
from probes.catalog.catalog import Endpoint, Function, Platform
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.host import is_literal
from probes.measurement import family_of
from probes.target import Reduction, Target
from probes.vantage import VantagePoint

_KINDS = (EndpointKind.HTTPS, EndpointKind.TLS, EndpointKind.TCP)
_SLIGHT = Reduction(family="ipv4", addresses=1, greet=True)
"""Over IPv4 where the line has it: one family suffices to tell that something began."""


class ShortTests(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the short tests of one moment."""

    at: datetime
    """UTC."""
    answered: frozenset[str] = frozenset()
    """Platforms, by name."""
    silent: frozenset[str] = frozenset()
    """Those whose test failed, in whatever way."""


async def short_tests(
    probers: Probers,
    vantage: VantagePoint,
    platforms: Collection[Platform],
    rng: random.Random,
) -> ShortTests:
    """One test of each platform, if the day's bytes allow for all of them; else of none."""
    targets = [target for one in platforms if (target := _target(one, rng)) is not None]
    cost = sum(probers.ledger.usual(vantage.id, one.endpoint.id) for one in targets)
    if not probers.ledger.spares(vantage.id, cost):
        return ShortTests(at=probers.now())

    async def reached(target: Target) -> bool | None:
        try:
            made = await probers.measure(
                *(vantage.id, target),
                reduction=_SLIGHT,
                brisk=True,
                allotment=Allotment.SUSPICION,
            )
        except BudgetSpentError:
            return None
        return made.reached

    found = list(zip(targets, await asyncio.gather(*map(reached, targets)), strict=True))
    return ShortTests(
        at=probers.now(),
        answered=frozenset(target.platform for target, well in found if well),
        silent=frozenset(target.platform for target, well in found if well is False),
    )


def _target(platform: Platform, rng: random.Random) -> Target | None:
    """An endpoint of one of the functions that people need most; None where there is none that can
    be tested so."""
    core = [one for one in platform.functions if one.core] or platform.functions
    found = [
        Target(platform=platform.name, function=function.name, endpoint=endpoint)
        for function in core
        for endpoint in _telling(function)
        if endpoint.kind in _KINDS
        # Whether that family works here is not known.
        and not (is_literal(endpoint.host) and family_of(endpoint.host) == "ipv6")
    ]
    return rng.choice(found) if found else None


def _telling(function: Function) -> Sequence[Endpoint]:
    """The endpoints whose silence says most of the function."""
    return function.endpoints[:1] if function.canonical else function.endpoints
