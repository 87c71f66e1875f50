"""The vantages that a collector watches: those of its configuration, and those of enrolled agents.

So an enrolled agent that stops shows as silent. A revoked one is not watched, unless the
configuration names it.
"""

import msgspec

from monitor.config.settings import Settings
from monitor.judging.key_periods import with_agents
from probes.vantage import Profile, VantagePoint, VantageRole
from storage.store import FleetStore
from storage.values.fleet import Enrolment


class WatchedVantages:
    """The settings in use, with all vantages that are watched."""

    def __init__(self, settings: Settings, store: FleetStore) -> None:
        self._configured = settings
        self._store = store
        self._enrolments: tuple[Enrolment, ...] = ()
        self.settings = settings
        """The configuration, its vantages followed by those enrolled, and what each one's word
        weighs."""

    def use(self, settings: Settings) -> None:
        """Use another configuration from now on."""
        self._configured = settings
        self._renew()

    async def refresh(self) -> bool:
        """Read the enrolments; whether anything changed. Raises StorageError."""
        known = tuple(_without_progress(one) for one in await self._store.enrolments())
        if known == self._enrolments:
            return False
        self._enrolments = known
        self._renew()
        return True

    def _renew(self) -> None:
        own = {vantage.id for vantage in self._configured.vantages}
        valid = (_point_of(one) for one in self._enrolments if one.revoked_at is None)
        more = tuple(vantage for vantage in valid if vantage.id not in own)
        self.settings = msgspec.structs.replace(
            self._configured,
            vantages=(*self._configured.vantages, *more),
            events=with_agents(self._configured.events, self._enrolments),
        )


def _without_progress(enrolment: Enrolment) -> Enrolment:
    """Nothing changes while a key is on its way to be believed."""
    return msgspec.structs.replace(enrolment, agreed=0.0)


def _point_of(enrolment: Enrolment) -> VantagePoint:
    """The vantage that an enrolment describes, without its egress."""
    return VantagePoint(
        id=enrolment.vantage,
        country=enrolment.country,
        asn=enrolment.asn,
        network=enrolment.network,
        role=VantageRole(enrolment.role),
        profile=Profile(enrolment.profile),
    )
