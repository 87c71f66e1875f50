"""Whether each resolver answers, asked the way its vantages ask it."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator

from monitor.doctor.trial import Checked, Trial, found
from monitor.wording.failures_and_methods import failure_in_words
from monitor.wording.findings import What
from monitor.wording.words import words_in
from probes.catalog.host import is_literal
from probes.failure_strings import Failure
from probes.layers.dns import DnsLookup
from probes.sockets.system_resolvers import ResolverAddress

_REFUSALS = (Failure.DNS_SERVFAIL, Failure.DNS_REFUSED, Failure.DNS_SERVER_MISBEHAVING)
_ANSWERS = (None, Failure.DNS_NXDOMAIN, Failure.DNS_NO_ANSWER)
"""What a resolver says that works: what it says of one name is for the references to judge."""


async def try_resolvers(trial: Trial) -> list[Checked]:
    """One for each resolver of vantages that ask one by its address."""
    asked: defaultdict[ResolverAddress, list[str]] = defaultdict(list)
    without: list[str] = []
    for vantage in trial.settings.vantages:
        if vantage.egress.proxied:
            continue
        known = list(trial.probers.prober(vantage.id).resolvers())
        for resolver in known:
            asked[resolver].append(vantage.id)
        if not known:
            without.append(vantage.id)
    tried = [_try(trial, resolver, vantages) for resolver, vantages in asked.items()]
    lost = [found("resolver", "", What.NO_RESOLVER, vantages=", ".join(without))] if without else []
    return [*lost, *await asyncio.gather(*tried)]


async def _try(trial: Trial, resolver: ResolverAddress, vantages: list[str]) -> Checked:
    failure = await _failure(trial, resolver, vantages[0])
    if failure in _ANSWERS:
        return Checked(check="resolver", about=resolver.label)
    what = What.RESOLVER_FAILS if failure in _REFUSALS else What.RESOLVER_SILENT
    words = failure_in_words(words_in(), failure)
    values = {"resolver": resolver.label, "vantages": ", ".join(vantages), "failure": words}
    return found("resolver", resolver.label, what, **values)


async def _failure(trial: Trial, resolver: ResolverAddress, vantage: str) -> str | None:
    """Why the resolver did not answer for a name that every vantage asks for anyway."""
    prober = trial.probers.prober(vantage)
    name = next(_names(trial, vantage), trial.settings.probe.innocuous)
    lookup = DnsLookup(
        prober.network,
        resolver,
        name,
        rtypes=("A",),
        timeout=trial.settings.probe.dns_timeout,
        window=0.0,
        origin=asyncio.get_running_loop().time(),
        on_local_address=lambda _: None,
    )
    try:
        lookup.start()
        await lookup.replies()
        (observed,) = await lookup.finish()
    finally:
        lookup.close()
    return observed.failure


def _names(trial: Trial, vantage: str) -> Iterator[str]:
    for reference in trial.probers.references(vantage):
        if not is_literal(reference.endpoint.host):
            yield reference.endpoint.host
