"""What a collector answers, and what an agent may ask for besides handing in batches.

    POST /agent/v1/batches    a Batch            → Receipt
    POST /agent/v1/controls   a ControlRequest   → ControlAnswer: the endpoint from controls, now
    GET  /agent/v1/settings                      → AgentSettings
    GET  /agent/v1/time                          → Moment; the one request that need not be signed

Answers of 2xx carry the collectors' signature in the header `shutwatch-signature`, over the id of
the request and the body. A refusal is a Refusal, with a status that fits its reason.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from monitor.analysis.verdict import VantageHealth
from probes.measurement import Measurement
from probes.target import Reduction, Target

BATCHES, CONTROLS = "/agent/v1/batches", "/agent/v1/controls"
SETTINGS, TIME = "/agent/v1/settings", "/agent/v1/time"

AGE_LIMIT = 300.0
"""Seconds by which the time of sending may differ from the collector's clock, either way."""


class Reason(StrEnum):
    """Why a request was refused: the whole list, and the label of the metric that counts them."""

    UNKNOWN_KEY = "unknown_key"
    """No vantage of that name was enrolled, or with another key."""
    REVOKED_KEY = "revoked_key"
    BAD_SIGNATURE = "bad_signature"
    STALE = "stale"
    """Sent too long ago, by its own word."""
    FUTURE = "future"
    """Sent later than now, or about what is yet to come."""
    REPLAY = "replay"
    """The id of a batch that is stored, with another body."""
    OTHER_VANTAGE = "other_vantage"
    """It speaks for a vantage that is not the sender's, or describes its own wrongly."""
    OVERSIZE = "oversize"
    MALFORMED = "malformed"
    TOO_OLD = "too_old"
    """About what is older than anything that is kept."""
    TOO_FAST = "too_fast"
    """More than a vantage may send; `Retry-After` says when to go on."""
    BUSY = "busy"
    """The collector has too much to do; `Retry-After` says when to try again."""
    STORAGE = "storage"
    """The database cannot take it now. Nothing was stored; try again."""


STATUS = {
    Reason.UNKNOWN_KEY: 401,
    Reason.REVOKED_KEY: 401,
    Reason.BAD_SIGNATURE: 401,
    Reason.STALE: 425,
    Reason.FUTURE: 422,
    Reason.REPLAY: 409,
    Reason.OTHER_VANTAGE: 403,
    Reason.OVERSIZE: 413,
    Reason.MALFORMED: 400,
    Reason.TOO_OLD: 422,
    Reason.TOO_FAST: 429,
    Reason.BUSY: 429,
    Reason.STORAGE: 503,
}
"""HTTP status of each."""
FOR_GOOD = frozenset(
    {
        Reason.REPLAY,
        Reason.OTHER_VANTAGE,
        Reason.OVERSIZE,
        Reason.MALFORMED,
        Reason.TOO_OLD,
    }
)
"""Refused again however often it is sent: the agent puts such a batch aside and goes on."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why not. Nothing of the request was stored."""

    reason: Reason
    detail: str
    """For the agent's host: what was wrong with it, and where."""
    at: datetime
    """UTC, by the collector's clock."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What time it is."""

    at: datetime
    """UTC, by the collector's clock."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A batch is on disk at the collectors': the agent may forget it."""

    batch: str
    known: bool
    """It had been stored before."""
    at: datetime
    """UTC, by the collector's clock."""
    settings: str
    """Version of the newest settings; another one than the agent has means: fetch them."""


class ControlRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Look at this from the controls, now: it just failed here."""

    cycle: str
    target: Target | None = None
    """None asks only how the controls themselves are."""
    quic: bool = False
    reduction: Reduction | None = None
    health: bool = False
    """Whether to ask the controls' references, too."""


class ControlState(msgspec.Struct, frozen=True, kw_only=True):
    """How one control is."""

    health: VantageHealth
    looks: tuple[Measurement, ...]
    """At references."""


class ControlAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What controls saw, begun after the request came. The collector has stored it already."""

    at: datetime
    """UTC, by the collector's clock, which is also the one of the measurements."""
    looks: tuple[Measurement, ...] = ()
    checks: tuple[ControlState, ...] = ()


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a collector tells an agent to do. It can make the agent look less or at other things;
    never more than the agent's own file allows."""

    version: str
    """Digest of everything else in here, but for `issued_at` and `known`."""
    issued_at: datetime
    """UTC, by the collector's clock; an agent takes no older ones than it has."""
    interval: float
    """Seconds between two cycles."""
    platforms: tuple[str, ...]
    """Names of those to watch."""
    catalog: str = ""
    """TOML of the operator's own catalogue file, which adds to the shipped one."""
    daily_bytes: int
    """Limit of traffic; the lower of this and the agent's own counts."""
    paused: bool = False
    """Look at nothing until told otherwise."""
    known: tuple[Measurement, ...] = ()
    """The newest look of a control at each endpoint: whether it worked elsewhere, and with which
    addresses. It decides what is worth asking when no control can be reached; as a control of a
    failure it is worth nothing, being older."""
