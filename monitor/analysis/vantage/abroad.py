"""How much of what is abroad a vantage reaches: all, a list of sites, names alone, or nothing."""

from collections.abc import Sequence

from monitor.analysis.measurement_summary import outcome_over, reached_over
from monitor.analysis.vantage.reference_facts import References, ReferenceView
from probes.catalog.catalog import ReferenceScope
from probes.measurement import Layer

MIN_FOREIGN = 5
"""Fewer foreign references than this show no list: each may be down or blocked by itself."""
MOST = 2 / 3
"""Share of the sites that no list would name which fail where one is in force."""
HALF = 1 / 2
FEW_RESENDS = 0.1
"""Share of resent round trips up to which what fails at every try is not lost by chance."""


def resolver_down(seen: References) -> bool:
    """Whether nothing has a name here, though the network itself works."""
    if seen.reached() or not seen.latest:
        return False
    failures = [view.dns_failure for view in seen.latest]
    if None in failures or seen.by_address is False:
        return False
    # With the cable cut nothing resolves either: only a reply tells the two apart.
    return bool(seen.by_address) or not all(view.silent_resolver for view in seen.latest)


def resolver_cut_off(seen: References) -> bool:
    """Whether the resolver cannot resolve foreign names, though foreign addresses answer."""
    foreign = _foreign(seen)
    lost = [view for view in foreign if not view.reached]
    return (
        bool(seen.by_address)
        and seen.reached(ReferenceScope.DOMESTIC, ReferenceScope.POPULAR)
        and len(lost) > HALF * len(foreign)
        and all(view.unresolved for view in lost)
    )


def cut_off(seen: References) -> bool:
    """Whether domestic references answer and nothing abroad does, not even a handshake of TCP."""
    foreign = _foreign(seen)
    uplink = [view for view in seen.of(ReferenceScope.UPLINK) if not view.led_through_proxy]
    abroad = seen.platforms or seen.by_address or any(v.reached or v.connected for v in foreign)
    if abroad or not seen.reached(ReferenceScope.DOMESTIC):
        return False
    # A cache inside the country often answers captive-portal checks, so they outvote a single
    # foreign site, not several.
    uplink_works = any(view.reached for view in uplink)
    return len(foreign) > 1 if uplink_works else bool(foreign or uplink)


def cut_to_list(seen: References) -> bool:
    """Whether most foreign sites fail at every try, some sites answer, and no loss explains it, nor
    that large packets get lost: then connections are made, and nobody finishes a handshake."""
    foreign = _foreign(seen)
    unlisted = [v for v in foreign if v.reference.scope is ReferenceScope.INTERNATIONAL]
    return (
        len(foreign) >= MIN_FOREIGN
        and seen.loss.resends <= FEW_RESENDS
        and len(_silenced(unlisted)) >= MOST * len(unlisted)
        and len(_silenced(foreign)) >= HALF * len(foreign)
        and bool(seen.passing)
        and (seen.large_packets or not _connected(foreign))
    )


def cut_by_name(seen: References) -> bool:
    """The same where connections are made, and go silent once a name is sent."""
    return cut_to_list(seen) and _connected(_foreign(seen))


def large_packets_lost(seen: References) -> bool:
    """The same where those that are greeted again in small packets answer: nobody reads a name
    only in large ones."""
    return cut_by_name(seen) and seen.only_small_packets


def _connected(views: Sequence[ReferenceView]) -> bool:
    """Whether connections are made to most of those that never answered."""
    silenced = _silenced(views)
    return sum(view.connected for view in silenced) > HALF * len(silenced)


def ipv4_cut(seen: References) -> bool:
    """Whether foreign sites answer over IPv6 alone, and domestic ones over IPv4 too."""
    foreign = [outcome_over(view.summary, "ipv4") for view in _foreign(seen)]
    tried = [one for one in foreign if one is not None and one.layer is not Layer.DNS]
    at_home = seen.of(ReferenceScope.DOMESTIC)
    return (
        len(tried) >= MIN_FOREIGN
        and all(one.failure for one in tried)
        and any(reached_over(view.summary, "ipv4") for view in at_home)
    )


def _foreign(seen: References) -> tuple[ReferenceView, ...]:
    """The foreign sites, without those that the vantage's own software leads through a proxy."""
    views = seen.of(ReferenceScope.INTERNATIONAL, ReferenceScope.POPULAR)
    return tuple(view for view in views if not view.led_through_proxy)


def _silenced(views: Sequence[ReferenceView]) -> list[ReferenceView]:
    """Those that never answered, not even somebody in their place as where TLS is opened."""
    return [
        view
        for view in views
        if not view.ever_reached
        and view.outcome is not None
        and (view.outcome.layer is Layer.DNS or view.outcome.sub_method != "certificate")
    ]
