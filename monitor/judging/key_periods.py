"""The keys of agents, as `monitor.analysis.trust` weighs them."""

from collections.abc import Iterable

import msgspec

from monitor.analysis.events.settings import EventSettings
from monitor.analysis.trust import KeyPeriod
from storage.values.fleet import Enrolment


def with_agents(settings: EventSettings, enrolments: Iterable[Enrolment]) -> EventSettings:
    """The settings with every vantage that was ever enrolled as an agent."""
    keys: dict[str, tuple[KeyPeriod, ...]] = {}
    for one in sorted(enrolments, key=lambda one: one.enrolled_at):
        known_at = one.established_at if settings.probation else one.enrolled_at
        key = KeyPeriod(since=one.enrolled_at, established_at=known_at, host=one.held_by)
        keys[one.vantage] = (*keys.get(one.vantage, ()), key)
    return msgspec.structs.replace(settings, agents=keys)
