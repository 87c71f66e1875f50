"""Tries every endpoint of a catalogue from controls, once each, to see whether it is still true."""

import asyncio
from collections.abc import Callable, Collection, Iterator

from monitor.analysis.catalog_truth import Finding, finding_of
from monitor.measuring.probers import Probers
from probes.catalog.catalog import Catalog
from probes.measurement import REFERENCE_PLATFORM, Purpose
from probes.target import Target


async def verify_catalog(
    probers: Probers,
    catalog: Catalog,
    vantages: Collection[str],
    done: Callable[[], object] = lambda: None,
) -> list[tuple[Target, Finding]]:
    """What each endpoint and reference is found to be from the vantages of these ids; the best
    finding of several counts. Calls `done` after each endpoint."""

    async def one(target: Target) -> tuple[Target, Finding]:
        made = await asyncio.gather(
            *(probers.measure(vantage, target, purpose=Purpose.ADHOC) for vantage in vantages)
        )
        done()
        return target, finding_of(made)

    return list(await asyncio.gather(*map(one, targets_of(catalog))))


def targets_of(catalog: Catalog) -> Iterator[Target]:
    """Every endpoint under every function that names it, then every reference, of all countries."""
    for platform in catalog.platforms:
        for function in platform.functions:
            for endpoint in function.endpoints:
                yield Target(platform=platform.name, function=function.name, endpoint=endpoint)
    for reference in catalog.references:
        yield Target(
            platform=REFERENCE_PLATFORM, function=reference.scope, endpoint=reference.endpoint
        )
