"""Whether vantages say the same as unrelated others at about the same time.

Field vantages are compared on platforms, with others of their country: a new key that agrees for
long enough weighs in full. Controls are compared on endpoints, with all other controls: one that
differs from the rest can make a platform look blocked, or a block look like an outage.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.trust import OWN_VOTES, Trust, Voice, network_key
from monitor.analysis.verdict import PlatformVerdict, State
from probes.measurement import Measurement, Purpose

AGREES = 0.8
"""Share (0-1) of what was compared on which an agreeing vantage says the same. Networks of one
country block differently, so it is not 1."""
_SIDES: Mapping[State, str] = {
    State.OK: "open",
    State.BLOCKED: "accused",
    State.THROTTLED: "accused",
    State.PARTIAL: "accused",
    State.DEGRADED: "accused",
    State.DOWN: "down",
}


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One vantage beside unrelated others."""

    same: int = 0
    """On how much it says what the majority of their weight says."""
    different: tuple[str, ...] = ()
    """On what it says something else: platforms, or endpoints; sorted."""

    @property
    def agrees(self) -> bool:
        """Whether it was compared, and says the same on nearly all of it."""
        compared = self.same + len(self.different)
        return compared > 0 and self.same >= AGREES * compared


class _Statement(msgspec.Struct, frozen=True, kw_only=True):
    voice: Voice
    subject: str
    side: str


def compare_fields(
    verdicts: Iterable[PlatformVerdict], trust: Trust, at: datetime
) -> dict[str, Compared]:
    """Field vantage → how it compares, by the newest verdict of each on each platform."""
    return _compare(
        [
            _Statement(
                voice=Voice(vantage=one.vantage, network=network_key(one.asn, one.network)),
                subject=f"{one.country} {one.platform}",
                side=_SIDES[one.state],
            )
            for one in verdicts
            if one.vantage_role == "field" and one.state in _SIDES
        ],
        trust,
        at,
    )


def compare_controls(
    measurements: Iterable[Measurement], trust: Trust, at: datetime
) -> dict[str, Compared]:
    """Control → how it compares, by its newest measurement of each endpoint."""
    newest: dict[tuple[str, str], Measurement] = {}
    for one in sorted(measurements, key=lambda m: (m.started_at, m.id)):
        if one.vantage_role == "control" and one.look is Purpose.CONTROL:
            newest[one.vantage, one.endpoint] = one
    return _compare(
        [
            _Statement(
                voice=Voice(vantage=one.vantage, network=network_key(one.asn, one.network)),
                subject=one.endpoint,
                side="open" if one.reached else "fails",
            )
            for one in newest.values()
        ],
        trust,
        at,
    )


def _compare(said: Sequence[_Statement], trust: Trust, at: datetime) -> dict[str, Compared]:
    by_subject: dict[str, list[_Statement]] = {}
    for one in said:
        by_subject.setdefault(one.subject, []).append(one)
    found: dict[str, Compared] = {}
    for subject, here in sorted(by_subject.items()):
        sources = trust.sources((one.voice for one in here), at)
        sides: dict[str, dict[str, float]] = {}
        for one in here:
            side, source = sides.setdefault(one.side, {}), sources[one.voice.vantage]
            weight = trust.weight(one.voice.vantage, at)
            side[source] = max(side.get(source, 0.0), weight)
        for one in here:
            vantage = one.voice.vantage
            majority = _majority(one, sides, sources[vantage], trust)
            if majority is None:
                continue
            known = found.get(vantage, Compared())
            if majority == one.side:
                known = msgspec.structs.replace(known, same=known.same + 1)
            else:
                known = msgspec.structs.replace(known, different=(*known.different, subject))
            found[vantage] = known
    return found


def _majority(
    of: _Statement, sides: Mapping[str, Mapping[str, float]], source: str, trust: Trust
) -> str | None:
    """The side that most weight of those unrelated to it is on; None when there is none. `sides`
    has the weight of each source by side. No single agent contradicts an own vantage."""
    weights = {
        side: sum(weight for name, weight in by_source.items() if name != source)
        for side, by_source in sides.items()
    }
    best = max(weights.values())
    winning = [side for side, weight in weights.items() if weight == best]
    if best == 0.0 or len(winning) > 1:
        return None
    if winning != [of.side] and trust.is_own(of.voice.vantage) and best < OWN_VOTES:
        return None
    return winning[0]
