"""The coverage of stored data, as commands and the API give it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from monitor.analysis.coverage import Coverage, coverage_of
from monitor.wording.coverage import coverage_headline
from monitor.wording.words import words_in
from storage.store import Store
from storage.values.selection import Selection


async def stored_coverage(
    store: Store, selection: Selection, interval: float, now: datetime
) -> Coverage:
    """The coverage of what a selection selects, up to now; `interval` is the seconds between two
    cycles, 0 where it is not known. Raises StorageError."""
    until = min(selection.until or now, now)
    return coverage_of(await store.tallies(selection), selection.since, until, interval)


def coverage_object(coverage: Coverage, *, any_event: bool) -> dict[str, Any]:
    """A coverage as a JSON object; with `any_event` it says nothing of a time without one."""
    return {
        "statement": None if any_event else coverage_headline(words_in(), coverage),
        "cycles": coverage.cycles,
        "decided": coverage.decided,
        "signs": coverage.signs,
        "undecided": dict(coverage.undecided),
        "not_measured": coverage.not_measured,
        "networks": [
            {
                "country": network[0],
                "asn": network[1],
                "network": network[2],
                "cycles": part.cycles,
                "decided": part.decided,
                "undecided": dict(part.undecided),
            }
            for network in coverage.networks
            for part in [coverage.of(network)]
        ],
    }


_COUNT = {"type": "integer", "minimum": 0}
_CAUSES = {
    "type": "object",
    "description": "Undecided verdicts by cause; a cause without one is absent.",
    "additionalProperties": _COUNT,
}
_COUNTS = {
    "cycles": {
        **_COUNT,
        "description": "Verdicts of field vantages: one for each platform, vantage and cycle.",
    },
    "decided": {**_COUNT, "description": "Those that say something."},
    "undecided": _CAUSES,
}
_TEXT = {"type": "string"}
SCHEMA: Mapping[str, Any] = {
    "type": ["object", "null"],
    "description": "How much of the time and place selected was decided, whatever events there are;"
    " null with `event` or `state`, and on all pages but the first.",
    "required": ["statement", *_COUNTS, "signs", "not_measured", "networks"],
    "properties": {
        "statement": {
            "type": ["string", "null"],
            "description": "What it means that there is no event, in English; null where there is "
            "one.",
        },
        **_COUNTS,
        "signs": {
            **_COUNT,
            "description": "Decided verdicts of blocked, throttled, partial or degraded.",
        },
        "not_measured": {
            "type": ["integer", "null"],
            "description": "About how many more there would be without gaps; null where `since` is "
            "missing.",
        },
        "networks": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["country", "asn", "network", *_COUNTS],
                "properties": {
                    "country": _TEXT,
                    "asn": {"type": "integer"},
                    "network": _TEXT,
                    **_COUNTS,
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
"""JSON Schema of `coverage_object`, or null."""
