"""Which references a round measures: a few foreign ones while all is well, all once one fails.

Many of different kinds are needed to tell a cut from an allowlist, and few to see that all is well.
"""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence

from monitor.analysis.vantage.health import ReferenceMeasurements
from probes.catalog.catalog import Reference, ReferenceScope

SAMPLE: Mapping[ReferenceScope, int] = {
    ReferenceScope.INTERNATIONAL: 2,
    ReferenceScope.POPULAR: 1,
    ReferenceScope.ADDRESS: 0,
}
"""How many of each kind a round measures while all is well; of other kinds all."""


GREETED_SMALLER = 3
"""Foreign references that tell whether large packets get lost on the way abroad."""


def first_of(references: Iterable[Reference], cycle: str) -> tuple[Reference, ...]:
    """Those that every round of a cycle measures, chosen by chance: a field vantage and a control
    that take part in one cycle choose the same. None over UDP, which say nothing about health."""
    known = [one for one in references if one.scope is not ReferenceScope.UDP]
    chance = random.Random(cycle)  # noqa: S311 # it only spreads the load
    chosen: set[Reference] = set()
    for scope, size in SAMPLE.items():
        several = [one for one in known if one.scope is scope]
        chosen.update(chance.sample(several, min(size, len(several))))
    return tuple(one for one in known if one.scope not in SAMPLE or one in chosen)


def alarming(found: ReferenceMeasurements) -> bool:
    """Whether these ask for all other references: one failed that none of its kind stands for.

    One domestic site of several that is dead tells nothing about what is abroad.
    """
    for scope in {reference.scope for reference, _ in found}:
        reached = [made.reached for reference, made in found if reference.scope is scope]
        enough = any if scope is ReferenceScope.DOMESTIC else all
        if not enough(reached):
            return True
    return False


def failed(found: ReferenceMeasurements) -> tuple[Reference, ...]:
    """Those whose latest measurement did not reach them. Literal addresses are not asked twice:
    any one of them that answers tells enough."""
    latest = {reference: made.reached for reference, made in found}
    return tuple(
        reference
        for reference, reached in latest.items()
        if not reached and reference.scope is not ReferenceScope.ADDRESS
    )


def greeted_smaller(references: Iterable[Reference]) -> tuple[Reference, ...]:
    """Of these, the first foreign ones."""
    foreign = (ReferenceScope.INTERNATIONAL, ReferenceScope.POPULAR)
    return tuple([one for one in references if one.scope in foreign][:GREETED_SMALLER])


def others(references: Iterable[Reference], known: Collection[Reference]) -> Sequence[Reference]:
    """The references that are not among `known`, without those over UDP."""
    return [one for one in references if one not in known and one.scope is not ReferenceScope.UDP]
