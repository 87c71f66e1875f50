"""How much of a source's quota may be used, and for what."""

from datetime import datetime

import msgspec

from storage.values.sourced import SourceState

_KEPT_FOR_LISTS = 0.2
"""Share of the budget, and of what the source has left, that single measurements do not use."""


def charged(state: SourceState, units: int, now: datetime) -> SourceState:
    """The state after a request that took so many units."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    used = state.units if state.hour == hour else 0
    return msgspec.structs.replace(
        state,
        hour=hour,
        units=used + units,
        requests=state.requests + 1,
        polled_at=now,
    )


def may_list(state: SourceState, budget: int, units: int, now: datetime) -> bool:
    """Whether the budget of this hour has room for a list that takes so many units."""
    return _used(state, now) + units <= budget


def may_judge(state: SourceState, budget: int, units: int, most: int, now: datetime) -> bool:
    """Whether there is room for a single measurement beside the lists to come. `most` is the
    largest rest of the source's quota that was seen."""
    if state.remaining is not None and state.remaining < most * _KEPT_FOR_LISTS:
        return False
    return _used(state, now) + units <= budget * (1 - _KEPT_FOR_LISTS)


def _used(state: SourceState, now: datetime) -> int:
    hour = now.replace(minute=0, second=0, microsecond=0)
    return state.units if state.hour == hour else 0
