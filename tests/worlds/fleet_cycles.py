"""Judged cycles of a fleet: so many vantages in so many countries, four networks each, all open
unless said otherwise, spread evenly over the interval."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec

from monitor.analysis.verdict import (
    Evidence,
    FunctionVerdict,
    PlatformVerdict,
    State,
    VantageHealth,
    VantageState,
)
from tests.worlds.build import START

INTERVAL = 300.0
NETWORKS = 4
HAND_IN = (0.5, 8.0)
"""Seconds that an agent waits before it hands a cycle in."""


class FleetCycle(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle of one vantage, as far as events need it."""

    at: datetime
    """When it ended."""
    health: VantageHealth
    platforms: tuple[PlatformVerdict, ...]


def _open(_country: str, _platform: str, _at: datetime) -> State:
    return State.OK


def fleet_cycles(
    vantages: int,
    hours: float,
    *,
    countries: int = 10,
    platforms: int = 10,
    state: Callable[[str, str, datetime], State] = _open,
) -> list[FleetCycle]:
    """All cycles by the time they ended. `state` is that of a platform in a country at a time."""
    made = []
    for turn in range(int(hours * 3600 / INTERVAL)):
        for number in range(vantages):
            at = START + timedelta(seconds=INTERVAL * (turn + number / vantages))
            place = (f"C{number % countries:02}", number // countries % NETWORKS)
            made.append(_cycle(f"v{number:05}", *place, at, platforms, state))
    return made


def handed_in(made: Sequence[FleetCycle], rng: Random) -> list[FleetCycle]:
    """The same in the order agents hand them in."""
    came = [(one.at + timedelta(seconds=rng.uniform(*HAND_IN)), one) for one in made]
    return [one for _, one in sorted(came, key=lambda pair: pair[0])]


def _cycle(
    vantage: str,
    country: str,
    network: int,
    at: datetime,
    platforms: int,
    state: Callable[[str, str, datetime], State],
) -> FleetCycle:
    known: dict[str, Any] = {
        "vantage": vantage,
        "country": country,
        "asn": 64500 + network,
        "network": "",
    }
    begun = at - timedelta(seconds=20)
    health = VantageHealth(
        **known,
        state=VantageState.OK,
        rule_id="vantage.ok",
        references_ok=4,
        references_total=4,
        timeout_rate=0.01,
        families=("ipv4",),
        at=at,
        measured_at=begun,
    )
    verdicts = []
    for number in range(platforms):
        platform = f"platform-{number:02}"
        now = state(country, platform, at)
        bad = now is State.BLOCKED
        verdicts.append(
            PlatformVerdict(
                **known,
                cycle=f"{vantage} {at.isoformat()}",
                vantage_role="field",
                platform=platform,
                state=now,
                method="tls" if bad else "",
                sub_method="reset" if bad else "",
                rule_id="tls.reset" if bad else "ok",
                evidence=Evidence.CONCLUSIVE if bad else Evidence.NONE,
                functions=tuple(
                    FunctionVerdict(function=name, core=name == "web", state=now)
                    for name in ("web", "app", "pictures", "video")
                ),
                measurement=f"{vantage} {platform} {at.isoformat()}",
                started_at=begun,
                judged_at=at,
                rules_version="1",
                measured_at=begun,
                measured_until=at,
            )
        )
    return FleetCycle(at=at, health=health, platforms=tuple(verdicts))
