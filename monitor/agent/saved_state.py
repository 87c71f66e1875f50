"""What an agent remembers beside what waits: for its next start, and for `agent status`."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

ANCHOR, RECEIPT, TROUBLE, LAST_CYCLE, TRAFFIC = "anchor", "receipt", "trouble", "cycle", "traffic"
"""Names of notes in the spool: `monitor.agent.collector_clock.Anchor`, and what is below."""


class LastReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """The newest acknowledgement."""

    batch: str
    at: datetime
    """UTC, by the collector's clock."""
    measurements: int


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong last; empty once it went well again."""

    what: str
    at: datetime
    """UTC, by the agent's own clock."""


class LastCycle(msgspec.Struct, frozen=True, kw_only=True):
    """The newest cycle."""

    at: datetime
    """UTC, by the agent's own clock; when it ended."""
    health: str
    looks: int


class TrafficOfDay(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one day."""

    day: date
    """UTC, by the agent's own clock."""
    looks: Mapping[str, int]
    """By purse."""
    uploaded: int
    """On top, to and from collectors."""


def recalled(notes: Mapping[str, str], name: str, kind: type[T]) -> T | None:
    """A note; None where there is none, or one that this version cannot read."""
    with suppress(KeyError, msgspec.DecodeError):
        return msgspec.json.decode(notes[name], type=kind)
    return None
