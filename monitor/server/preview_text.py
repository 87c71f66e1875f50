"""What others are shown of an event where its address is shared: the text of a picture, the tags in
the head of its page, and a line to copy.

It says what the page says, by the same functions, and never more than everybody may see. A preview
is kept for days by whoever shows it, so it carries the time that it is of.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec

from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.notify.names_without_markup import message_words
from monitor.server.feeds import changed_at, shared_sentence
from monitor.server.page import tag_colour
from monitor.wording.events import counted_networks, ending, founded, onset
from monitor.wording.grades import grade_in_words
from monitor.wording.languages import Language
from monitor.wording.networks import network_names
from monitor.wording.reviews import MARKS
from monitor.wording.states import EVENT_STATES, event_state_meaning, state_and_meaning
from monitor.wording.times import moment
from monitor.wording.words import Words
from storage.values.reviews import Mark, Review, deciding_review, rejected

SITE = "shutwatch"
WIDTH, HEIGHT = 1200, 630
"""Pixels of a picture, as services that show previews want them."""
NETWORKS_NAMED = 4
"""Of more networks the rest is counted."""


class Shape(StrEnum):
    """A mark that tells a state without colour."""

    BARRED = "barred"
    """A full disc with a bar: it is so."""
    ASKED = "asked"
    """A ring with a question mark: it may be so."""
    HALF = "half"
    """A disc half full: it seems over."""
    DASHED = "dashed"
    """A dashed ring: nobody sees it any more."""
    STOPPED = "stopped"
    """A ring with a square: it is over."""
    CROSSED = "crossed"
    """A ring with a cross: it was not so, or somebody rejects it."""


_SHAPES: Mapping[EventState, Shape] = {
    EventState.CONFIRMED: Shape.BARRED,
    EventState.SUSPECTED: Shape.ASKED,
    EventState.RECOVERING: Shape.HALF,
    EventState.UNOBSERVED: Shape.DASHED,
    EventState.ENDED: Shape.STOPPED,
    EventState.DISMISSED: Shape.CROSSED,
    EventState.WITHDRAWN: Shape.CROSSED,
}


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What everybody may be shown of one event, in one language. Equal ones look the same."""

    language: Language
    shape: Shape
    colour: str
    """`blocked`, `suspected` or `grey`, as a tag on the page has it."""
    tags: tuple[str, ...]
    """The state, then how sure it is; the mark stands in the first."""
    title: str
    """What happened where, as in the feed; of a rejected event that a person rejects it."""
    meaning: str
    """What the state means; empty where a person rejects it."""
    facts: tuple[tuple[str, str], ...]
    """Since when, until when and on which networks, each with its name."""
    draft: str
    """That nobody has reviewed the translation; else empty."""
    site: str
    """Name of the site, with its host where that is known."""
    as_of: str
    description: str
    """The same for services that show text."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that the picture says, in order."""
        facts = (text for fact in self.facts for text in fact)
        said = (*self.tags, self.title, self.meaning, *facts, self.draft, self.site, self.as_of)
        return tuple(filter(None, said))


def preview_of(
    language: Language,
    event: Event,
    titles: Mapping[str, str],
    reviews: Sequence[Review],
    public_url: str = "",
    *,
    continued: bool = False,
) -> Preview:
    """Of an event as everybody may see it, with its reviews, the oldest first; `continued`, where
    it goes on as another one."""
    words = message_words(language.code)
    crossed = rejected(reviews)
    meaning = "" if crossed else event_state_meaning(words, event)
    known = max(event.updated_at, changed_at(event))
    host = [words.ltr(urlsplit(public_url).netloc)] if public_url else []
    return Preview(
        language=language,
        shape=Shape.CROSSED if crossed else _shape(event),
        colour="grey" if crossed else tag_colour(event),
        tags=_tags(words, event, deciding_review(reviews)),
        title=shared_sentence(language, event, titles, reviews, continued=continued),
        meaning=meaning,
        facts=tuple(_facts(words, event)),
        draft=words.draft,
        site=words.dotted([SITE, *host]),
        as_of=words.gettext("As of %(time)s", time=moment(words, known, event.country)),
        description=" ".join(filter(None, _described(words, event, meaning))),
    )


def _shape(event: Event) -> Shape:
    """A shutdown stays confirmed while no vantage can tell whether it goes on."""
    unseen = event.state is EventState.CONFIRMED and event.wholly_unobserved
    return Shape.DASHED if unseen else _SHAPES[event.state]


def _tags(words: Words, event: Event, review: Review | None) -> tuple[str, ...]:
    judged = words.gettext(MARKS[review.mark]) if review is not None else ""
    if review is not None and review.mark is Mark.REJECTED:
        return (judged,)
    evidence = ""
    # What was withdrawn may have had strong evidence: that would be read as if it still spoke.
    if event.kind is EventKind.BLOCK and founded(event):
        evidence = words.gettext("evidence: %(grade)s", grade=grade_in_words(words, event.evidence))
    return tuple(filter(None, (words.gettext(EVENT_STATES[event.state]), evidence, judged)))


def _facts(words: Words, event: Event) -> Sequence[tuple[str, str]]:
    until, networks = ending(words, event), counted_networks(event)
    began = words.gettext("Since") if until is None else words.gettext("Began")
    facts = [(began, onset(words, event))]
    if until is not None:
        facts.append((words.gettext("Ended"), until))
    if networks:
        named = network_names(words, networks, NETWORKS_NAMED)
        facts.append((words.gettext("Networks"), named))
    return facts


def _described(words: Words, event: Event, meaning: str) -> Sequence[str]:
    until = ending(words, event)
    return (
        state_and_meaning(words, event) if meaning else "",
        words.gettext("Since: %(when)s", when=onset(words, event)),
        words.gettext("Until: %(when)s", when=until) if until is not None else "",
        words.draft,
    )
