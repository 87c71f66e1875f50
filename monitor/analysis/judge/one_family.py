"""What one address family shows by itself.

Applications use IPv4 within a fraction of a second where IPv6 is silent, and broken ways to single
platforms over IPv6 last for weeks. So where IPv4 works, addresses that make no connection are
judged by IPv4 alone: an ordinary fault over IPv4 does not make a block of what is silent over IPv6.
Nor does an answer with IPv4 addresses that came too late, or got lost: then IPv4 was not tried.
Where a handshake falls silent, other names tell whether ours is dropped.
"""

from collections.abc import Sequence

import msgspec

from monitor.analysis.judge.grade_by_sign import Sign, signs
from monitor.analysis.measurement_summary import TIMEOUT, Outcome, Summary, usable
from probes.failure_strings import TIMEOUTS
from probes.measurement import LATE_ANSWER, DnsObservation, Layer

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


def without_silent_ipv6(
    summary: Summary, paths: Sequence[Outcome], depth: int, families: tuple[str, ...]
) -> Sequence[Outcome]:
    """The attempt's paths that count, of those over `families` that work here (empty: all do):
    silence over IPv6 does not where IPv4 failed as far on the way, or was not tried."""
    failed = any(p.family == "ipv4" and p.depth == depth and p.sub_method for p in paths)
    works = not families or "ipv4" in families
    if not (failed or (works and ipv4_untried(summary))):
        return paths
    return [p for p in paths if p.family != "ipv6" or (p.layer, p.sub_method) not in _UNCONNECTED]


def ipv4_untried(summary: Summary) -> bool:
    """Whether the answer with IPv4 addresses came too late, or none came."""
    hop = summary.last_hop
    missed = any(
        isinstance(o, DnsObservation)
        and (o.rtype, o.name.lower().rstrip(".")) == (RTYPES["ipv4"], hop.host)
        and (o.reason == LATE_ANSWER or (not o.reason and o.failure in TIMEOUTS))
        for o in summary.measurement.observations
    )
    return missed and not any(o.family == "ipv4" for o in hop.tcp)


def silence_over_ipv4(sign: Sign, summary: Summary, families: tuple[str, ...]) -> Summary:
    """The attempt as far as IPv4 goes, where this is silence that it showed over IPv4, and that is
    among the families that work here (empty: all do)."""
    paths = usable(summary.paths, families)
    shown = any(p.family == "ipv4" and (p.layer, p.sub_method) == sign for p in paths)
    return over(summary, "ipv4") if sign in _UNCONNECTED and shown else summary
