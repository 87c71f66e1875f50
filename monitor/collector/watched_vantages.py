"""The vantages that a collector watches: those of its configuration, and those of enrolled agents.

So an enrolled agent that stops shows as silent. A revoked one is not watched, unless the
configuration names it.
"""

from collections.abc import Iterable

import msgspec

from monitor.acting.quarantining import SHOWS_ALL
from monitor.config.settings import Settings
from monitor.config.toml_node import did_you_mean
from monitor.judging.key_periods import with_agents
from monitor.logs import logger
from probes.vantage import Profile, VantagePoint, VantageRole
from storage.store import FleetStore
from storage.values.fleet import Enrolment, Invitation

log = logger(__name__)


class WatchedVantages:
    """The settings in use, with all vantages that are watched."""

    def __init__(self, settings: Settings, store: FleetStore) -> None:
        self._configured = settings
        self._store = store
        self._enrolments: tuple[Enrolment, ...] = ()
        self._pauses_checked = False
        self.settings = settings
        """The configuration, its vantages followed by those enrolled, and what each one's word
        weighs."""

    def use(self, settings: Settings) -> None:
        """Use another configuration from now on."""
        self._configured = settings
        self._pauses_checked = False
        self._renew()

    async def refresh(self) -> bool:
        """Read the enrolments; whether anything changed. Raises StorageError."""
        known = tuple(_without_progress(one) for one in await self._store.enrolments())
        changed = known != self._enrolments
        if changed or not self._pauses_checked:
            await self._check_pauses(known)
        if not changed:
            return False
        self._enrolments = known
        self._renew()
        return True

    async def _check_pauses(self, enrolments: Iterable[Enrolment]) -> None:
        if self._configured.collector.paused:
            invitations = await self._store.invitations()
            unknown = unknown_pauses(self._configured, enrolments, invitations)
            for vantage, hint in unknown.items():
                log.error(
                    "[collector] paused pauses nobody by this name", vantage=vantage, hint=hint
                )
        self._pauses_checked = True

    def _renew(self) -> None:
        own = {vantage.id for vantage in self._configured.vantages}
        valid = (_point_of(one) for one in self._enrolments if one.revoked_at is None)
        more = tuple(vantage for vantage in valid if vantage.id not in own)
        self.settings = msgspec.structs.replace(
            self._configured,
            vantages=(*self._configured.vantages, *more),
            events=with_agents(self._configured.events, self._enrolments),
        )


def unknown_pauses(
    settings: Settings, enrolments: Iterable[Enrolment], invitations: Iterable[Invitation]
) -> dict[str, str]:
    """Each name in `[collector] paused` that is neither configured, enrolled nor invited, with what
    helps. A host may ask to be paused before it joins; a revoked agent's name is known."""
    known = {vantage.id for vantage in settings.vantages}
    known |= {one.vantage for one in enrolments} | {one.vantage for one in invitations}
    return {
        name: did_you_mean(name, known) or SHOWS_ALL
        for name in settings.collector.paused
        if name not in known
    }


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
