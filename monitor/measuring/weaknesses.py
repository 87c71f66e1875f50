"""All that is weak in a configuration without a mistake, as findings in the order of their weight.

`check`, `doctor` and the page show the same.
"""

import math
from collections.abc import Sequence

from monitor.budget.budget import DAY, Allotment, Budget
from monitor.config.advice import advice
from monitor.config.durations_and_sizes import duration_text
from monitor.config.placeholders import placeholders
from monitor.config.settings import Settings
from monitor.config.typed_command import typed_command
from monitor.measuring.worst_case import DUE_EARLY, worst_case
from monitor.wording.findings import Finding, What
from probes.sockets.system_resolvers import ResolverAddress

_MINUTE = 60.0
_MEGABYTE = 1_000_000
_MODEST = 2_500
"""Bytes that an endpoint takes in a modest cycle, one with another: docs/risk.md."""


def weaknesses(settings: Settings, system: Sequence[ResolverAddress] = ()) -> tuple[Finding, ...]:
    """Of these settings, on a machine with these resolvers of its own."""
    unset = Finding(what=What.NO_CONFIGURATION, values={"command": typed_command("init")})
    return (
        *(() if settings.source else (unset,)),
        *placeholders(settings),
        *advice(settings, system),
        *_about_cycles(settings),
        *_about_bytes(settings),
    )


def untold(settings: Settings) -> tuple[Finding, ...]:
    """That nobody gets a message; no weakness where Prometheus has the alerts."""
    return () if settings.notify.route else (Finding(what=What.NO_MESSAGES),)


def _about_cycles(settings: Settings) -> tuple[Finding, ...]:
    seconds = worst_case(settings).seconds
    if seconds <= DUE_EARLY * settings.interval:
        return ()
    values = {
        "length": duration_text(round(seconds)),
        "interval": duration_text(settings.interval),
        "needed": duration_text(math.ceil(seconds / DUE_EARLY / _MINUTE) * _MINUTE),
    }
    return (Finding(what=What.CYCLE_TOO_LONG, values=values),)


def _about_bytes(settings: Settings) -> tuple[Finding, ...]:
    """Whether a day's bytes suffice for the cycles of a day, each as modest as one may be."""
    catalog = settings.catalog
    functions = [one for platform in catalog.platforms for one in platform.functions]
    endpoints = sum(len(one.endpoints) for one in functions) + len(catalog.references)
    cycle = _MODEST * endpoints
    limit = settings.probe.daily_bytes
    by_clock = settings.throttling.every > 0
    budget = Budget(limit=limit, interval=settings.interval, by_clock=by_clock)
    share = budget.share(Allotment.ROUTINE)
    wanted = DAY / settings.interval
    if cycle * wanted <= share:
        return ()
    values = {
        "wanted": f"{wanted:,.0f}",
        "interval": duration_text(settings.interval),
        "bytes": f"{limit / _MEGABYTE:,.0f} MB",
        "fit": f"{share / cycle:,.0f}",
        "needed": f"{math.ceil(cycle * wanted * limit / share / _MEGABYTE)}MB",
    }
    return (Finding(what=What.FEW_BYTES, values=values),)
