"""A platform whose connections are cut off by chance, whatever name they send.

A server that is faulty or overloaded, or the line to it, cuts off a share of all connections. Each
of them looks like a censor's work, and of a platform's many endpoints some fail in every attempt.
Where connections were counted (`monitor.analysis.judge.some_flows`) and those with an innocuous
name are cut off as often, that share is known. An endpoint then accuses only if what it showed is
improbable for it: that so many handshakes with the platform's names, or more, were cut off, and
that so few with an innocuous name were.

A platform has about eight endpoints, of which each can be accused in four ways. So a limit of 1 in
100,000 keeps false accusations of the platform under 1 in 3,000 cycles with such a fault, and at
shares below 0.45, where the exact chances are far below their bounds, under 1 in 10,000.
"""

from collections.abc import Collection, Iterable, Mapping
from math import comb

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.counted_flows import CUT_OFF, share_of_all
from monitor.analysis.judge.lossy_paths import Sign
from monitor.analysis.measurement_summary import sub_method_of
from monitor.analysis.seen import EndpointMeasurements
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Hello, Layer, TlsObservation

ANY_NAME: Sign = (Layer.TLS, "any_name")
"""Cut off no more often than connections to this platform are with any name."""
UNLIKELY = 1e-5
"""The chance from which a share of all connections no longer explains what an endpoint showed."""

_NAMED = frozenset(
    (
        "",
        Reason.NAME_AGAIN,
        Reason.OTHER_HELLO,
        Reason.USUAL_HELLO,
        Reason.SMALL_SEGMENTS,
        Reason.PATIENCE,
        Reason.FLOW_NAME,
    )
)
_INNOCUOUS = frozenset((Reason.INNOCUOUS_SNI, Reason.OTHER_HELLO_INNOCUOUS, Reason.FLOW_INNOCUOUS))


def cut_shares(endpoints: Iterable[EndpointMeasurements]) -> Mapping[str, float]:
    """Platform → the greatest share (0 to 1) of connections with any name that are cut off at one
    of its addresses; none where it was not counted, or depends on the name."""
    found: dict[str, float] = {}
    for one in endpoints:
        if share := share_of_all(one.endpoint, one.follow_ups):
            found[one.platform] = max(share, found.get(one.platform, 0.0))
    return found


def cut_by_chance(
    case: Case, sign: Sign, families: Collection[str], hellos: Collection[Hello] = tuple(Hello)
) -> bool:
    """Whether the share of all connections that is cut off explains this sign over these address
    families and in these forms of greeting."""
    if not case.cut_share or sign[0] is not Layer.TLS:
        return False
    seen = [
        o
        for m in (*case.attempts, *case.follow_ups)
        for o in m.observations
        if isinstance(o, TlsObservation) and o.family in families and o.hello in hellos
    ]
    named = [o for o in seen if o.reason in _NAMED]
    # The first host of a redirect may be spared.
    met = {o.server_name for o in named if _cut(o)}
    named = [o for o in named if o.server_name in met]
    others = [o for o in seen if o.reason in _INNOCUOUS]
    cut, spared = sum(map(_cut, named)), sum(not _cut(o) for o in others)
    chance = _at_least(len(named), cut, case.cut_share)
    chance *= _at_least(len(others), spared, 1 - case.cut_share)
    return chance > UNLIKELY


def _cut(one: TlsObservation) -> bool:
    return sub_method_of(one) in CUT_OFF


def _at_least(made: int, least: int, share: float) -> float:
    """The binomial chance of `least` or more out of `made`, when each has the chance `share`."""
    return sum(comb(made, k) * share**k * (1 - share) ** (made - k) for k in range(least, made + 1))
