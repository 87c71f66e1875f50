"""One stored cycle, put together again the way it was put before the judge.

Stored are the looks; which of them belong together is read off them:

* *attempts* and *follow-ups* carry the cycle, the endpoint and their number;
* *controls*: looks carry the cycle they were first asked for, though several cycles may share one.
  So after the first and after the last failed look, the next look of each control at the same
  endpoint counts, whichever cycle it was made for, as long as it ended within the cycle. Where
  none did, as when an agent could ask no control, those count that ended soon enough after the
  failure (`patience`);
* *references* carry the cycle; the looks at each of them, in order, are the rounds;
* *a control's health* comes from its round of references for this cycle, else from the next one
  after its own failure, or the last one when it did not fail.

Where a vantage came out, behind what NAT, and how wrong its clock was before its times were
corrected, was never a measurement: it is taken from the health stored with the cycle.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby

import msgspec

from monitor.analysis.judge.suspicion import answered, suspicious
from monitor.analysis.vantage.exit_location import ExitMismatch
from monitor.analysis.vantage.health import assess
from monitor.analysis.verdict import VantageHealth
from monitor.config.settings import Settings
from monitor.judging.judge import HOPELESS, EndpointMeasurements, Seen, not_settled_by
from monitor.measuring.probers import ReferenceMeasurements
from probes.catalog.catalog import Catalog, Platform, Reference, ReferenceScope, Role
from probes.catalog.endpoint import parse_endpoint
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Measurement, Purpose
from probes.vantage import VantagePoint, VantageRole
from storage.values.cycle import StoredCycle

Place = tuple[str, str, str]
"""Platform, role and endpoint."""
AT_ONCE = timedelta(0)
_INTERVALS = 2
"""In which a control looks at everything once, whatever else it has to do."""


class ControlRound(msgspec.Struct, frozen=True, kw_only=True):
    """One round of looks of a control at its references."""

    cycle: str
    """The one it was made for."""
    own: bool
    """It was a cycle of the control itself."""
    looks: tuple[Measurement, ...]

    @property
    def began(self) -> float:
        """POSIX seconds."""
        return min(look.started_at.timestamp() for look in self.looks)

    @property
    def ended(self) -> float:
        """POSIX seconds."""
        return max(look.ended_at for look in self.looks)


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What controls saw about that time."""

    controls: Mapping[str, Sequence[Measurement]] = {}
    """Endpoint → looks of any control at it, by start."""
    rounds: Mapping[str, Sequence[ControlRound]] = {}
    """Control → its rounds, by start."""
    health: Mapping[str, VantageHealth] = {}
    """Vantage → its newest stored health, for where it came out."""


def patience_of(settings: Settings) -> timedelta:
    """How long after a failure a look of a control may end and still count."""
    return timedelta(seconds=_INTERVALS * settings.interval)


def control_rounds(
    looks: Iterable[Measurement], own: Collection[str]
) -> dict[str, list[ControlRound]]:
    """Control → its rounds, by start. `looks` are those of controls at references, by start; `own`
    are the ids of the controls' own cycles."""
    by_cycle: dict[tuple[str, str], list[list[Measurement]]] = {}
    for look in looks:
        rounds = by_cycle.setdefault((look.vantage, look.cycle), [])
        same = (look.role, look.endpoint)
        for known in rounds:
            if all((one.role, one.endpoint) != same for one in known):
                known.append(look)
                break
        else:
            rounds.append([look])
    found: dict[str, list[ControlRound]] = {}
    for (vantage, cycle), several in by_cycle.items():
        found.setdefault(vantage, []).extend(
            ControlRound(cycle=cycle, own=cycle in own, looks=tuple(one)) for one in several
        )
    for made in found.values():
        made.sort(key=lambda one: one.began)
    return found


def vantage_of(cycle: StoredCycle) -> VantagePoint:
    """The vantage as it was then, as far as judging asks about it."""
    return _vantage(cycle.health)


