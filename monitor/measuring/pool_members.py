"""Which members of a pool are tested after the first ones, so that they show what becomes of all.

A censor may drop one address family, one address or one port. Members differ from those tried in as
much as they can, and every port of the pool is tried before its silence is believed.
"""

from collections.abc import Callable, Sequence

from probes.catalog.catalog import Endpoint
from probes.catalog.host import is_literal
from probes.measurement import family_of


def further_members(
    rest: Sequence[Endpoint],
    tried: Sequence[Endpoint],
    may_answer: Callable[[Endpoint], bool] = lambda _: True,
) -> list[Endpoint]:
    """As many others as were tried, and one for each port that is left then. Those of which none
    `may_answer`, as their address family does not work here, come last and are no port's only one.
    """
    chosen: list[Endpoint] = []
    while True:
        known = [*tried, *chosen]
        left = elsewhere_first([one for one in rest if one not in chosen], known)
        if len(chosen) >= len(tried):
            ports = {one.port for one in known if may_answer(one)}
            left = [one for one in left if one.port not in ports and may_answer(one)]
        if not left:
            return chosen
        chosen.append(min(left, key=lambda one: not may_answer(one)))


def elsewhere_first(rest: Sequence[Endpoint], tried: Sequence[Endpoint]) -> list[Endpoint]:
    """The others of a pool, those first that stand for something else than the members tried: an
    address of another family, or else another address, and of these one with another port."""

    def family(one: Endpoint) -> str:
        return family_of(one.host) if is_literal(one.host) else ""

    families, hosts = {family(one) for one in tried}, {one.host for one in tried}
    ports = {one.port for one in tried}
    return sorted(
        rest, key=lambda one: (family(one) in families, one.host in hosts, one.port in ports)
    )
