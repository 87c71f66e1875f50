"""Which stored measurements of controls count for a stored cycle.

A measurement of a control carries the cycle it was first made for, though several cycles may share
it. So the next measurement of each control at the same endpoint counts after the first and after
the last failed attempt, whichever cycle it was made for, if it ended within the cycle. Where none
did, as when an agent could not reach any control, those count that ended soon enough after the
failure (`patience`); so they do where only agents did, for one that answers fast must not speak for
all others.

The health of a control comes from its round of references for this cycle, else from its next round
after its own failure, or from its last round when it did not fail.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta

import msgspec

from monitor.analysis.judge.second_attempt import answered, suspicious
from monitor.analysis.seen import EndpointMeasurements
from monitor.analysis.trust import OWN_ALONE, Trust
from monitor.analysis.vantage.exit_location import ExitMismatch
from monitor.analysis.vantage.health import ReferenceMeasurements, assess
from monitor.analysis.verdict import VantageHealth
from monitor.config.settings import Settings
from probes.catalog.catalog import Catalog, Reference, ReferenceScope
from probes.catalog.endpoint_text import parse_endpoint
from probes.measurement import Measurement, Purpose
from probes.vantage import VantagePoint, VantageRole
from storage.values.cycle import StoredCycle

_INTERVALS = 2
"""Intervals in which a control measures everything once, whatever else it has to do."""


class ControlRound(msgspec.Struct, frozen=True, kw_only=True):
    """One round of a control's measurements of its references."""

    cycle: str
    """The cycle it was made for."""
    own: bool
    """It was a cycle of the control itself."""
    measurements: tuple[Measurement, ...]

    @property
    def began(self) -> float:
        """POSIX seconds."""
        return min(one.started_at.timestamp() for one in self.measurements)

    @property
    def ended(self) -> float:
        """POSIX seconds."""
        return max(one.ended_at for one in self.measurements)


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What controls saw at about the time of a cycle."""

    controls: Mapping[str, Sequence[Measurement]] = {}
    """Endpoint → measurements of it by any control, by start."""
    rounds: Mapping[str, Sequence[ControlRound]] = {}
    """Control → its rounds, by start."""
    health: Mapping[str, VantageHealth] = {}
    """Vantage → its newest stored health, for where its packets come out."""


def patience_of(settings: Settings) -> timedelta:
    """How long after a failure a measurement of a control may end and still count."""
    return timedelta(seconds=_INTERVALS * settings.interval)


def control_rounds(
    measurements: Iterable[Measurement], own: Collection[str]
) -> dict[str, list[ControlRound]]:
    """Control → its rounds, by start. `measurements` are those of references by controls, by start;
    `own` are the ids of the controls' own cycles."""
    by_cycle: dict[tuple[str, str], list[list[Measurement]]] = {}
    for measurement in measurements:
        rounds = by_cycle.setdefault((measurement.vantage, measurement.cycle), [])
        same = (measurement.function, measurement.endpoint)
        for known in rounds:
            if all((one.function, one.endpoint) != same for one in known):
                known.append(measurement)
                break
        else:
            rounds.append([measurement])
    found: dict[str, list[ControlRound]] = {}
    for (vantage, cycle), several in by_cycle.items():
        found.setdefault(vantage, []).extend(
            ControlRound(cycle=cycle, own=cycle in own, measurements=tuple(one)) for one in several
        )
    for made in found.values():
        made.sort(key=lambda one: one.began)
    return found


def references_of(
    measurements: Iterable[Measurement], catalog: Catalog, country: str
) -> ReferenceMeasurements:
    """The measurements of references, by start, each with its reference.

    A reference that the catalogue no longer names is made up from its id and scope.
    """
    known = {(r.scope.value, r.endpoint.id): r for r in catalog.references_for(country)}
    found: list[tuple[Reference, Measurement]] = []
    for one in sorted(measurements, key=lambda m: (m.started_at, m.id)):
        if one.look is Purpose.REFERENCE:
            reference = known.get((one.function, one.endpoint)) or _made_up(one)
            found += [(reference, one)] if reference is not None else []
    return tuple(found)