def rebuild(
    cycle: StoredCycle,
    looks: Sequence[Measurement],
    around: Surroundings,
    catalog: Catalog,
    judged_at: datetime,
    patience: timedelta = AT_ONCE,
) -> Seen:
    """The cycle as it was seen. `looks` are all that were made from its vantage for it.

    `patience` is how long after a failure a look of a control may end that still counts, where none
    was made within the cycle.
    """
    vantage = vantage_of(cycle)
    references = references_of(looks, catalog, cycle.country)
    rounds = _rounds(references)
    where = _where(cycle.health)
    early = early_health(cycle, references)
    attempts = _grouped(looks, (Purpose.SCHEDULED, Purpose.RETRY))
    asked = _grouped(looks, (Purpose.FOLLOW_UP,))
    waited = _Waited(cycle, early.families, patience)
    looked: list[EndpointMeasurements] = []
    witnesses: list[Measurement] = []
    for place, tried in attempts.items():
        failed = suspicious(tried[-1], early.families)
        extra = asked.pop(place, ())
        follow_ups = tuple(m for m in extra if failed or not _only_http3(m))
        witnesses += [m for m in extra if m not in follow_ups]
        controls: tuple[Measurement, ...] = ()
        health: VantageHealth | None = None
        if early.state not in HOPELESS and suspicious(tried[0], early.families):
            known = around.controls.get(place[2], ())
            controls = waited.controls(tried, known)
            if failed and (len(tried) > 1 or not_settled_by(controls, tried[0])):
                health = _checkup(vantage, rounds, tried[-1], where)
        looked.append(
            EndpointMeasurements(
                platform=place[0],
                role=place[1],
                endpoint=place[2],
                attempts=tried,
                controls=controls,
                follow_ups=follow_ups,
                health=health,
            )
        )
    witnesses += [m for several in asked.values() for m in several]
    reached = tuple(m for one in looked for m in one.attempts if m.reached)
    skew = cycle.health.clock_skew
    health_then = assess(vantage, references, reached, cycle.health.at, where, skew)
    checked = any(suspicious(one.attempts[-1], early.families) for one in looked)
    return Seen(
        cycle=cycle.id,
        vantage=vantage,
        health=msgspec.structs.replace(health_then, nat64=cycle.health.nat64),
        looked=tuple(looked),
        witnesses=tuple(witnesses),
        control_health=_control_health(cycle, looked, around, catalog, waited.until)
        if checked
        else {},
        judged_at=judged_at,
    )


def early_health(cycle: StoredCycle, references: ReferenceMeasurements) -> VantageHealth:
    """What the references told before anything was looked at; `references` are all of the cycle."""
    rounds = _rounds(references)
    first = rounds[0] if rounds else ()
    return assess(vantage_of(cycle), first, (), cycle.health.at, _where(cycle.health))


def as_it_was(platform: Platform, looked: Iterable[EndpointMeasurements]) -> Platform:
    """The platform with the roles and endpoints that this cycle knew of.

    The catalogue changes. An endpoint added since was not looked at, which says nothing about the
    platform, and one taken out since is still part of what was seen. A canonical endpoint stays:
    no other can stand for it.
    """
    seen: dict[str, list[str]] = {}
    for one in looked:
        if one.platform == platform.name:
            seen.setdefault(one.role, []).append(one.endpoint)
    roles = tuple(_role(role, seen[role.name]) for role in platform.roles if role.name in seen)
    return msgspec.structs.replace(platform, roles=roles) if roles else platform


def _role(role: Role, seen: Sequence[str]) -> Role:
    named = {endpoint.id for endpoint in role.endpoints}
    gone = [parse_endpoint(text) for text in sorted(seen) if text not in named]
    kept = [
        endpoint
        for number, endpoint in enumerate(role.endpoints)
        if endpoint.id in seen or role.sample or (role.canonical and number == 0)
    ]
    return msgspec.structs.replace(role, endpoints=(*kept, *gone))


def references_of(
    looks: Iterable[Measurement], catalog: Catalog, country: str
) -> ReferenceMeasurements:
    """The looks at references, by start, each with its reference.

    One that the catalogue no longer names is made up from its id and scope.
    """
    known = {(r.scope.value, r.endpoint.id): r for r in catalog.references_for(country)}
    found: list[tuple[Reference, Measurement]] = []
    for look in sorted(looks, key=lambda m: (m.started_at, m.id)):
        if look.look is Purpose.REFERENCE:
            reference = known.get((look.role, look.endpoint)) or _made_up(look)
            found += [(reference, look)] if reference is not None else []
    return tuple(found)


def _made_up(look: Measurement) -> Reference | None:
    try:
        scope, endpoint = ReferenceScope(look.role), parse_endpoint(look.endpoint)
    except ValueError:
        return None
    return Reference(scope=scope, endpoint=endpoint, country=look.country)


def _vantage(health: VantageHealth) -> VantagePoint:
    return VantagePoint(
        id=health.vantage,
        country=health.country,
        asn=health.asn,
        network=health.network,
        role=VantageRole(health.vantage_role),
    )


def _where(health: VantageHealth) -> ExitMismatch:
    return ExitMismatch(country=health.exit_country, asn=health.exit_asn)


def _grouped(
    looks: Iterable[Measurement], kinds: Sequence[Purpose]
) -> dict[Place, tuple[Measurement, ...]]:
    wanted = sorted(
        (look for look in looks if look.look in kinds),
        key=lambda m: (m.platform, m.role, m.endpoint, m.attempt, m.started_at, m.id),
    )
    grouped = groupby(wanted, key=lambda m: (m.platform, m.role, m.endpoint))
    return {place: tuple(several) for place, several in grouped}


