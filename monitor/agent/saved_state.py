"""What an agent stores in its spool besides cycles: for its next start, and for `agent status`."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

ANCHOR, RECEIPT, TROUBLE, LAST_CYCLE, TRAFFIC = "anchor", "receipt", "trouble", "cycle", "traffic"
"""Names of notes in the spool: `monitor.agent.collector_clock.Anchor`, and the classes below."""
NETWORK = "network"
"""Another one: `monitor.agent.encrypted_memory`."""


class LastReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """The newest acknowledgement."""

    batch: str
    at: datetime
    """UTC, by the collector's clock."""
    measurements: int


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """The newest error; empty once all is well."""

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
    """Bytes of measurements, by allotment."""
    uploaded: int
    """Further bytes, to and from collectors."""


def as_note(value: msgspec.Struct | None) -> str:
    """The text of a note."""
    return msgspec.json.encode(value).decode()


def recalled(notes: Mapping[str, str], name: str, kind: type[T]) -> T | None:
    """A note; None where there is none, or where this version cannot read it."""
    with suppress(KeyError, msgspec.DecodeError):
        return msgspec.json.decode(notes[name], type=kind)
    return None
