"""Verdicts on speed from stored transfers, going from cycle to cycle as live ones do.

Unlike a running monitor's, the memory here lasts through restarts, and begins empty where the
recomputation begins; so a verdict that stood until it could be renewed may be there longer or
shorter than it was then.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby

import msgspec

from monitor.analysis.throttling.history import SpeedHistory
from monitor.analysis.throttling.throttling import judge_transfers
from monitor.analysis.throttling.transfer_facts import TransferCase
from monitor.analysis.throttling.transfer_verdict import TransferVerdict
from monitor.analysis.verdict import VantageState, Verdict
from monitor.config.settings import Settings
from monitor.judging.judge import Seen
from monitor.measuring.transfers import TransferObject, led_to, objects_of
from probes.measurement import Measurement, Purpose
from probes.vantage import VantageRole

_Place = tuple[str, str, str]
"""Platform, role and endpoint the verdict is about."""


class Speeds:
    """Judges the transfers of one cycle after the other."""

    def __init__(self, settings: Settings) -> None:
        self._every = settings.throttling.every
        self._objects = [o for p in settings.catalog.platforms for o in objects_of(p)]
        self._memories: dict[tuple[str, _Place], SpeedHistory] = {}

    def judged(
        self, seen: Seen, looks: Sequence[Measurement], old: Sequence[Verdict]
    ) -> tuple[TransferVerdict, ...]:
        """What holds in this cycle. `looks` are all stored for it, `old` its verdicts then, which
        tell what a transfer was about and when it was judged."""
        last = {(one.platform, one.endpoint): one.attempts[-1] for one in seen.looked}
        for one in self._objects:
            look = last.get((one.platform, one.witness))
            if look is not None:
                self._memory(seen, _place(one)).add_measurement(look)
        now = seen.judged_at.timestamp()
        judged_at = {(v.platform, v.role, v.endpoint): v.judged_at for v in old}
        fresh: dict[_Place, TransferVerdict] = {}
        for made, controls in _measured(looks):
            place = self._about(made, last, old)
            memory = self._memory(seen, place)
            at = judged_at.get(place, seen.judged_at)
            verdict = _judge(seen, place, memory, made, controls, at)
            memory.remember(made, verdict, now, self._every)
            fresh[place] = verdict
        standing: list[TransferVerdict] = []
        for (vantage, place), memory in self._memories.items():
            if vantage == seen.vantage.id:
                known = memory.current_accusation(now)
                if known and place not in fresh and seen.health.state is VantageState.OK:
                    standing.append(_again(known, seen, judged_at.get(place, seen.judged_at)))
        return (*fresh.values(), *standing)

    def _memory(self, seen: Seen, place: _Place) -> SpeedHistory:
        return self._memories.setdefault((seen.vantage.id, place), SpeedHistory())

    def _about(
        self,
        made: Sequence[Measurement],
        last: Mapping[tuple[str, str], Measurement],
        old: Sequence[Verdict],
    ) -> _Place:
        """The object these rounds measured: redirects may have led on from it."""
        first = made[0]
        able = [o for o in self._objects if (o.platform, o.role) == (first.platform, first.role)]
        ids = {look.id for look in made}
        said = {v.endpoint for v in old if v.measurement in ids}
        for one in able:
            if one.endpoint.id == first.endpoint or one.endpoint.id in said:
                return _place(one)
        for one in able:
            led = led_to(one, last.get((one.platform, one.endpoint.id)))
            if led is not None and led.id == first.endpoint:
                return _place(one)
        if len(able) == 1:
            return _place(able[0])
        return (first.platform, first.role, first.endpoint)


def _place(one: TransferObject) -> _Place:
    return (one.platform, one.role, one.endpoint.id)


def _measured(
    looks: Sequence[Measurement],
) -> list[tuple[tuple[Measurement, ...], tuple[Measurement, ...]]]:
    """The rounds at each object, and what the controls got of it."""
    transfers = sorted(
        (look for look in looks if look.look is Purpose.TRANSFER),
        key=lambda m: (m.platform, m.role, m.endpoint, m.attempt, m.started_at, m.id),
    )
    found = []
    for _, several in groupby(transfers, key=lambda m: (m.platform, m.role, m.endpoint)):
        both = tuple(several)
        made = tuple(m for m in both if m.vantage_role == VantageRole.FIELD)
        if made:
            found.append((made, tuple(m for m in both if m.vantage_role != VantageRole.FIELD)))
    return found


def _judge(
    seen: Seen,
    place: _Place,
    memory: SpeedHistory,
    made: tuple[Measurement, ...],
    controls: tuple[Measurement, ...],
    judged_at: datetime,
) -> TransferVerdict:
    # More than one new round was made only to be judged by themselves.
    rounds = made if len(made) > 1 else (*memory.earlier, *made)
    platform, role, endpoint = place
    return judge_transfers(
        TransferCase(
            cycle=seen.cycle,
            vantage=seen.vantage.id,
            country=seen.vantage.country,
            asn=seen.vantage.asn,
            network=seen.vantage.network,
            platform=platform,
            role=role,
            endpoint=endpoint,
            rounds=rounds,
            controls=controls,
            distance=memory.distance,
            usual_ratios=tuple(memory.usual_ratios),
            health=seen.health,
            judged_at=judged_at,
        )
    )


def _again(known: TransferVerdict, seen: Seen, judged_at: datetime) -> TransferVerdict:
    verdict = msgspec.structs.replace(known.verdict, cycle=seen.cycle, judged_at=judged_at)
    return msgspec.structs.replace(known, verdict=verdict)
