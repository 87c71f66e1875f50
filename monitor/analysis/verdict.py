"""The values of judgement: states, evidence grades, and the verdicts and vantage health that carry
them."""

from datetime import datetime
from enum import StrEnum

import msgspec


class State(StrEnum):
    """What a measurement means next to its control. No data is never ok."""

    OK = "ok"
    DEGRADED = "degraded"
    """Platforms: the core functions work, but another function is blocked or slow, or QUIC is
    blocked. Functions: they work, but not over QUIC, or not for everybody: one of several groups of
    their endpoints is blocked or slow. Never an endpoint's state."""
    PARTIAL = "partial"
    """It works for some and fails for others: over one address family, at a share of its addresses,
    or for a share of its connections."""
    THROTTLED = "throttled"
    BLOCKED = "blocked"
    DOWN = "down"
    INSUFFICIENT = "insufficient"


ACCUSED = (State.BLOCKED, State.THROTTLED, State.PARTIAL, State.DEGRADED)
"""States that show a block, or a part of one."""


class Evidence(StrEnum):
    """How well a verdict is supported."""

    NONE = "none"
    WEAK = "weak"
    STRONG = "strong"
    CONCLUSIVE = "conclusive"


EVIDENCE_ORDER = {grade: rank for rank, grade in enumerate(Evidence)}
"""Rank of each grade, weakest first."""


class TableRule(msgspec.Struct, frozen=True, kw_only=True):
    """One row of an ordered table of rules, of which the first match wins."""

    id: str
    meaning: str
    """One sentence for readers who do not program."""
    wrong_when: str
    """What would make the rule wrong."""
    sub_method: str = ""
    grade_ceiling: Evidence = Evidence.NONE
    """The best grade this rule can give. The measurements decide the grade of a verdict."""


class VantageState(StrEnum):
    """The health of the vantage itself. Only ok and lossy vantages accuse."""

    OK = "ok"
    LOSSY = "lossy"
    """References fail at times: timeouts prove nothing here."""
    OFFLINE = "offline"
    CAPTIVE_PORTAL = "captive_portal"
    INTERNATIONAL_CUT = "international_cut"
    """Foreign references fail while domestic ones answer."""
    ALLOWLIST = "allowlist"
    """Most foreign references fail while some sites answer: only a list of sites passes."""
    UNKNOWN = "unknown"
    """No reference was measured, only cleartext ones answer, or the clock is days off."""


class VantageHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The health of one vantage in one cycle, from its references."""

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
    """Chance (0–1) that one measurement times out with nothing blocked, estimated from the
    references; never 0, since a few successes prove little."""
    families: tuple[str, ...]
    """Address families (`ipv4`, `ipv6`) over which a reference answered; empty when unknown."""
    clock_skew: float | None = None
    """Seconds by which the vantage's clock is ahead (negative: behind), accurate to about a second;
    None when no server sent the time."""
    stub_resolver: bool = False
    """Only a local DNS forwarder could be used, which hides injected answers."""
    nat64: tuple[str, ...] = ()
    """Prefixes in CIDR notation under which the network translates IPv6 to IPv4; `withheld`
    replaces one that would show the vantage's own network."""
    passing: tuple[str, ...] = ()
    """Hosts that answer where only a list of sites passes; of many only the first."""
    exit_country: str = ""
    """Country from which its traffic leaves, when that is not the configured one; else empty."""
    exit_asn: int = 0
    """AS number of the network from which its traffic leaves, when that is not the configured one;
    else 0."""
    at: datetime
    """UTC; when the last reference measurement ended."""
    measured_at: datetime | None = None
    """UTC; when the first reference measurement began; None when none was made, and in old rows,
    which lack it."""

    @property
    def since(self) -> datetime:
        """A moment before which no reference measurement began."""
        return self.measured_at or self.at


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one endpoint in one cycle."""

    measurement: str
    """Id of the deciding measurement; empty when nothing was measured."""
    controls: tuple[str, ...] = ()
    """Ids of the control measurements used."""
    cycle: str
    vantage: str
    country: str
    asn: int
    network: str
    vantage_role: str
    platform: str
    function: str
    endpoint: str
    state: State
    method: str = ""
    """dns, tcp, tls, http, quic, udp, throttling, shutdown; empty when nothing is accused."""
    sub_method: str = ""
    """nxdomain, bogon, reset, timeout, certificate, blockpage, …"""
    family: str = ""
    """`ipv4` or `ipv6` when only that family is affected."""
    share: float | None = None
    """Share (0–1) of the connections, or of the addresses, that failed, when only a part did; None
    else, and where it was not counted."""
    rule_id: str
    evidence: Evidence = Evidence.NONE
    llr: float = 0.0
    """Natural-log likelihood ratio of this verdict, blocked against not blocked."""
    failures: dict[str, str] = {}
    """Layer → failure string of the deciding measurement."""
    judged_at: datetime
    """UTC."""
    rules_version: str
    measured_at: datetime | None = None
    """UTC; when the first of the attempts that decided began: the one that worked, or those that
    failed last. None when nothing was measured, and in old rows, which lack it."""
    measured_until: datetime | None = None
    """UTC; when the last of these attempts ended."""

    @property
    def spares_browsers(self) -> bool:
        """Whether only QUIC is blocked, so that programs fall back to TCP, or only short TLS
        greetings are, which browsers do not send."""
        return self.state is State.BLOCKED and _spares_browsers(self)


class FunctionVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one function of a platform at one vantage."""

    function: str
    core: bool
    state: State
    method: str = ""
    sub_method: str = ""
    evidence: Evidence = Evidence.NONE
    tested: tuple[str, ...] = ()
    """What else of it works that not every cycle tests: `quic`, `throttling` (its speed), `hello`
    (another form of greeting than the usual one; where a form is cut off, that it is that one)."""
    groups: tuple[str, ...] = ()
    """Its groups (data centres) that are blocked or slow, where others are not."""
    accused: tuple[str, ...] = ()
    """Ids of its endpoints that are blocked or slow, whatever the function's own state; of many
    only the first `MOST_NAMED`."""
    stalled_after: int = 0
    """Bytes that a connection carries before its transfers stall; 0 where they do not."""
    others_silent: bool = False
    """It is blocked or slow, and in the same cycle addresses of platforms of different owners were
    silent together."""
    measurement: str = ""
    """Id of the measurement that decided it, where it is blocked or slow while the platform itself
    is undecided or down, or accused by weak evidence alone; else empty."""

    @property
    def names(self) -> tuple[str, ...]:
        """The function by name, or `function:group` for each group where only some are affected."""
        return tuple(f"{self.function}:{group}" for group in self.groups) or (self.function,)


