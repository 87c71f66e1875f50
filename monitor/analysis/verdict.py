"""The words of judgement: states, evidence grades, methods and the values that carry them."""

from datetime import datetime
from enum import StrEnum

import msgspec


class State(StrEnum):
    """What a measurement means next to its control. No data is never ok."""

    OK = "ok"
    DEGRADED = "degraded"
    """Platforms: what people come for works, but a role that is not core is blocked or slow, or
    QUIC is. Roles: all of it works, but not over QUIC. Never an endpoint's."""
    THROTTLED = "throttled"
    BLOCKED = "blocked"
    DOWN = "down"
    INSUFFICIENT = "insufficient"


class Evidence(StrEnum):
    """How far a verdict stands by itself."""

    NONE = "none"
    WEAK = "weak"
    STRONG = "strong"
    CONCLUSIVE = "conclusive"


EVIDENCE_ORDER = {grade: rank for rank, grade in enumerate(Evidence)}
"""Rank of each grade, weakest first."""


class VantageState(StrEnum):
    """The health of the vantage itself; anything but ok and lossy mutes accusations."""

    OK = "ok"
    LOSSY = "lossy"
    """References work at times: timeouts prove nothing here."""
    OFFLINE = "offline"
    CAPTIVE_PORTAL = "captive_portal"
    INTERNATIONAL_CUT = "international_cut"
    """Foreign references are lost while domestic ones answer."""
    UNKNOWN = "unknown"
    """No reference was looked at, only cleartext ones answer, or the clock is days off."""


class VantageHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What the references told about one vantage in one cycle."""

    vantage: str
    country: str
    asn: int = 0
    network: str = ""
    vantage_role: str = "field"
    state: VantageState
    rule_id: str
    references_ok: int
    references_total: int
    timeout_rate: float
    """Chance (0–1) that one look from here times out though nothing is blocked, estimated from
    the references; never 0, since a few successes prove little."""
    families: tuple[str, ...]
    """Address families (`ipv4`, `ipv6`) over which a reference answered; empty when unknown."""
    clock_skew: float | None = None
    """Seconds by which the vantage's clock is ahead (negative: behind), to about a second; None
    when no server told."""
    stub_resolver: bool = False
    """Only a local forwarder could be asked for names, which hides injected answers."""
    nat64: tuple[str, ...] = ()
    """Prefixes in CIDR notation under which the network translates IPv6 to IPv4; `withheld` stands
    for one that would show the vantage's own network."""
    exit_country: str = ""
    """Country its packets come out in, when that is not where it should be; else empty."""
    exit_asn: int = 0
    """AS number of the network they come out of, when that is not the one configured; else 0."""
    at: datetime
    """UTC; when the last reference look ended."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the looks at one endpoint in one cycle mean next to their control."""

    measurement: str
    """Id of the measurement that decided; empty when nothing was measured."""
    controls: tuple[str, ...] = ()
    """Ids of the control measurements it was judged against."""
    cycle: str
    vantage: str
    country: str
    asn: int
    network: str
    vantage_role: str
    platform: str
    role: str
    endpoint: str
    state: State
    method: str = ""
    """dns, tcp, tls, http, quic, udp, throttling, shutdown; empty when nothing is accused."""
    sub_method: str = ""
    """nxdomain, bogon, reset, timeout, certificate, blockpage, …"""
    family: str = ""
    """`ipv4` or `ipv6` when only that family is affected."""
    rule_id: str
    evidence: Evidence = Evidence.NONE
    llr: float = 0.0
    """Natural-log likelihood ratio, blocked against not blocked, that this verdict contributes."""
    failures: dict[str, str] = {}
    """Layer → failure string of the decisive look."""
    judged_at: datetime
    """UTC."""
    rules_version: str

    @property
    def only_quic(self) -> bool:
        """Whether nothing but QUIC is blocked: people's programs fall back to TCP, which works."""
        return self.state is State.BLOCKED and self.method == "quic"


class RoleVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one role of a platform at one vantage."""

    role: str
    core: bool
    state: State
    method: str = ""
    sub_method: str = ""
    evidence: Evidence = Evidence.NONE


class PlatformVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Roles rolled up: one platform, one vantage, one cycle."""

    cycle: str
    vantage: str
    country: str
    asn: int
    network: str
    vantage_role: str
    platform: str
    state: State
    method: str = ""
    sub_method: str = ""
    rule_id: str
    """Of the endpoint verdict that decided."""
    evidence: Evidence = Evidence.NONE
    llr: float = 0.0
    roles: tuple[RoleVerdict, ...]
    measurement: str = ""
    """Id of the deciding measurement."""
    started_at: datetime
    """UTC; when the first look of this platform in the cycle began."""
    judged_at: datetime
    rules_version: str
