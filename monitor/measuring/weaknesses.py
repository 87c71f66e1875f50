"""All that is weak in a configuration without a mistake, as findings in the order of their weight.

`check`, `doctor` and the page show the same.
"""

import math
from collections.abc import Sequence

from monitor.config.advice import advice
from monitor.config.placeholders import placeholders
from monitor.config.settings import Settings
from monitor.config.typed_command import typed_command
from monitor.config.values import duration_text
from monitor.measuring.worst_case import DUE_EARLY, worst_case
from monitor.wording.findings import Finding, What
from probes.sockets.system_resolvers import ResolverAddress

_MINUTE = 60.0


def weaknesses(settings: Settings, system: Sequence[ResolverAddress] = ()) -> tuple[Finding, ...]:
    """Of these settings, on a machine with these resolvers of its own."""
    unset = Finding(what=What.NO_CONFIGURATION, values={"command": typed_command("init")})
    return (
        *(() if settings.source else (unset,)),
        *placeholders(settings),
        *advice(settings, system),
        *_about_cycles(settings),
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
