"""The agents' requests other than batches, and the collector's answers.

    POST /agent/v1/batches    a Batch            → Receipt
    POST /agent/v1/controls   a ControlRequest   → ControlAnswer: measured by controls, now
    GET  /agent/v1/settings                      → AgentSettings
    GET  /agent/v1/known                         → KnownControls: what controls measured last
    POST /agent/v1/enrolment                     → Moment: the key is enrolled, by an invitation
    GET  /agent/v1/time                          → Moment; the only request that may be unsigned

Answers of 2xx carry the collectors' signature in the header `shutwatch-signature`, over the id of
the request and the body. A refusal is a Refusal, with the status of its reason; the one that a
key was revoked is signed in the same way, since the agent ends for good on it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from monitor.analysis.verdict import VantageHealth
from monitor.wire.catalog_proof import CatalogProof
from probes.measurement import Measurement
from probes.target import Reduction, Target

BATCHES, CONTROLS = "/agent/v1/batches", "/agent/v1/controls"
SETTINGS, KNOWN, TIME = "/agent/v1/settings", "/agent/v1/known", "/agent/v1/time"
ENROLMENT = "/agent/v1/enrolment"

AGE_LIMIT = 300.0
"""Seconds that the time of sending may be before or after the collector's clock."""
LARGEST_ANSWER = 8 * 2**20
"""The most bytes that an agent reads of an answer."""


class Reason(StrEnum):
    """Why a request was refused; also the label of the metric that counts refusals."""

    UNKNOWN_KEY = "unknown_key"
    """No vantage of that name is enrolled, or another key is."""
    REVOKED_KEY = "revoked_key"
    INVITATION = "invitation"
    """It names no invitation that is open: unknown, used, expired or withdrawn."""
    BAD_SIGNATURE = "bad_signature"
    STALE = "stale"
    """Its time of sending is too long ago."""
    FUTURE = "future"
    """Its time of sending, or a time in it, is in the future."""
    REPLAY = "replay"
    """It has the id of a stored batch, and another body; or it is a question that was answered
    before."""
    OTHER_VANTAGE = "other_vantage"
    """It is about a vantage that is not the sender's, or describes the sender's wrongly."""
    OVERSIZE = "oversize"
    MALFORMED = "malformed"
    NEWER = "newer"
    """It has a format that only a newer collector reads; an update of this one is due."""
    TOO_OLD = "too_old"
    """It is about a time whose data is no longer kept."""
    TOO_FAST = "too_fast"
    """The vantage is over its limit; `Retry-After` says when to go on."""
    BUSY = "busy"
    """The collector is overloaded; `Retry-After` says when to try again."""
    STORAGE = "storage"
    """The database cannot store it now. Nothing was stored; try again."""


STATUS = {
    Reason.UNKNOWN_KEY: 401,
    Reason.REVOKED_KEY: 401,
    Reason.INVITATION: 403,
    Reason.BAD_SIGNATURE: 401,
    Reason.STALE: 425,
    Reason.FUTURE: 422,
    Reason.REPLAY: 409,
    Reason.OTHER_VANTAGE: 403,
    Reason.OVERSIZE: 413,
    Reason.MALFORMED: 400,
    Reason.NEWER: 422,
    Reason.TOO_OLD: 422,
    Reason.TOO_FAST: 429,
    Reason.BUSY: 429,
    Reason.STORAGE: 503,
}
"""HTTP status of each reason."""
FOR_GOOD = frozenset(
    {
        Reason.REPLAY,
        Reason.OTHER_VANTAGE,
        Reason.OVERSIZE,
        Reason.MALFORMED,
    }
)
"""Sending such a batch again does not help: the agent sets it aside and goes on. `FUTURE` and
`TOO_OLD` may be the fault of a collector's clock, so the agent tries for a while first."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request was refused. Nothing of it was stored."""

    reason: Reason
    detail: str
    """For the agent's host: what is wrong, and where."""
    at: datetime
    """UTC, by the collector's clock."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The collector's time."""

    at: datetime
    """UTC, by the collector's clock."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The collectors have stored a batch, so the agent may delete it."""

    batch: str
    known: bool
    """Whether it was stored before."""
    at: datetime
    """UTC, by the collector's clock."""
    settings: str
    """Version of the newest settings; an agent with another version fetches them."""


class ControlRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request to measure an endpoint from the controls now, because it just failed here."""

    cycle: str
    target: Target | None = None
    """None asks for the controls' health only."""
    speed: bool = False
    """Whether to fetch it, to measure its speed, in place of testing it."""
    quic: bool = False
    reduction: Reduction | None = None
    health: bool = False
    """Whether to measure the controls' references too."""


class ControlState(msgspec.Struct, frozen=True, kw_only=True, rename={"measurements": "looks"}):
    """The health of one control."""

    health: VantageHealth
    measurements: tuple[Measurement, ...]
    """Of references: they show the health."""


class ControlAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The controls' measurements, started after the request, and already stored."""

    at: datetime
    """UTC, by the collector's clock, as are the times of the measurements."""
    looks: tuple[Measurement, ...] = ()
    checks: tuple[ControlState, ...] = ()


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The settings that a collector gives an agent. They can make the agent measure less, or choose
    among what it ships and its host allows, but never more than the agent's own file says."""

    version: str
    """Digest of all other fields except `issued_at`."""
    issued_at: Annotated[datetime, msgspec.Meta(tz=True)]
    """UTC, by the collector's clock; an agent ignores settings older than its own."""
    interval: float
    """Seconds between two cycles."""
    platforms: tuple[str, ...]
    """Names of the platforms to measure."""
    catalog: str = ""
    """TOML of the operator's own catalogue file, which adds to the shipped one. An agent uses of it
    what its host allows: see `monitor.agent.ordered_catalog`."""
    catalog_proof: CatalogProof | None = None
    """The signatures of the catalogue, from an offline key down; None for none."""
    daily_bytes: int
    """Limit of traffic per day; the lower of this and the agent's own limit holds."""
    paused: bool = False
    """Measure nothing until settings say otherwise."""


class KnownControls(msgspec.Struct, frozen=True, kw_only=True):
    """What controls measured last. An agent keeps it in memory alone: it names addresses."""

    looks: tuple[Measurement, ...]
    """The newest control measurement of each endpoint. It tells which follow-ups make sense when no
    control can be reached. It cannot be the control of a failure, since it is older."""
