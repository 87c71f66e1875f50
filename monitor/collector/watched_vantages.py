"""The vantages that a collector watches: those of its configuration, and those of enrolled agents.

So an enrolled agent that stops shows as silent. A revoked one is not watched, unless the
configuration names it.
"""

import msgspec

from monitor.config.settings import Settings
from probes.vantage import Profile, VantagePoint, VantageRole
from storage.store import FleetStore
from storage.values.fleet import Enrolment


class WatchedVantages:
    """The settings in use, with all vantages that are watched."""

    def __init__(self, settings: Settings, store: FleetStore) -> None:
        self._configured = settings
        self._store = store
        self._enrolled: tuple[VantagePoint, ...] = ()
        self.settings = settings
        """The configuration, its vantages followed by those enrolled."""

    def use(self, settings: Settings) -> None:
        """Use another configuration from now on."""
        self._configured = settings
        self._renew()

    async def refresh(self) -> bool:
        """Read the enrolments; whether anything changed. Raises StorageError."""
        known = await self._store.enrolments()
        enrolled = tuple(_point_of(one) for one in known if one.revoked_at is None)
        if enrolled == self._enrolled:
            return False
        self._enrolled = enrolled
        self._renew()
        return True

    def _renew(self) -> None:
        own = {vantage.id for vantage in self._configured.vantages}
        more = tuple(vantage for vantage in self._enrolled if vantage.id not in own)
        self.settings = msgspec.structs.replace(
            self._configured, vantages=(*self._configured.vantages, *more)
        )


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
