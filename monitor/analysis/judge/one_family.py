"""What one address family shows by itself.

Applications use IPv4 within a fraction of a second where IPv6 is silent, and broken ways to single
platforms over IPv6 last for weeks. So where IPv4 works and was tried as well, addresses that make
no connection are judged by IPv4 alone: an ordinary fault over IPv4 does not make a block of what is
silent over IPv6. Where a handshake falls silent, other names tell whether ours is dropped.
"""

from collections.abc import Sequence

import msgspec

from monitor.analysis.judge.grade_by_sign import Sign, signs
from monitor.analysis.measurement_summary import TIMEOUT, Outcome, Summary, usable
from probes.measurement import Layer

SILENT: frozenset[Sign] = frozenset(
    signs("tcp.timeout tcp.unreachable tls.timeout app.timeout app.unreachable")
)
"""Nobody sends these. Two networks may not exchange routes of one family, and over IPv6 some do
not."""
_UNCONNECTED = SILENT - {(Layer.TLS, TIMEOUT)}
RTYPES = {"ipv4": "A", "ipv6": "AAAA"}


def over(summary: Summary, family: str) -> Summary:
    """The attempt as far as this family goes: what the other one showed explains nothing here."""
    hop = summary.last_hop
    return msgspec.structs.replace(
        summary,
        last_hop=msgspec.structs.replace(
            hop,
            dns=tuple(o for o in hop.dns if o.rtype == RTYPES[family]),
            tcp=tuple(o for o in hop.tcp if o.family == family),
            tls=tuple(o for o in hop.tls if o.family == family),
        ),
    )


def without_silent_ipv6(paths: Sequence[Outcome], depth: int) -> Sequence[Outcome]:
    """The paths that count, of those over families that work here: silence over IPv6 does not where
    IPv4 failed as far on the way."""
    if not any(p.family == "ipv4" and p.depth == depth and p.sub_method for p in paths):
        return paths
    return [p for p in paths if p.family != "ipv6" or (p.layer, p.sub_method) not in _UNCONNECTED]


def silence_over_ipv4(sign: Sign, summary: Summary, families: tuple[str, ...]) -> Summary:
    """The attempt as far as IPv4 goes, where this is silence that it showed over IPv4, and that is
    among the families that work here (empty: all do)."""
    paths = usable(summary.paths, families)
    shown = any(p.family == "ipv4" and (p.layer, p.sub_method) == sign for p in paths)
    return over(summary, "ipv4") if sign in _UNCONNECTED and shown else summary
