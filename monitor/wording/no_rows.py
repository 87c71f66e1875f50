"""Why a file or an answer has no rows, in a sentence."""

from collections.abc import Mapping
from enum import StrEnum

from monitor.wording.languages import N_
from monitor.wording.words import Words


class NoRows(StrEnum):
    """Why there are none."""

    NOTHING = "nothing"
    """None of this kind is stored at all."""
    ELSEWHERE = "elsewhere"
    """Some are stored, but none of what was asked for but the time."""
    ANOTHER_TIME = "another_time"
    NOT_YET = "not_yet"
    """As `ANOTHER_TIME`, for readers who see measurements late."""
    DELETED = "deleted"
    EXTRA = "extra"
    """Availability counts no extra cycles, and there were no others."""
    NO_EVENT = "no_event"
    UNSIGNED = "unsigned"


_SENTENCES: Mapping[NoRows, str] = {
    NoRows.NOTHING: N_("No rows, because nothing of this kind is stored."),
    NoRows.ELSEWHERE: N_(
        "No rows, because nothing of this kind is stored for what was asked for, at any time."
    ),
    NoRows.ANOTHER_TIME: N_("No rows, because nothing of this kind is stored for this time."),
    NoRows.NOT_YET: N_(
        "No rows, because nothing of this kind is stored for this time, or it is not public yet."
    ),
    NoRows.DELETED: N_(
        "No rows, because those of this time were deleted after the time that they are kept."
    ),
    NoRows.EXTRA: N_(
        "No rows, because only extra cycles ran in this time, which availability does not count."
    ),
    NoRows.NO_EVENT: N_("No rows, because no event is recorded for this time."),
    NoRows.UNSIGNED: N_("No rows, because no agent signed what is enclosed."),
}


def no_rows_text(words: Words, why: NoRows) -> str:
    """The sentence."""
    return words.gettext(_SENTENCES[why])
