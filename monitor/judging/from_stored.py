"""Rebuilds what a stored cycle showed (`monitor.analysis.seen.Seen`), for the judge.

Only measurements are stored. Which of them belong together follows from them:

* *attempts* and *follow-ups* carry the cycle, the endpoint and their number;
* *controls* and their health: see `monitor.judging.stored_controls`;
* *references* carry the cycle; the measurements of each, in order, are the rounds;
* *transfers* carry the cycle and the object that was fetched: see `_place_of`.

Where a vantage's packets came out, behind what NAT, and how wrong its clock was before its times
were corrected, is in no measurement. It comes from the health stored with the cycle.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby

import msgspec

from monitor.analysis.judge.second_attempt import needs_comparison, retry_may_tell, suspicious
from monitor.analysis.seen import EndpointMeasurements, ObjectTransfers, Place, Seen
from monitor.analysis.throttling.history import SpeedHistories
from monitor.analysis.throttling.objects import led_to, objects_of
from monitor.analysis.vantage.health import HOPELESS, ReferenceMeasurements, assess
from monitor.analysis.verdict import VantageHealth, Verdict
from monitor.config.settings import Settings
from monitor.judging.judge_cycle import judge_cycle
from monitor.judging.stored_controls import (
    ControlChoice,
    Surroundings,
    exit_of,
    patience_of,
    references_of,
)
from probes.catalog.catalog import Reference
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Measurement, Purpose
from probes.vantage import VantagePoint, VantageRole
from storage.values.cycle import Cycle, StoredCycle


class StoredCycles:
    """Rebuilds cycles of all vantages; those of one vantage in the order they were made."""

    def __init__(self, settings: Settings) -> None:
        self._catalog = settings.catalog
        self._fingerprints = settings.fingerprints
        self._patience = patience_of(settings)
        self.trust = settings.events.trust
        """What the word of each control weighs."""
        functions = (one for platform in self._catalog.platforms for one in platform.functions)
        listed = [endpoint for function in functions for endpoint in function.endpoints]
        listed += [reference.endpoint for reference in self._catalog.references]
        self._hosts = frozenset(endpoint.host for endpoint in listed)
        objects = (one for platform in settings.catalog.platforms for one in objects_of(platform))
        self._histories = SpeedHistories(objects, settings.throttling.every)

    def seen(
        self,
        cycle: StoredCycle,
        measurements: Sequence[Measurement],
        surroundings: Surroundings,
        judged_at: datetime,
        *,
        out_of_turn: bool = False,
        old: Sequence[Verdict] = (),
    ) -> Seen:
        """What the cycle showed. `measurements` are all stored for it, `old` its earlier verdicts,
        if any: they say which object a transfer was about."""
        own = [one for one in measurements if one.vantage == cycle.vantage]
        vantage = vantage_of(cycle)
        references = references_of(own, self._catalog, cycle.country)
        early = early_health(cycle, references, own)
        choice = ControlChoice(cycle, early.families, self._patience, self.trust)
        endpoints, witnesses = _endpoints(cycle, own, references, early, surroundings, choice)
        reached = [m for one in endpoints for m in one.attempts if m.reached]
        skew = cycle.health.clock_skew
        health = assess(vantage, references, reached, cycle.health.at, exit_of(cycle.health), skew)
        checked = any(needs_comparison(one.attempts, early.families) for one in endpoints)
        seen = Seen(
            cycle=cycle.id,
            vantage=vantage,
            started_at=cycle.started_at,
            finished_at=cycle.finished_at,
            judged_at=judged_at,
            health=msgspec.structs.replace(
                health,
                nat64=cycle.health.nat64,
                # An agent may name others, and some are its host's own: they go on no page.
                passing=tuple(host for host in health.passing if host in self._hosts),
            ),
            early=early,
            endpoints=tuple(endpoints),
            witnesses=tuple(witnesses),
            control_health=choice.health(endpoints, surroundings, self._catalog) if checked else {},
            measurements=tuple(measurements),
            out_of_turn=out_of_turn,
        )
        return msgspec.structs.replace(
            seen,
            transfers=tuple(self._transfers(seen, old)),
            accusations=self._histories.accusations(cycle.vantage, judged_at.timestamp()),
        )

    def judge(self, seen: Seen) -> Cycle:
        """The cycle with its verdicts. What transfers showed is remembered for the vantage's next
        cycles: call it once for each."""
        judged = judge_cycle(seen, self._catalog, self._fingerprints, self.trust)
        self._histories.learn(seen, judged.transfers)
        return judged

    def _transfers(self, seen: Seen, old: Sequence[Verdict]) -> Iterable[ObjectTransfers]:
        last, now = seen.last_attempts, seen.judged_at.timestamp()
        witnesses = {one.place: one.witness for one in self._histories.objects}
        for made, controls in _transfer_rounds(seen.measurements):
            place = self._place_of(made, last, old)
            reached = last.get((place[0], witnesses.get(place, "")))
            yield self._histories.transfers(seen.vantage.id, place, made, controls, reached, now)

    def _place_of(
        self,
        made: Sequence[Measurement],
        last: Mapping[tuple[str, str], Measurement],
        old: Sequence[Verdict],
    ) -> Place:
        """The object that these rounds measured: redirects may have led on from it."""
        first = made[0]
        able = [
            one
            for one in self._histories.objects
            if (one.platform, one.function) == (first.platform, first.function)
        ]
        ids = {one.id for one in made}
        judged = {verdict.endpoint for verdict in old if verdict.measurement in ids}
        for one in able:
            if one.endpoint.id == first.endpoint or one.of in judged:
                return one.place
        for one in able:
            led = led_to(one, last.get((one.platform, one.endpoint.id)))
            if led is not None and led.id == first.endpoint:
                return one.place
        if len(able) == 1:
            return able[0].place
        return (first.platform, first.function, first.endpoint)


def vantage_of(cycle: StoredCycle) -> VantagePoint:
    """The vantage as it was then, as far as the judge needs it."""
    health = cycle.health
    return VantagePoint(
        id=health.vantage,
        country=health.country,
        asn=health.asn,
        network=health.network,
        role=VantageRole(health.vantage_role),
    )


def early_health(
    cycle: StoredCycle, references: ReferenceMeasurements, own: Iterable[Measurement]
) -> VantageHealth:
    """The health before any endpoint was measured; `references` and `own` are all of the cycle."""
    before = _before_endpoints(references, own)
    return assess(vantage_of(cycle), before, (), cycle.health.at, exit_of(cycle.health))


def _before_endpoints(
    references: ReferenceMeasurements, own: Iterable[Measurement]
) -> ReferenceMeasurements:
    tests = (Purpose.SCHEDULED, Purpose.RETRY)
    began = min((one.started_at for one in own if one.look in tests), default=None)
    return tuple(one for one in references if began is None or one[1].started_at < began)


def _endpoints(
    cycle: StoredCycle,
    own: Sequence[Measurement],
    references: ReferenceMeasurements,
    early: VantageHealth,
    surroundings: Surroundings,
    choice: ControlChoice,
) -> tuple[list[EndpointMeasurements], list[Measurement]]:
    """The measurements of each endpoint, and those made only to show that UDP works."""
    before = _before_endpoints(references, own)
    rounds = [before, *_rounds([one for one in references if one not in before])]
    follow_ups = _grouped(own, (Purpose.FOLLOW_UP,))
    endpoints: list[EndpointMeasurements] = []
    witnesses: list[Measurement] = []
    for place, attempts in _grouped(own, (Purpose.SCHEDULED, Purpose.RETRY)).items():
        failed = suspicious(attempts[-1], early.families)
        more = follow_ups.pop(place, ())
        asked = tuple(m for m in more if failed or not _only_http3(m))
        witnesses += [m for m in more if m not in asked]
        controls: tuple[Measurement, ...] = ()
        health: VantageHealth | None = None
        if early.state not in HOPELESS and suspicious(attempts[0], early.families):
            controls = choice.controls(attempts, surroundings.controls.get(place[2], ()))
            more_told = len(attempts) > 1 or retry_may_tell(attempts[0], controls, early.families)
            if failed and more_told:
                health = _checkup(cycle, rounds, attempts[-1])
        endpoints.append(
            EndpointMeasurements(
                platform=place[0],
                function=place[1],
                endpoint=place[2],
                attempts=attempts,
                controls=controls,
                follow_ups=asked,
                health=health,
            )
        )
    witnesses += [m for several in follow_ups.values() for m in several]
    return endpoints, witnesses


def _grouped(
    measurements: Iterable[Measurement], purposes: Sequence[Purpose]
) -> dict[Place, tuple[Measurement, ...]]:
    wanted = sorted(
        (one for one in measurements if one.look in purposes),
        key=lambda m: (m.platform, m.function, m.endpoint, m.attempt, m.started_at, m.id),
    )
    grouped = groupby(wanted, key=lambda m: (m.platform, m.function, m.endpoint))
    return {place: tuple(several) for place, several in grouped}


def _transfer_rounds(
    measurements: Iterable[Measurement],
) -> Iterable[tuple[tuple[Measurement, ...], tuple[Measurement, ...]]]:
    """The rounds at each object, and what the controls got of it."""
    for several in _grouped(measurements, (Purpose.TRANSFER,)).values():
        made = tuple(m for m in several if m.vantage_role == VantageRole.FIELD)
        if made:
            yield made, tuple(m for m in several if m.vantage_role != VantageRole.FIELD)


def _only_http3(asked: Measurement) -> bool:
    """Whether it was asked to show that UDP works, not about a failure of its own."""
    reasons = {observation.reason for observation in asked.observations}
    return reasons == {Reason.HTTP3.value}


def _rounds(references: Iterable[tuple[Reference, Measurement]]) -> list[ReferenceMeasurements]:
    """The first measurement of each reference, then the second of each, and so on."""
    counted: dict[tuple[str, str], int] = {}
    rounds: list[list[tuple[Reference, Measurement]]] = []
    for reference, measurement in references:
        key = (reference.scope.value, reference.endpoint.id)
        number = counted[key] = counted.get(key, -1) + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append((reference, measurement))
    return [tuple(one) for one in rounds]


def _checkup(
    cycle: StoredCycle, rounds: Sequence[ReferenceMeasurements], failed: Measurement
) -> VantageHealth | None:
    """The health right after a failure, of a vantage that measured its references then.

    Such a cycle has rounds between the first and the one at its end.
    """
    for one in rounds[1:-1]:
        if min(m.started_at.timestamp() for _, m in one) >= failed.ended_at:
            at = max(m.started_at for _, m in one)
            return assess(vantage_of(cycle), one, (), at, exit_of(cycle.health))
    return None