def _only_http3(asked: Measurement) -> bool:
    """Whether it was asked to show that UDP works, not about a failure of its own."""
    reasons = {observation.reason for observation in asked.observations}
    return reasons == {Reason.HTTP3.value}


def _rounds(references: ReferenceMeasurements) -> list[ReferenceMeasurements]:
    """The first look at each reference, then the second at each, and so on."""
    counted: dict[tuple[str, str], int] = {}
    rounds: list[list[tuple[Reference, Measurement]]] = []
    for reference, look in references:
        key = (reference.scope.value, reference.endpoint.id)
        number = counted[key] = counted.get(key, -1) + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append((reference, look))
    return [tuple(one) for one in rounds]


def _checkup(
    vantage: VantagePoint,
    rounds: Sequence[ReferenceMeasurements],
    failed: Measurement,
    where: ExitMismatch,
) -> VantageHealth | None:
    """The health right after a failure, of a vantage that had its references asked then.

    Such a cycle has rounds between the first and the one at its end.
    """
    for one in rounds[1:-1]:
        if min(look.started_at.timestamp() for _, look in one) >= failed.ended_at:
            return assess(vantage, one, (), max(look.started_at for _, look in one), where)
    return None


class _Waited:
    """Which looks of controls count in a cycle, and until when any could."""

    def __init__(self, cycle: StoredCycle, families: tuple[str, ...], patience: timedelta) -> None:
        self._cycle = cycle.id
        self._finished = cycle.finished_at.timestamp()
        self._families = families
        self._patience = patience.total_seconds()
        self.until = self._finished
        """POSIX seconds; later where a look from after the cycle was taken."""

    def controls(
        self, tried: Sequence[Measurement], known: Sequence[Measurement]
    ) -> tuple[Measurement, ...]:
        """Those for the looks at one endpoint, of all that are known at it, by start."""
        begun = tried[0].ended_at
        after = [look for look in known if look.started_at.timestamp() >= begun]
        chosen = {look.id: look for look in after if look.cycle == self._cycle}
        for failed in (tried[0], tried[-1]):
            asked: set[str] = set()
            for look in self._following(failed, after):
                if look.vantage not in asked:
                    asked.add(look.vantage)
                    chosen[look.id] = look
        return tuple(chosen.values())

    def _following(
        self, failed: Measurement, known: Sequence[Measurement]
    ) -> Sequence[Measurement]:
        after = [look for look in known if look.started_at.timestamp() >= failed.ended_at]
        timely = [
            look for look in after if look.cycle == self._cycle or look.ended_at <= self._finished
        ]
        if timely or not suspicious(failed, self._families):
            return timely
        limit = failed.ended_at + self._patience
        late = [look for look in after if look.ended_at <= limit]
        if late:
            self.until = max(self.until, limit)
        return late


def _control_health(
    cycle: StoredCycle,
    looked: Sequence[EndpointMeasurements],
    around: Surroundings,
    catalog: Catalog,
    until: float,
) -> dict[str, VantageHealth]:
    controls = [look for one in looked for look in one.controls]
    failed = [look.ended_at for look in controls if not answered(look)]
    found: dict[str, VantageHealth] = {}
    for vantage in {look.vantage for look in controls}:
        known = around.rounds.get(vantage, ())
        rounds = [one for one in known if one.cycle == cycle.id or one.ended <= until]
        chosen = _round_for(cycle, rounds, max(failed) if failed else None)
        if chosen is not None:
            found[vantage] = _health_of(chosen, around.health.get(vantage), catalog)
    return found


def _round_for(
    cycle: StoredCycle, rounds: Sequence[ControlRound], after: float | None
) -> ControlRound | None:
    mine = [one for one in rounds if one.cycle == cycle.id]
    if mine:
        return next((one for one in mine if after is None or one.began >= after), mine[-1])
    if after is not None:
        later = [one for one in rounds if one.began >= after]
        return min(later, key=lambda one: (one.own, one.began), default=None)
    # Those made because something failed come first: they are what the live cycle went by.
    return max(rounds, key=lambda one: (not one.own, one.began), default=None)


def _health_of(
    asked: ControlRound, stored: VantageHealth | None, catalog: Catalog
) -> VantageHealth:
    first = asked.looks[0]
    vantage = VantagePoint(
        id=first.vantage,
        country=first.country,
        asn=first.asn,
        network=first.network,
        role=VantageRole.CONTROL,
    )
    where = _where(stored) if stored is not None else ExitMismatch()
    references = references_of(asked.looks, catalog, first.country)
    return assess(vantage, references, (), first.started_at, where)