def _spares_browsers(one: Verdict | FunctionVerdict) -> bool:
    return one.method == "quic" or one.sub_method == "short_hello"


# As many are kept as a fleet has vantages and platforms, and none is part of a circle.
class PlatformVerdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The verdict on one platform at one vantage in one cycle."""

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
    """Of the deciding endpoint verdict."""
    evidence: Evidence = Evidence.NONE
    llr: float = 0.0
    family: str = ""
    """`ipv4` or `ipv6` when the state is partial and only that family is affected."""
    share: float | None = None
    """Share (0–1) of the connections, or of the addresses, that failed, when the state is partial;
    None else, and where it was not counted."""
    functions: tuple[FunctionVerdict, ...]
    measurement: str = ""
    """Id of the deciding measurement."""
    started_at: datetime
    """UTC; when the first measurement of this platform in the cycle began."""
    judged_at: datetime
    rules_version: str
    measured_at: datetime | None = None
    """UTC; when the first of the attempts that decided began. The state held at some moment from
    then to `measured_until`. None when nothing was measured, and in old rows, which lack it."""
    measured_until: datetime | None = None
    """UTC; when the last of these attempts ended."""

    @property
    def since(self) -> datetime:
        """A moment at or before which none of the deciding attempts began."""
        return self.measured_at or self.started_at

    @property
    def until(self) -> datetime:
        """A moment by which all deciding attempts had ended."""
        return self.measured_until or self.judged_at

    @property
    def blocked_all_the_same(self) -> tuple[FunctionVerdict, ...]:
        """Its functions that are blocked or slow by evidence that counts, while it is undecided or
        down; the best known first, and QUIC last. While it is down, less than conclusive evidence
        may show the same outage."""
        if self.state not in (State.INSUFFICIENT, State.DOWN):
            return ()
        return self._known_to_fail(down=self.state is State.DOWN)

    @property
    def fails_for_certain(self) -> tuple[FunctionVerdict, ...]:
        """`blocked_all_the_same`; while weak evidence alone says that a core function is blocked,
        slow or fails in part, those others that people notice and that are known better."""
        if self.state is State.DEGRADED or self.state not in ACCUSED:
            return self.blocked_all_the_same
        if self.evidence is not Evidence.WEAK:
            return ()
        down = any(one.core and one.state is State.DOWN for one in self.functions)
        known = self._known_to_fail(down=down)
        return tuple(one for one in known if not _spares_browsers(one))

    def _known_to_fail(self, *, down: bool) -> tuple[FunctionVerdict, ...]:
        """The functions with a measurement of their own that are blocked or slow by evidence that
        counts where a core function is `down`, or none is."""
        least = Evidence.CONCLUSIVE if down else Evidence.STRONG
        found = (
            one
            for one in self.functions
            if one.measurement
            and one.state in ACCUSED
            and EVIDENCE_ORDER[one.evidence] >= EVIDENCE_ORDER[least]
        )
        return tuple(
            sorted(found, key=lambda one: (one.method == "quic", -EVIDENCE_ORDER[one.evidence]))
        )
