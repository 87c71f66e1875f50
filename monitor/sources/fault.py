"""What goes wrong when a source is asked, and how long it is left alone then."""

from datetime import datetime, timedelta

import msgspec

from probes.layers.scrub import Scrubber
from storage.values.sourced import SourceState

_FIRST = {"limited": 300.0}
"""Seconds of the first wait; a window of quota needs minutes to move on."""
_FIRST_OTHERWISE = 60.0
_LONGEST = 3600.0
_LONGEST_ASKED = 6 * 3600.0
"""Seconds that a server may ask for, at most."""

_WITHOUT_ADDRESSES = Scrubber(())

FOR_EVER = ("refused", "malformed")
"""Problems with one question, where others are answered, that asking again does not mend."""


class SourceFault(Exception):  # noqa: N818 - the source's fault, seldom ours
    """A source that could not be read."""

    def __init__(self, problem: str, detail: str, *, wait: float | None = None) -> None:
        """`problem` as in `SourceState.problem`; `wait` is how many seconds the source asks to be
        left alone, if it says so. Of `detail` addresses are removed: a refusal may quote this
        machine's own, and ends in the log."""
        super().__init__(_WITHOUT_ADDRESSES.text(f"{problem}: {detail}"))
        self.problem = problem
        self.wait = wait


def after_fault(state: SourceState, fault: SourceFault, now: datetime) -> SourceState:
    """The state with a pause: each in a row is twice as long as the one before, up to an hour."""
    doubled = min(state.wait * 2, _LONGEST)
    wait = max(doubled, _FIRST.get(fault.problem, _FIRST_OTHERWISE))
    asked = min(fault.wait or 0.0, _LONGEST_ASKED)
    return msgspec.structs.replace(
        state,
        problem=fault.problem,
        wait=wait,
        not_before=now + timedelta(seconds=max(wait, asked)),
    )


def due(last: datetime | None, every: timedelta, now: datetime) -> bool:
    """Whether what was done last then is to be done again. A moment later than `now` is of a clock
    that was ahead."""
    return last is None or not last <= now < last + every


def left_alone(state: SourceState, now: datetime) -> bool:
    """Whether it is to be left alone at `now` (UTC). A longer pause than any that is given is of a
    clock that was ahead."""
    rest = state.not_before
    return rest is not None and now < rest <= now + timedelta(seconds=_LONGEST_ASKED)


def after_answer(state: SourceState) -> SourceState:
    """The state once everything could be read again."""
    return msgspec.structs.replace(state, problem="", wait=0.0, not_before=None)