def exit_of(health: VantageHealth) -> ExitMismatch:
    """Where the vantage's packets came out, which is not in any measurement."""
    return ExitMismatch(country=health.exit_country, asn=health.exit_asn)


class ControlChoice:
    """Chooses the controls of one cycle, and knows until when any could count."""

    def __init__(
        self,
        cycle: StoredCycle,
        families: tuple[str, ...],
        patience: timedelta,
        trust: Trust = OWN_ALONE,
    ) -> None:
        """`families` are the address families that work from the vantage."""
        self._trust = trust
        self._cycle = cycle.id
        self._finished = cycle.finished_at.timestamp()
        self._families = families
        self._patience = patience.total_seconds()
        self._until = self._finished

    def controls(
        self, attempts: Sequence[Measurement], known: Sequence[Measurement]
    ) -> tuple[Measurement, ...]:
        """Those for the attempts at one endpoint; `known` are all of it, by start."""
        begun = attempts[0].ended_at
        after = [one for one in known if one.started_at.timestamp() >= begun]
        chosen = {one.id: one for one in after if one.cycle == self._cycle}
        for failed in (attempts[0], attempts[-1]):
            asked: set[str] = set()
            for one in self._following(failed, after):
                if one.vantage not in asked:
                    asked.add(one.vantage)
                    chosen[one.id] = one
        return tuple(chosen.values())

    def health(
        self,
        endpoints: Sequence[EndpointMeasurements],
        surroundings: Surroundings,
        catalog: Catalog,
    ) -> dict[str, VantageHealth]:
        """The health of the controls chosen for `endpoints`, by vantage id."""
        controls = [one for endpoint in endpoints for one in endpoint.controls]
        failed = [one.ended_at for one in controls if not answered(one)]
        found: dict[str, VantageHealth] = {}
        for vantage in {one.vantage for one in controls}:
            known = surroundings.rounds.get(vantage, ())
            rounds = [one for one in known if one.cycle == self._cycle or one.ended <= self._until]
            chosen = self._round(rounds, max(failed) if failed else None)
            if chosen is not None:
                found[vantage] = _health_of(chosen, surroundings.health.get(vantage), catalog)
        return found

    def _following(
        self, failed: Measurement, known: Sequence[Measurement]
    ) -> Sequence[Measurement]:
        after = [one for one in known if one.started_at.timestamp() >= failed.ended_at]
        timely = [
            one for one in after if one.cycle == self._cycle or one.ended_at <= self._finished
        ]
        # An agent that answers fast must not speak for the others.
        believed = any(self._trust.is_own(one.vantage) for one in timely)
        if believed or not suspicious(failed, self._families):
            return timely
        limit = failed.ended_at + self._patience
        late = [one for one in after if one in timely or one.ended_at <= limit]
        if len(late) > len(timely):
            self._until = max(self._until, limit)
        return late

    def _round(self, rounds: Sequence[ControlRound], after: float | None) -> ControlRound | None:
        mine = [one for one in rounds if one.cycle == self._cycle]
        if mine:
            return next((one for one in mine if after is None or one.began >= after), mine[-1])
        if after is not None:
            later = [one for one in rounds if one.began >= after]
            return min(later, key=lambda one: (one.own, one.began), default=None)
        # Rounds made because something failed come first: the live cycle used those.
        return max(rounds, key=lambda one: (not one.own, one.began), default=None)


def _made_up(measurement: Measurement) -> Reference | None:
    try:
        scope, endpoint = ReferenceScope(measurement.function), parse_endpoint(measurement.endpoint)
    except ValueError:
        return None
    return Reference(scope=scope, endpoint=endpoint, country=measurement.country)


def _health_of(
    asked: ControlRound, stored: VantageHealth | None, catalog: Catalog
) -> VantageHealth:
    first = asked.measurements[0]
    vantage = VantagePoint(
        id=first.vantage,
        country=first.country,
        asn=first.asn,
        network=first.network,
        role=VantageRole.CONTROL,
    )
    where = exit_of(stored) if stored is not None else ExitMismatch()
    references = references_of(asked.measurements, catalog, first.country)
    return assess(vantage, references, (), first.started_at, where)
