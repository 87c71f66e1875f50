"""What others measured while an event lasted, in the API's answers about events.

It stands beside the rows and is in no file: what the sources license is theirs.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from monitor.analysis.events.event import Event
from monitor.analysis.second_witness import (
    AnyWitness,
    OpinionKind,
    OutsideWitness,
    Position,
    grade_of,
)
from monitor.analysis.verdict import Evidence
from monitor.sources.terms import SourceKind
from monitor.sources.witnesses import witnesses_of
from monitor.wording.sources import opinion_line, witness_line
from monitor.wording.words import words_in
from storage.store import Store

MOST_EVENTS = 50
"""Events of a page up to which it has them: each costs a few questions to the database."""

_TEXT: dict[str, Any] = {"type": "string"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_WITNESS: dict[str, Any] = {
    "type": "object",
    "required": ["event_id", "source", "position", "evidence", "text", "credit", "url"],
    "properties": {
        "event_id": {**_TEXT, "description": "The event, of this page."},
        "source": {**_TEXT, "enum": [str(kind) for kind in SourceKind]},
        "position": {
            **_TEXT,
            "enum": [str(one) for one in Position],
            "description": "How the source stands to the event, which it never changes.",
        },
        "evidence": {**_TEXT, "enum": [str(one) for one in Evidence]},
        "tests": {
            **_COUNT,
            "description": "Tests of the platform in the country in that time; absent where the "
            "source was not read.",
        },
        "failed": {**_COUNT, "description": "Those that failed."},
        "networks": {
            "type": "array",
            "description": "The same on each network that the event affects.",
            "items": {
                "type": "object",
                "required": ["asn", "tests", "failed"],
                "properties": {"asn": _COUNT, "tests": _COUNT, "failed": _COUNT},
            },
        },
        "opinions": {
            "type": "array",
            "description": (
                "What the source's own programs made of its tests: annotations, no witness more."
            ),
            "items": {
                "type": "object",
                "required": ["asn", "kind", "at", "sign", "text"],
                "properties": {
                    "asn": _COUNT,
                    "kind": {**_TEXT, "enum": [str(one) for one in OpinionKind]},
                    "at": {**_TEXT, "description": "UTC; when it noticed, not when it happened."},
                    "sign": {**_TEXT, "description": "A layer or a failure, in its own words."},
                    "score": {"type": "number", "minimum": 0, "maximum": 1},
                    "tests": _COUNT,
                    "text": _TEXT,
                },
            },
        },
        "text": {**_TEXT, "description": "The same in a sentence, as pages and messages have it."},
        "credit": {**_TEXT, "description": "The attribution to show with it."},
        "url": {**_TEXT, "description": "Where people can read the source's data."},
    },
}
SCHEMA: dict[str, Any] = {
    "type": ["array", "null"],
    "description": (
        "What sources of others' measurements have of these events; they agree or are silent, and "
        f"acquit nobody. Null on a page of more than {MOST_EVENTS} events: ask for fewer."
    ),
    "items": _WITNESS,
}


async def witnesses_shown(
    store: Store, events: Iterable[Event], now: datetime
) -> list[dict[str, Any]] | None:
    """The witnesses of these events, in their order, as of now (UTC); None where there are too many
    events. Raises StorageError."""
    several = list(events)
    if len(several) > MOST_EVENTS:
        return None
    found = await witnesses_of(store, several, now)
    return [_shown(event, one) for event in several for one in found[event.id]]


def _shown(event: Event, one: AnyWitness) -> dict[str, Any]:
    counted = {}
    if not isinstance(one, OutsideWitness) and one.position is not Position.NOT_READ:
        affected = [asn for asn in event.networks_affected if asn]
        counted = {
            "tests": one.total,
            "failed": one.failed,
            "networks": [
                {"asn": own.asn, "tests": own.total, "failed": own.failed}
                for own in one.on(affected)
            ],
            "opinions": [
                {
                    "asn": found.asn,
                    "kind": found.kind,
                    "at": found.at,
                    "sign": found.sign,
                    **(
                        {"score": found.score, "tests": found.tests}
                        if found.kind is OpinionKind.SCORE
                        else {}
                    ),
                    "text": opinion_line(words_in(), found),
                }
                for found in one.opinions
            ],
        }
    return {
        "event_id": event.id,
        "source": one.source,
        "position": one.position,
        "evidence": grade_of(one),
        **counted,
        "text": witness_line(words_in(), one),
        "credit": one.credit,
        "url": one.home,
    }
