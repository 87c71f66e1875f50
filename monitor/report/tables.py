"""Times in tables whose header says UTC, and which stretches and events they show."""

from collections.abc import Sequence
from datetime import UTC, datetime

from monitor.analysis.events.event import Stretch
from monitor.wording.words import Words

MOST_STRETCHES = 4
"""Shown of one network, or of one event."""


def short(words: Words, moment: datetime | None) -> str:
    """`2024-02-17 18:12:05`; empty for none.

    Between letters that run from right to left, hyphens would turn the date around; slashes do not
    (Unicode's bidirectional algorithm, rule W4).
    """
    if moment is None:
        return ""
    day = "%Y/%m/%d" if words.language.direction == "rtl" else "%Y-%m-%d"
    return f"{moment.astimezone(UTC):{day} %H:%M:%S}"


def short_span(
    words: Words, start: datetime | None, end: datetime | None, without: tuple[str, str]
) -> str:
    """Two moments, the day once; `without` stands for one that is not known."""
    first, second = short(words, start), short(words, end)
    if first and second and first[:10] == second[:10]:
        second = second[11:]
    return f"{first or without[0]} – {second or without[1]}"


def with_omitted(words: Words, caption: str, omitted: int) -> str:
    """The caption of a table of events, which says how many it leaves out."""
    if not omitted:
        return caption
    more = words.ngettext(
        "%(n)s more event is only in %(file)s.",
        "%(n)s more events are only in %(file)s.",
        omitted,
        file="data/events.csv",
    )
    return f"{caption} {more}"


def some_stretches(every: Sequence[Stretch]) -> list[tuple[int, Stretch]]:
    """Stretches with their numbers, from 1: of many the first and the last ones."""
    numbered = list(enumerate(every, 1))
    if len(numbered) <= MOST_STRETCHES:
        return numbered
    return [numbered[0], *numbered[1 - MOST_STRETCHES :]]
